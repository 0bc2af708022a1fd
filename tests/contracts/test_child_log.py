"""What render children leave for the log: classes and places, and never what an exception said."""

import logging
import re
from collections.abc import Iterator

import pytest

from sqr_jobs.adapters.child_producer import ChildProducer
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.job import TemplateRef
from sqr_jobs.errors import AttemptFailed, FactoryFailed
from sqr_jobs.ports import DocumentProducer
from tests.contracts.producers import child_producer, document, inline_producer, lease, order
from tests.host.reports import FACTORY

_WILD = "tests.contracts.wild_host"
_PLENTY = 256 * 1_048_576


@pytest.fixture(scope="module", params=["child", "inline"])
def producer(request: pytest.FixtureRequest) -> Iterator[DocumentProducer]:
    """Give a producer of each kind."""
    made: DocumentProducer = child_producer() if request.param == "child" else inline_producer()
    yield made
    made.close()


def test_what_a_factory_raised_is_kept_from_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """It may hold a password: the log has the place, the audit row and `sqr-jobs check` the message."""
    caplog.set_level(logging.DEBUG)
    producer = child_producer(factory=f"{_WILD}:raises")
    with pytest.raises(FactoryFailed) as caught:
        producer.warm()
    assert caught.value.cause == "LookupError: no such setting"
    for _ in range(2):
        with pytest.raises(AttemptFailed) as failed:
            producer.produce(order(), lease())
        assert failed.value.code is JobErrorCode.RENDER_START_FAILED
        assert failed.value.cause == "LookupError: no such setting"
        assert failed.value.reason == "no render child could be started"
    (record,) = [record for record in caplog.records if record.name == "sqr_jobs.children"]  # not two
    assert record.levelname == "ERROR"
    assert re.search(r"LookupError, raised at\n(.*\n)*.*wild_host\.py:\d+ in raises$", record.getMessage())
    assert "no such setting" not in caplog.text
    producer.close()


def test_children_that_start_again_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever was woken by the first line wants to know that it is over."""
    caplog.set_level(logging.INFO, "sqr_jobs")
    factories = [f"{_WILD}:raises", FACTORY]
    producer = ChildProducer(
        factory=lambda: factories.pop(0), memory_bytes=_PLENTY, output_bytes=_PLENTY, start_limit_s=60
    )
    with pytest.raises(AttemptFailed):
        document(producer)
    document(producer)
    document(producer)
    told = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert [level for level, _ in told] == ["ERROR", "INFO"]
    assert re.fullmatch(r"render children start again, after \d+ s", told[1][1])
    producer.close()


def test_a_child_that_died_is_told_with_its_status() -> None:
    """The number of the signal says whether it was a crash, the kernel or a supervisor."""
    producer = child_producer()
    with pytest.raises(AttemptFailed) as caught:
        document(producer, "U-KILL")
    assert caught.value.reason == "the render child ended with status -9"
    producer.close()


def test_a_template_that_is_missing_is_named(producer: DocumentProducer) -> None:
    """A worker of an older deployment is found by it."""
    wanted = order(template=TemplateRef(name="report", version="v9"))
    with pytest.raises(AttemptFailed) as caught:
        producer.produce(wanted, lease())
    assert caught.value.code is JobErrorCode.TEMPLATE_NOT_FOUND
    assert caught.value.reason == "no template report v9 is registered"


@pytest.mark.parametrize(
    ("user_id", "place"),
    [
        ("U-RAISE", r"^\nValueError, raised at\n(  .*\n)*  .*reports\.py:\d+ in _go_wrong$"),
        ("U-ODD", r"^\nOddError, raised at\n(  .*\n)*  .*reports\.py:\d+ in _go_wrong$"),
        ("U-NODATA", r"^\nConnectionError, raised at\n(  .*\n)*  .*reports\.py:\d+ in load$"),
        ("U-BADDATA", r"^\nValidationError, raised at\n(  .*\n)*  .*reports\.py:\d+ in load\n"),
    ],
)
def test_a_template_that_raised_is_told_by_class_and_place(
    producer: DocumentProducer, user_id: str, place: str
) -> None:
    """The host's developer finds the line; nobody who reads logs finds a person."""
    with pytest.raises(AttemptFailed) as caught:
        document(producer, user_id)
    assert re.search(place, caught.value.stack), caught.value.stack
    assert caught.value.reason == ""
    for private in ("Bloggs", "no data on", user_id, "could not lay out"):
        assert private not in caught.value.stack
