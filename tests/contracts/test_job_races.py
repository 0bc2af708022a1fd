"""What every job store promises when many come at once; each race starts from a barrier."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from sqr_jobs.domain.job import Claim, Job
from sqr_jobs.domain.states import JobState
from sqr_jobs.domain.upkeep import Erased
from sqr_jobs.errors import JobAlreadyActive, RateLimited
from tests.contracts.job_store import CEILING, JOB_LIFETIME_S, JobStore, document_of

_Answer = TypeVar("_Answer")


def _at_once(times: int, call: Callable[[int], _Answer]) -> list[_Answer | Exception]:
    """Call from so many threads at the same moment; what each call gave, or raised."""
    barrier = threading.Barrier(times)

    def run(number: int) -> _Answer | Exception:
        barrier.wait(timeout=30)
        try:
            return call(number)
        except Exception as error:  # noqa: BLE001 - the test judges it
            return error

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(run, range(times)))


def test_of_32_creations_for_one_user_one_is_accepted_and_31_hear_of_its_job(store: JobStore) -> None:
    """I2: on every database, however they interleave; none sees an error of the database."""
    answers = _at_once(32, lambda _number: store.create("U1"))
    (job,) = [answer for answer in answers if isinstance(answer, Job)]
    refusals = [answer for answer in answers if isinstance(answer, JobAlreadyActive)]
    assert len(refusals) == 31, Counter(map(repr, answers))
    assert {refusal.job.job_id for refusal in refusals} == {job.job_id}
    assert store.count() == 1


def test_of_100_creations_of_one_org_ten_are_accepted(store: JobStore) -> None:
    """I12, I2: the count and the insert are one step, and whoever is refused hears the reason."""
    answers = _at_once(100, lambda number: store.create(f"U{number % 20}", ceiling=CEILING))
    kinds = Counter(type(answer) for answer in answers)
    assert kinds[Job] == 10, kinds
    assert set(kinds) <= {Job, RateLimited, JobAlreadyActive}, Counter(map(repr, answers))
    users = [answer.user_id for answer in answers if isinstance(answer, Job)]
    assert len(set(users)) == 10
    assert store.count() == 10


def test_32_claims_over_16_jobs_give_each_job_to_one_claimer(store: JobStore) -> None:
    """I8: one claim per job and attempt, and nobody waits for another's lock to hear that."""
    jobs = {store.create(f"U{number}").job_id for number in range(16)}
    answers = _at_once(32, lambda _number: store.execution.claim(None))
    claims = [answer for answer in answers if isinstance(answer, Claim)]
    assert Counter(claim.job.job_id for claim in claims) == Counter(jobs)
    assert answers.count(None) == 16, Counter(map(repr, answers))
    assert len({claim.token for claim in claims}) == 16
    for job_id in jobs:
        assert store.story(job_id) == ["create", "claim"]


def test_claims_that_name_the_same_job_give_it_to_one_of_them(store: JobStore) -> None:
    """I8: a message that came twice makes no second attempt."""
    job = store.create()
    answers = _at_once(16, lambda _number: store.execution.claim(job.job_id))
    assert [type(answer) for answer in answers if answer is not None] == [Claim]
    assert store.story(job.job_id) == ["create", "claim"]


@pytest.mark.parametrize("what", ["leases", "deadlines"])
def test_reapers_in_parallel_take_each_job_once(store: JobStore, what: str) -> None:
    """Any number of copies may run: a job taken twice would count a crash twice."""
    claims = [store.claimed(f"U{number}", lifetime_s=300) for number in range(12)]
    store.move_clock(31 if what == "leases" else 301)
    reap = store.upkeep.reap_leases if what == "leases" else store.upkeep.reap_deadlines
    assert sum(_at_once(4, lambda _number: reap(100))) == 12
    ending = "lose lease" if what == "leases" else "pass deadline"
    for claim in claims:
        assert store.story(claim.job.job_id) == ["create", "claim", ending]


