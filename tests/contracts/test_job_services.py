"""What services that share a database owe each other: nothing is shared but the tables and the upkeep."""

import pytest

from sqr_jobs.adapters.sql import Database
from sqr_jobs.domain.job import IdempotencyKey, Reservation
from sqr_jobs.domain.states import JobState
from sqr_jobs.domain.upkeep import JobSearch
from sqr_jobs.errors import IdempotencyKeyReused, JobAlreadyActive, RateLimited
from tests.contracts.job_store import CEILING, JOB_LIFETIME_S, JobStore

HOUR_S, WEEK_S = 3_600, 7 * 86_400
KEY = IdempotencyKey(key_hash="a" * 64, fingerprint="b" * 64)
OTHER_BODY = IdempotencyKey(key_hash=KEY.key_hash, fingerprint="c" * 64)


@pytest.fixture
def bills(database: Database) -> JobStore:
    """Give the store of one service."""
    return JobStore(database, service="/bills")


@pytest.fixture
def letters(database: Database) -> JobStore:
    """Give that of another one on the same database, to a blank in the name."""
    return JobStore(database, service="/bills ")


def test_each_service_has_an_active_job_of_its_own_per_user(bills: JobStore, letters: JobStore) -> None:
    """A conflict would answer with a job that the client of this service can't read."""
    mine, theirs = bills.create("U1"), letters.create("U1")
    assert (mine.service, theirs.service) == ("/bills", "/bills ")
    for store, job in ((bills, mine), (letters, theirs)):
        with pytest.raises(JobAlreadyActive) as refused:
            store.create("U1")
        assert refused.value.job.job_id == job.job_id


def test_a_service_finds_its_own_jobs_alone(bills: JobStore, letters: JobStore) -> None:
    """For clients and for operators: a retry or an erasure belongs to the service that made the job."""
    mine, theirs = bills.create("U1"), letters.create("U1")
    assert bills.intake.find("acme", theirs.job_id) is None
    assert bills.operations.get(theirs.job_id) is None
    found = bills.operations.search(JobSearch(org_id="acme", user_id="U1"))
    assert [job.job_id for job in found] == [mine.job_id]


def test_each_service_counts_its_own_jobs_against_the_ceiling(bills: JobStore, letters: JobStore) -> None:
    """Two products that an org has bought have a quota each."""
    for number in range(10):
        bills.create(f"U{number}", ceiling=CEILING)
    with pytest.raises(RateLimited):
        bills.create("U10", ceiling=CEILING)
    letters.create("U10", ceiling=CEILING)


def test_each_service_has_idempotency_keys_of_its_own(bills: JobStore, letters: JobStore) -> None:
    """A key of another service must neither answer nor refuse."""
    for store in (bills, letters):
        reservation = store.intake.reserve("acme", KEY)
        assert isinstance(reservation, Reservation)
        job = store.create(reservation=reservation)
        answered = store.intake.answered("acme", KEY)
        assert answered is not None
        assert answered.job_id == job.job_id
    with pytest.raises(IdempotencyKeyReused):
        bills.intake.answered("acme", OTHER_BODY)
    bills.move_clock(25 * HOUR_S)
    assert letters.upkeep.forget_keys(10) == 2


def test_workers_claim_and_ring_for_the_jobs_of_their_service(bills: JobStore, letters: JobStore) -> None:
    """Another service's worker has neither its templates nor its people."""
    theirs = letters.create()
    assert (bills.upkeep.count_due(), list(bills.upkeep.due(5))) == (0, [])
    assert bills.execution.claim(theirs.job_id) is None
    claim = letters.claim(theirs.job_id)
    letters.move_clock_to_expiry(claim)
    assert (bills.upkeep.reap_leases(5), letters.upkeep.reap_leases(5)) == (0, 1)


def test_a_job_whose_service_has_no_workers_ends_at_its_deadline(bills: JobStore, letters: JobStore) -> None:
    """I6: a service that was switched off leaves nothing active behind."""
    theirs = letters.create()
    letters.move_clock_to_deadline(theirs.job_id)
    assert bills.upkeep.reap_deadlines(5) == 1
    assert letters.read(theirs.job_id).state is JobState.FAILED


def test_what_a_service_stored_is_its_own_to_delete(bills: JobStore, letters: JobStore) -> None:
    """Each may have its own bucket and lifetime: another one would delete nothing there, or too early."""
    theirs = letters.failed()
    letters.move_clock(JOB_LIFETIME_S + 100 * HOUR_S)
    assert bills.collect() == []
    assert bills.retention.purge(5) == 0
    assert letters.collect() == [theirs.document_key]
    assert letters.retention.purge(5) == 1
