"""What render children alone promise: whatever a template does, it ends that attempt and nothing else."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sqr_jobs.adapters.child_producer import ChildProducer
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.errors import AttemptAborted, AttemptFailed, ConfigurationError, LeaseLost
from tests.contracts.producers import child_producer, document, is_gone, lease, order, render_children
from tests.servers.ports import wait_until

WILD = "tests.contracts.wild_host"
PLACE = re.compile(r"at tests/host/reports\.py:\d+ in _go_wrong")


@pytest.fixture(scope="module")
def producer() -> Iterator[ChildProducer]:
    """Give one producer for the whole module: each test meets what the wild ones before it left."""
    made = child_producer()
    yield made
    made.close()
    assert render_children() == []


@pytest.mark.parametrize(
    ("user_id", "code"),
    [
        ("U-SEGV", JobErrorCode.RENDER_CRASHED),
        ("U-KILL", JobErrorCode.RENDER_CRASHED),
        ("U-MEMORY", JobErrorCode.OUT_OF_MEMORY),
        ("U-FILE", JobErrorCode.RENDER_FAILED),
    ],
)
def test_a_template_that_ends_its_process_ends_nothing_else(
    producer: ChildProducer, user_id: str, code: JobErrorCode
) -> None:
    """I9: a poison job has its code, and the next job is made."""
    with pytest.raises(AttemptFailed) as caught:
        document(producer, user_id)
    assert caught.value.code is code
    assert "Bloggs" not in caught.value.stack
    assert code is JobErrorCode.OUT_OF_MEMORY or user_id == "U-KILL" or PLACE.search(caught.value.cause)
    assert document(producer).startswith(b"%PDF")


def test_a_hang_that_holds_the_interpreter_is_killed_within_two_seconds_of_its_limit(
    producer: ChildProducer,
) -> None:
    """I14: a regular expression in C can't be interrupted from Python, only killed."""
    started = time.monotonic()
    with pytest.raises(AttemptFailed) as caught:
        producer.produce(order("U-HANG"), lease(limit_s=1.0))
    assert caught.value.code is JobErrorCode.RENDER_TIMEOUT
    assert 1.0 <= time.monotonic() - started < 3.0
    assert PLACE.search(caught.value.cause)
    assert re.search(r"reports\.py:\d+ in flowables\n(  .*\n)+  .*:\d+ in match$", caught.value.stack)
    assert document(producer).startswith(b"%PDF")


def test_a_timeout_beside_other_threads_names_the_layouts_line() -> None:
    """The kernel may give the signal to a thread of a library, whose stack helps nobody."""
    made = child_producer(factory=f"{WILD}:report_jobs_beside_a_thread")
    made.warm()
    with pytest.raises(AttemptFailed) as caught:
        made.produce(order("U-BUSY"), lease(limit_s=0.3))
    assert caught.value.code is JobErrorCode.RENDER_TIMEOUT
    assert re.search(r"at .*wild_host\.py:\d+ in _compute_for_ever$", caught.value.cause)
    made.close()


def test_a_thread_that_a_layout_starts_restricts_no_later_load() -> None:
    """A pool's threads live on, and the kernel's layers with them."""
    made = child_producer(factory=f"{WILD}:report_jobs")
    document(made, "U-POOL")
    assert document(made, "U-OPENS").startswith(b"%PDF")
    made.close()


