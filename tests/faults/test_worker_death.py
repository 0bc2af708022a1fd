"""Workers that are killed, or that sleep through their lease and wake up."""

import signal
import time

import psutil

from sqr_jobs import JobState
from tests.acceptance.deployment import Deployment
from tests.acceptance.figures import Measured
from tests.acceptance.fixtures import ClientOf
from tests.acceptance.lawful import assert_lawful, ways
from tests.servers.ports import wait_until
from tests.servers.s3 import S3Bucket, S3Server


def test_the_jobs_of_a_killed_worker_are_completed_by_another(
    distributed: Deployment, client_of: ClientOf, measured: Measured
) -> None:
    """Machines die in mid-render; the person still gets the report."""
    # Given a worker that renders on both of its threads, and another one
    doomed = distributed.worker()
    client = client_of(distributed.fastapi())
    users = ["U-WAIT-1", "U-WAIT-2"]
    jobs = {user: client.accepted(user) for user in users}
    wait_until(lambda: all(map(distributed.has_begun, users)), seconds=30, what="both attempts")
    children = {child for user in users for _, child in distributed.beginnings(user)}
    other = distributed.worker()
    client.complete(client.accepted("U1"))
    # When the first one is killed with all its processes
    began = time.monotonic()
    doomed.signal_group(signal.SIGKILL)
    # Then its children are gone within 2 seconds (I14)
    wait_until(
        lambda: not children & {child.pid for child in distributed.render_children()},
        seconds=2,
        what="the end of the killed worker's render children",
    )
    measured("until the killed worker's children were gone", time.monotonic() - began)
    # And the other one completes its jobs
    wait_until(
        lambda: all(distributed.has_begun(user, times=2) for user in users), seconds=30, what="new attempts"
    )
    measured("until another worker had the jobs, of 4 s of lease", time.monotonic() - began)
    for user, job_id in jobs.items():
        distributed.let_go(user)
        assert client.complete(job_id)["attempts"] == 2
        client.download(job_id)
        assert_lawful(distributed.history(job_id))
        assert ways(distributed.history(job_id)) == ["create", "claim", "lose lease", "claim", "complete"]
    assert other.is_alive()


def test_a_child_that_hangs_in_c_does_not_outlive_its_killed_worker(
    distributed: Deployment, client_of: ClientOf, measured: Measured
) -> None:
    """Nobody is left to kill it, and it never returns to Python: the kernel must end it (I14)."""
    doomed = distributed.worker()
    client = client_of(distributed.fastapi())
    job_id = client.accepted("U-HANG")
    wait_until(lambda: distributed.has_begun("U-HANG"), seconds=30, what="the attempt")
    began = time.monotonic()
    doomed.signal_group(signal.SIGKILL)
    wait_until(lambda: not distributed.render_children(), seconds=2, what="the end of the hanging child")
    measured("until the hanging child was gone", time.monotonic() - began)
    # And the job, which hangs everywhere, comes to its end with the next worker
    distributed.configure(attempt_limit_s=2.5)
    distributed.worker()
    assert client.end(job_id)["errorCode"] == "RENDER_TIMEOUT"
    history = distributed.history(job_id)
    assert_lawful(history)
    assert ways(history) == ["create", "claim", "lose lease", "claim", "retry", "claim", "fail"]


def test_a_job_that_takes_every_worker_down_with_it_ends(
    distributed: Deployment, client_of: ClientOf
) -> None:
    """Three dead workers are enough: a fourth is not risked (WORKER_LOST)."""
    client = client_of(distributed.fastapi())
    job_id = client.accepted("U-WAIT")
    for times in (1, 2, 3):
        worker = distributed.worker()
        wait_until(lambda times=times: distributed.has_begun("U-WAIT", times=times), seconds=30, what="it")
        worker.signal_group(signal.SIGKILL)
    distributed.maintain()
    assert client.end(job_id)["errorCode"] == "WORKER_LOST"
    history = distributed.history(job_id)
    assert_lawful(history)
    assert ways(history) == ["create", *["claim", "lose lease"] * 2, "claim", "fail"]


def test_a_worker_that_slept_through_its_lease_writes_nothing(
    distributed: Deployment, client_of: ClientOf, s3_bucket: S3Bucket, s3_server: S3Server
) -> None:
    """A machine that was suspended wakes up in the belief that the job is still its own (I4)."""
    # Given a worker with one thread, asleep in mid-render
    distributed.configure(worker_threads=1)
    sleeper = distributed.worker()
    client = client_of(distributed.fastapi())
    job_id = client.accepted("U-WAIT")
    wait_until(lambda: distributed.has_begun("U-WAIT"), seconds=30, what="the attempt")
    sleeper.signal_group(signal.SIGSTOP)
    # When another one completes its job, and it wakes up to a document that its child has made meanwhile
    distributed.let_go("U-WAIT")
    other = distributed.worker()
    client.complete(job_id)
    served, history = client.download(job_id).content, distributed.history(job_id)
    other.stop()
    sleeper.signal_group(signal.SIGCONT)
    # Then it goes on with other jobs, and has touched neither this one's row nor its document
    client.complete(client.accepted("U1"))
    assert distributed.history(job_id) == history
    assert_lawful(history)
    assert ways(history) == ["create", "claim", "lose lease", "claim", "complete"]
    assert client.download(job_id).content == served
    assert len(_keys(s3_server, s3_bucket, job_id)) == 1


