"""Relay and reaper."""

import logging
import threading
import time

import pytest

from sqr_jobs import maintenance
from sqr_jobs.domain.announcement import Announcement
from sqr_jobs.domain.job import TemplateRef
from sqr_jobs.errors import DatabaseUnavailable, QueueUnavailable
from sqr_jobs.maintenance import Maintenance
from tests.servers.ports import wait_until
from tests.unit.fakes import FakeOwnDoorbell, FakeQueue, FakeUpkeep


def _maintenance(jobs: FakeUpkeep, queue: FakeQueue, **more: object) -> Maintenance:
    return Maintenance(jobs=jobs, queue=queue, relay_interval_s=0.01, reaper_interval_s=0.01, **more)


@pytest.mark.parametrize(
    ("due", "waiting", "rings"),
    [
        (0, 0, 0),
        (0, 5, 0),
        (3, 0, 3),
        (3, 1, 2),
        (3, 3, 0),
        (3, 9, 0),
        (100, 0, 100),
        (250, 0, 100),
        (250, 200, 50),
    ],
)
def test_the_relay_rings_for_what_no_waiting_message_stands_for(due: int, waiting: int, rings: int) -> None:
    """A lost message is healed in a second; a full queue is not flooded; a hundred are enough for one."""
    queue = FakeQueue(waiting=waiting)
    assert _maintenance(FakeUpkeep(due=due), queue).relay() == rings
    assert queue.rung == [f"job-{number}" for number in range(rings)]


def test_the_relay_does_not_ask_the_broker_when_nothing_is_due() -> None:
    """An idle service leaves a broken broker alone."""

    class Broken(FakeQueue):
        def waiting(self) -> int:
            raise QueueUnavailable("gone")

    assert _maintenance(FakeUpkeep(), Broken()).relay() == 0


def test_the_relay_rings_no_more_once_a_ring_failed() -> None:
    """The next second will do: a hundred waits for a broken broker would be ten seconds."""
    queue = FakeQueue(breaks_after=2)
    with pytest.raises(QueueUnavailable):
        _maintenance(FakeUpkeep(due=50), queue).relay()
    assert len(queue.rung) == 2


@pytest.mark.parametrize("fault", ["a ring fails", "the count fails", "nothing comes back"])
def test_a_worker_whose_broker_fails_is_rung_directly(fault: str) -> None:
    """Database and workers are well: no accepted job may wait for a broker, nor be rung for twice."""
    queue, own = FakeQueue(breaks_after=0), FakeOwnDoorbell()
    if fault == "the count fails":

        def refuse() -> int:
            raise QueueUnavailable("gone")

        queue.waiting = refuse  # type: ignore[method-assign]
    elif fault == "nothing comes back":
        queue, own.is_cut_off = FakeQueue(waiting=9), True
    kept = _maintenance(FakeUpkeep(due=3), queue, own=own)
    for _ in range(2):
        if own.is_cut_off:
            assert kept.relay() == 0
        else:
            with pytest.raises(QueueUnavailable, match="this worker claims due jobs without it"):
                kept.relay()
        assert own.rung == ["job-0", "job-1", "job-2"]


def test_a_worker_is_not_rung_directly_while_its_broker_works() -> None:
    """Each worker would ask the database for each job."""
    queue, own = FakeQueue(), FakeOwnDoorbell()
    assert _maintenance(FakeUpkeep(due=3), queue, own=own).relay() == 3
    assert own.rung == []


@pytest.mark.parametrize(("lost", "overdue"), [(0, 0), (1, 2), (100, 0), (0, 100), (250, 333)])
def test_the_reaper_takes_all_there_is_in_batches(lost: int, overdue: int) -> None:
    """I6: after an outage there may be more than one batch, and all of it is late already."""
    jobs = FakeUpkeep(lost=lost, overdue=overdue)
    assert _maintenance(jobs, FakeQueue()).reap() == lost + overdue
    assert (jobs.lost, jobs.overdue) == (0, 0)


def test_deadlines_are_reaped_before_leases() -> None:
    """A job that is over must not be given to another worker first."""
    jobs = FakeUpkeep(lost=1, overdue=1)
    _maintenance(jobs, FakeQueue()).reap()
    asked = [call for call in jobs.asked if call.startswith("reap")]
    assert asked == sorted(asked)  # in the alphabet, deadlines come first too
    assert {"reap_deadlines 100", "reap_leases 100"} == set(asked)


def test_keys_whose_time_is_over_are_forgotten_and_not_counted_as_jobs() -> None:
    """What the operator reads is how many jobs were reaped."""
    jobs = FakeUpkeep(overdue=2, lapsed=250)
    assert _maintenance(jobs, FakeQueue()).reap() == 2
    assert jobs.lapsed == 0


def test_running_once_reaps_and_then_rings_for_what_that_freed() -> None:
    """`sqr-jobs maintain --once` from a timer does in one go what a worker does all the time."""

    class Freeing(FakeUpkeep):
        def reap_leases(self, limit: int) -> int:
            self.jobs += ["freed"] * min(self.lost, limit)
            return super().reap_leases(limit)

    queue = FakeQueue()
    assert _maintenance(Freeing(lost=1), queue).run_once() == (1, 1, 0)
    assert queue.rung == ["freed"]


