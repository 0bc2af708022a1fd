"""Render children that do not come up: a factory that waits for something that is not there."""

import signal

from sqr_jobs import JobState
from tests.acceptance.deployment import Deployment
from tests.acceptance.fixtures import ClientOf
from tests.acceptance.lawful import assert_lawful, ways
from tests.faults.slow_start import FACTORY, LET_GO
from tests.servers.ports import wait_until


def test_a_child_that_does_not_come_up_costs_its_job_no_attempt(
    distributed: Deployment, client_of: ClientOf
) -> None:
    """The template is innocent, and the next worker may be well; the cause says where the start hangs."""
    distributed.configure(factory=FACTORY, attempt_limit_s=1, start_limit_s=10)
    worker = distributed.worker()
    client = client_of(distributed.fastapi())
    job_id = client.accepted("U1")
    given_back = ["create", "claim", "give back"]
    wait_until(lambda: ways(distributed.history(job_id)) == given_back, seconds=60, what="the give back")
    job, event = distributed.job(job_id), distributed.history(job_id)[-1]
    assert (job.state, job.failures, job.crashes) == (JobState.RETRY_WAIT, 0, 0)
    assert event.error_code == "RENDER_START_FAILED"
    assert "in wait_until" in str(event.cause)
    # And once children come up, the worker serves as if nothing had been
    distributed.let_go(LET_GO)
    client.complete(job_id)
    assert worker.is_alive()
    assert_lawful(distributed.history(job_id))


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
