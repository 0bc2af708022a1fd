"""Parts are made once, whichever threads ask first."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqr_jobs import Settings, build_report_jobs
from sqr_jobs.wiring import system_of
from sqr_jobs.wiring.made_once import made_once
from sqr_jobs.wiring.system import System
from tests.host.people import People
from tests.host.reports import Report

_ASKING = 4


class _Owner:
    def __init__(self) -> None:
        self.making = threading.RLock()
        self.made: list[object] = []
        self.all_inside = threading.Barrier(2)

    @made_once
    def part(self) -> object:
        """A part whose making lasts until a second thread is in it, too, or that can't be."""
        try:
            self.all_inside.wait(timeout=0.2)
        except threading.BrokenBarrierError:
            self.made.append(self.inner)
        else:
            self.made.append(object())
        return self.made[-1]

    @made_once
    def inner(self) -> object:
        """A part of which the other is made."""
        return object()


def test_threads_that_ask_at_once_get_the_same_part() -> None:
    """The first two requests would start two workers, of which one is never stopped."""
    owner = _Owner()
    with ThreadPoolExecutor(_ASKING) as threads:
        parts = set(threads.map(lambda _: owner.part, range(_ASKING)))
    assert parts == {owner.inner}
    assert owner.made == [owner.inner]


def test_every_part_of_a_service_is_made_so(tmp_path: Path) -> None:
    """`functools.cached_property` looks the same, and has no lock from Python 3.12 on."""
    system = system_of(build_report_jobs(Settings(data_dir=tmp_path), users=People(), templates=[Report()]))
    names = {name for name, member in vars(System).items() if isinstance(member, made_once)}
    assert {"worker", "queue", "limiter", "documents", "database", "_broker"} <= names
    assert not [each for each in vars(System).values() if type(each).__name__ == "cached_property"]
    assert system.worker is system.worker


def test_a_part_keeps_what_it_says_of_itself() -> None:
    """Editors and the reference show it."""
    assert _Owner.part.__doc__ is not None
    assert isinstance(_Owner.part, made_once)
