"""How a render child starts: with a limit and a code that are not the attempt's, and at nobody's expense."""

import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.errors import AttemptFailed, ConfigurationError, LeaseLost
from tests.contracts.producers import child_producer, is_gone, lease, order, render_children
from tests.faults.slow_start import FACTORY, LET_GO
from tests.servers.ports import wait_until

_WILD = "tests.contracts.wild_host"


@pytest.fixture
def signals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the folder in which a factory waits for leave to go on."""
    monkeypatch.setenv("SQR_TEST_SIGNALS", str(tmp_path))
    yield tmp_path
    assert render_children() == []


def _wait_until_it_starts(signals: Path) -> None:
    wait_until(lambda: list(signals.glob("child-*")), seconds=60, what="the start of the child")


def test_a_child_that_starts_slowly_is_kept_for_the_next_attempt(signals: Path) -> None:
    """Each attempt that killed it would begin from nothing, and no job would ever be made."""
    producer = child_producer(factory=FACTORY)
    with pytest.raises(LeaseLost):
        producer.produce(order(), lease(fence_s=0.5))
    _wait_until_it_starts(signals)
    (child,) = render_children()
    (signals / f"{LET_GO}.go").touch()
    producer.produce(order(), lease()).release()
    assert render_children() == [child]
    # And one that still starts when the worker stops goes with it
    (signals / f"{LET_GO}.go").unlink()
    child.kill()
    wait_until(lambda: is_gone(child.pid), seconds=5, what="the child's end")
    with pytest.raises(LeaseLost):
        producer.produce(order(), lease(fence_s=0.5))
    producer.close()


def test_a_half_started_child_that_no_attempt_asks_for_ends_with_its_limit(signals: Path) -> None:
    """It would keep its memory, and the lock that its factory waits for, as long as the worker runs."""
    producer = child_producer(factory=FACTORY)
    with pytest.raises(LeaseLost):
        producer.produce(order(), lease(fence_s=0.5))
    _wait_until_it_starts(signals)
    (abandoned,) = producer._pool._starting
    producer._pool._starting.clear()
    (signals / f"{LET_GO}.go").touch()
    produced = producer.produce(order(), lease())
    (signals / f"{LET_GO}.go").unlink()
    producer._pool._starting[:] = [abandoned]
    abandoned.is_fit = lambda: True  # type: ignore[method-assign] - it says nothing
    producer._pool._start_limit_s = 0.1
    produced.release()
    assert (producer._pool._starting, len(render_children())) == ([], 1)
    producer.close()


def test_a_stop_ends_the_child_that_is_warmed(signals: Path) -> None:
    """A worker that is stopped at once leaves nothing that starts, and says nothing of a failure."""
    producer = child_producer(factory=FACTORY)
    warming = threading.Thread(target=producer.warm)
    warming.start()
    _wait_until_it_starts(signals)
    producer.close()
    warming.join(timeout=10)
    assert render_children() == []


def test_the_start_is_no_part_of_the_attempts_limit(signals: Path) -> None:
    """An innocent job must not time out because the machine is slow."""
    producer, held = child_producer(factory=FACTORY), lease(limit_s=2.0)
    began = time.monotonic()
    held.left = lambda: _let_go_after(signals, began, 2.5)  # type: ignore[method-assign]
    producer.produce(order(), held).release()
    assert time.monotonic() - began > 2.5
    producer.close()


def _let_go_after(signals: Path, began: float, seconds: float) -> float:
    if time.monotonic() - began > seconds:
        (signals / f"{LET_GO}.go").touch()
    return 60.0


@pytest.mark.parametrize(
    ("factory", "cause"),
    [
        (f"{_WILD}:dies", "the render child ended with status 7 while it started"),
        (f"{_WILD}:raises", "LookupError: no such setting"),
    ],
)
def test_a_child_that_does_not_start_is_not_blamed_on_the_template(
    signals: Path, factory: str, cause: str
) -> None:
    """Another worker may be able to start one; the job is given back, and nothing is counted."""
    producer = child_producer(factory=factory)
    with pytest.raises(AttemptFailed) as caught:
        producer.produce(order(), lease(limit_s=0.1))
    assert caught.value.code is JobErrorCode.RENDER_START_FAILED
    assert caught.value.cause == cause
    producer.close()


def test_a_start_that_takes_too_long_ends_with_its_place(signals: Path) -> None:
    """The host's developer sees what the factory waits for."""
    producer = child_producer(factory=FACTORY)
    with pytest.raises(LeaseLost):
        producer.produce(order(), lease(fence_s=0.5))
    _wait_until_it_starts(signals)
    producer._pool._start_limit_s = 0.1
    with pytest.raises(AttemptFailed) as caught:
        producer.produce(order(), lease())
    assert caught.value.code is JobErrorCode.RENDER_START_FAILED
    assert re.search(r"within 0\.1 s, at .*ports\.py:\d+ in wait_until\. ", caught.value.cause)
    # And `sqr-jobs check`, which starts a child as a worker does, sees it too
    with pytest.raises(ConfigurationError, match="SQR_JOBS_START_LIMIT_S"):
        producer.warm()
