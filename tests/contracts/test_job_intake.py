"""What every job store promises to the endpoints: a 202 is a committed row, and never one too many."""

import contextlib
import random

import pytest
from sqlalchemy import Index, insert
from sqlalchemy.exc import IntegrityError

from sqr_jobs.adapters.sql.tables import job
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.states import TERMINAL, JobState
from sqr_jobs.errors import DatabaseUnavailable, JobAlreadyActive, RateLimited
from tests.contracts.job_store import CEILING, TEMPLATE, JobStore, document_of

WINDOW_MS = CEILING.window_s * 1000
ONE_ID_EACH = ["us1", "US1", "us1 ", " us1", "us\u00e9", "use\u0301", "us%", "us_"]
ONE_ID_EACH += ["us\U0001f600", "us\U0001f601", "us\u00df", "usss", "us\u200b"]
ONE_ID_EACH_NAMES = ["lower", "upper", "blank after", "blank before", "composed", "decomposed", "%", "_"]
ONE_ID_EACH_NAMES += ["emoji", "another emoji", "sharp s", "double s", "zero width"]


def test_a_created_job_is_queued_until_its_deadline(store: JobStore) -> None:
    """The deadline is fixed at creation, so client and server agree on the end."""
    created = store.create(lifetime_s=300)
    stored = store.read(created.job_id)
    assert stored.state is JobState.QUEUED
    assert stored.template == TEMPLATE
    assert stored.deadline_at - stored.created_at == 300_000
    assert stored.created_at == stored.updated_at == stored.available_at
    assert (stored.attempt, stored.failures, stored.crashes) == (0, 0, 0)
    assert (stored.error_code, stored.document, stored.completed_at) == (None, None, None)


def test_what_create_returns_is_what_is_stored(store: JobStore) -> None:
    """I1: the 202 tells of the committed row, not of an intention."""
    created = store.create()
    stored = store.read(created.job_id)
    assert {**vars(created), "as_of": 0} == {**vars(stored), "as_of": 0}


def test_a_creation_is_the_first_line_of_the_jobs_history(store: JobStore) -> None:
    """Operators and the invariant checker read the history from its beginning."""
    created = store.create()
    (event,) = store.history.history(created.job_id)
    assert (event.from_state, event.to_state, event.why) == (None, JobState.QUEUED, "create")
    assert (event.attempt, event.token, event.at) == (0, None, created.created_at)


def test_the_eleventh_job_of_an_org_is_refused_until_the_first_leaves_the_window(store: JobStore) -> None:
    """I12: the ceiling moves with the clock, and Retry-After is the moment when it has moved."""
    for number in range(10):
        store.create(f"U{number}", ceiling=CEILING)
        store.move_clock(7)
    with pytest.raises(RateLimited) as refused:
        store.create("U10", ceiling=CEILING)
    assert 600 - 70 - 5 < refused.value.retry_after_s <= 600 - 70
    assert (refused.value.limit, refused.value.window_s) == (10, 600)
    store.move_clock(refused.value.retry_after_s - 5)
    with pytest.raises(RateLimited):
        store.create("U10", ceiling=CEILING)
    store.move_clock(5)
    store.create("U10", ceiling=CEILING)
    with pytest.raises(RateLimited):
        store.create("U11", ceiling=CEILING)


def test_no_window_anywhere_holds_more_than_ten_accepted_jobs(store: JobStore) -> None:
    """I12: a limit per calendar window would let nineteen through around its edge."""
    steps = random.Random(7)
    accepted = []
    for number in range(60):
        store.move_clock(steps.choice([0, 1, 20, 45, 90, 200]))
        try:
            accepted.append(store.create(f"U{number}", ceiling=CEILING).created_at)
        except RateLimited:
            assert sum(accepted[-1] - WINDOW_MS - 300_000 < at for at in accepted) >= 10
    for start in accepted:
        assert sum(start <= at < start + WINDOW_MS for at in accepted) <= 10
    assert len(accepted) > 30


