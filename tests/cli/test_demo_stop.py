"""Stopping `sqr-jobs demo`, in whatever state it is."""

import signal
import sqlite3
from pathlib import Path

import psutil
import pytest

from sqr_jobs.demo.people import PEOPLE
from tests.cli.commands import Demo, demo, signal_another_thread
from tests.servers.ports import wait_until

_SLOW = next(person for person in PEOPLE if person.note == "slow")


def _family(served: Demo) -> list[psutil.Process]:
    process = psutil.Process(served.process.pid)
    return [process, *process.children(recursive=True)]


def _in_progress(served: Demo, job_id: str) -> None:
    wait_until(
        lambda: served.ask("GET", f"/{job_id}").json()["status"] == "IN_PROGRESS",
        seconds=30,
        what="the slow report to begin",
    )


def test_it_stops_at_once_when_idle(tmp_path: Path) -> None:
    """Ctrl+C or a supervisor: exit status 0, quickly, and no child is left behind."""
    with demo(tmp_path, "--framework", "flask") as served:
        assert served.ask("GET", "/nothing").status_code == 404
        family = _family(served)
        status, seconds = served.stop(signal.SIGINT)
        assert status == 0
        assert seconds < 5
        assert psutil.wait_procs(family, timeout=3)[1] == []
        assert "Traceback" not in served.log.read_text()


@pytest.mark.parametrize("framework", ["fastapi", "flask"])
def test_it_stops_in_time_while_a_slow_report_is_made(framework: str, tmp_path: Path) -> None:
    """The report goes back to the queue unharmed, and the next start finishes it."""
    with demo(tmp_path, "--framework", framework) as served:
        job_id = served.ask("POST", "", json={"userId": _SLOW.user_id}).json()["jobId"]
        _in_progress(served, job_id)
        family = _family(served)
        assert len(family) > 1
        status, seconds = served.stop()
        assert status == 0
        assert seconds < 5
        assert psutil.wait_procs(family, timeout=3)[1] == []
        assert "Traceback" not in served.log.read_text()
    with sqlite3.connect(tmp_path / "state" / "jobs.db") as database:
        (row,) = database.execute("SELECT job_id, state, failures, crashes FROM sqr_jobs_job")
    database.close()
    assert row == (job_id, "RETRY_WAIT", 0, 0)


def test_a_signal_that_another_thread_takes_stops_it_too(tmp_path: Path) -> None:
    """POSIX lets any thread take it, and a main thread that waits on a lock does not notice."""
    with demo(tmp_path) as served:
        served.ask("GET", "/nothing")
        signal_another_thread(served.process.pid, signal.SIGTERM)
        assert served.process.wait(timeout=5) == 0


def test_two_signals_are_as_good_as_one(tmp_path: Path) -> None:
    """A supervisor that signals the whole group, or a person who presses Ctrl+C twice."""
    with demo(tmp_path) as served:
        job_id = served.ask("POST", "", json={"userId": _SLOW.user_id}).json()["jobId"]
        _in_progress(served, job_id)
        family = _family(served)
        served.process.send_signal(signal.SIGTERM)
        status, seconds = served.stop(signal.SIGINT)
        assert status == 0
        assert seconds < 5
        assert psutil.wait_procs(family, timeout=3)[1] == []


def test_killed_it_leaves_no_child_behind(tmp_path: Path) -> None:
    """SIGKILL leaves no time to tidy up: the children notice by themselves."""
    with demo(tmp_path) as served:
        served.ask("POST", "", json={"userId": _SLOW.user_id})
        wait_until(lambda: len(_family(served)) > 1, seconds=30, what="a render child")
        family = _family(served)
        served.process.kill()
        served.process.wait()
        assert psutil.wait_procs(family, timeout=3)[1] == []
