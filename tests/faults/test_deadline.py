"""Jobs that nobody completes in time."""

import time

from sqr_jobs import JobState
from tests.acceptance.deployment import Deployment
from tests.acceptance.figures import Measured
from tests.acceptance.fixtures import ClientOf
from tests.acceptance.lawful import assert_lawful, ways
from tests.servers.ports import wait_until


def test_without_any_worker_the_answer_is_right_at_the_deadline(
    distributed: Deployment, client_of: ClientOf, measured: Measured
) -> None:
    """A client that waits for the deadline must not hear IN_PROGRESS afterwards: looking settles it."""
    distributed.configure(deadline_s=4)
    client = client_of(distributed.fastapi())
    job_id = client.accepted("U1")
    assert client.status(job_id)["status"] == "PENDING"
    ended = client.end(job_id, seconds=15)
    assert (ended["status"], ended["errorCode"]) == ("FAILED", "DEADLINE_EXCEEDED")
    row = distributed.job(job_id)
    measured("from the deadline to the answer", ((row.completed_at or 0) - row.deadline_at) / 1000)
    refused = client.ask_url(job_id)
    assert (refused.status_code, refused.json()["code"]) == (422, "JOB_FAILED")
    assert refused.json()["errorCode"] == "DEADLINE_EXCEEDED"
    assert_lawful(distributed.history(job_id))
    assert ways(distributed.history(job_id)) == ["create", "pass deadline"]
    client.accepted("U1")  # the person may be asked for anew


def test_maintenance_alone_ends_a_job_within_ten_seconds_of_its_deadline(
    distributed: Deployment, client_of: ClientOf, measured: Measured
) -> None:
    """Nobody looks, and no worker lives; with the reaper's interval as it comes (I6)."""
    distributed.configure(deadline_s=8, reaper_interval_s=5)
    web = distributed.fastapi()
    job_id = client_of(web).accepted("U1")
    web.program.kill()
    distributed.maintain()
    wait_until(lambda: distributed.job(job_id).state is JobState.FAILED, seconds=25, what="the reaper")
    row = distributed.job(job_id)
    late_s = ((row.completed_at or 0) - row.deadline_at) / 1000
    measured("from the deadline to the end of the job", late_s)
    assert 0 <= late_s <= 10
    assert row.error_code == "DEADLINE_EXCEEDED"
    assert_lawful(distributed.history(job_id))


def test_an_attempt_ends_with_its_job_at_the_deadline(
    distributed: Deployment, client_of: ClientOf, measured: Measured
) -> None:
    """A render that nobody will fetch must not hold a worker (I14)."""
    worker = distributed.worker()
    client = client_of(distributed.fastapi())
    client.complete(client.accepted("U1"))
    job_id = client.accepted("U-WAIT", exportDeadline="PT5S")
    wait_until(lambda: distributed.has_begun("U-WAIT"), seconds=5, what="the attempt")
    _, child = distributed.beginnings("U-WAIT")[0]
    assert client.end(job_id)["errorCode"] == "DEADLINE_EXCEEDED"
    began = time.monotonic()
    wait_until(
        lambda: child not in {running.pid for running in distributed.render_children()},
        seconds=2,
        what="the end of the attempt's child",
    )
    measured("from the deadline to the end of the child", time.monotonic() - began)
    assert ways(distributed.history(job_id)) == ["create", "claim", "pass deadline"]
    assert_lawful(distributed.history(job_id))
    distributed.let_go("U-WAIT")
    client.complete(client.accepted("U-WAIT"))
    assert worker.is_alive()