def test_jobs_that_ended_count_for_the_ceiling_too(store: JobStore) -> None:
    """The ceiling counts what was accepted, whatever became of it."""
    for number in range(10):
        claim = store.claim(store.create(f"U{number}", ceiling=CEILING).job_id)
        if number % 2:
            store.execution.fail(claim, JobErrorCode.RENDER_FAILED, "")
        else:
            store.finish(claim)
    with pytest.raises(RateLimited):
        store.create("U10", ceiling=CEILING)


def test_a_refused_creation_leaves_nothing_and_is_not_counted(store: JobStore) -> None:
    """A client that keeps asking must not push its own next turn away."""
    for number in range(10):
        store.create(f"U{number}", ceiling=CEILING)
    before = store.rows()
    for _ in range(5):
        with pytest.raises(RateLimited):
            store.create("U10", ceiling=CEILING)
    assert store.rows() == before
    store.move_clock(600)
    store.create("U10", ceiling=CEILING)


def test_each_org_has_a_ceiling_of_its_own(store: JobStore) -> None:
    """One client's zeal costs another nothing."""
    for number in range(10):
        store.create(f"U{number}", ceiling=CEILING)
    store.create("U0", org_id="other", ceiling=CEILING)
    store.create("U1", org_id="ACME", ceiling=CEILING)


def test_a_user_with_an_active_job_gets_no_second_one(store: JobStore) -> None:
    """I2: the refusal carries the job that the client may wait for instead."""
    first = store.create("U1")
    with pytest.raises(JobAlreadyActive) as refused:
        store.create("U1")
    assert refused.value.job.job_id == first.job_id
    assert refused.value.job.state is JobState.QUEUED
    assert store.count() == 1


def test_a_job_stays_active_while_it_runs_and_while_it_waits_for_another_try(store: JobStore) -> None:
    """I2: a user's job that is being made is no reason to make it twice."""
    claim = store.claimed("U1")
    with pytest.raises(JobAlreadyActive) as refused:
        store.create("U1")
    assert refused.value.job.state is JobState.RUNNING
    store.execution.fail(claim, JobErrorCode.STORAGE_UNAVAILABLE, "")
    with pytest.raises(JobAlreadyActive) as refused:
        store.create("U1")
    assert refused.value.job.state is JobState.RETRY_WAIT


@pytest.mark.parametrize("end", ["complete", "failed"])
def test_a_user_whose_job_ended_gets_a_new_one(store: JobStore, end: str) -> None:
    """The slot belongs to active jobs alone, however many ended before."""
    for _ in range(3):
        claim = store.claimed("U1")
        if end == "complete":
            store.finish(claim)
        else:
            store.execution.fail(claim, JobErrorCode.RENDER_FAILED, "")
    assert store.count() == 3


def test_two_orgs_may_report_on_the_same_user_at_the_same_time(store: JobStore) -> None:
    """A conflict would tell one org what another does."""
    first, second = store.create("U1", org_id="acme"), store.create("U1", org_id="other")
    assert first.job_id != second.job_id


@pytest.mark.parametrize("state", sorted(set(JobState) - TERMINAL), ids=str)
def test_the_database_itself_refuses_a_second_active_job(store: JobStore, state: JobState) -> None:
    """I2: also to whoever forgets the look-up and the lock; jobs that ended may be any number."""
    store.create("U1")
    (row,) = store.rows()[0]
    twin = {**row._mapping, "state": state}
    del twin["active_slot"]
    with store.database.begin() as connection:
        for ended in TERMINAL:
            connection.execute(insert(job), {**twin, "job_id": f"ended {ended}", "state": ended})
    with pytest.raises(IntegrityError), store.database.begin() as connection:
        connection.execute(insert(job), {**twin, "job_id": "another"})


def test_a_constraint_that_is_none_of_ours_is_told_by_its_class(store: JobStore) -> None:
    """Not as a twin that came and went: no patience of the client's would help."""
    index = Index("host_one_job_of_each_template", job.c.template, unique=True)
    job.indexes.discard(index)  # of this database only, not of the metadata
    index.create(store.database.engine)
    try:
        store.create("U1")
        with pytest.raises(DatabaseUnavailable, match=r"3 times \(\w+\).*sqr-jobs check"):
            store.create("U2")
    finally:
        index.drop(store.database.engine)
    assert store.count() == 1


