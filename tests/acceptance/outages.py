"""What every deployment lives through, on whichever servers: a broker or a database that goes away."""

import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from tests.acceptance.asking import p99, post_for
from tests.acceptance.client import Client
from tests.acceptance.deployment import Deployment
from tests.acceptance.figures import Measured
from tests.acceptance.fixtures import ClientOf
from tests.acceptance.lawful import assert_lawful, ways
from tests.servers.ports import wait_until

__all__ = [
    "assert_a_dead_broker_costs_nothing",
    "assert_a_silent_broker_costs_nothing",
    "assert_all_end_after_an_outage",
    "assert_silence_costs_a_timeout",
]

_BOUND_S = 0.5
"""What a POST may take during any fault of the broker (I16)."""


def assert_a_dead_broker_costs_nothing(
    deployment: Deployment,
    client_of: ClientOf,
    measured: Measured,
    *,
    kill: Callable[[], object],
    start: Callable[[], object],
) -> None:
    """Kill the broker, start it later: requests are accepted at once, and all jobs complete (I16, I7)."""
    # Given a worker that is busy, and jobs that wait
    worker = deployment.worker()
    client = client_of(deployment.fastapi())
    client.complete(client.accepted("U1"))
    held = [client.accepted(user) for user in ("U-WAIT-1", "U-WAIT-2")]
    waiting = [client.accepted(f"U-BEFORE-{number}") for number in range(10)]
    # When the broker is killed, and requests go on
    kill()
    took, during = post_for(client_of, deployment, seconds=6)
    measured("for the slowest POST while the broker was dead", max(took))
    assert p99(took) <= _BOUND_S
    # And it comes back
    start()
    began = time.monotonic()
    for user in ("U-WAIT-1", "U-WAIT-2"):
        deployment.let_go(user)
    # Then all jobs complete
    _assert_complete(deployment, client, [*held, *waiting, *during])
    measured("from the broker's return to the end of all jobs", time.monotonic() - began)
    assert worker.is_alive()


def assert_a_silent_broker_costs_nothing(
    deployment: Deployment,
    client_of: ClientOf,
    measured: Measured,
    frozen: Callable[[], AbstractContextManager[None]],
) -> None:
    """Have the broker take connections and say nothing: worse than dead, and the same to clients (I16)."""
    worker = deployment.worker()
    client = client_of(deployment.fastapi())
    client.complete(client.accepted("U1"))
    with frozen():
        took, during = post_for(client_of, deployment, seconds=6)
    measured("for the slowest POST while the broker was frozen", max(took))
    assert p99(took) <= _BOUND_S
    began = time.monotonic()
    _assert_complete(deployment, client, during)
    measured("from the thaw to the end of all jobs", time.monotonic() - began)
    assert worker.is_alive()


def assert_all_end_after_an_outage(
    deployment: Deployment,
    client_of: ClientOf,
    measured: Measured,
    *,
    kill: Callable[[], object],
    start: Callable[[], object],
    lease_s: float,
    away_s: float,
) -> None:
    """Kill the database under jobs that run and jobs that wait, and start it later (I1, I3)."""
    # Given jobs that run on every thread of two workers, and jobs that wait
    deployment.configure(lease_s=lease_s)
    workers = [deployment.worker(), deployment.dramatiq()]
    client = client_of(deployment.fastapi())
    running = [f"U-WAIT-{number}" for number in range(4)]
    jobs = {user: client.accepted(user) for user in running}
    wait_until(lambda: all(map(deployment.has_begun, running)), seconds=30, what="running attempts")
    jobs |= {f"U{number}": client.accepted(f"U{number}") for number in range(6)}
    # When the database is killed, and the attempts come to their end meanwhile
    deployment.database.close()
    kill()
    refused = client.ask("U-LATE")
    assert (refused.status_code, refused.json()["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert int(refused.headers["Retry-After"]) >= 1
    assert client.look(jobs["U0"]).status_code == 503
    for user in running:
        deployment.let_go(user)
    back_at = time.monotonic() + away_s
    wait_until(lambda: time.monotonic() >= back_at, seconds=away_s + 1, what="the end of the outage")
    start()
    # Then all jobs complete
    began = time.monotonic()
    _assert_complete(deployment, client, jobs.values())
    for job_id in jobs.values():
        client.download(job_id)
    measured("from the database's return to the end of all jobs", time.monotonic() - began)
    if lease_s > away_s:  # the attempts insisted until they could record their end
        for user in running:
            assert ways(deployment.history(jobs[user])) == ["create", "claim", "complete"]
    assert all(worker.is_alive() for worker in workers)
    client.complete(client.accepted("U-LATE"))


def assert_silence_costs_a_timeout(
    deployment: Deployment,
    client_of: ClientOf,
    measured: Measured,
    frozen: Callable[[], AbstractContextManager[None]],
    *,
    each_s: float,
) -> None:
    """Have the database take connections and say nothing: a request waits its timeout, no more."""
    client = client_of(deployment.fastapi())
    job_id = client.accepted("U1")
    with frozen():
        began = time.monotonic()
        answers = [client.look(job_id), client.ask("U2")]
        took = time.monotonic() - began
    measured("for two requests while the database was frozen, of 2 s of timeout each", took)
    assert [answer.status_code for answer in answers] == [503, 503]
    assert took <= 2 * each_s
    deployment.worker()
    client.complete(job_id)


def _assert_complete(deployment: Deployment, client: Client, job_ids: Iterable[str]) -> None:
    for job_id in job_ids:
        client.complete(job_id)
        assert_lawful(deployment.history(job_id))
