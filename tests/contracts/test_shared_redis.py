"""Services that share one Redis, and a Redis that allows them no more than they need."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import dramatiq
import pytest
from redis import Redis
from redis.exceptions import NoPermissionError

from sqr_jobs import RateLimit, Settings, build_report_jobs, migrations
from sqr_jobs.actors import declare_actors
from sqr_jobs.adapters.redis_broker import working_broker
from sqr_jobs.errors import QueueUnavailable
from sqr_jobs.wiring import System, system_of
from tests.acceptance.program import ROOT
from tests.contracts.queues import JOB_ID
from tests.host.people import People
from tests.host.reports import Report
from tests.servers.ports import wait_until
from tests.servers.redis import RedisServer

pytestmark = pytest.mark.usefixtures("patient_redis")

_ONE = RateLimit(requests=1, window_s=600)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Callable[..., System]]:
    """Make services, each on a database that it was given by name: `service(name, broker_url)`."""
    with ExitStack() as made:

        def make(name: str, url: str) -> System:
            settings = Settings(
                data_dir=tmp_path / name, database_url=f"sqlite:///{tmp_path}/{name}.db", broker_url=url
            )
            system = system_of(build_report_jobs(settings, users=People(), templates=[Report()]))
            migrations.upgrade(system.database.engine)
            made.callback(system.database.close)
            return system

        yield make


def test_two_services_on_one_redis_keep_apart(service: Callable[..., System], redis_url: str) -> None:
    """A worker would take the other's messages, find no job, and leave the job to the next relay."""
    here, there = service("here", redis_url), service("there", redis_url)
    here.queue.ring(JOB_ID)
    assert (here.queue.waiting(), there.queue.waiting()) == (1, 0)
    # Nor does one's organisation use up the quota of its namesake
    assert [system.limiter.hit("acme", _ONE).allowed for system in (here, there, here)] == [True, True, False]
    # And each sees the other's workers, so that a wrong database shows
    there.maintenance(is_worker=True).announce()
    assert [announced.database for announced in here.queue.workers().values()] == [there.identity()]
    assert here.identity() != there.identity()


def test_processes_of_one_service_share_its_queue(service: Callable[..., System], redis_url: str) -> None:
    """Web process and worker make the name each for itself, from the database that they share."""
    web, worker = service("here", redis_url), service("here", redis_url)
    web.queue.ring(JOB_ID)
    assert worker.queue.waiting() == 1
    assert web.limiter.hit("acme", _ONE).allowed
    assert not worker.limiter.hit("acme", _ONE).allowed


def test_a_ring_that_can_t_ask_for_the_identity_is_unavailable(
    service: Callable[..., System], redis_url: str
) -> None:
    """The job is stored, and the relay rings for it: a fault of the database is no other fault here."""
    system = service("here", redis_url)
    migrations.downgrade(system.database.engine, "base")
    with pytest.raises(QueueUnavailable):
        system.queue.ring(JOB_ID)
    assert system.limiter.hit("acme", _ONE).allowed
    migrations.upgrade(system.database.engine)
    assert system.identity()


def test_the_rule_that_the_manual_gives_is_enough_and_lets_nobody_else_in(
    service: Callable[..., System],
) -> None:
    """Whoever gives a service these rights must not meet a refusal later, such as that of a script."""
    page = (ROOT / "docs" / "howto" / "workers.md").read_text(encoding="utf-8")
    (rule,) = re.findall(r"ACL SETUSER sqr_jobs (.*?)'?\n", page)
    processed: list[str | None] = []
    with RedisServer() as server, Redis.from_url(server.url) as admin:
        admin.execute_command("ACL", "SETUSER", "sqr_jobs", *rule.replace(">PASSWORD", ">word").split())
        port = urlsplit(server.url).port
        url = f"redis://sqr_jobs:word@127.0.0.1:{port}/0"
        with Redis.from_url(url) as client, pytest.raises(NoPermissionError):
            client.get("another program's")
        system = service("here", url)
        broker = working_broker(url, system.identity.of_service, threads=1, middleware=[])
        broker.maintenance_chance = 1_000_000  # so that each fetch looks for dead workers too
        broker.heartbeat_timeout = 0
        declare_actors(broker, lambda job_id: processed.append(job_id) or True)
        worker = dramatiq.Worker(broker, worker_threads=1, worker_timeout=50)
        worker.start()
        try:
            system.queue.ring(JOB_ID)
            wait_until(lambda: processed == [JOB_ID], seconds=10, what="the ring")
            maintenance = system.maintenance(is_worker=True)
            maintenance.announce()
            assert len(system.queue.workers()) == 1
            maintenance.withdraw()
            assert maintenance.relay() == 0
            assert system.queue.waiting() == 0
            assert [system.limiter.hit("acme", _ONE).allowed for _ in range(2)] == [True, False]
        finally:
            worker.stop()
            broker.client.close()
        assert [entry["object"] for entry in admin.acl_log()] == ["another program's"]
        assert all(key.startswith(b"sqr_jobs:") for key in admin.scan_iter())
