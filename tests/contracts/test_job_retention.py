"""What every job store promises to retention: all that has had its time is named once, and nothing else."""

import pytest
from sqlalchemy import Column, ForeignKey, MetaData, Table, insert

from sqr_jobs.adapters.sql import SqlJobRetention
from sqr_jobs.adapters.sql.tables import job as table
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.job import Claim, IdempotencyKey, Reservation
from sqr_jobs.domain.rate_limit import RateLimit
from sqr_jobs.errors import ConfigurationError, RateLimited
from tests.contracts.job_store import JOB_LIFETIME_S, RETENTION_S, SERVICE, JobStore

HOUR_S = 3_600


def _completed_after_a_loss(store: JobStore) -> tuple[Claim, Claim]:
    """Let one attempt lose its lease and the next complete the job."""
    lost = store.claimed()
    store.move_clock_to_expiry(lost)
    store.upkeep.reap_leases(100)
    won = store.claim(lost.job.job_id)
    store.finish(won)
    return lost, won


def test_what_a_lost_attempt_stored_is_named_an_hour_after_the_jobs_end(store: JobStore) -> None:
    """No attempt writes any more by then; before, one that only stood still may."""
    lost, _ = _completed_after_a_loss(store)
    store.move_clock(HOUR_S - 10)
    assert store.collect() == []
    store.move_clock(20)
    assert store.collect() == [lost.document_key]
    assert store.collect() == []


def test_a_document_is_named_an_hour_after_it_expired(store: JobStore) -> None:
    """A link that was given in the last second of its life still serves for 300 s."""
    claim = store.claimed()
    store.finish(claim)
    store.move_clock(HOUR_S + 10)
    assert store.collect() == []
    store.move_clock(RETENTION_S - 20)
    assert store.collect() == []
    store.move_clock(20)
    assert store.collect() == [claim.document_key]
    assert store.collect() == []


def test_losers_and_document_are_named_together_when_nobody_collected_for_long(store: JobStore) -> None:
    """A service that was switched off for a month catches up."""
    lost, won = _completed_after_a_loss(store)
    store.move_clock(RETENTION_S + HOUR_S + 10)
    assert set(store.collect()) == {lost.document_key, won.document_key}
    assert store.collect() == []


def test_a_document_that_lives_shorter_than_an_hour_is_named_an_hour_after_its_expiry(
    store: JobStore,
) -> None:
    """The collection after the job's end must not forget it."""
    claim = store.claim(store.create(retention_s=300).job_id)
    store.finish(claim)
    store.move_clock(HOUR_S + 10)
    assert store.collect() == []
    store.move_clock(300)
    assert store.collect() == [claim.document_key]


@pytest.mark.parametrize("end", ["fail", "cancel", "deadline"])
def test_all_that_a_job_without_document_may_have_stored_is_named(store: JobStore, end: str) -> None:
    """An upload may have succeeded whose answer was lost; a job that ended otherwise leaves it behind."""
    first = store.claimed()
    store.execution.give_back(first, delay_ms=0)
    second = store.claim(first.job.job_id)
    if end == "fail":
        store.execution.fail(second, JobErrorCode.RENDER_FAILED, "")
    elif end == "cancel":
        store.operations.cancel(second.job)
    else:
        store.move_clock_to_deadline(second.job.job_id)
        store.upkeep.reap_deadlines(100)
    store.move_clock(HOUR_S + 10)
    assert store.collect() == [first.document_key, second.document_key]


def test_a_job_that_nobody_began_has_no_objects_and_can_be_purged(store: JobStore) -> None:
    """It is noted as collected all the same, or its row would stay for ever."""
    job = store.create()
    store.operations.cancel(job)
    store.move_clock(JOB_LIFETIME_S + 10)
    assert store.collect() == []
    assert store.retention.purge(100) == 1


def test_nothing_of_an_active_job_is_named_however_old_it_is(store: JobStore) -> None:
    """Its attempt may be storing the document right now."""
    store.claimed(lifetime_s=400 * 86_400)
    store.create("U2", lifetime_s=400 * 86_400)
    store.move_clock(JOB_LIFETIME_S * 2)
    assert list(store.retention.collectable(100)) == []
    assert store.retention.purge(100) == 0


def test_a_batch_has_no_more_than_was_asked_for(store: JobStore) -> None:
    """An outage of a week leaves many, and the next batch has the others."""
    for number in range(5):
        store.failed(f"U{number}")
    store.move_clock(HOUR_S + 10)
    named = []
    for expected in (2, 2, 1, 0):
        items = store.retention.collectable(2)
        assert len(items) == expected
        named += [key for item in items for key in item.keys if store.retention.collected(item)]
    assert len(set(named)) == 5


