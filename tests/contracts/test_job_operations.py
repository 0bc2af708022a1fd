"""What every job store promises to operators: a cancel is one end, an erasure forgets one person alone."""

from typing import Any

import pytest
from sqlalchemy import select

from sqr_jobs.adapters.sql.tables import idempotency
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.job import IdempotencyKey, Job, Reservation
from sqr_jobs.domain.states import JobState
from sqr_jobs.domain.upkeep import Erased, JobSearch
from sqr_jobs.errors import RateLimited
from tests.contracts.job_store import CEILING, TEMPLATE, JobStore, document_of

_KEY = IdempotencyKey(key_hash="k" * 64, fingerprint="f" * 64)


def _standing(store: JobStore, state: JobState) -> Job:
    """Bring a job into a state."""
    job = store.create()
    if state is not JobState.QUEUED:
        claim = store.claim(job.job_id)
        if state is JobState.RETRY_WAIT:
            store.execution.give_back(claim, delay_ms=0)
        elif state is JobState.COMPLETE:
            store.finish(claim)
        elif state is JobState.FAILED:
            store.execution.fail(claim, JobErrorCode.RENDER_FAILED, "")
        elif state is JobState.CANCELLED:
            store.operations.cancel(job)
    found = store.read(job.job_id)
    assert found.state is state
    return found


def _with_key(store: JobStore, user_id: str) -> Job:
    reservation = store.intake.reserve("acme", _KEY)
    assert isinstance(reservation, Reservation)
    return store.create(user_id, reservation=reservation)


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING, JobState.RETRY_WAIT], ids=str)
def test_an_active_job_is_cancelled_wherever_it_stands(store: JobStore, state: JobState) -> None:
    """It ends at once, with its audit row, and its user is free for another."""
    job = _standing(store, state)
    store.move_clock(5)
    cancelled = store.intake.cancel(job)
    assert (cancelled.state, cancelled.error_code) == (JobState.CANCELLED, JobErrorCode.CANCELLED)
    assert cancelled.lease_until is None
    assert cancelled.completed_at == cancelled.updated_at
    assert cancelled.completed_at is not None
    assert cancelled.completed_at >= job.created_at + 5_000
    event = store.history.history(job.job_id)[-1]
    assert (event.why, event.from_state, event.to_state) == ("cancel", state, JobState.CANCELLED)
    assert (event.attempt, event.error_code) == (job.attempt, JobErrorCode.CANCELLED)
    assert store.create().job_id != job.job_id


@pytest.mark.parametrize("state", [JobState.COMPLETE, JobState.FAILED, JobState.CANCELLED], ids=str)
def test_a_job_that_has_ended_stays_as_it_is(store: JobStore, state: JobState) -> None:
    """I3: a cancel that comes too late, or twice, changes nothing."""
    job = _standing(store, state)
    before = store.rows()
    assert store.operations.cancel(job).state is state
    assert store.rows() == before


def test_a_cancel_takes_the_job_from_an_attempt_that_it_had_not_seen(store: JobStore) -> None:
    """What the caller read is old; the cancel holds for whichever attempt runs by now."""
    seen = store.create()
    claim = store.claim(seen.job_id)
    assert store.intake.cancel(seen).state is JobState.CANCELLED
    assert not store.renew(claim)


def test_nothing_that_a_cancelled_attempt_writes_is_taken(store: JobStore) -> None:
    """I4: it may be at its very end and not have heard yet."""
    claim = store.claimed()
    store.operations.cancel(claim.job)
    before = store.rows()
    assert not store.renew(claim)
    assert not store.execution.complete(claim, document_of(claim), duration_ms=1)
    assert store.execution.fail(claim, JobErrorCode.RENDER_FAILED, "") is None
    assert not store.execution.give_back(claim, delay_ms=0)
    assert store.execution.claim(claim.job.job_id) is None
    store.move_clock(400)
    assert store.upkeep.reap_leases(100) + store.upkeep.reap_deadlines(100) == 0
    assert store.rows() == before


def test_jobs_are_found_by_what_is_known_of_them_the_newest_first(store: JobStore) -> None:
    """Each field narrows; none of them is all jobs of every org."""
    made = []
    for org_id, user_id in (("acme", "U1"), ("acme", "U2"), ("other", "U1"), ("other", "U3")):
        made.append(store.create(user_id, org_id=org_id).job_id)
        store.move_clock(1)
    a1, a2, o1, o3 = made
    store.execution.fail(store.claim(a2), JobErrorCode.RENDER_FAILED, "")
    store.claim(o1)

    def found(**wanted: Any) -> list[str]:
        return [job.job_id for job in store.operations.search(JobSearch(**wanted))]

    assert found() == [o3, o1, a2, a1]
    assert found(limit=2) == [o3, o1]
    assert found(org_id="acme") == [a2, a1]
    assert found(user_id="U1") == [o1, a1]
    assert found(org_id="other", user_id="U1") == [o1]
    assert found(states=frozenset({JobState.FAILED, JobState.RUNNING})) == [o1, a2]
    assert found(template=TEMPLATE.name) == [o3, o1, a2, a1]
    assert found(template="another") == []
    assert found(error_code="RENDER_FAILED") == [a2]
    assert found(org_id="ACME") == []


