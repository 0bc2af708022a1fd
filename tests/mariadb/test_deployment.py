"""Reports asked for, made and downloaded with the jobs in MariaDB; workers are killed, and MariaDB itself."""

import signal
import time

import pytest

from tests.acceptance.deployment import Deployment
from tests.acceptance.figures import Measured
from tests.acceptance.fixtures import ClientOf
from tests.acceptance.lawful import assert_lawful, ways
from tests.acceptance.outages import assert_all_end_after_an_outage, assert_silence_costs_a_timeout
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
    kill, start = own_mariadb.kill, own_mariadb.start
    times = {"lease_s": lease_s, "away_s": away_s}
    assert_all_end_after_an_outage(deployment, client_of, measured, kill=kill, start=start, **times)


def test_a_frozen_mariadb_costs_each_request_its_timeout_and_no_more(
    deployment: Deployment, own_mariadb: MariadbServer, client_of: ClientOf, measured: Measured
) -> None:
    """One asks an old connection, and makes a new one."""
    assert_silence_costs_a_timeout(deployment, client_of, measured, own_mariadb.frozen, each_s=6)
