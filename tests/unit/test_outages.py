"""Outages in the log: a line when one begins and a line when it ends, whatever meets it how often."""

import logging
import re
from collections.abc import Callable
from typing import Any

import dramatiq
import pytest
from dramatiq.brokers.stub import StubBroker

from sqr_jobs import ReportJobs
from sqr_jobs.actors import ACTOR, QUEUE, declare_actors
from sqr_jobs.adapters.limits_limiter import ShelteredRateLimiter
from sqr_jobs.adapters.signing_keys import JwksKeys
from sqr_jobs.domain.rate_limit import RateLimit
from sqr_jobs.errors import DatabaseUnavailable, LimiterUnavailable, QueueUnavailable
from sqr_jobs.leases import LeaseKeeper
from sqr_jobs.maintenance import Maintenance
from sqr_jobs.ports import Quota
from tests.contracts.issuers import jwk, rsa_key
from tests.servers.ports import wait_until
from tests.unit.fakes import Clock, FakeExecution, FakeQueue, FakeUpkeep, claim_of

Told = Callable[[], list[tuple[str, str]]]

AWAY = DatabaseUnavailable("The database did not answer (OperationalError).")


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Told:
    """Say what was logged at INFO and above: level and first line."""
    caplog.set_level(logging.INFO, "sqr_jobs")
    return lambda: [(record.levelname, record.getMessage().splitlines()[0]) for record in caplog.records]


class _Flapping(FakeUpkeep):
    """Fails so many times, and so many times in another way, and then works."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__()
        self.errors = list(errors)
        self.rounds = 0

    def reap_deadlines(self, limit: int) -> int:
        self.rounds += 1
        if self.errors:
            raise self.errors.pop(0)
        return super().reap_deadlines(limit)


@pytest.mark.parametrize("rounds", [1, 50])
def test_the_reaper_tells_of_an_outage_twice(told: Told, rounds: int) -> None:
    """It looks every few seconds: an hour's outage would be a thousand lines of each worker."""
    jobs = _Flapping(*[AWAY] * rounds)
    _run(jobs, lambda: jobs.rounds > rounds + 2)
    first, second = told()
    assert first == ("WARNING", f"the reaper waits: {AWAY}")
    assert second[0] == "INFO"
    assert re.fullmatch(r"the reaper goes on, after \d+ s", second[1])


def test_the_reaper_tells_of_each_kind_of_trouble(told: Told) -> None:
    """What follows on an outage may be worse, and wants another hand."""
    jobs = _Flapping(AWAY, AWAY, ZeroDivisionError(), AWAY, ZeroDivisionError())
    _run(jobs, lambda: jobs.rounds > 7)
    assert told()[:2] == [
        ("WARNING", f"the reaper waits: {AWAY}"),
        ("ERROR", "the reaper failed and goes on"),
    ]
    assert len(told()) == 3


def test_the_announcement_and_the_relay_tell_of_a_broker_once_each(told: Told) -> None:
    """They are different duties, and each comes back when it comes back."""

    class Gone(FakeQueue):
        tried = 0
        announcements = 0

        def waiting(self) -> int:
            self.tried += 1
            raise QueueUnavailable("gone")

        def announce(self, worker: str, announcement: object) -> None:
            self.announcements += 1
            raise QueueUnavailable("gone")

    queue = Gone()
    _run(FakeUpkeep(due=1), lambda: queue.tried > 5 and queue.announcements > 0, queue=queue)
    assert sorted(told()) == [
        ("WARNING", "the announcement waits: gone"),
        ("WARNING", "the relay waits: gone"),
    ]


def _run(jobs: FakeUpkeep, until: Callable[[], bool], queue: FakeQueue | None = None) -> None:
    maintenance = Maintenance(
        jobs=jobs,
        queue=queue or FakeQueue(),
        relay_interval_s=0.001,
        reaper_interval_s=0.001,
        is_worker=True,
    )
    maintenance.start()
    wait_until(until, seconds=20, what="the rounds")
    maintenance.stop()


def test_the_keeper_tells_of_leases_that_can_t_be_renewed_twice(told: Told) -> None:
    """One line for all leases of the process, not one for each and at each heartbeat."""
    clock, jobs = Clock(), FakeExecution()
    keeper = LeaseKeeper(jobs, heartbeat_s=3600, fence_s=25, limit_s=60, now=clock)
    with keeper.hold(claim_of(), claimed_at=clock()), keeper.hold(claim_of(), claimed_at=clock()):
        keeper.renew_all()
        jobs.raises["renew"] = [AWAY] * 3  # the last heartbeat of these renews both
        for _ in range(4):
            keeper.renew_all()
    keeper.stop()
    first, second = told()
    assert first == ("WARNING", f"leases can't be renewed, attempts run on until their fences: {AWAY}")
    assert second[0] == "INFO"
    assert re.fullmatch(r"leases are renewed again, after \d+ s", second[1])