def test_an_attempt_that_completes_while_it_is_reaped_has_one_outcome(store: JobStore) -> None:
    """I3, I4: either the document counts or the worker was lost, never both."""
    claims = [store.claimed(f"U{number}") for number in range(8)]
    store.move_clock(31)

    def race(number: int) -> object:
        if number >= len(claims):
            return store.upkeep.reap_leases(100)
        claim = claims[number]
        return store.execution.complete(claim, document_of(claim), duration_ms=1)

    answers = _at_once(len(claims) + 1, race)
    for claim, completed in zip(claims, answers, strict=False):
        job = store.read(claim.job.job_id)
        assert job.state is (JobState.COMPLETE if completed is True else JobState.RETRY_WAIT), answers
        assert len(store.story(job.job_id)) == 3


def test_settling_and_reaping_at_once_end_a_job_once(store: JobStore) -> None:
    """I3: a status request, the next creation and the reaper may all meet the deadline together."""
    old = store.create("U1", lifetime_s=300)
    store.move_clock_to_deadline(old.job_id)
    seen = store.read(old.job_id)
    ways = [
        lambda: store.intake.settle(seen),
        lambda: store.upkeep.reap_deadlines(100),
        lambda: store.create("U1"),
    ]
    answers = _at_once(9, lambda number: ways[number % 3]())
    assert store.story(old.job_id) == ["create", "pass deadline"]
    created = [answer for answer in answers[2::3] if isinstance(answer, Job)]
    assert len(created) == 1, answers


def test_a_job_that_is_cancelled_claimed_and_completed_at_once_has_one_end(store: JobStore) -> None:
    """I3: whoever is first ends it, and every other hears so."""
    running = [store.claimed(f"U{number}") for number in range(8)]
    waiting = [store.create(f"W{number}") for number in range(8)]

    def race(number: int) -> object:
        kind, which = divmod(number, 8)
        if kind == 0:
            return store.intake.cancel(running[which].job).state
        if kind == 1:
            return store.execution.complete(running[which], document_of(running[which]), duration_ms=1)
        if kind == 2:
            return store.operations.cancel(waiting[which]).state
        return store.execution.claim(waiting[which].job_id)

    answers = _at_once(32, race)
    for number, claim in enumerate(running):
        cancelled, completed = answers[number], answers[8 + number]
        ending = "complete" if completed is True else "cancel"
        assert store.story(claim.job.job_id) == ["create", "claim", ending], answers
        assert cancelled is (JobState.COMPLETE if completed is True else JobState.CANCELLED)
    for number, job in enumerate(waiting):
        assert answers[16 + number] is JobState.CANCELLED
        assert store.story(job.job_id) in (["create", "cancel"], ["create", "claim", "cancel"])
        assert store.read(job.job_id).state is JobState.CANCELLED


def test_two_cancels_at_once_are_one(store: JobStore) -> None:
    """A button pressed twice writes one line of history."""
    job = store.create()
    answers = _at_once(8, lambda _number: store.intake.cancel(job).state)
    assert answers == [JobState.CANCELLED] * 8
    assert store.story(job.job_id) == ["create", "cancel"]


def test_erasures_at_once_count_each_job_once(store: JobStore) -> None:
    """Two operators, one person: together their receipts tell what there was."""
    job_ids = [store.failed().job.job_id for _ in range(12)]
    mixed = [job_ids, job_ids[::-1], job_ids[6:] + job_ids[:6], job_ids[::2] + job_ids[1::2]]
    answers = _at_once(4, lambda number: store.operations.erase(mixed[number]))
    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    assert sum(answer.jobs for answer in answers if isinstance(answer, Erased)) == 12
    assert sum(answer.causes for answer in answers if isinstance(answer, Erased)) == 12


def test_collectors_and_purgers_at_once_note_each_job_once(store: JobStore) -> None:
    """Every worker process has one of each."""
    for number in range(12):
        store.failed(f"U{number}")
    store.move_clock(JOB_LIFETIME_S + 3_700)

    def collect(_number: int) -> int:
        return sum(store.retention.collected(item) for item in store.retention.collectable(100))

    assert sum(_at_once(4, collect)) == 12
    assert sum(_at_once(4, lambda _number: store.retention.purge(100))) == 12
    assert store.count() == 0
