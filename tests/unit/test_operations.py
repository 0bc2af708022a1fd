"""What operators do with jobs, on parts in memory."""

import dataclasses
import logging
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from sqr_jobs.domain.caller import Caller
from sqr_jobs.domain.job import Job
from sqr_jobs.domain.lifetimes import Lifetimes
from sqr_jobs.domain.states import TERMINAL, JobState
from sqr_jobs.domain.upkeep import Erased, JobSearch
from sqr_jobs.errors import ConfigurationError, DocumentsUnavailable, JobNotFound
from sqr_jobs.operations import Operations
from tests.unit.fakes import FakeDocuments, claim_of

_JOB = claim_of().job
_TIMES = Lifetimes(deadline_s=300, longest_deadline_s=7_200, document_s=86_400, longest_document_s=604_800)


class _Jobs:
    """`JobOperations` over a list; each job has one object."""

    def __init__(self, *jobs: Job) -> None:
        self.jobs = {job.job_id: job for job in jobs}
        self.order: list[str] = []

    def search(self, wanted: JobSearch) -> Sequence[Job]:
        return [job for job in self.jobs.values() if job.user_id == wanted.user_id][: wanted.limit]

    def get(self, job_id: str) -> Job | None:
        return self.jobs.get(job_id)

    def cancel(self, job: Job) -> Job:
        self.order.append(f"cancel {job.job_id}")
        return self._put(job, state=JobState.CANCELLED)

    def document_keys(self, job_ids: Sequence[str]) -> Sequence[str]:
        return [f"{job_id}/1.pdf" for job_id in job_ids]

    def erase(self, job_ids: Sequence[str]) -> Erased:
        for job_id in job_ids:
            assert not self.jobs[job_id].is_active
            self.order.append(f"erase {job_id}")
            self._put(self.jobs[job_id], user_id="")
        return Erased(jobs=len(job_ids), causes=1, idempotency_keys=2)

    def _put(self, job: Job, **change: Any) -> Job:
        self.jobs[job.job_id] = dataclasses.replace(job, **change)
        return self.jobs[job.job_id]


class _Reports:
    """`ReportJobs`, of which a retry needs its `create` and its bounds."""

    parts = SimpleNamespace(lifetimes=_TIMES)

    def __init__(self) -> None:
        self.asked: list[tuple[Caller, dict[str, Any]]] = []

    def create(self, caller: Caller, **asked: Any) -> Job:
        self.asked.append((caller, asked))
        return dataclasses.replace(_JOB, job_id="new")


def _numbered(number: int, **change: Any) -> Job:
    return dataclasses.replace(_JOB, job_id=f"0c7b6a3e-0000-4000-8000-{number:012}", **change)


def _operations(
    jobs: _Jobs, reports: _Reports | None = None, documents: FakeDocuments | None = None
) -> Operations:
    return Operations(
        reports=reports or _Reports(),  # type: ignore[arg-type]
        jobs=jobs,
        history=SimpleNamespace(history=lambda _job_id: []),
        documents=lambda: documents or FakeDocuments(),
        service="reports",
    )


@pytest.mark.parametrize(
    "pasted",
    [
        _JOB.job_id,
        _JOB.job_id.upper(),
        f" {_JOB.job_id}\n",
        f"{{{_JOB.job_id}}}",
        _JOB.job_id.replace("-", ""),
    ],
)
def test_an_id_is_read_as_people_paste_it(pasted: str) -> None:
    """Out of a log, a ticket, a database tool."""
    assert _operations(_Jobs(_JOB)).get(pasted) == _JOB


@pytest.mark.parametrize("wrong", ["", "1", "not an id", "0b4ad4b5-6b0c-4b3e-9a0e-7a3f2f6f9d11", "\x00", "é"])
def test_an_id_of_no_job_is_told_so(wrong: str) -> None:
    """A sentence and no stack."""
    operations = _operations(_Jobs(_JOB))
    for use in (operations.get, operations.cancel, operations.retry):
        with pytest.raises(JobNotFound):
            use(wrong)


@pytest.mark.parametrize("state", sorted(TERMINAL - {JobState.COMPLETE}), ids=str)
def test_a_job_that_failed_is_tried_again_as_a_new_one(state: JobState) -> None:
    """Under the same org, beside its rate limit, and kept for as long as the client had wished."""
    reports = _Reports()
    failed = dataclasses.replace(_JOB, state=state, document_lifetime_ms=600_000)
    assert _operations(_Jobs(failed), reports).retry(failed.job_id).job_id == "new"
    ((caller, asked),) = reports.asked
    assert (caller.org_id, asked["user_id"]) == (failed.org_id, failed.user_id)
    assert asked["document_lifetime_s"] == 600
    assert asked["rate_limit"].requests >= 1_000_000