def test_the_actor_tells_of_a_database_out_of_reach_twice(told: Told) -> None:
    """Each message that is fetched meanwhile would be a line."""
    broker = StubBroker(middleware=[])
    errors: list[Exception] = [AWAY] * 10

    def process(_job_id: str | None) -> bool:
        if errors:
            raise errors.pop()
        return True

    declare_actors(broker, process)
    for _ in range(12):
        broker.enqueue(
            dramatiq.Message(queue_name=QUEUE, actor_name=ACTOR, args=("job",), kwargs={}, options={})
        )
    worker = dramatiq.Worker(broker, worker_threads=1, worker_timeout=10)
    worker.start()
    broker.join(QUEUE, timeout=10_000)
    worker.stop()
    first, second = told()
    assert first == ("WARNING", f"no job can be claimed; the relay rings again: {AWAY}")
    assert re.fullmatch(r"jobs are claimed again, after \d+ s", second[1])


class _Parts:
    """A service whose broker is out of reach while `is_down`."""

    def __init__(self) -> None:
        self.is_down = True
        self.queue = self

    def ring(self, _job_id: str) -> None:
        if self.is_down:
            raise QueueUnavailable("The broker refused or did not answer (connection refused).")


def test_of_a_broker_out_of_reach_one_line_is_a_warning(told: Told, caplog: pytest.LogCaptureFixture) -> None:
    """A thousand requests while Redis restarts are a thousand accepted jobs, and no thousand warnings."""
    parts: Any = _Parts()
    reports, job = ReportJobs(parts), claim_of().job
    for _ in range(3):
        reports._ring(job)
    parts.is_down = False
    reports._ring(job)
    levels = [level for level, _ in told()]
    assert levels == ["WARNING", "INFO", "INFO", "INFO", "INFO"]
    assert "jobs are stored and wait: The broker refused or did not answer" in told()[0][1]
    assert told()[1][1] == f"job {job.job_id} is stored; the relay will ring for it"
    assert re.fullmatch(r"the broker answers again, after \d+ s", told()[4][1])
    of_jobs: list[Any] = caplog.records[1:4]
    assert {(record.job, record.org, record.attempt, record.state) for record in of_jobs} == {
        (job.job_id, "acme", 1, "RUNNING")
    }


def test_the_limiter_tells_of_its_storage_twice(told: Told) -> None:
    """The breaker asks again every five seconds."""

    class Shared:
        is_down = True

        def hit(self, _org_id: str, limit: RateLimit) -> Quota:
            if self.is_down:
                raise LimiterUnavailable("ConnectionError")
            return Quota(allowed=True, limit=limit.requests, window_s=limit.window_s, remaining=1, reset_s=1)

    clock, shared = Clock(), Shared()
    memory = Shared()
    memory.is_down = False
    limiter, limit = ShelteredRateLimiter(shared, memory, now=clock), RateLimit(requests=10, window_s=600)
    for _ in range(10):
        limiter.hit("acme", limit)
        clock.move(3)
    shared.is_down = False
    clock.move(3)
    limiter.hit("acme", limit)
    assert told() == [
        ("WARNING", "the rate limiter is out of reach, counting in memory: ConnectionError"),
        ("INFO", "the rate limiter answers again, after 33 s"),
    ]


def test_the_keys_tell_of_an_issuer_out_of_reach_twice(told: Told) -> None:
    """The last set serves on for a day: this is what tells the operator that it does."""
    clock, errors = Clock(), [ConnectionRefusedError(), ConnectionRefusedError()]
    document: Any = {"keys": [jwk(rsa_key(), "ours", "RS256")]}

    def fetch() -> object:
        if errors and clock() > 1_000:
            raise errors.pop()
        return document

    keys = JwksKeys(fetch, now=clock)
    keys.candidates(None, "RS256")
    for _ in range(4):
        clock.move(301)
        keys.candidates(None, "RS256")
    assert told() == [
        ("WARNING", "the issuer's keys could not be fetched (ConnectionRefusedError)"),
        ("INFO", "the issuer's keys are fetched again, after 602 s"),
    ]