def test_what_the_store_refused_comes_again_an_hour_later(store: JobStore) -> None:
    """What can never be deleted must not be the head of every batch, however much of it there is."""
    ended = [store.create(f"U{number}").job_id for number in range(6)]
    for job_id in ended:
        store.intake.cancel(store.read(job_id))
    store.move_clock(3_601)
    first = store.retention.collectable(2)
    for item in first:
        store.retention.refused(item)
    others = {job_id for job_id in ended if job_id not in {item.job_id for item in first}}
    assert {item.job_id for item in store.retention.collectable(6)} == others
    store.collect()
    assert list(store.retention.collectable(6)) == []
    store.move_clock(3_601)
    assert {item.job_id for item in store.retention.collectable(6)} == {item.job_id for item in first}


def test_of_two_collectors_one_hears_that_it_was_first(store: JobStore) -> None:
    """Both have deleted the same objects, which is no harm; the note is made once."""
    store.failed()
    store.move_clock(HOUR_S + 10)
    (item,) = store.retention.collectable(100)
    assert store.retention.collected(item)
    assert not store.retention.collected(item)


def test_a_collector_whose_view_is_old_does_not_undo_an_erasure(store: JobStore) -> None:
    """Erasing begins collection anew; the note of a collector that had begun before must not end it."""
    lost, _ = _completed_after_a_loss(store)
    store.move_clock(HOUR_S + 10)
    store.collect()
    store.move_clock(RETENTION_S)
    (item,) = store.retention.collectable(100)
    store.operations.erase([lost.job.job_id])
    assert not store.retention.collected(item)
    store.move_clock(HOUR_S + 10)
    assert lost.document_key in store.collect()


def test_rows_are_deleted_when_a_jobs_time_is_over_with_history_and_key(store: JobStore) -> None:
    """All that is left of a month ago is gone at once, and nothing of yesterday."""
    reservation = store.intake.reserve("acme", IdempotencyKey(key_hash="k" * 64, fingerprint="f" * 64))
    assert isinstance(reservation, Reservation)
    store.finish(store.claim(store.create(reservation=reservation).job_id))
    store.move_clock(JOB_LIFETIME_S - 60)
    young = store.failed("U2")
    store.collect()
    assert store.retention.purge(100) == 0
    store.move_clock(120)
    assert store.retention.purge(100) == 1
    jobs, events = store.rows()
    assert [row.job_id for row in jobs] == [young.job.job_id]
    assert {row.job_id for row in events} == {young.job.job_id}
    assert store.upkeep.forget_keys(100) == 0


@pytest.mark.parametrize("document", [True, False])
def test_no_row_is_deleted_while_an_object_may_be_there(store: JobStore, document: bool) -> None:
    """The row is all that tells the object's key: without it nobody would ever delete the object."""
    claim = store.claim(store.create(retention_s=2 * JOB_LIFETIME_S).job_id)
    if document:
        store.finish(claim)
    else:
        store.execution.fail(claim, JobErrorCode.RENDER_FAILED, "")
    store.move_clock(JOB_LIFETIME_S + HOUR_S)
    assert store.retention.purge(100) == 0
    store.collect()
    assert store.retention.purge(100) == (0 if document else 1)


def test_no_row_is_deleted_that_the_ceiling_still_counts(store: JobStore) -> None:
    """I12: rows are what is counted; the settings allow no job to live shorter than the window."""
    day_s = 86_400
    ceiling = RateLimit(requests=3, window_s=day_s)
    retention = SqlJobRetention(store.database, service=SERVICE, job_lifetime_ms=day_s * 1000)
    for number in range(3):
        store.operations.cancel(store.create(f"U{number}", ceiling=ceiling))
    store.move_clock(day_s - 5)
    store.collect()
    assert retention.purge(100) == 0
    with pytest.raises(RateLimited):
        store.create(ceiling=ceiling)
    store.move_clock(10)
    assert retention.purge(100) == 3
    store.create(ceiling=ceiling)


def test_a_row_that_the_host_holds_is_told_with_what_to_do(store: JobStore) -> None:
    """A foreign key without ON DELETE is a wish to keep the row, which nobody can grant for ever."""
    job = store.create()
    store.operations.cancel(job)
    of_job = Column("job_id", table.c.job_id.type, ForeignKey(table.c.job_id))
    order = Table("host_order", MetaData(), of_job, **table.dialect_kwargs)
    with store.database.begin() as connection:
        order.create(connection)
        connection.execute(insert(order), {"job_id": job.job_id})
    store.move_clock(JOB_LIFETIME_S + HOUR_S)
    store.collect()
    with pytest.raises(ConfigurationError, match="a foreign key of yours holds one"):
        store.retention.purge(100)
    with store.database.begin() as connection:
        order.drop(connection)
    assert store.retention.purge(100) == 1


def test_a_key_whose_job_was_deleted_creates_anew(store: JobStore) -> None:
    """A month later it is another request."""
    key = IdempotencyKey(key_hash="k" * 64, fingerprint="f" * 64)
    reservation = store.intake.reserve("acme", key)
    assert isinstance(reservation, Reservation)
    store.operations.cancel(store.create(reservation=reservation))
    store.move_clock(JOB_LIFETIME_S + HOUR_S)
    store.collect()
    assert store.retention.purge(100) == 1
    assert isinstance(store.intake.reserve("acme", key), Reservation)
