"""What a template forks or starts in `load`: it makes nobody's document, and outlives nobody."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from sqr_jobs.adapters import render_child
from sqr_jobs.adapters.child_producer import ChildProducer
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.errors import AttemptFailed
from sqr_jobs.ports import RenderOrder
from tests.contracts.producers import CREATED_AT, child_producer, is_gone, lease, render_children
from tests.contracts.wild_host import REPORT
from tests.servers.ports import wait_until
from tests.unit.pdf_text import pages_of

_WILD = "tests.contracts.wild_host:report_jobs"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give the folder in which templates tell what they did."""
    made = tmp_path_factory.mktemp("signals")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SQR_TEST_SIGNALS", str(made))
        yield made


@pytest.fixture
def signals(folder: Path) -> Path:
    """Give that folder, empty."""
    for file in folder.iterdir():
        file.unlink()
    return folder


@pytest.fixture(scope="module")
def wild(folder: Path) -> Iterator[ChildProducer]:
    """Give a producer over the wild host."""
    made = child_producer(factory=_WILD)
    yield made
    made.close()


def _order(user_id: str, org_id: str = "acme") -> RenderOrder:
    return RenderOrder(
        job_id=f"{org_id}-{user_id}", org_id=org_id, user_id=user_id, template=REPORT, created_at=CREATED_AT
    )


@pytest.mark.parametrize("forks", ["U-FORKS", "U-CFORKS"])
def test_a_forked_copy_makes_nobodys_document(wild: ChildProducer, forks: str) -> None:
    """I5, I10: the next order is another organisation's, on the same pipe and in the same file."""
    wild.produce(_order("U-0"), lease()).release()
    first = render_children()
    for number in range(4):
        for user_id, org_id in ((f"{forks}/{number}", "acme"), (f"U-{number}", "other")):
            produced = wild.produce(_order(user_id, org_id), lease())
            text = "".join(pages_of(produced.file.read()))
            produced.release()
            assert f"About {user_id}" in text
    wait_until(lambda: render_children() == first, seconds=5, what="the end of the copies")


def test_a_reply_to_another_order_ends_the_child_and_the_attempt(wild: ChildProducer) -> None:
    """I5: whatever wrote it, nothing that this child says can be believed any more."""
    wild.produce(_order("U-0"), lease()).release()
    (child,) = wild._pool._idle
    with pytest.raises(AttemptFailed) as caught:
        wild.produce(_order("U-FORGE"), lease())
    assert caught.value.code is JobErrorCode.RENDER_CRASHED
    assert child not in wild._pool._idle


def test_a_child_that_said_something_unasked_gets_no_order(wild: ChildProducer, signals: Path) -> None:
    """The attempt of an innocent job is not spent on finding out."""
    wild.produce(_order("U-LATE"), lease()).release()
    (idle,) = wild._pool._idle
    assert idle.is_fit()
    (signals / "go").touch()
    wait_until(lambda: not idle.is_fit(), seconds=5, what="a word from the child")
    wild.produce(_order("U-2"), lease()).release()
    assert idle not in wild._pool._idle


@pytest.mark.parametrize(
    ("user_id", "code"),
    [("U-SESSION", JobErrorCode.RENDER_TIMEOUT), ("U-CRASH", JobErrorCode.RENDER_CRASHED)],
)
def test_what_a_template_started_ends_with_the_child(
    wild: ChildProducer, signals: Path, user_id: str, code: JobErrorCode
) -> None:
    """I14: in a session of its own, without its environment, and a copy that holds the pipes."""
    wild.produce(_order("U-1"), lease()).release()  # the start of a child is no part of the time
    began = time.monotonic()
    with pytest.raises(AttemptFailed) as caught:
        wild.produce(_order(user_id), lease(limit_s=1.5 if user_id == "U-SESSION" else 30))
    assert caught.value.code is code
    assert time.monotonic() - began < 3.5
    started = [int(pid) for pid in (signals / "started").read_text().split()]
    assert len(started) == 2
    assert all(is_gone(pid) for pid in started)
    assert (signals / "descriptors").read_text() == ""


def test_a_layout_that_overflows_its_stack_says_where(wild: ChildProducer) -> None:
    """Its handler needs a stack that is not the one that overflowed."""
    with pytest.raises(AttemptFailed) as caught:
        wild.produce(_order("U-OVERFLOW"), lease())
    assert caught.value.code is JobErrorCode.RENDER_CRASHED
    assert "wild_host.py" in caught.value.cause


def test_a_fork_while_a_child_starts_does_not_keep_its_lifeline(monkeypatch: pytest.MonkeyPatch) -> None:
    """I14: another thread of the worker may fork between the child's start and its record."""
    start, left_open = subprocess.Popen, []

    def start_and_fork(command: list[str], **options: Any) -> "subprocess.Popen[bytes]":
        started = start(command, **options)
        lifeline = os.fstat(options["pass_fds"][1]).st_ino
        copy = os.fork()
        if copy == 0:
            os._exit(_holds(lifeline))
        left_open.append(os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1]))
        return started

    monkeypatch.setattr(render_child.subprocess, "Popen", start_and_fork)
    child = render_child.RenderChild(_WILD, None, python=sys.executable)
    child.kill()
    assert left_open == [0]


def _holds(inode: int) -> bool:
    for fd in range(3, 1024):
        with contextlib.suppress(OSError):
            if os.fstat(fd).st_ino == inode:
                return True
    return False


@pytest.mark.parametrize("victim", ["worker", "guardian"])
def test_nothing_outlives_its_worker(signals: Path, victim: str) -> None:
    """I14: a worker that the kernel kills can end nothing itself; nor may a guardian that is killed."""
    script = (
        "from tests.contracts.producers import lease\n"
        "from tests.contracts.test_child_forks import _order, _WILD, child_producer\n"
        "child_producer(factory=_WILD).produce(_order('U-SESSION'), lease())\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL) as worker:
        try:
            wait_until((signals / "started").exists, seconds=60, what="the attempt's begin")
            started = [int(pid) for pid in (signals / "started").read_text().split()]
            guardian, child = psutil.Process(worker.pid).children(recursive=True)[:2]
            assert child.ppid() == guardian.pid
            if victim == "worker":
                worker.kill()
                gone = [guardian.pid, child.pid, *started]
            else:
                guardian.kill()
                gone = [child.pid]
            wait_until(lambda: all(map(is_gone, gone)), seconds=2, what="the end of all")
        finally:
            worker.kill()
            for pid in started:
                if not is_gone(pid):
                    os.kill(pid, signal.SIGKILL)
