"""Render children that do not come up: a factory that waits for something that is not there."""

import signal

from sqr_jobs import JobState
from tests.acceptance.deployment import Deployment
from tests.acceptance.fixtures import ClientOf
from tests.acceptance.lawful import assert_lawful, ways
from tests.faults.slow_start import FACTORY, LET_GO
from tests.servers.ports import wait_until


def test_an_attempt_whose_child_does_not_come_up_in_time_has_timed_out(
    distributed: Deployment, client_of: ClientOf
) -> None:
    """RENDER_TIMEOUT tells an operator where to look; TEMPLATE_NOT_FOUND would be a false trail."""
    distributed.configure(factory=FACTORY, attempt_limit_s=5)
    worker = distributed.worker()
    client = client_of(distributed.fastapi())
    job_id = client.accepted("U1")
    assert client.end(job_id, seconds=40)["errorCode"] == "RENDER_TIMEOUT"
    assert ways(distributed.history(job_id)) == ["create", "claim", "retry", "claim", "fail"]
    assert_lawful(distributed.history(job_id))
    # And once children come up, the worker serves as if nothing had been
    distributed.let_go(LET_GO)
    client.complete(client.accepted("U2"))
    assert worker.is_alive()


def test_a_job_whose_child_still_starts_when_the_worker_must_end_is_given_back_at_once(
    distributed: Deployment, client_of: ClientOf
) -> None:
    """The next worker has it without delay, and without a failure that never was."""
    distributed.configure(factory=FACTORY, shutdown_grace_s=4)
    worker = distributed.worker()
    client = client_of(distributed.fastapi())
    job_id = client.accepted("U1")
    wait_until(lambda: distributed.job(job_id).state is JobState.RUNNING, seconds=30, what="the claim")
    worker.signal_group(signal.SIGTERM)
    assert worker.wait(seconds=8) == 0
    given_back = distributed.job(job_id)
    assert (given_back.state, given_back.failures, given_back.crashes) == (JobState.RETRY_WAIT, 0, 0)
    assert given_back.error_code is None
    assert given_back.available_at <= given_back.updated_at
    distributed.let_go(LET_GO)
    distributed.worker()
    client.complete(job_id)
    assert_lawful(distributed.history(job_id))