def test_a_worker_that_slept_between_storing_and_recording_replaces_nothing(
    distributed: Deployment, client_of: ClientOf, s3_bucket: S3Bucket, s3_server: S3Server
) -> None:
    """Here no clock of its own can save it: the guarded write must say no, and the keys must differ (I4)."""
    # Given a worker that stops after its upload
    sleeper = distributed.dramatiq("tests.faults.zombie_worker:broker")
    client = client_of(distributed.fastapi())
    distributed.let_go("U-WAIT")
    job_id = client.accepted("U-WAIT")
    wait_until(lambda: _is_stopped(distributed), seconds=30, what="the worker's sleep")
    (stored,) = _keys(s3_server, s3_bucket, job_id)
    assert distributed.job(job_id).state is JobState.RUNNING
    # When it wakes up while another one has the job
    distributed.hold("U-WAIT")
    other = distributed.worker()
    wait_until(lambda: distributed.has_begun("U-WAIT", times=2), seconds=30, what="the other's attempt")
    sleeper.signal_group(signal.SIGCONT)
    wait_until(lambda: "fenced off" in sleeper.said(), seconds=10, what="the refusal of its write")
    # Then the job is the other one's still, and so is the document
    assert distributed.job(job_id).state is JobState.RUNNING
    distributed.let_go("U-WAIT")
    client.complete(job_id)
    client.download(job_id)
    assert_lawful(distributed.history(job_id))
    assert ways(distributed.history(job_id)) == ["create", "claim", "lose lease", "claim", "complete"]
    document = distributed.job(job_id).document
    assert document is not None
    assert {stored, document.key} == set(_keys(s3_server, s3_bucket, job_id))
    assert stored.startswith(f"{job_id}/1-")
    assert document.key.startswith(f"{job_id}/2-")
    # And it goes on
    other.stop()
    client.complete(client.accepted("U1"))


def test_attempts_are_gone_within_two_seconds_of_their_limit(
    distributed: Deployment, client_of: ClientOf, measured: Measured
) -> None:
    """The promised bound, for a child in C that holds the GIL and for one in Python (I14)."""
    distributed.configure(attempt_limit_s=8)
    worker = distributed.worker()
    client = client_of(distributed.fastapi())
    users = ["U-HANG", "U-WAIT"]
    jobs = {user: client.accepted(user) for user in users}
    wait_until(lambda: all(map(distributed.has_begun, users)), seconds=30, what="both attempts")
    began = time.monotonic()
    children = {distributed.beginnings(user)[0][1] for user in users}
    wait_until(
        lambda: not children & {child.pid for child in distributed.render_children()},
        seconds=8 + 2,
        what="the end of the attempts' children",
    )
    measured("from the beginning to the end of both children, of 8 s of limit", time.monotonic() - began)
    for job_id in jobs.values():
        assert client.end(job_id)["errorCode"] == "RENDER_TIMEOUT"
        assert_lawful(distributed.history(job_id))
    client.complete(client.accepted("U1"))
    assert worker.is_alive()


def test_a_worker_that_lost_one_process_ends_for_its_supervisor_to_start_it_anew(
    distributed: Deployment, client_of: ClientOf
) -> None:
    """The kernel's memory killer takes one process; a master that lived on without it would serve half."""
    worker = distributed.worker(processes=2)
    client = client_of(distributed.fastapi())
    users = [f"U-WAIT-{number}" for number in range(4)]
    jobs = {user: client.accepted(user) for user in users}
    wait_until(lambda: all(map(distributed.has_begun, users)), seconds=30, what="attempts on all threads")
    # When one of the two processes is killed
    psutil.Process(distributed.beginnings(users[0])[0][1]).parents()[1].kill()  # past the child's guardian
    # Then the other finishes what it can, and the whole ends with a status that says why
    for user in users:
        distributed.let_go(user)
    assert worker.wait(seconds=20) != 0
    wait_until(lambda: not distributed.render_children(), seconds=2, what="the end of all children")
    # And the next worker completes what was lost
    distributed.worker()
    for job_id in jobs.values():
        client.complete(job_id)
        assert_lawful(distributed.history(job_id))
    assert sum(distributed.job(job_id).crashes for job_id in jobs.values()) == 2


def _is_stopped(deployment: Deployment) -> bool:
    return any(process.status() == psutil.STATUS_STOPPED for process in deployment.processes())


def _keys(server: S3Server, bucket: S3Bucket, job_id: str) -> list[str]:
    found = server._client.list_objects_v2(Bucket=bucket.bucket, Prefix=f"{job_id}/")
    return [item["Key"] for item in found.get("Contents", [])]
