"""One attempt, from claim to complete."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.glyphs import MissingGlyphs
from sqr_jobs.domain.job import Claim, Document
from sqr_jobs.errors import (
    AttemptAborted,
    AttemptFailed,
    DatabaseUnavailable,
    DocumentsUnavailable,
    LeaseLost,
)
from sqr_jobs.leases import LeaseKeeper
from sqr_jobs.processing import Processor
from tests.unit.fakes import BYTES, Clock, FakeDocuments, FakeExecution, FakeProducer, claim_of

GONE = DatabaseUnavailable("gone")


@dataclass
class Workshop:
    """A processor with fakes around it, and one job to make."""

    claim: Claim = field(default_factory=claim_of)
    clock: Clock = field(default_factory=Clock)
    producer: FakeProducer = field(default_factory=FakeProducer)
    documents: FakeDocuments = field(default_factory=FakeDocuments)

    def __post_init__(self) -> None:
        self.jobs = FakeExecution(self.claim)
        self.keeper = LeaseKeeper(self.jobs, heartbeat_s=3600, fence_s=25, limit_s=60, now=self.clock)
        self.processor = Processor(
            jobs=self.jobs,
            producer=self.producer,
            documents=self.documents,
            leases=self.keeper,
            now=self.clock,
        )


@pytest.fixture
def workshop() -> Iterator[Workshop]:
    """Give a workshop with a job in it."""
    made = Workshop()
    yield made
    made.keeper.stop()


def test_a_job_is_claimed_made_stored_and_completed(workshop: Workshop) -> None:
    """I5: what is recorded is what was stored, under the key that carries attempt and token."""
    workshop.producer.during = lambda _lease: workshop.clock.move(1.5)
    assert workshop.processor.process("named") is True
    (document,) = [call[1] for call in workshop.jobs.calls if call[0] == "complete"]
    assert isinstance(document, Document)
    assert workshop.jobs.calls == [("claim", "named"), ("complete", document, 1500)]
    assert workshop.documents.stored == {document.key: BYTES}
    assert document.key == f"{workshop.claim.job.job_id}/1-{'f' * 32}.pdf"
    assert document.size == len(BYTES)
    assert workshop.producer.released == 1


@pytest.mark.parametrize(("late_s", "freed"), [(0, (1, 0)), (30, (0, 1))], ids=["refused", "abandoned"])
def test_an_abandoned_upload_keeps_its_file(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, late_s: float, freed: tuple[int, int]
) -> None:
    """The store's thread may read on, and a late renewal changes nothing: the file is not used again."""

    def put(_key: str, _document: object, *, until: Callable[[], float]) -> None:
        workshop.clock.move(late_s)
        until()
        workshop.clock.move(-late_s)  # as a renewal moves the fence
        assert (until() > 0) is (late_s == 0)
        raise DocumentsUnavailable("no answer")

    monkeypatch.setattr(workshop.documents, "put", put)
    workshop.processor.process()
    assert (workshop.producer.released, workshop.producer.discarded) == freed


def test_the_producer_is_told_what_the_row_says(workshop: Workshop) -> None:
    """Template and version were fixed at creation, and the date to print is the job's."""
    workshop.processor.process()
    (order,) = workshop.producer.orders
    job = workshop.claim.job
    assert (order.job_id, order.org_id, order.user_id) == (job.job_id, job.org_id, job.user_id)
    assert (order.template, order.created_at) == (job.template, job.created_at)