def test_ids_that_differ_in_a_byte_are_different_users(store: JobStore) -> None:
    """A collation that folds case, blanks or accents would answer about the wrong person."""
    created = [store.create(user_id) for user_id in ONE_ID_EACH]
    assert [store.read(job.job_id).user_id for job in created] == ONE_ID_EACH
    for user_id in ONE_ID_EACH:
        with pytest.raises(JobAlreadyActive) as refused:
            store.create(user_id)
        assert refused.value.job.user_id == user_id


def test_an_id_with_a_nul_is_refused_or_another_one(store: JobStore) -> None:
    """The endpoints refuse it before; whoever calls the store must not reach another's job by it."""
    job = store.create("us1", org_id="acme")
    with contextlib.suppress(DatabaseUnavailable):
        assert store.create("us1\x00", org_id="acme").user_id == "us1\x00"
    with contextlib.suppress(DatabaseUnavailable):
        assert store.intake.find("acme\x00", job.job_id) is None


@pytest.mark.parametrize("other", ONE_ID_EACH[1:], ids=ONE_ID_EACH_NAMES[1:])
def test_a_job_is_found_by_its_own_org_alone(store: JobStore, other: str) -> None:
    """I10: not by another org, were its name only a byte away."""
    org = ONE_ID_EACH[0] if other != ONE_ID_EACH[5] else ONE_ID_EACH[4]
    job = store.create(org_id=org)
    assert store.intake.find(org, job.job_id) is not None
    assert store.intake.find(other, job.job_id) is None
    assert store.intake.find("", job.job_id) is None


def test_an_unknown_id_finds_nothing(store: JobStore) -> None:
    """The endpoint answers 404 for it, as for another org's job."""
    job = store.create()
    for job_id in ("", "nothing", job.job_id.upper(), job.job_id + " ", job.job_id[:-1] + "%"):
        assert store.intake.find("acme", job_id) is None


def test_an_overdue_job_is_settled_by_the_next_creation_for_its_user(store: JobStore) -> None:
    """I6: with no reaper alive, a job that is over must not refuse the next one."""
    old = store.create("U1", lifetime_s=300)
    store.move_clock_to_deadline(old.job_id)
    new = store.create("U1")
    assert store.story(old.job_id) == ["create", "pass deadline"]
    assert store.read(old.job_id).error_code is JobErrorCode.DEADLINE_EXCEEDED
    assert store.read(new.job_id).state is JobState.QUEUED


def test_settling_ends_an_overdue_job_once(store: JobStore) -> None:
    """I6: whoever asks for the status hears the end, also from two requests at once."""
    job = store.create(lifetime_s=300)
    store.move_clock_to_deadline(job.job_id)
    seen = store.read(job.job_id)
    assert seen.is_overdue
    first, second = store.intake.settle(seen), store.intake.settle(seen)
    assert first.state is second.state is JobState.FAILED
    assert first.error_code is JobErrorCode.DEADLINE_EXCEEDED
    assert first.completed_at == second.completed_at
    assert store.story(job.job_id) == ["create", "pass deadline"]


def test_settling_leaves_a_job_that_has_time_left(store: JobStore) -> None:
    """A caller with a fast clock of its own must not end a job."""
    job = store.create()
    before = store.rows()
    assert store.intake.settle(job).state is JobState.QUEUED
    assert store.rows() == before


def test_settling_leaves_a_job_that_ended_meanwhile(store: JobStore) -> None:
    """I3: a stale view of a job must not take a completed document away."""
    claim = store.claimed(lifetime_s=300)
    stale = store.read(claim.job.job_id)
    store.execution.complete(claim, document_of(claim), duration_ms=5)
    store.move_clock(301)
    assert store.intake.settle(stale).state is JobState.COMPLETE
    assert store.story(stale.job_id) == ["create", "claim", "complete"]