def test_the_loops_go_on_whatever_is_raised(caplog: pytest.LogCaptureFixture) -> None:
    """I6: a database that is away for an hour must not end the reaper for good."""

    class Failing(FakeUpkeep):
        def reap_deadlines(self, limit: int) -> int:
            self.asked.append("reap")
            if self.asked.count("reap") == 1:
                raise DatabaseUnavailable("away")
            if self.asked.count("reap") == 2:
                raise ZeroDivisionError
            return 0

    jobs = Failing(due=1)
    queue = FakeQueue()
    kept = _maintenance(jobs, queue)
    with caplog.at_level(logging.WARNING, "sqr_jobs"):
        kept.start()
        wait_until(lambda: jobs.asked.count("reap") > 4, seconds=10, what="the reaper's fifth round")
        wait_until(lambda: queue.rung, seconds=10, what="the relay's ring")
        kept.stop()
    said = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert ("WARNING", "the reaper waits: away") in said
    assert [text.splitlines()[:2] for level, text in said if level == "ERROR"] == [
        ["the reaper failed and goes on", "ZeroDivisionError, raised at"]
    ]


def test_the_loops_stop() -> None:
    """A worker that drains must not ring any more."""
    jobs = FakeUpkeep()
    kept = _maintenance(jobs, FakeQueue())
    kept.start()
    wait_until(lambda: len(jobs.asked) > 3, seconds=10, what="a few rounds")
    kept.stop()
    wait_until(lambda: not _threads(), seconds=10, what="the threads' end")


def test_loops_that_hang_are_waited_for_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that does not answer holds up each of them, and the shutdown's time is for attempts."""
    answered, hanging = threading.Event(), threading.Semaphore(0)

    class Hanging(FakeUpkeep):
        def count_due(self) -> int:
            return self._hang()

        def reap_deadlines(self, limit: int) -> int:
            return self._hang()

        def database_identity(self) -> str:
            return str(self._hang())

        def _hang(self) -> int:
            hanging.release()
            assert answered.wait(30)
            return 0

    monkeypatch.setattr(maintenance, "_STOP_S", 2.0)
    stopping = _maintenance(Hanging(), FakeQueue(), is_worker=True)
    stopping.start()
    assert all(hanging.acquire(timeout=10) for _ in range(3))
    began = time.monotonic()
    stopping.stop()
    assert time.monotonic() - began < 4.0
    answered.set()
    wait_until(lambda: not _threads(), seconds=10, what="the threads' end")


def test_stopping_what_was_never_started_is_nothing() -> None:
    """A worker that failed to start is stopped all the same."""
    _maintenance(FakeUpkeep(), FakeQueue()).stop()


def test_a_worker_announces_itself_with_its_database_and_templates() -> None:
    """`sqr-jobs check` compares them with the web process's own."""
    queue = FakeQueue()
    known = {"templates": ["report v1"], "version": "1.2.3"}
    _maintenance(FakeUpkeep(), queue, is_worker=True, **known).announce()
    ((worker, announced),) = queue.announced.items()
    assert announced == Announcement(database="database-1", templates=("report v1",), version="1.2.3")
    assert Announcement.from_text(announced.to_text()) == announced
    assert worker.count(":") == 1


def test_a_worker_that_drains_withdraws_at_once() -> None:
    """It takes no more jobs, so `sqr-jobs check` must not count it while its last attempts run."""
    queue = FakeQueue()
    kept = _maintenance(FakeUpkeep(), queue, is_worker=True)
    kept.start()
    wait_until(lambda: queue.announced, seconds=10, what="the announcement")
    kept.drain()
    wait_until(lambda: not queue.announced, seconds=10, what="the withdrawal")
    kept.stop()
    assert queue.announced == {}


def test_rows_from_the_future_are_moved_first_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    """What they are then reaped for; an operator must look at the clock of the database server."""
    jobs = FakeUpkeep()
    jobs.future = 250
    for _ in range(2):
        _maintenance(jobs, FakeQueue()).reap()
    assert jobs.asked[:5] == ["rewind 100"] * 4 + ["reap_deadlines 100"]
    (record,) = caplog.records
    assert (record.levelname, record.args) == ("WARNING", (250,))


def test_a_worker_notes_jobs_whose_template_it_does_not_know(caplog: pytest.LogCaptureFixture) -> None:
    """Before deadlines are looked at, with a line per template a minute; `sqr-jobs maintain` does not."""
    jobs = FakeUpkeep()
    jobs.unknown = [TemplateRef(name="report", version="v2"), TemplateRef(name="report", version="v3")]
    worker = _maintenance(jobs, FakeQueue(), is_worker=True)
    for _ in range(3):
        worker.reap()
    assert jobs.asked.index("note_unknown 100") < jobs.asked.index("reap_deadlines 100")
    assert [record.args for record in caplog.records] == [(ref,) for ref in jobs.unknown]
    jobs.asked.clear()
    _maintenance(jobs, FakeQueue()).reap()
    assert "note_unknown 100" not in jobs.asked


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("sqr-jobs-re")]
