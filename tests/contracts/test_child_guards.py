"""The guards around a render child that no fault shows: each of these tests fails without its guard."""

import os
import resource
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from sqr_jobs.adapters.child_producer import ChildProducer
from sqr_jobs.adapters.render_child import RenderChild
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.errors import AttemptFailed
from tests.contracts.producers import child_producer, document, order, render_children
from tests.host.reports import FACTORY

_WILD = "tests.contracts.wild_host:report_jobs"


@pytest.fixture(scope="module")
def wild() -> Iterator[ChildProducer]:
    """Give a producer over the wild host."""
    made = child_producer(factory=_WILD)
    yield made
    made.close()


def test_the_working_folder_is_no_place_to_import_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that happens to lie there must not hide what the worker has imported."""
    (tmp_path / "pydantic.py").write_text("raise SystemExit(3)\n")
    monkeypatch.chdir(tmp_path)
    producer = child_producer()
    producer.warm()
    producer.close()


def test_a_signal_to_the_whole_group_ends_no_child(wild: ChildProducer) -> None:
    """A supervisor stops a worker that way, and an attempt that runs may still end."""
    document(wild)
    (child,) = render_children()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.killpg(os.getpgid(child.pid), number)
    document(wild)
    assert render_children() == [child]


def test_a_child_writes_no_core_file(wild: ChildProducer) -> None:
    """It would hold a person's data; a core that is piped to a program would hold none of the memory."""
    document(wild)
    (child,) = render_children()
    for process in (child, psutil.Process(child.ppid())):
        assert process.rlimit(psutil.RLIMIT_CORE) == (0, 0)
        assert int(Path(f"/proc/{process.pid}/coredump_filter").read_text(), 16) == 0
    assert resource.getrlimit(resource.RLIMIT_CORE)[1] != 0, "then this shows nothing"


def test_a_worn_child_is_replaced(wild: ChildProducer) -> None:
    """What an order left behind must not be lacking to the next."""
    document(wild)
    (child,) = render_children()
    document(wild, "U-LEAK")
    assert render_children() == []
    document(wild)
    assert render_children() != [child]


def test_a_file_that_a_layout_writes_is_bounded(wild: ChildProducer) -> None:
    """A file that `load` opened is not the guard's to refuse; the disk is everybody's."""
    with pytest.raises(AttemptFailed) as caught:
        document(wild, "U-SPILL")
    assert caught.value.code is JobErrorCode.OUTPUT_TOO_LARGE
    assert "File too large" in caught.value.cause


def test_the_kernels_timer_ends_an_attempt_that_holds_the_interpreter() -> None:
    """The worker's threads may be held up themselves, in a web process that computes."""
    child = RenderChild(FACTORY, None, python=sys.executable)
    assert child.wait_ready(lambda: 60)
    limits = {"seconds": 1.0, "memory_bytes": 1 << 30, "output_bytes": 1 << 20}
    fields = {**vars(order("U-HANG")), "template": vars(order().template)}
    began = time.monotonic()
    child.send({"id": "x", "order": fields, "limits": limits})
    assert child.receive(lambda: 30 + began - time.monotonic()) is None
    assert time.monotonic() - began < 3
    assert child.end() == -signal.SIGALRM
    assert "in match" in str(child.last_stack()[-1])
