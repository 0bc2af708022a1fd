"""What every job store promises to an attempt's end: the one that owns the job writes, and no other."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from sqr_jobs.adapters.sql.rows import move
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.job import Claim
from sqr_jobs.domain.states import JobState, Transition
from tests.contracts.job_store import RETENTION_S, JobStore, document_of


def test_completing_records_the_document(store: JobStore) -> None:
    """I5: size and SHA-256 in the row are what the download is checked against."""
    claim = store.claimed()
    store.move_clock(2)
    assert store.execution.complete(claim, document_of(claim), duration_ms=1500)
    job = store.read(claim.job.job_id)
    assert (job.state, job.document, job.duration_ms) == (JobState.COMPLETE, document_of(claim), 1500)
    assert job.completed_at == job.updated_at
    assert job.completed_at is not None
    assert job.document_expires_at == job.completed_at + RETENTION_S * 1000
    assert (job.lease_until, job.error_code) == (None, None)
    assert store.story(job.job_id) == ["create", "claim", "complete"]


def test_a_final_failure_is_not_tried_again(store: JobStore) -> None:
    """I9: with a code of which others are."""
    claim = store.claimed()
    assert store.execution.fail(claim, JobErrorCode.REPORT_DATA_UNAVAILABLE, "", is_final=True) == "FAILED"
    job = store.read(claim.job.job_id)
    assert (job.state, job.error_code, job.failures) == ("FAILED", "REPORT_DATA_UNAVAILABLE", 1)


def test_a_note_on_the_document_stands_in_the_history(store: JobStore) -> None:
    """What the document lacks is found where one asks about the job."""
    claim = store.claimed()
    note = "missing glyphs: U+2265 x1"
    assert store.execution.complete(claim, document_of(claim), duration_ms=1, note=note)
    assert store.history.history(claim.job.job_id)[-1].cause == note


def test_completing_after_a_failed_try_leaves_no_error_behind(store: JobStore) -> None:
    """A COMPLETE job with an errorCode would make a client doubt its document."""
    first = store.claimed()
    store.execution.fail(first, JobErrorCode.STORAGE_UNAVAILABLE, "")
    store.move_clock_to_retry(first.job.job_id)
    store.finish(store.claim())
    job = store.read(first.job.job_id)
    assert (job.state, job.error_code, job.failures, job.attempt) == (JobState.COMPLETE, None, 1, 2)


def test_completing_again_is_true_again_and_writes_nothing(store: JobStore) -> None:
    """The answer to a COMMIT may be lost: asking again must not look like a loss of the job."""
    claim = store.claimed()
    store.finish(claim)
    before = store.rows()
    store.move_clock(1)
    assert store.execution.complete(claim, document_of(claim), duration_ms=99) is True
    assert store.rows() == before


def test_completing_a_completed_job_with_another_document_is_refused(store: JobStore) -> None:
    """I3, I5: the bytes that were promised are the bytes that are served."""
    claim = store.claimed()
    store.finish(claim)
    before = store.rows()
    other = replace(document_of(claim), key="another/1-0.pdf")
    assert store.execution.complete(claim, other, duration_ms=1) is False
    assert store.rows() == before


def _reaped(store: JobStore, claim: Claim) -> Claim:
    store.move_clock_to_expiry(claim)
    assert store.upkeep.reap_leases(100) == 1
    return claim


def _reaped_and_claimed_anew(store: JobStore, claim: Claim) -> Claim:
    store.claim(_reaped(store, claim).job.job_id)
    return claim


def _given_back(store: JobStore, claim: Claim) -> Claim:
    assert store.execution.give_back(claim, delay_ms=0)
    return claim


def _failed(store: JobStore, claim: Claim) -> Claim:
    assert store.execution.fail(claim, JobErrorCode.RENDER_FAILED, "") is JobState.FAILED
    return claim


def _past_the_deadline(store: JobStore, claim: Claim) -> Claim:
    store.move_clock_to_deadline(claim.job.job_id)
    return claim


def _ended_by_the_deadline(store: JobStore, claim: Claim) -> Claim:
    store.move_clock_to_deadline(claim.job.job_id)
    assert store.upkeep.reap_deadlines(100) == 1
    return claim


def _with_another_token(_store: JobStore, claim: Claim) -> Claim:
    return replace(claim, token="0" * 32)


def _with_another_attempt(_store: JobStore, claim: Claim) -> Claim:
    return replace(claim, job=replace(claim.job, attempt=claim.job.attempt + 1))


@pytest.mark.parametrize(
    "happens",
    [
        _reaped,
        _reaped_and_claimed_anew,
        _given_back,
        _failed,
        _past_the_deadline,
        _ended_by_the_deadline,
        _with_another_token,
        _with_another_attempt,
    ],
    ids=lambda happens: happens.__name__.strip("_"),
)
def test_an_attempt_that_lost_its_job_writes_nothing(
    store: JobStore, happens: Callable[[JobStore, Claim], Claim]
) -> None:
    """I4: not the state, not the document, not a line of history; and it hears that it lost."""
    claim = happens(store, store.claimed(lifetime_s=300))
    before = store.rows()
    assert store.execution.complete(claim, document_of(claim), duration_ms=1) is False
    assert store.execution.fail(claim, JobErrorCode.RENDER_FAILED, "too late") is None
    assert store.execution.give_back(claim, delay_ms=0) is False
    assert store.renew(claim) is False
    assert store.rows() == before


@pytest.mark.parametrize("jitter", [-1.0, 0.0, 1.0])
def test_a_failure_that_may_pass_is_tried_again_after_a_wait_that_doubles(
    store: JobStore, jitter: float
) -> None:
    """Jobs that failed together must neither hammer nor come back together: 2, 4, 8, 16 s, 20 % around."""
    store.jitter = jitter
    job_id = store.create().job_id
    waits = []
    for failures in range(1, 5):
        state = store.execution.fail(store.claim(job_id), JobErrorCode.STORAGE_UNAVAILABLE, "down")
        job = store.read(job_id)
        assert (state, job.state, job.failures, job.crashes) == (
            JobState.RETRY_WAIT,
            JobState.RETRY_WAIT,
            failures,
            0,
        )
        assert (job.error_code, job.lease_until) == (JobErrorCode.STORAGE_UNAVAILABLE, None)
        waits.append(job.available_at - job.updated_at)
        store.move_clock_to_retry(job_id)
    assert waits == [round(wait * (1 + 0.2 * jitter)) for wait in (2_000, 4_000, 8_000, 16_000)]


@pytest.mark.parametrize(
    ("code", "attempts"),
    [
        (JobErrorCode.REPORT_DATA_UNAVAILABLE, 5),
        (JobErrorCode.STORAGE_UNAVAILABLE, 5),
        (JobErrorCode.RENDER_CRASHED, 3),
        (JobErrorCode.RENDER_TIMEOUT, 2),
        (JobErrorCode.OUT_OF_MEMORY, 2),
        (JobErrorCode.REPORT_DATA_INVALID, 1),
        (JobErrorCode.RENDER_FAILED, 1),
        (JobErrorCode.OUTPUT_TOO_LARGE, 1),
    ],
    ids=str,
)
def test_a_job_that_keeps_failing_ends_failed_after_its_bound(
    store: JobStore, code: JobErrorCode, attempts: int
) -> None:
    """I9: a poison job costs so many attempts and no more."""
    job_id = store.create().job_id
    assert store.fail_until_the_end(job_id, code) == attempts
    job = store.read(job_id)
    assert (job.state, job.error_code, job.attempt) == (JobState.FAILED, code, attempts)
    assert (job.completed_at, job.lease_until, job.document) == (job.updated_at, None, None)


def test_a_timeout_is_forgiven_once_though_other_failures_lie_between(store: JobStore) -> None:
    """I9: alternating faults must not add up to endless tries."""
    job_id = store.create().job_id
    codes = [JobErrorCode.RENDER_TIMEOUT, JobErrorCode.STORAGE_UNAVAILABLE, JobErrorCode.RENDER_TIMEOUT]
    states = []
    for code in codes:
        store.move_clock_to_retry(job_id)
        states.append(store.execution.fail(store.claim(job_id), code, ""))
    assert states == [JobState.RETRY_WAIT, JobState.RETRY_WAIT, JobState.FAILED]


def test_a_job_is_failed_at_once_when_its_next_try_would_come_too_late(store: JobStore) -> None:
    """A client waits for nothing by then; the code of what went wrong is kept."""
    claim = store.claimed(lifetime_s=300)
    store.move_clock(299)
    assert store.execution.fail(claim, JobErrorCode.STORAGE_UNAVAILABLE, "down") is JobState.FAILED
    assert store.read(claim.job.job_id).error_code is JobErrorCode.STORAGE_UNAVAILABLE


def test_the_cause_of_a_failure_is_kept_for_operators_alone(store: JobStore) -> None:
    """I15: it may hold a name, so it stands in the history and nowhere in the job."""
    claim = store.claimed()
    store.execution.fail(claim, JobErrorCode.RENDER_FAILED, "no page for Jo Bloggs")
    event = store.history.history(claim.job.job_id)[-1]
    assert (event.cause, event.error_code) == ("no page for Jo Bloggs", JobErrorCode.RENDER_FAILED)
    assert "Bloggs" not in repr(store.read(claim.job.job_id))
    assert "Bloggs" not in repr(event)


@pytest.mark.parametrize(
    "cause",
    ["a\x00b", "lone \ud800 surrogate", "x" * 100_000, "\U0001f642" * 100_000, "' OR 1=1; --", ""],
    ids=["NUL", "surrogate", "long", "wide", "quote", "empty"],
)
def test_a_failure_is_recorded_whatever_its_text(store: JobStore, cause: str) -> None:
    """A template may raise with any text; one that can't be stored would cost the job its bounded tries."""
    claim = store.claimed()
    assert store.execution.fail(claim, JobErrorCode.RENDER_FAILED, cause) is JobState.FAILED
    stored = store.history.history(claim.job.job_id)[-1].cause
    assert len(stored or "") <= 10_000


