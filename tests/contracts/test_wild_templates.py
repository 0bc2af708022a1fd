"""What a template may not do in its render child, and what becomes of it when it does."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sqr_jobs.adapters.child_producer import ChildProducer
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.errors import AttemptAborted, AttemptFailed, LeaseLost
from tests.contracts.producers import child_producer, document, is_gone, lease, order
from tests.servers.ports import wait_until


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
    made = child_producer(factory="tests.contracts.wild_host:report_jobs")
    yield made
    made.close()


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


def test_what_a_template_started_dies_with_it(wild: ChildProducer, signals: Path) -> None:
    """I14: the whole process group is killed, else a converter hangs on for hours."""
    document(wild)  # a child that is there: its start is no part of the two seconds
    with pytest.raises(AttemptFailed) as caught:
        wild.produce(order("U-FAMILY"), lease(limit_s=2.0))
    assert caught.value.code is JobErrorCode.RENDER_TIMEOUT
    grandchild = int((signals / "grandchild").read_text())
    wait_until(lambda: is_gone(grandchild), seconds=2, what="the grandchild's end")


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