def test_an_odd_reply_ends_the_child(producer: ChildProducer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else would: the pool does not know it any more."""
    document(producer)
    (child,) = producer._pool._idle
    monkeypatch.setattr(producer, "_ask", lambda *_: {})
    with pytest.raises(KeyError):
        producer.produce(order(), lease())
    assert not child.is_fit()


def test_no_child_is_left_after_the_end() -> None:
    """I14: a worker that stops leaves the machine as it found it."""
    producer = child_producer()
    before = len(render_children())
    producer.warm()
    assert len(render_children()) == before + 1
    producer.close()
    assert len(render_children()) == before


def test_an_order_that_comes_while_the_first_child_starts_waits_for_that_one() -> None:
    """A worker of one thread needs one child; a second would stay beside it, with its memory, for good."""
    made, before = child_producer(), len(render_children())
    warming = threading.Thread(target=made.warm)
    warming.start()
    wait_until(lambda: len(render_children()) > before, seconds=10, what="the start of the first child")
    made.produce(order(), lease()).release()
    warming.join(timeout=10)
    assert len(render_children()) == before + 1
    # Where that one never comes, the order ends with its own time
    made._pool._warming = threading.Event()
    made.close()
    with pytest.raises(LeaseLost):
        made.produce(order(), lease(fence_s=0.5))


def test_one_warm_child_serves_one_order_after_the_other(producer: ChildProducer) -> None:
    """Starting one for each job would cost more than most reports."""
    document(producer)
    before = {child.pid for child in render_children()}
    assert before
    document(producer)
    with pytest.raises(AttemptFailed):
        document(producer, "U-RAISE")
    document(producer)
    assert {child.pid for child in render_children()} == before


def test_a_document_in_use_outlives_the_producers_end() -> None:
    """A worker that drains still uploads what was made; its child ends with the release."""
    producer = child_producer()
    before = len(render_children())
    produced = producer.produce(order(), lease())
    producer.close()
    assert produced.file.read().startswith(b"%PDF")
    produced.release()
    assert len(render_children()) == before


def test_a_document_that_may_still_be_read_costs_its_child(producer: ChildProducer) -> None:
    """The next order would be written into the file that an abandoned upload reads."""
    produced = producer.produce(order(), lease())
    before = {child.pid for child in render_children()}
    assert produced.discard is not None
    produced.discard()
    assert {child.pid for child in render_children()} < before
    assert document(producer).startswith(b"%PDF")


def test_an_idle_child_that_was_killed_is_replaced() -> None:
    """The kernel's memory killer chooses whom it likes."""
    producer, before = child_producer(), {child.pid for child in render_children()}
    producer.warm()
    (idle,) = [child for child in render_children() if child.pid not in before]
    idle.send_signal(signal.SIGKILL)
    wait_until(lambda: is_gone(idle.pid), seconds=10, what="the child's end")
    assert document(producer).startswith(b"%PDF")
    producer.close()


def test_a_child_dies_within_two_seconds_of_its_parents_death(tmp_path: Path) -> None:
    """I14: a worker that was killed must not leave renders behind that nobody waits for."""
    script = (
        "from tests.contracts.producers import child_producer, lease, order\n"
        "child_producer().produce(order('U-HANG'), lease())\n"
    )
    environment = {**os.environ, "SQR_TEST_SIGNALS": str(tmp_path)}
    begun = tmp_path / "U-HANG"
    with subprocess.Popen([sys.executable, "-c", script], env=environment) as parent:
        wait_until(lambda: begun.exists() and begun.read_text(), seconds=60, what="the attempt's begin")
        child = int(begun.read_text().split()[1])
        assert not is_gone(child)
        parent.kill()
        wait_until(lambda: is_gone(child), seconds=2, what="the child's end")


def test_no_file_with_a_name_is_left_in_the_work_folder(tmp_path: Path) -> None:
    """I15: a crash must not leave half a report on the disk, nor a whole one."""
    producer = child_producer(work_dir=tmp_path)
    produced = producer.produce(order(), lease())
    assert list(tmp_path.iterdir()) == []
    produced.release()
    with pytest.raises(AttemptFailed):
        document(producer, "U-KILL")
    assert list(tmp_path.iterdir()) == []
    producer.close()


@pytest.mark.parametrize(
    ("factory", "words"),
    [
        ("no.such.module:report_jobs", "there is no module no"),
        (f"{WILD}:nothing", f"{WILD} has no function nothing"),
        (f"{WILD}:name", f"{WILD} has no function name"),
        ("tests.host.reports", "is no import path"),
        (f"{WILD}:raises", "LookupError, raised at"),
        (f"{WILD}:returns_nothing", "build_report_jobs"),
        ("tests.host.people:People", "build_report_jobs"),
        (f"{WILD}:dies", "ended"),
    ],
)
def test_a_factory_that_cannot_be_built_is_told_in_words(factory: str, words: str) -> None:
    """The operator reads it at the start."""
    producer = child_producer(factory=factory)
    with pytest.raises(ConfigurationError) as caught:
        producer.warm()
    assert words in str(caught.value)
    producer.close()


def test_an_attempt_without_a_factory_gives_its_job_back() -> None:
    """Another worker may be able to build it."""
    producer = child_producer(factory="no.such.module:report_jobs")
    with pytest.raises(AttemptFailed) as caught:
        producer.produce(order(), lease())
    assert caught.value.code is JobErrorCode.RENDER_START_FAILED
    assert "there is no module no" in caught.value.cause
    producer.close()


def test_an_abort_while_a_child_starts_is_an_abort() -> None:
    """The job goes back at once and unharmed; it is not a template that nobody knows."""
    producer, held = child_producer(factory=f"{WILD}:hangs"), lease()
    held.abort()
    with pytest.raises(AttemptAborted):
        producer.produce(order(), held)
    lost = lease(fence_s=0.5)
    with pytest.raises(LeaseLost):
        producer.produce(order(), lost)
    producer.close()


def test_orders_and_replies_are_data(producer: ChildProducer) -> None:
    """What goes over the pipes is JSON: a reply can carry no code."""
    document(producer)
    with pytest.raises(AttemptFailed) as caught:
        document(producer, "U-ODD")
    assert json.dumps([caught.value.cause, caught.value.stack])
    assert type(caught.value.code) is JobErrorCode