def test_a_job_that_is_given_back_is_as_it_was_and_counts_no_failure(store: JobStore) -> None:
    """A deployment that restarts workers ten times must not use up a job's tries."""
    job_id = store.create().job_id
    for _ in range(10):
        assert store.execution.give_back(store.claim(job_id), delay_ms=0)
    job = store.read(job_id)
    assert (job.state, job.failures, job.crashes, job.attempt) == (JobState.RETRY_WAIT, 0, 0, 10)
    assert (job.error_code, job.lease_until, job.completed_at) == (None, None, None)


def test_a_job_that_is_given_back_keeps_the_code_of_its_last_failure(store: JobStore) -> None:
    """The deadline tells operators of the failure, not of a worker's shutdown."""
    claim = store.claimed()
    store.execution.fail(claim, JobErrorCode.STORAGE_UNAVAILABLE, "")
    store.move_clock_to_retry(claim.job.job_id)
    store.execution.give_back(store.claim(), delay_ms=0)
    assert store.read(claim.job.job_id).error_code is JobErrorCode.STORAGE_UNAVAILABLE


def test_a_change_from_a_state_that_it_does_not_leave_is_none(store: JobStore) -> None:
    """The table of transitions is the law: nobody completes a job that waits, whatever they pass."""
    waiting = store.create()
    with store.database.begin() as connection:
        assert not move(connection, waiting, Transition.COMPLETE, values={})
    assert store.read(waiting.job_id).state is JobState.QUEUED
