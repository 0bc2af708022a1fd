"""What every document producer promises: the same bytes for the same order, and a code for every fault.

Declared: the inline producer runs in the caller's thread, so nothing there can be killed or kept from files.
`U-HANG`, `U-SEGV`, `U-KILL`, `U-MEMORY` and `U-FILE` are for children alone (`test_child_producer.py`).
`U-LARGE` is for neither: its 400,000 paragraphs take minutes to lay out, and the size limit is looked at
afterwards. A small limit shows the same.
"""

import hashlib
import io
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pikepdf
import pytest

from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.job import TemplateRef
from sqr_jobs.errors import AttemptAborted, AttemptFailed, LeaseLost
from sqr_jobs.ports import DocumentProducer
from tests.contracts.producers import child_producer, document, inline_producer, lease, order
from tests.unit.pdf_text import pages_of


@pytest.fixture(scope="module", params=["child", "inline"])
def producer(request: pytest.FixtureRequest) -> Iterator[DocumentProducer]:
    """Give each producer; one for the whole module, so that each test meets what the one before left."""
    made = child_producer() if request.param == "child" else inline_producer()
    yield made
    made.close()


def test_a_document_is_a_pdf_with_the_size_and_sha256_that_are_told(producer: DocumentProducer) -> None:
    """I5: these two numbers follow the document to the client."""
    produced = producer.produce(order("U-7"), lease())
    data = produced.file.read()
    produced.release()
    assert (produced.size, produced.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    with pikepdf.open(io.BytesIO(data)) as pdf:
        assert pdf.docinfo["/Title"] == "Report on Jo BloggsU7"
        assert pdf.open_metadata()["xmpMM:DocumentID"] == "sqr-jobs:job-U-7"
    assert "Paragraph 2 on Jo BloggsU7 <b>not bold</b> & so on." in "".join(pages_of(data))


def test_a_document_can_be_read_twice_before_it_is_released(producer: DocumentProducer) -> None:
    """An upload that is repeated begins at the start."""
    produced = producer.produce(order(), lease())
    first = produced.file.read()
    produced.file.seek(0)
    assert produced.file.read() == first
    produced.release()


def test_the_same_order_gives_the_same_bytes(producer: DocumentProducer) -> None:
    """An attempt may be repeated: client, row and bucket must agree all the same."""
    assert document(producer) == document(producer)


def test_every_producer_gives_the_same_bytes() -> None:
    """What a host sees in its tests is what its clients get."""
    child, inline = child_producer(), inline_producer()
    document(inline, "U-FIRST")  # what was made before must leave no trace
    assert document(child) == document(inline)
    child.close()


def test_each_order_gets_a_document_of_its_own(producer: DocumentProducer) -> None:
    """A longer document before it, or one that failed, must not shine through."""
    for user_id in ("U-LONGLONGLONGLONG", "U-1", "U-RAISE", "U-2", "U-1"):
        if user_id == "U-RAISE":
            with pytest.raises(AttemptFailed):
                document(producer, user_id)
            continue
        text = "".join(pages_of(document(producer, user_id)))
        assert re.findall(r"Jo\s+Bloggs(\w+)", text) == [user_id.replace("-", "")] * 5


def test_the_date_in_a_document_is_that_of_its_job(producer: DocumentProducer) -> None:
    """Not that of the attempt, which may come minutes later."""
    produced = producer.produce(order(created_at=1_700_000_000_000), lease())
    with pikepdf.open(io.BytesIO(produced.file.read())) as pdf:
        assert str(pdf.docinfo["/CreationDate"]) == "D:20231114221320+00'00'"
    produced.release()


@pytest.mark.parametrize(
    ("user_id", "code", "cause"),
    [
        ("U-NODATA", JobErrorCode.REPORT_DATA_UNAVAILABLE, "ConnectionError: no data on U-NODATA"),
        ("U-BADDATA", JobErrorCode.REPORT_DATA_INVALID, "name\n  Input should be a valid string"),
        ("U-RAISE", JobErrorCode.RENDER_FAILED, "ValueError: could not lay out Jo BloggsURAISE"),
        ("U-ODD", JobErrorCode.RENDER_FAILED, "OddError: "),
        ("U-EXIT", JobErrorCode.RENDER_FAILED, "SystemExit: 3"),
    ],
)
def test_a_template_that_fails_is_told_by_its_code(
    producer: DocumentProducer, user_id: str, code: JobErrorCode, cause: str
) -> None:
    """I9, I15: the cause, for the audit, says what; the stack, for the log, says where and names nobody."""
    with pytest.raises(AttemptFailed) as caught:
        document(producer, user_id)
    assert caught.value.code is code
    assert cause in caught.value.cause
    assert re.search(r" \(at tests/host/reports\.py:\d+ in \w+\)$", caught.value.cause)
    assert "reports.py" in caught.value.stack
    for private in ("Bloggs", user_id, "no data on", "could not lay out"):
        assert private not in caught.value.stack
        assert private not in str(caught.value)
    assert document(producer).startswith(b"%PDF")


@pytest.mark.parametrize(("user_id", "is_final"), [("U-MISTAKE", True), ("U-NODATA", False)])
def test_a_mistake_in_load_is_not_tried_again(
    producer: DocumentProducer, user_id: str, is_final: bool
) -> None:
    """An outage passes; a wrong name in the code does not, and four more tries would only hide it."""
    with pytest.raises(AttemptFailed) as caught:
        document(producer, user_id)
    assert (caught.value.code, caught.value.is_final) == (JobErrorCode.REPORT_DATA_UNAVAILABLE, is_final)


def test_characters_without_a_glyph_are_counted_however_they_are_drawn(producer: DocumentProducer) -> None:
    """`Age ≥ 18` and `Age ≤ 18` print alike, so somebody must hear of it."""
    produced = producer.produce(order("U-GLYPHS"), lease())
    produced.release()
    assert produced.missing_glyphs is not None
    counts = {chr(code): count for code, count in produced.missing_glyphs.most}
    assert counts == {"≥": 2, "→": 1, "✓": 1, "ж": 1, "☐": 1, "⌘": 1, "─": 1, "①": 1, "☎": 1}
    assert (produced.missing_glyphs.characters, produced.missing_glyphs.code_points) == (10, 9)
    produced = producer.produce(order(), lease())
    produced.release()
    assert produced.missing_glyphs is None


def test_a_template_may_print(producer: DocumentProducer) -> None:
    """Someone's forgotten print() must not be taken for a reply."""
    assert document(producer, "U-PRINT").startswith(b"%PDF")
    assert document(producer).startswith(b"%PDF")


@pytest.mark.parametrize(
    "template", [TemplateRef(name="report", version="v2"), TemplateRef(name="other", version="v1")], ids=str
)
def test_a_template_that_is_not_known_is_told_so(producer: DocumentProducer, template: TemplateRef) -> None:
    """A worker of the last deployment gives the job back to one that knows it."""
    with pytest.raises(AttemptFailed) as caught:
        producer.produce(order(template=template), lease())
    assert caught.value.code is JobErrorCode.TEMPLATE_NOT_FOUND
    assert str(template) in caught.value.cause


@pytest.mark.parametrize("make", [child_producer, inline_producer])
def test_a_document_over_the_size_limit_is_refused(make: type) -> None:
    """A runaway document must fill neither the disk nor the bucket."""
    producer = make(output_bytes=1_000)
    for _ in range(2):
        with pytest.raises(AttemptFailed) as caught:
            document(producer)
        assert caught.value.code is JobErrorCode.OUTPUT_TOO_LARGE
    producer.close()


def test_an_attempt_whose_time_is_over_makes_no_document(producer: DocumentProducer) -> None:
    """I4: whoever lost the job stops; the reason tells whether it goes back."""
    lost, aborted = lease(), lease()
    lost.lose()
    with pytest.raises(LeaseLost):
        producer.produce(order(), lost)
    aborted.abort()
    with pytest.raises(AttemptAborted):
        producer.produce(order(), aborted)
    with pytest.raises(AttemptFailed) as caught:
        producer.produce(order(), lease(limit_s=0.0))
    assert caught.value.code is JobErrorCode.RENDER_TIMEOUT
    assert document(producer).startswith(b"%PDF")


def test_each_thread_gets_the_document_that_it_asked_for(producer: DocumentProducer) -> None:
    """I5, I10: a worker's threads render at the same time, each for somebody else."""
    barrier = threading.Barrier(3)

    def make(number: int) -> str:
        barrier.wait(timeout=30)
        return "".join(pages_of(document(producer, f"U-{number}")))

    with ThreadPoolExecutor(3) as pool:
        for number, text in enumerate(pool.map(make, range(3))):
            assert text.count(f"Jo BloggsU{number}") == 5
