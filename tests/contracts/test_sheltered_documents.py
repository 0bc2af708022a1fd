"""The bound on requests that wait for the document store, and its circuit breaker."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from sqr_jobs import Document
from sqr_jobs.adapters.sheltered_documents import ShelteredDocuments
from sqr_jobs.errors import DocumentsUnavailable
from tests.servers.ports import wait_until
from tests.unit.fakes import FakeDocuments

DOCUMENT = Document(key="job/1-a.pdf", size=3, sha256="0" * 64)


class _Clock:
    seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


class _Store(FakeDocuments):
    """Counts the calls, lets each take its time, and may fail."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.takes: Callable[[], object] = lambda: None

    def holds(self, key: str, *, size: int) -> bool:
        self.asked += 1
        self.takes()
        if self.raises is not None:
            raise self.raises
        return True


@pytest.fixture
def clock() -> _Clock:
    """Give a clock that a test moves."""
    return _Clock()


@pytest.fixture
def store() -> _Store:
    """Give a store that answers."""
    return _Store()


@pytest.fixture
def crowd() -> Iterator[ThreadPoolExecutor]:
    """Give as many threads as FastAPI has."""
    with ThreadPoolExecutor(40) as pool:
        yield pool


def _ask(links: ShelteredDocuments) -> str:
    try:
        links.holds(DOCUMENT)
    except DocumentsUnavailable:
        return "refused"
    return "answered"


def test_four_requests_wait_for_a_frozen_store_and_no_more(store: _Store, crowd: ThreadPoolExecutor) -> None:
    """The threads that wait are missing for the host's own routes."""
    links, thaw = ShelteredDocuments(store), threading.Event()
    links.holds(DOCUMENT)
    store.takes = thaw.wait
    asked: list[Future[str]] = [crowd.submit(_ask, links) for _ in range(40)]
    try:
        wait_until(lambda: sum(each.done() for each in asked) == 36, seconds=10, what="the refusals")
        assert store.asked == 1 + 4
    finally:
        thaw.set()
    assert sorted(each.result() for each in asked) == ["answered"] * 4 + ["refused"] * 36


def test_a_burst_on_a_store_that_answers_is_served(store: _Store, crowd: ThreadPoolExecutor) -> None:
    """A place is free in a moment then: nobody is refused for asking together."""
    links = ShelteredDocuments(store)
    barrier = threading.Barrier(40)

    def ask() -> str:
        barrier.wait(timeout=30)
        return _ask(links)

    assert {each.result() for each in [crowd.submit(ask) for _ in range(40)]} == {"answered"}


def test_a_slow_failure_opens_the_breaker_and_one_probe_closes_it(store: _Store, clock: _Clock) -> None:
    """A frozen store costs one request its time in five seconds, and serves again at its first answer."""
    links = ShelteredDocuments(store, now=clock)

    def times_out() -> None:
        clock.seconds += 0.9

    store.takes, store.raises = times_out, DocumentsUnavailable("The bucket did not answer in time.")
    assert [_ask(links) for _ in range(5)] == ["refused"] * 5
    assert store.asked == 1
    clock.seconds += 4.9
    assert (_ask(links), store.asked) == ("refused", 1)
    clock.seconds += 0.2
    assert [_ask(links) for _ in range(5)] == ["refused"] * 5
    assert store.asked == 2
    clock.seconds += 5.1
    store.raises = None
    during: list[str] = []

    def another_asks() -> None:
        store.takes = lambda: None
        during.append(_ask(links))

    store.takes = another_asks
    assert (_ask(links), during) == ("answered", ["refused"])
    assert _ask(links) == "answered"


def test_a_quick_refusal_opens_nothing(store: _Store, clock: _Clock) -> None:
    """One object that may not be read must not take the others with it."""
    links = ShelteredDocuments(store, now=clock)
    store.raises = DocumentsUnavailable("The bucket refused (403).")
    assert _ask(links) == "refused"
    store.raises = None
    assert _ask(links) == "answered"