def test_missing_glyphs_are_logged_and_noted_in_the_history(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    """I15: symbols by their code points; letters, which may be a name, by their script alone."""
    workshop.producer.missing_glyphs = MissingGlyphs.counted({"≥": 2, "ד": 1, "ר": 1})
    with caplog.at_level(logging.WARNING, "sqr_jobs"):
        workshop.processor.process()
    (record,) = caplog.records
    assert record.getMessage().endswith(
        "4 characters were drawn without a glyph (U+2265 x2, HEBREW letters x2)"
    )
    assert vars(record)["job"] == workshop.claim.job.job_id
    assert workshop.jobs.calls[-1][-1] == "missing glyphs: U+2265 x2, U+05D3 x1, U+05E8 x1"


def test_what_is_noted_of_glyphs_is_bounded() -> None:
    """A page of a foreign script lacks thousands of them."""
    missing = MissingGlyphs.counted({chr(0x4E00 + number): 1 for number in range(1_000)} | {"≥": 7})
    assert missing is not None
    assert missing.for_log() == "U+2265 x7, CJK letters x19, 981 others x981"
    assert len(missing.for_history()) < 300


def test_a_message_without_a_job_is_dropped(workshop: Workshop) -> None:
    """Somebody else made it."""
    workshop.processor.process()
    assert workshop.processor.process("again") is False
    assert len(workshop.producer.orders) == 1


def test_a_database_out_of_reach_at_the_claim_is_told(workshop: Workshop) -> None:
    """The actor logs it, and the relay rings again."""
    workshop.jobs.raises["claim"] = [GONE]
    with pytest.raises(DatabaseUnavailable):
        workshop.processor.process()


def test_an_attempt_that_was_fenced_off_touches_nothing(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    """I4: another attempt owns the job, and perhaps the document."""
    workshop.jobs.owns_the_job = False
    with caplog.at_level(logging.WARNING, "sqr_jobs"):
        assert workshop.processor.process() is True
    assert workshop.jobs.names() == ["claim", "complete"]
    assert "another attempt owns the job" in caplog.text


@pytest.mark.parametrize("code", [JobErrorCode.RENDER_FAILED, JobErrorCode.RENDER_TIMEOUT], ids=str)
def test_a_failed_attempt_is_recorded_with_its_code_and_cause(workshop: Workshop, code: JobErrorCode) -> None:
    """I9: what follows is decided by the domain, in the database."""
    workshop.producer.raises = AttemptFailed(code, "Jo Bloggs has no name")
    assert workshop.processor.process() is True
    assert workshop.jobs.calls[1:] == [("fail", code, "Jo Bloggs has no name")]
    assert workshop.documents.stored == {}


def test_a_failure_that_no_try_can_help_is_recorded_so(workshop: Workshop) -> None:
    """A mistake in `load` is the same at the next try."""
    workshop.producer.raises = AttemptFailed(JobErrorCode.REPORT_DATA_UNAVAILABLE, "x", is_final=True)
    workshop.processor.process()
    assert workshop.jobs.calls[1:] == [("fail", JobErrorCode.REPORT_DATA_UNAVAILABLE, "x", "final")]


def test_a_failure_is_logged_with_its_stack_and_without_its_cause(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    """I15: the cause may hold a name."""
    workshop.producer.raises = AttemptFailed(JobErrorCode.RENDER_FAILED, "Jo Bloggs", stack="\nat line 7")
    with caplog.at_level(logging.DEBUG, "sqr_jobs"):
        workshop.processor.process()
    assert "RENDER_FAILED" in caplog.text
    assert "at line 7" in caplog.text
    assert "Bloggs" not in caplog.text


def test_a_storage_that_is_down_is_a_failure_that_may_pass(workshop: Workshop) -> None:
    """The document is made anew: nothing is remembered outside the database."""
    workshop.documents.raises = DocumentsUnavailable("The bucket did not answer.")
    workshop.processor.process()
    assert workshop.jobs.calls[1:] == [
        ("fail", JobErrorCode.STORAGE_UNAVAILABLE, "The bucket did not answer.")
    ]
    assert workshop.producer.released == 1


def test_an_upload_that_outlived_the_lease_is_no_failure_of_the_storage(workshop: Workshop) -> None:
    """I4: the job may be another's by now, so nothing is written."""
    workshop.documents.during = lambda: workshop.clock.move(30)
    workshop.documents.raises = DocumentsUnavailable("time is over")
    assert workshop.processor.process() is True
    assert workshop.jobs.names() == ["claim"]
    assert workshop.producer.released == 1


def test_a_lost_lease_writes_nothing(workshop: Workshop) -> None:
    """I4: the reaper or another attempt has the word."""
    workshop.producer.raises = LeaseLost("over")
    assert workshop.processor.process() is True
    assert workshop.jobs.names() == ["claim"]


def test_a_template_that_this_worker_lacks_gives_the_job_back_for_five_seconds(workshop: Workshop) -> None:
    """A worker of the next deployment may know it; the code is kept for the deadline's sake."""
    workshop.producer.raises = AttemptFailed(JobErrorCode.TEMPLATE_NOT_FOUND, "no template report v1")
    workshop.processor.process()
    assert workshop.jobs.calls[1:] == [
        ("give_back", 5_000, JobErrorCode.TEMPLATE_NOT_FOUND, "no template report v1")
    ]


def test_a_child_that_did_not_start_gives_the_job_back_uncounted(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    """The producer has logged it once; a line per attempt would fill the log."""
    workshop.producer.raises = AttemptFailed(JobErrorCode.RENDER_START_FAILED, "too slow")
    with caplog.at_level(logging.DEBUG, "sqr_jobs"):
        workshop.processor.process()
    assert workshop.jobs.calls[1:] == [("give_back", 5_000, JobErrorCode.RENDER_START_FAILED, "too slow")]
    assert caplog.records == []


def test_a_missing_template_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """Each job of a forgotten template would fill the log until its deadline."""
    workshop = Workshop()
    levels = []
    for _ in range(3):
        workshop.jobs._claim = claim_of()
        workshop.producer.raises = AttemptFailed(JobErrorCode.TEMPLATE_NOT_FOUND, "no template report v1")
        with caplog.at_level(logging.DEBUG, "sqr_jobs"):
            workshop.processor.process()
        workshop.clock.move(40)
        levels.append(caplog.records[-1].levelname)
    assert levels == ["WARNING", "DEBUG", "WARNING"]
    workshop.keeper.stop()


def test_an_attempt_that_is_aborted_gives_its_job_back_at_once(workshop: Workshop) -> None:
    """Another worker has it a moment later, and it counts as no failure."""
    workshop.producer.during = lambda _lease: workshop.processor.abort()
    assert workshop.processor.process() is True
    assert workshop.jobs.calls[1:] == [("give_back", 0, None, None)]


def test_a_job_that_cannot_be_given_back_is_left_to_its_lease(workshop: Workshop) -> None:
    """`process` raises only when nothing could be claimed: this attempt was made."""
    workshop.producer.raises = AttemptAborted("shutting down")
    workshop.jobs.raises["give_back"] = [GONE] * 100
    assert workshop.processor.process() is True


@pytest.mark.parametrize("times", [1, 2])
def test_a_document_that_is_stored_survives_an_outage_of_the_database(workshop: Workshop, times: int) -> None:
    """The work is done: while the lease allows it, its record is tried again."""
    workshop.jobs.raises["complete"] = [GONE] * times
    assert workshop.processor.process() is True
    assert workshop.jobs.names() == ["claim"] + ["complete"] * (times + 1)


def test_an_outage_that_outlives_the_lease_leaves_the_job_to_the_reaper(workshop: Workshop) -> None:
    """I4: after the fence nothing may be written, though the database should come back."""

    class GoneAndLate(DatabaseUnavailable):
        def __init__(self) -> None:
            super().__init__("gone")
            workshop.clock.move(13)

    def complete(*_details: object, **_more: object) -> bool:
        workshop.jobs.calls.append(("complete",))
        raise GoneAndLate

    workshop.jobs.complete = complete
    assert workshop.processor.process() is True
    assert workshop.jobs.names() == ["claim", "complete", "complete"]


def test_a_failure_survives_an_outage_of_the_database_too(workshop: Workshop) -> None:
    """Else a poison job would count as a lost worker, and be tried too often."""
    workshop.producer.raises = AttemptFailed(JobErrorCode.RENDER_FAILED, "cause")
    workshop.jobs.raises["fail"] = [GONE]
    workshop.processor.process()
    assert workshop.jobs.names() == ["claim", "fail", "fail"]


@pytest.mark.parametrize("broken", ["producer", "documents"])
def test_a_fault_of_our_own_is_a_crash_of_the_attempt(
    workshop: Workshop, caplog: pytest.LogCaptureFixture, broken: str
) -> None:
    """I9: whatever it is, the job keeps its bounded tries, and the stack is logged."""
    getattr(workshop, broken).raises = ZeroDivisionError("by zero")
    with caplog.at_level(logging.ERROR, "sqr_jobs"):
        assert workshop.processor.process() is True
    ((name, code, cause),) = workshop.jobs.calls[1:]
    assert (name, code) == ("fail", JobErrorCode.RENDER_CRASHED)
    assert "ZeroDivisionError" in str(cause)
    (record,) = caplog.records
    told = record.getMessage()
    assert "an attempt broke\nZeroDivisionError, raised at\n" in told
    assert "/fakes.py:" in told
    assert "by zero" not in told


def test_a_processor_that_drains_claims_nothing_more(workshop: Workshop) -> None:
    """The row stays due, and a relay rings for it elsewhere."""
    workshop.processor.drain()
    assert workshop.processor.process("named") is False
    assert workshop.jobs.calls == []


def test_an_attempt_that_runs_while_the_worker_drains_goes_on_to_its_end(workshop: Workshop) -> None:
    """A deployment costs no attempt that ends in time."""
    workshop.producer.during = lambda _lease: workshop.processor.drain()
    assert workshop.processor.process() is True
    assert workshop.jobs.names() == ["claim", "complete"]


def test_the_time_before_the_claim_was_sent_is_where_the_lease_begins() -> None:
    """A claim that the database answered late is that much shorter."""
    workshop = Workshop()
    real, seen = workshop.jobs.claim, []
    workshop.jobs.claim = lambda job_id: workshop.clock.move(7) or real(job_id)
    workshop.producer.during = lambda lease: seen.append(lease.left())
    workshop.processor.process()
    assert seen == [18]
    workshop.keeper.stop()


def test_an_attempt_holds_its_lease_no_longer_than_it_runs(workshop: Workshop) -> None:
    """A keeper that renewed for ever would keep a failed job from everyone."""
    workshop.processor.process()
    workshop.keeper.renew_all()
    assert "renew" not in workshop.jobs.names()