def test_an_operator_reads_a_job_of_whichever_org(store: JobStore) -> None:
    """The API never does: there, the org is part of the question."""
    job = store.create(org_id="other")
    found = store.operations.get(job.job_id)
    assert found is not None
    assert (found.job_id, found.org_id) == (job.job_id, "other")
    assert store.operations.get("0b4ad4b5-6b0c-4b3e-9a0e-7a3f2f6f9d11") is None


def test_every_attempts_object_is_named(store: JobStore) -> None:
    """Also those that gave back, whose upload may have been carried out."""
    first = store.claimed("U1")
    store.execution.give_back(first, delay_ms=0)
    second = store.claim(first.job.job_id)
    store.finish(second)
    untouched = store.create("U2")
    other = store.claimed("U3")
    named = store.operations.document_keys([first.job.job_id, untouched.job_id])
    assert list(named) == [first.document_key, second.document_key]
    assert other.document_key not in named


def test_an_erased_job_tells_nothing_of_its_person(store: JobStore) -> None:
    """What is left says that there was a job and how it went: states, instants, codes."""
    claim = store.claim(_with_key(store, "U1").job_id)
    store.execution.fail(claim, JobErrorCode.REPORT_DATA_UNAVAILABLE, "no data on Jo Bloggs")
    store.move_clock_to_retry(claim.job.job_id)
    store.finish(store.claim(claim.job.job_id))
    story = store.story(claim.job.job_id)
    assert store.operations.erase([claim.job.job_id]) == Erased(jobs=1, causes=1, idempotency_keys=1)
    erased = store.operations.get(claim.job.job_id)
    assert erased is not None
    assert (erased.user_id, erased.document, erased.org_id) == ("", None, "acme")
    assert (erased.state, store.story(erased.job_id)) == (JobState.COMPLETE, story)
    assert [event.cause for event in store.history.history(erased.job_id)] == [None] * len(story)
    with store.database.read() as connection:
        assert connection.execute(select(idempotency)).all() == []


def test_an_erased_job_is_none_of_the_apis(store: JobStore) -> None:
    """For its org it is as if it had never been; its user may have a new report."""
    job = store.failed().job
    store.operations.erase([job.job_id])
    assert store.intake.find("acme", job.job_id) is None
    assert list(store.operations.search(JobSearch(org_id="acme", user_id="U1"))) == []
    assert store.create("U1").job_id != job.job_id


def test_nobody_elses_rows_are_touched_by_an_erasure(store: JobStore) -> None:
    """Of another person, of the same id in another org, of a job that is still active."""
    mine = store.failed("U1")
    for user_id, org_id in (("U2", "acme"), ("U1", "other")):
        store.failed(user_id, org_id=org_id, cause="about somebody else")
    active = store.claimed("U1")

    def others() -> list[Any]:
        return [[row for row in rows if row.job_id != mine.job.job_id] for rows in store.rows()]

    before = others()
    assert store.operations.erase([mine.job.job_id, active.job.job_id]).jobs == 1
    assert others() == before
    store.finish(active)


def test_erasing_twice_counts_once(store: JobStore) -> None:
    """A receipt that is asked for again after a failure tells what this run did."""
    job_id = store.failed().job.job_id
    assert store.operations.erase([job_id]).jobs == 1
    assert store.operations.erase([job_id]) == Erased(jobs=0, causes=0, idempotency_keys=0)


def test_what_an_attempt_stores_after_the_erasure_is_collected(store: JobStore) -> None:
    """Nothing can stop an upload that is under way; an hour later no attempt writes any more."""
    claim = store.claimed()
    store.operations.cancel(claim.job)
    store.operations.erase([claim.job.job_id])
    store.move_clock(3_610)
    assert store.collect() == [claim.document_key]


def test_what_was_collected_before_is_collected_again_after_an_erasure(store: JobStore) -> None:
    """The document's own hour is over; that the row forgot its key must not keep the object."""
    claim = store.claimed()
    store.finish(claim)
    store.move_clock(3_610)
    assert store.collect() == []
    store.operations.erase([claim.job.job_id])
    store.move_clock(3_610)
    assert store.collect() == [claim.document_key]


def test_an_erased_job_counts_for_the_ceiling(store: JobStore) -> None:
    """I12: an erasure is no way to more reports."""
    for number in range(10):
        job = store.create(f"U{number}", ceiling=CEILING)
        store.operations.cancel(job)
        store.operations.erase([job.job_id])
    with pytest.raises(RateLimited):
        store.create(ceiling=CEILING)


def test_a_key_whose_job_was_erased_creates_anew(store: JobStore) -> None:
    """The host is asked again; it knows by now that this person is not to be reported on."""
    job = _with_key(store, "U1")
    store.operations.cancel(job)
    store.operations.erase([job.job_id])
    assert isinstance(store.intake.reserve("acme", _KEY), Reservation)


def test_a_key_whose_job_is_erased_between_two_looks_creates_anew(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key led to the job a moment ago; a client must not hear that its body had been another."""
    job = _with_key(store, "U1")
    store.operations.cancel(job)
    find = store.intake.find

    def erased_under_its_eyes(org_id: str, job_id: str) -> Job | None:
        store.operations.erase([job_id])
        return find(org_id, job_id)

    monkeypatch.setattr(store.intake, "find", erased_under_its_eyes)
    assert isinstance(store.intake.reserve("acme", _KEY), Reservation)
