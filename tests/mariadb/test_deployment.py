"""Reports asked for, made and downloaded with the jobs in MariaDB; workers are killed, and MariaDB itself."""

import signal
import time

import psutil
import pytest

from tests.acceptance.deployment import Deployment
from tests.acceptance.figures import Measured
from tests.acceptance.fixtures import ClientOf
from tests.acceptance.lawful import assert_lawful, ways
from tests.servers.mariadb import MariadbServer
from tests.servers.ports import wait_until


def test_twenty_reports_are_asked_for_made_and_downloaded(
    deployment: Deployment, client_of: ClientOf, measured: Measured
) -> None:
    """The whole way, through both frameworks, by two kinds of worker."""
    deployment.worker()
    deployment.dramatiq()
    clients = [client_of(deployment.fastapi()), client_of(deployment.flask())]
    began = time.monotonic()
    jobs = [clients[number % 2].accepted(f"U{number}") for number in range(20)]
    for job_id in jobs:
        assert clients[0].complete(job_id)["attempts"] == 1
        assert clients[1].download(job_id).content.startswith(b"%PDF")
        assert_lawful(deployment.history(job_id))
        assert ways(deployment.history(job_id)) == ["create", "claim", "complete"]
    measured("for twenty reports on MariaDB", time.monotonic() - began)
    assert clients[0].look(jobs[0]).status_code == 200
    assert client_of(deployment.webs[0], "other").look(jobs[0]).status_code == 404


def test_the_check_names_the_server_and_finds_nothing_wrong(deployment: Deployment) -> None:
    """What an operator runs after a deployment."""
    deployment.worker()
    wait_until(lambda: "consuming" in deployment.run("check"), seconds=30, what="the worker's announcement")
    lines = {line.split()[1]: line for line in deployment.run("check").splitlines()}
    assert "mariadb 10." in lines["database"] or "mariadb 11." in lines["database"]


def test_the_jobs_of_a_killed_worker_are_completed_by_another(
    deployment: Deployment, client_of: ClientOf
) -> None:
    """Its connections end with it, and so do its locks; its lease runs out by MariaDB's clock."""
    doomed = deployment.worker()
    client = client_of(deployment.fastapi())
    job_id = client.accepted("U-WAIT-1")
    wait_until(lambda: deployment.has_begun("U-WAIT-1"), seconds=30, what="the first attempt")
    other = deployment.worker()
    doomed.signal_group(signal.SIGKILL)
    wait_until(lambda: deployment.has_begun("U-WAIT-1", times=2), seconds=30, what="the second attempt")
    deployment.let_go("U-WAIT-1")
    assert client.complete(job_id)["attempts"] == 2
    assert_lawful(deployment.history(job_id))
    assert ways(deployment.history(job_id)) == ["create", "claim", "lose lease", "claim", "complete"]
    assert other.is_alive()


@pytest.mark.parametrize(("lease_s", "away_s"), [(40, 2), (4, 4)], ids=["shorter", "longer"])
def test_jobs_that_run_while_mariadb_is_killed_all_end(
    deployment: Deployment,
    own_mariadb: MariadbServer,
    client_of: ClientOf,
    measured: Measured,
    *,
    lease_s: float,
    away_s: float,
) -> None:
    """Be it away shorter or longer than a lease: what was committed stands, and all go on (I1, I3)."""
    # Given jobs that run on every thread of two workers, and jobs that wait
    deployment.configure(lease_s=lease_s)
    workers = [deployment.worker(), deployment.dramatiq()]
    client = client_of(deployment.fastapi())
    running = [f"U-WAIT-{number}" for number in range(4)]
    jobs = {user: client.accepted(user) for user in running}
    wait_until(lambda: all(map(deployment.has_begun, running)), seconds=30, what="running attempts")
    jobs |= {f"U{number}": client.accepted(f"U{number}") for number in range(6)}
    # When MariaDB is killed, and the attempts come to their end meanwhile
    deployment.database.close()
    own_mariadb.kill()
    refused = client.ask("U-LATE")
    assert (refused.status_code, refused.json()["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert client.look(jobs["U0"]).status_code == 503
    for user in running:
        deployment.let_go(user)
    back_at = time.monotonic() + away_s
    wait_until(lambda: time.monotonic() >= back_at, seconds=away_s + 1, what="the end of the outage")
    own_mariadb.start()
    # Then all jobs complete
    began = time.monotonic()
    for job_id in jobs.values():
        client.complete(job_id)
        client.download(job_id)
        assert_lawful(deployment.history(job_id))
    measured("from MariaDB's return to the end of all jobs", time.monotonic() - began)
    assert all(worker.is_alive() for worker in workers)
    client.complete(client.accepted("U-LATE"))


def test_a_frozen_mariadb_costs_each_request_its_timeout_and_no_more(
    deployment: Deployment, own_mariadb: MariadbServer, client_of: ClientOf, measured: Measured
) -> None:
    """A database that takes connections and says nothing must not take the web server with it."""
    client = client_of(deployment.fastapi())
    job_id = client.accepted("U1")
    server = psutil.Process(own_mariadb.pid)
    server.suspend()
    try:
        began = time.monotonic()
        answers = [client.look(job_id), client.ask("U2")]
        took = time.monotonic() - began
    finally:
        server.resume()
    measured("for two requests while MariaDB was frozen, of 2 s of timeout each", took)
    assert [answer.status_code for answer in answers] == [503, 503]
    assert took <= 2 * 6  # asking an old connection, and making a new one
    deployment.worker()
    client.complete(job_id)
