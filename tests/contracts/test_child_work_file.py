"""A render child whose work file fails goes, with its descriptors, and the next order has another one."""

import errno
import logging
import os
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from sqr_jobs.adapters import child_producer as child_producer_module
from sqr_jobs.adapters.child_producer import ChildProducer
from sqr_jobs.adapters.render_child import RenderChild
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.errors import AttemptFailed
from tests.contracts.producers import child_producer, document, lease, order


@pytest.fixture
def producer() -> Iterator[ChildProducer]:
    """Give a producer that has no child yet."""
    made = child_producer()
    yield made
    made.close()


def _held() -> tuple[set[int], set[str]]:
    """Tell which children and which descriptors this process has."""
    return {child.pid for child in psutil.Process().children()}, set(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names


def _is_kept(before: tuple[set[int], set[str]]) -> bool:
    """Say whether there is no more than before: what belongs to other tests may have gone."""
    children, descriptors = _held()
    return children <= before[0] and descriptors <= before[1]


def _fail(*_arguments: Any) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_document_that_cannot_be_read_leaves_no_child(
    producer: ChildProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fails for an hour must not fill the machine with renders that nobody asks again."""
    before = _held()
    with monkeypatch.context() as disk:
        disk.setattr(child_producer_module, "_look_through", _fail)
        for _ in range(2):
            with pytest.raises(OSError, match="Input/output"):
                producer.produce(order(), lease())
    assert _is_kept(before)
    assert document(producer).startswith(b"%PDF")


def test_a_work_file_that_cannot_be_emptied_costs_its_child_and_nothing_else(
    producer: ChildProducer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What was made is stored by then: the job must not fail for it, and no report may stay on the disk."""
    before = _held()
    with monkeypatch.context() as disk, caplog.at_level(logging.WARNING):
        disk.setattr(RenderChild, "forget_output", _fail)
        assert document(producer).startswith(b"%PDF")
        with pytest.raises(AttemptFailed):
            document(producer, "U-RAISE")
    assert _is_kept(before)
    assert [record.getMessage() for record in caplog.records if record.name == "sqr_jobs.children"] == [
        "a render child ends: its work file could not be emptied (Input/output error)"
    ] * 2
    assert document(producer).startswith(b"%PDF")


def test_an_interrupt_while_the_work_file_is_emptied_leaves_no_child(
    producer: ChildProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C may come at any line."""

    def interrupt(_child: RenderChild) -> None:
        raise KeyboardInterrupt

    before = _held()
    produced = producer.produce(order(), lease())
    monkeypatch.setattr(RenderChild, "forget_output", interrupt)
    with pytest.raises(KeyboardInterrupt):
        produced.release()
    assert _is_kept(before)


@pytest.mark.parametrize("wrong", ["other bytes", "another job"])
def test_a_file_that_is_not_what_the_child_wrote_for_the_job_is_no_document(
    producer: ChildProducer, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    """I5: a forked copy may have written to it, or the child may have mixed up two orders."""
    before, receive = _held(), RenderChild.receive

    def tampered(child: RenderChild, left: Any) -> Any:
        reply = receive(child, left)
        if reply and "size" in reply:
            os.pwrite(child.output.fileno(), b"%PDF-9.9", 0)
        return reply

    if wrong == "other bytes":
        monkeypatch.setattr(RenderChild, "receive", tampered)
    else:
        monkeypatch.setattr(child_producer_module, "document_identifier", "sqr-jobs:other-{}".format)
    with pytest.raises(AttemptFailed) as caught:
        producer.produce(order(), lease())
    assert caught.value.code is JobErrorCode.RENDER_CRASHED
    assert _is_kept(before)
