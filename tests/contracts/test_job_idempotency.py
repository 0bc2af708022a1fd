"""What every job store promises about idempotency keys: the same request, the same job, once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from sqr_jobs.adapters.sql.tables import idempotency
from sqr_jobs.domain.job import IdempotencyKey, Job, Reservation
from sqr_jobs.domain.states import JobState
from sqr_jobs.errors import IdempotencyKeyInUse, IdempotencyKeyReused, JobAlreadyActive
from tests.contracts.job_store import JobStore

KEY = IdempotencyKey(key_hash="a" * 64, fingerprint="b" * 64)
OTHER_BODY = IdempotencyKey(key_hash=KEY.key_hash, fingerprint="c" * 64)

_PATIENT_S = 8.0
"""How long a twin may wait on a busy machine, which is less than a key is kept for the first."""


def _reserved(store: JobStore, *, org_id: str = "acme", key: IdempotencyKey = KEY) -> Reservation:
    reservation = store.intake.reserve(org_id, key)
    assert isinstance(reservation, Reservation)
    return reservation


def test_a_key_that_created_a_job_shows_that_job_as_it_was_created(store: JobStore) -> None:
    """The repeated request gets the same 202 again, whatever has become of the job."""
    created = store.create(reservation=_reserved(store))
    store.finish(store.claim())
    again = store.intake.reserve("acme", KEY)
    assert isinstance(again, Job)
    assert {**vars(again), "as_of": 0} == {**vars(created), "as_of": 0}
    assert again.state is JobState.QUEUED


def test_a_key_is_kept_for_24_hours_and_then_free(store: JobStore) -> None:
    """The contract's own number, seen from both sides."""
    store.create(reservation=_reserved(store))
    store.move_clock(24 * 3600 - 60)
    assert isinstance(store.intake.reserve("acme", KEY), Job)
    store.move_clock(120)
    _reserved(store)


def test_the_same_key_with_another_body_is_refused(store: JobStore) -> None:
    """A client that reuses keys must hear of it before it believes in a job that is another's."""
    store.create(reservation=_reserved(store))
    with pytest.raises(IdempotencyKeyReused):
        store.intake.reserve("acme", OTHER_BODY)


def test_each_org_has_keys_of_its_own(store: JobStore) -> None:
    """I10: another org's key must neither answer nor refuse."""
    store.create(reservation=_reserved(store))
    assert _reserved(store, org_id="other").org_id == "other"


def test_a_key_that_is_being_answered_is_waited_for_and_then_refused(store: JobStore) -> None:
    """A twin must not create a second job; a second is long enough to wait."""
    _reserved(store)
    with pytest.raises(IdempotencyKeyInUse):
        store.intake.reserve("acme", KEY)


def test_a_twin_hears_of_the_job_that_was_created_while_it_waited(store: JobStore) -> None:
    """The client's own retry, sent before the first answer came."""
    reservation = _reserved(store)
    with ThreadPoolExecutor(1) as pool:
        twin = pool.submit(store.intake.reserve, "acme", KEY, wait_s=_PATIENT_S)
        created = store.create(reservation=reservation)
        found = twin.result(timeout=10)
    assert isinstance(found, Job)
    assert found.job_id == created.job_id


def test_a_key_whose_request_was_refused_is_free_again(store: JobStore) -> None:
    """Only a 202 is recorded: a client may mend its request and send it under the same key."""
    reservation = _reserved(store)
    store.intake.release(reservation)
    _reserved(store, key=OTHER_BODY)


def test_releasing_what_was_recorded_changes_nothing(store: JobStore) -> None:
    """An error after the commit must not forget the job."""
    reservation = _reserved(store)
    store.create(reservation=reservation)
    store.intake.release(reservation)
    assert isinstance(store.intake.reserve("acme", KEY), Job)


def test_releasing_a_reservation_deletes_its_own_only(store: JobStore) -> None:
    """A request that was slow to be refused must not free the key that another one holds by now."""
    late = _reserved(store)
    store.move_clock(11)
    _reserved(store)
    store.intake.release(late)
    with pytest.raises(IdempotencyKeyInUse):
        store.intake.answered("acme", KEY)


def test_looking_for_a_key_writes_nothing(store: JobStore) -> None:
    """A flood of new keys over the limit leaves no rows."""
    assert store.intake.answered("acme", KEY) is None
    with store.database.read() as connection:
        assert connection.execute(select(idempotency.c.key_hash)).all() == []


def test_a_key_is_not_recorded_when_its_job_is_refused(store: JobStore) -> None:
    """Job and record are one transaction."""
    store.create("U1")
    reservation = _reserved(store)
    with pytest.raises(JobAlreadyActive):
        store.create("U1", reservation=reservation)
    store.intake.release(reservation)
    _reserved(store)


def test_a_reservation_whose_holder_died_lapses_and_its_late_job_is_not_stored(store: JobStore) -> None:
    """A process that was only slow must not add a second job under the same key."""
    late = _reserved(store)
    store.move_clock(11)
    store.create("U1", reservation=_reserved(store))
    with pytest.raises(IdempotencyKeyInUse):
        store.create("U2", reservation=late)
    assert store.count() == 1


def test_keys_are_forgotten_once_their_time_is_over_and_not_before(store: JobStore) -> None:
    """A table of every request there ever was would slow each new one down."""
    store.create("U1", reservation=_reserved(store))
    _reserved(store, org_id="other")
    assert store.upkeep.forget_keys(100) == 0
    store.move_clock(60)
    assert store.upkeep.forget_keys(100) == 1
    assert isinstance(store.intake.reserve("acme", KEY), Job)
    store.move_clock(24 * 3600)
    assert store.upkeep.forget_keys(100) == 1
    assert store.upkeep.forget_keys(100) == 0
    assert store.count() == 1


def test_no_more_keys_are_forgotten_than_were_asked_for(store: JobStore) -> None:
    """A short transaction each, so that no request waits behind a long one."""
    for number in range(5):
        _reserved(store, org_id=f"org-{number}")
    store.move_clock(60)
    assert [store.upkeep.forget_keys(2) for _ in range(4)] == [2, 2, 1, 0]


def test_of_16_twins_at_once_one_may_create(store: JobStore) -> None:
    """I2 for keys: the others wait and get the same job."""
    barrier = threading.Barrier(16)

    def request(number: int) -> str:
        barrier.wait(timeout=30)
        found = store.intake.reserve("acme", KEY, wait_s=_PATIENT_S)
        if isinstance(found, Job):
            return found.job_id
        return store.create(f"U{number}", reservation=found).job_id

    with ThreadPoolExecutor(16) as pool:
        answers = set(pool.map(request, range(16)))
    assert len(answers) == store.count() == 1