def test_a_wish_that_the_settings_no_longer_allow_is_left_out_of_a_retry() -> None:
    """The bounds may have changed since; an operator's retry must not fail for it."""
    reports = _Reports()
    failed = dataclasses.replace(_JOB, state=JobState.FAILED, document_lifetime_ms=60_000)
    _operations(_Jobs(failed), reports).retry(failed.job_id)
    assert reports.asked[0][1]["document_lifetime_s"] is None


@pytest.mark.parametrize("state", sorted(set(JobState) - TERMINAL | {JobState.COMPLETE}), ids=str)
def test_a_job_that_did_not_fail_is_not_tried_again(state: JobState) -> None:
    """There is nothing to put right; the sentence says how the job stands."""
    reports = _Reports()
    with pytest.raises(ConfigurationError, match=f"is {state}"):
        _operations(_Jobs(dataclasses.replace(_JOB, state=state)), reports).retry(_JOB.job_id)
    assert reports.asked == []


def test_an_erased_job_is_not_tried_again() -> None:
    """It does not tell whom it was about."""
    erased = dataclasses.replace(_JOB, state=JobState.FAILED, user_id="")
    with pytest.raises(ConfigurationError, match="was erased"):
        _operations(_Jobs(erased)).retry(_JOB.job_id)


def test_an_erasure_cancels_deletes_and_forgets_in_this_order_and_tells_all_of_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """More jobs than a batch; the receipt names what there was, and nobody."""
    jobs = [_numbered(number, state=JobState.FAILED) for number in range(149)]
    active, other = _numbered(149), _numbered(150, user_id="U2")
    store, documents = _Jobs(*jobs, active, other), FakeDocuments()
    documents.stored = {f"{job_id}/1.pdf": b"" for job_id in store.jobs}
    with caplog.at_level(logging.DEBUG):
        receipt = _operations(store, documents=documents).erase("acme", "U1")
    assert (receipt.jobs, receipt.cancelled, receipt.objects) == (150, 1, 150)
    assert (receipt.causes, receipt.idempotency_keys) == (2, 4)
    assert receipt.job_ids == tuple(job.job_id for job in [*jobs, active])
    assert list(documents.stored) == [f"{other.job_id}/1.pdf"]
    assert store.order.index(f"cancel {active.job_id}") < store.order.index(f"erase {active.job_id}")
    assert [record.getMessage() for record in caplog.records] == ["erased a person from 150 jobs"]
    assert "U1" not in str(receipt)


def test_a_job_that_ends_before_it_can_be_cancelled_is_not_counted_as_cancelled() -> None:
    """The receipt is a proof: its reader must not be told that a report was stopped which was made."""

    class Fast(_Jobs):
        def cancel(self, job: Job) -> Job:
            return self._put(job, state=JobState.COMPLETE)

    receipt = _operations(Fast(_JOB)).erase(_JOB.org_id, _JOB.user_id)
    assert (receipt.jobs, receipt.cancelled) == (1, 0)


def test_no_job_forgets_its_person_before_its_documents_are_gone() -> None:
    """The rows are how a repetition finds what is left to do."""

    class Down(FakeDocuments):
        def delete(self, key: str) -> None:
            raise DocumentsUnavailable("down")

    store = _Jobs(_numbered(1))
    receipt = _operations(store, documents=Down()).erase("acme", "U1")
    assert (receipt.stopped_by, receipt.jobs, receipt.cancelled) == ("down", 0, 1)
    assert [job.user_id for job in store.jobs.values()] == ["U1"]
    assert _operations(store).erase("acme", "U1").jobs == 1


def test_an_erasure_that_an_outage_ends_tells_what_was_done_by_then() -> None:
    """What was deleted is deleted: the receipt of half an erasure is a proof too, and says so."""

    class Tired(FakeDocuments):
        def delete(self, key: str) -> None:
            if len(self.stored) == 20:
                raise DocumentsUnavailable("down")
            super().delete(key)

    store, documents = _Jobs(*(_numbered(number, state=JobState.FAILED) for number in range(150))), Tired()
    documents.stored = {f"{job_id}/1.pdf": b"" for job_id in store.jobs}
    first = _operations(store, documents=documents).erase("acme", "U1")
    assert (first.jobs, first.objects, first.stopped_by) == (100, 130, "down")
    assert len(first.job_ids) == 100
    second = _operations(store).erase("acme", "U1")
    assert (second.jobs, second.stopped_by) == (50, None)
    assert set(first.job_ids).isdisjoint(second.job_ids)


@pytest.mark.parametrize(("org", "user"), [("", "U1"), ("acme", ""), ("", "")])
def test_an_erasure_of_nobody_is_refused(org: str, user: str) -> None:
    """An empty variable in a script: every job that was erased before has that id."""
    store = _Jobs(_numbered(1, state=JobState.FAILED, user_id=""))
    with pytest.raises(ConfigurationError, match="Name the organisation and the user"):
        _operations(store).erase(org, user)
    assert store.order == []
