"""What render children alone promise: whatever a template does, it ends that attempt and nothing else."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from sqr_jobs.adapters.child_producer import ChildProducer
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.errors import AttemptAborted, AttemptFailed, ConfigurationError, LeaseLost
from tests.contracts.producers import child_producer, document, lease, order
from tests.servers.ports import wait_until

WILD = "tests.contracts.wild_host"


def _children() -> list[psutil.Process]:
    """Find our render children that run."""
    return [process for process in psutil.Process().children(recursive=True) if _renders(process)]


def _renders(process: psutil.Process) -> bool:
    try:
        is_ours = "sqr_jobs.documents.child" in process.cmdline()
        return is_ours and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture(scope="module")
def producer() -> Iterator[ChildProducer]:
    """Give one producer for the whole module: each test meets what the wild ones before it left."""
    made = child_producer()
    yield made
    made.close()
    assert _children() == []


@pytest.fixture(scope="module")
def signals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give the folder in which templates tell what they did."""
    folder = tmp_path_factory.mktemp("signals")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SQR_TEST_SIGNALS", str(folder))
        yield folder


@pytest.fixture(scope="module")
def wild(signals: Path) -> Iterator[ChildProducer]:
    """Give a producer over the wild host."""
    made = child_producer(factory=f"{WILD}:report_jobs")
    yield made
    made.close()


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
    assert document(producer).startswith(b"%PDF")


@pytest.mark.parametrize(("end", "error"), [("abort", AttemptAborted), ("lose", LeaseLost)])
def test_an_attempt_that_is_stopped_in_the_middle_ends_within_two_seconds(
    wild: ChildProducer, signals: Path, end: str, error: type
) -> None:
    """I14: at a shutdown, or when another attempt owns the job, nobody waits for a hang."""
    held, ended_at = lease(), []
    begun = signals / "begun"
    begun.unlink(missing_ok=True)

    def stop_it() -> None:
        wait_until(begun.exists, seconds=30, what="the attempt's begin")
        ended_at.append(time.monotonic())
        getattr(held, end)()

    thread = threading.Thread(target=stop_it)
    thread.start()
    with pytest.raises(error):
        wild.produce(order("U-BEGUN"), held)
    assert time.monotonic() - ended_at[0] < 2.0
    thread.join()


def test_no_child_is_left_after_the_end() -> None:
    """I14: a worker that stops leaves the machine as it found it."""
    producer = child_producer()
    before = len(_children())
    producer.warm()
    assert len(_children()) == before + 1
    producer.close()
    assert len(_children()) == before


def test_an_order_that_comes_while_the_first_child_starts_waits_for_that_one() -> None:
    """A worker of one thread needs one child; a second would stay beside it, with its memory, for good."""
    made, before = child_producer(), len(_children())
    warming = threading.Thread(target=made.warm)
    warming.start()
    wait_until(lambda: len(_children()) > before, seconds=10, what="the start of the first child")
    made.produce(order(), lease()).release()
    warming.join(timeout=10)
    assert len(_children()) == before + 1
    # Where that one never comes, the order ends with its own time
    made._warming = threading.Event()
    made.close()
    with pytest.raises(AttemptFailed) as caught:
        made.produce(order(), lease(limit_s=0.5))
    assert caught.value.code == JobErrorCode.RENDER_TIMEOUT


def test_one_warm_child_serves_one_order_after_the_other(producer: ChildProducer) -> None:
    """Starting one for each job would cost more than most reports."""
    document(producer)
    before = {child.pid for child in _children()}
    assert before
    document(producer)
    with pytest.raises(AttemptFailed):
        document(producer, "U-RAISE")
    document(producer)
    assert {child.pid for child in _children()} == before


def test_a_document_in_use_outlives_the_producers_end() -> None:
    """A worker that drains still uploads what was made; its child ends with the release."""
    producer = child_producer()
    before = len(_children())
    produced = producer.produce(order(), lease())
    producer.close()
    assert produced.file.read().startswith(b"%PDF")
    produced.release()
    assert len(_children()) == before


def test_an_idle_child_that_was_killed_is_replaced() -> None:
    """The kernel's memory killer chooses whom it likes."""
    producer, before = child_producer(), {child.pid for child in _children()}
    producer.warm()
    (idle,) = [child for child in _children() if child.pid not in before]
    idle.send_signal(signal.SIGKILL)
    wait_until(lambda: _is_gone(idle.pid), seconds=10, what="the child's end")
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
        assert not _is_gone(child)
        parent.kill()
        wait_until(lambda: _is_gone(child), seconds=2, what="the child's end")


def test_what_a_template_started_dies_with_it(wild: ChildProducer, signals: Path) -> None:
    """I14: the whole process group is killed, else a converter hangs on for hours."""
    document(wild)  # a child that is there: its start is no part of the two seconds
    with pytest.raises(AttemptFailed) as caught:
        wild.produce(order("U-FAMILY"), lease(limit_s=2.0))
    assert caught.value.code is JobErrorCode.RENDER_TIMEOUT
    grandchild = int((signals / "grandchild").read_text())
    wait_until(lambda: _is_gone(grandchild), seconds=2, what="the grandchild's end")


def test_a_layout_may_neither_connect_nor_write_nor_start_anything(
    wild: ChildProducer, signals: Path
) -> None:
    """An image's address that came from a user must not become a request from inside the network."""
    for user_id in ("U-NET", "U-NAME", "U-SHELL", "U-WRITE"):
        with pytest.raises(AttemptFailed) as caught:
            document(wild, user_id)
        assert caught.value.code is JobErrorCode.RENDER_FAILED, user_id
        assert "PermissionError" in caught.value.cause, user_id
    assert not (signals / "written").exists()
    assert document(wild).startswith(b"%PDF")


def test_an_error_with_any_text_comes_over_whole(wild: ChildProducer) -> None:
    """Whatever the text, it is data on the pipe and never the end of the child."""
    for user_id, begin in (
        ("U-SURROGATE", "builtins.ValueError: lone"),
        ("U-WORDY", "builtins.ValueError: "),
    ):
        with pytest.raises(AttemptFailed) as caught:
            document(wild, user_id)
        assert caught.value.code is JobErrorCode.RENDER_FAILED
        assert caught.value.cause.startswith(begin)
        assert len(caught.value.cause) <= 10_000
    with pytest.raises(AttemptFailed) as caught:
        document(wild, "U-HOARD")
    assert caught.value.code is JobErrorCode.OUT_OF_MEMORY


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
    assert caught.value.code is JobErrorCode.TEMPLATE_NOT_FOUND
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
