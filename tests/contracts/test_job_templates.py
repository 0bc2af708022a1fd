"""What every job store promises about jobs whose template some workers, or all, do not know."""

import pytest

from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.job import TemplateRef
from sqr_jobs.domain.states import JobState
from tests.contracts.job_store import TEMPLATE, JobStore


def test_each_time_a_job_is_given_back_for_one_cause_it_waits_longer(store: JobStore) -> None:
    """A worker whose render children lack the template, or can't start, would loop on it else."""
    job_id, delays = store.create(lifetime_s=3_600).job_id, []
    for _ in range(6):
        store.move_clock_to_retry(job_id)
        code = JobErrorCode.TEMPLATE_NOT_FOUND
        assert store.execution.give_back(store.claim(job_id), delay_ms=5_000, code=code)
        waiting = store.read(job_id)
        delays.append((waiting.available_at - waiting.updated_at) // 1000)
    assert delays == [5, 10, 20, 40, 60, 60]


def test_a_worker_leaves_jobs_whose_template_it_does_not_know_to_those_that_do(store: JobStore) -> None:
    """In a rolling deployment: no claim, no ring and no wait is spent on them."""
    newer = TemplateRef(name=TEMPLATE.name, version="v2")
    old = JobStore(store.database, templates=[newer])
    job_id = store.create().job_id
    assert old.execution.claim(job_id) is None
    assert (old.upkeep.count_due(), list(old.upkeep.due(5))) == (0, [])
    assert list(old.upkeep.unknown_templates()) == [TEMPLATE]
    assert (old.upkeep.note_unknown(5), old.upkeep.note_unknown(5)) == (1, 0)
    assert (store.read(job_id).state, store.story(job_id)) == (JobState.QUEUED, ["create"])
    assert JobStore(store.database, templates=[TEMPLATE, newer]).claim(job_id).job.error_code is None
    assert (list(old.upkeep.unknown_templates()), old.upkeep.note_unknown(5)) == ([], 0)


@pytest.mark.parametrize("claimed", [False, True], ids=["never claimed", "given back since"])
def test_a_job_that_only_workers_without_its_template_saw_says_so_at_its_deadline(
    store: JobStore, claimed: bool
) -> None:
    """TEMPLATE_NOT_FOUND means that no worker knew it; one that did, and was shut down, ran out of time."""
    old = JobStore(store.database, templates=[])
    job_id = store.create(lifetime_s=300).job_id
    assert old.upkeep.note_unknown(5) == 1
    if claimed:
        store.execution.give_back(store.claim(job_id), delay_ms=0)
    store.move_clock_to_deadline(job_id)
    assert old.upkeep.reap_deadlines(5) == 1
    code = JobErrorCode.DEADLINE_EXCEEDED if claimed else JobErrorCode.TEMPLATE_NOT_FOUND
    assert store.read(job_id).error_code is code


def test_a_job_whose_template_no_worker_knew_says_so_at_its_deadline(store: JobStore) -> None:
    """A deployment that forgot a template is not a slow one."""
    claim = store.claimed(lifetime_s=300)
    code, cause = JobErrorCode.TEMPLATE_NOT_FOUND, "the factory raised: no licence"
    store.execution.give_back(claim, delay_ms=5_000, code=code, cause=cause)
    assert store.history.history(claim.job.job_id)[-1].cause == cause
    assert store.read(claim.job.job_id).failures == 0
    store.move_clock_to_deadline(claim.job.job_id)
    store.upkeep.reap_deadlines(100)
    assert store.read(claim.job.job_id).error_code is JobErrorCode.TEMPLATE_NOT_FOUND


def test_a_job_that_was_being_made_at_its_deadline_ran_out_of_time(store: JobStore) -> None:
    """TEMPLATE_NOT_FOUND means that no worker knew the template: the one that was at work did."""
    first = store.claimed(lifetime_s=300)
    store.execution.give_back(first, delay_ms=5_000, code=JobErrorCode.TEMPLATE_NOT_FOUND)
    store.move_clock(290)
    claim = store.claim(first.job.job_id)
    store.move_clock(5)
    assert store.renew(claim)
    store.move_clock_to_deadline(first.job.job_id)
    store.upkeep.reap_deadlines(100)
    assert store.read(first.job.job_id).error_code is JobErrorCode.DEADLINE_EXCEEDED
