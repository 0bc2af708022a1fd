"""Workers that are asked to end: what they finish, what they give back, and how soon they are gone."""

import signal
import time

from redis import Redis

from sqr_jobs import JobState
from tests.acceptance.deployment import Deployment
from tests.acceptance.figures import Measured
from tests.acceptance.fixtures import ClientOf
from tests.acceptance.lawful import assert_lawful, ways
from tests.host.reports import FACTORY
from tests.servers.ports import wait_until

_GRACE_S = 12
_SHORT, _ENDLESS = "U-WAIT-SHORT", "U-WAIT-ENDLESS"


def test_a_worker_that_is_asked_twice_finishes_what_is_short_and_gives_back_the_rest(
    distributed: Deployment, client_of: ClientOf, redis_url: str, measured: Measured
) -> None:
    """The service manager signals the whole group and Dramatiq's master forwards it: both must do no harm."""
    # Given one short and one endless attempt
    distributed.configure(shutdown_grace_s=_GRACE_S)
    worker = distributed.worker()
    client = client_of(distributed.fastapi())
    jobs = {user: client.accepted(user) for user in (_SHORT, _ENDLESS)}
    wait_until(lambda: all(map(distributed.has_begun, jobs)), seconds=30, what="both attempts")
    # When the group is asked to end, and asked again
    began = time.monotonic()
    worker.signal_group(signal.SIGTERM)
    wait_until(lambda: "draining" in worker.said(), seconds=_GRACE_S, what="the beginning of the end")
    worker.signal_group(signal.SIGTERM)
    # Then it is no longer announced as one that takes jobs, while its attempts still run
    with Redis.from_url(redis_url) as redis:
        wait_until(lambda: not redis.keys("sqr_jobs:announced*"), seconds=3, what="its withdrawal")
    distributed.let_go(_SHORT)
    # And it ends in order within its grace
    assert worker.wait(seconds=_GRACE_S) == 0
    took = time.monotonic() - began
    measured(f"from SIGTERM to the end, of {_GRACE_S} s of grace", took)
    assert took <= _GRACE_S
    wait_until(lambda: not distributed.render_children(), seconds=2, what="the end of its children")
    # And the short one is complete, the endless one given back without blame
    assert ways(distributed.history(jobs[_SHORT])) == ["create", "claim", "complete"]
    given_back = distributed.job(jobs[_ENDLESS])
    assert (given_back.state, given_back.failures, given_back.crashes) == (JobState.RETRY_WAIT, 0, 0)
    assert client.status(jobs[_ENDLESS])["status"] == "IN_PROGRESS"
    # And another worker completes it
    distributed.worker()
    distributed.let_go(_ENDLESS)
    assert client.complete(jobs[_ENDLESS])["attempts"] == 2
    for job_id in jobs.values():
        client.download(job_id)
        assert_lawful(distributed.history(job_id))
    assert ways(distributed.history(jobs[_ENDLESS])) == ["create", "claim", "give back", "claim", "complete"]


def test_a_worker_that_is_asked_to_end_takes_nothing_new(
    distributed: Deployment, client_of: ClientOf
) -> None:
    """What waits behind a running attempt belongs to the workers that stay."""
    distributed.configure(shutdown_grace_s=_GRACE_S, worker_threads=1)
    worker = distributed.worker()
    client = client_of(distributed.fastapi())
    running = client.accepted("U-WAIT")
    wait_until(lambda: distributed.has_begun("U-WAIT"), seconds=30, what="the attempt")
    waiting = [client.accepted(f"U{number}") for number in range(5)]
    worker.signal_group(signal.SIGTERM)
    wait_until(lambda: "draining" in worker.said(), seconds=_GRACE_S, what="the beginning of the end")
    distributed.let_go("U-WAIT")
    assert worker.wait(seconds=_GRACE_S) == 0
    assert distributed.job(running).state is JobState.COMPLETE
    assert {distributed.job(job_id).attempt for job_id in waiting} == {0}
    distributed.dramatiq()
    for job_id in waiting:
        client.complete(job_id)
        assert ways(distributed.history(job_id)) == ["create", "claim", "complete"]


def test_an_idle_worker_ends_at_once(distributed: Deployment, measured: Measured) -> None:
    """A deployment that replaces its workers does not wait for nothing."""
    distributed.configure(shutdown_grace_s=30)
    worker = distributed.worker(processes=2)
    wait_until(lambda: len(distributed.render_children()) == 2, seconds=30, what="warm workers")
    began = time.monotonic()
    assert worker.stop() == 0
    measured("from SIGTERM to the end of an idle worker", time.monotonic() - began)
    assert time.monotonic() - began <= 12
    wait_until(lambda: not list(distributed.processes()), seconds=2, what="the end of every process")


def test_a_worker_that_is_asked_to_end_while_it_starts_ends(distributed: Deployment) -> None:
    """A rollout that is called off must not wait for a kill."""
    worker = distributed.worker()
    wait_until(lambda: list(distributed.processes()), seconds=10, what="its first process")
    wait_until(lambda: "booting up" in worker.said(), seconds=30, what="its master")
    worker.signal_group(signal.SIGTERM)
    assert worker.wait(seconds=15) == 0
    wait_until(lambda: not list(distributed.processes()), seconds=2, what="the end of every process")


def test_maintenance_rings_and_ends_when_it_is_asked(
    distributed: Deployment, client_of: ClientOf, redis_url: str
) -> None:
    """`sqr-jobs maintain` is a service like the others, and `--once` is for cron."""
    job_id = client_of(distributed.fastapi()).accepted("U1")
    with Redis.from_url(redis_url) as redis:
        redis.flushall()
        maintain = distributed.maintain()
        wait_until(lambda: redis.llen(distributed.queue_key) == 1, seconds=20, what="its first ring")
        assert maintain.stop() == 0
        redis.flushall()
        assert distributed.run("maintain", "--once").strip() == "reaped 0, rang for 1, deleted 0"
    assert distributed.job(job_id).state is JobState.QUEUED


def test_a_server_without_a_handler_of_its_own_drains_where_the_host_turns_the_signal_into_an_exit(
    embedded: Deployment, client_of: ClientOf
) -> None:
    """workers.md: `flask run` and waitress end at once on SIGTERM, and no code at exit runs."""
    embedded.configure(factory=FACTORY, shutdown_grace_s=_GRACE_S)
    web = embedded.flask_run("tests.acceptance.flask_host:create_draining_app")
    job_id = client_of(web).accepted(_SHORT)
    wait_until(lambda: embedded.has_begun(_SHORT), seconds=30, what="the attempt")
    web.program.signal_group(signal.SIGTERM)
    wait_until(lambda: "draining" in web.program.said(), seconds=_GRACE_S, what="the beginning of the end")
    embedded.let_go(_SHORT)
    assert web.program.wait(seconds=_GRACE_S) == 0
    assert embedded.job(job_id).state is JobState.COMPLETE
