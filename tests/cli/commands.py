"""Runs `sqr-jobs` as its users do: a process with an environment of its own."""

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.servers.guard import kill_tree

__all__ = ["ROOT", "Demo", "demo", "environment", "run", "signal_another_thread", "start"]

ROOT = Path(__file__).parents[2]
_PROGRAM = str(Path(sys.executable).with_name("sqr-jobs"))
_START_SECONDS = 60
_API = "/v1/document/api"


def environment(home: Path, **settings: object) -> dict[str, str]:
    """Make an environment without the machine's settings; `SQR_JOBS_*` come from keywords in lower case."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("SQR_JOBS_", "XDG_"))
    }
    own = {"HOME": str(home), "COLUMNS": "100", "NO_COLOR": "1"}
    given = {
        name if name.isupper() else f"SQR_JOBS_{name.upper()}": str(value) for name, value in settings.items()
    }
    return {**inherited, **own, **given}


def run(
    *arguments: str, home: Path, cwd: Path | None = None, **settings: object
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end, in the folder of the tests' host unless told otherwise."""
    return subprocess.run(
        [_PROGRAM, *arguments],
        cwd=cwd or ROOT,
        env=environment(home, **settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_START_SECONDS,
        check=False,
    )


def start(*arguments: str, home: Path, **settings: object) -> subprocess.Popen[bytes]:
    """Start a command that runs until it is told to stop; its log goes to `home`."""
    with (home / "command.log").open("ab") as log:
        return subprocess.Popen(
            [_PROGRAM, *arguments],
            cwd=ROOT,
            env=environment(home, **settings),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def signal_another_thread(pid: int, number: int) -> None:
    """Have a thread other than the main one take a signal, as the kernel may with any that is sent."""
    other = max(thread.id for thread in psutil.Process(pid).threads())
    assert other != pid
    if ctypes.CDLL(None, use_errno=True).tgkill(pid, other, number) != 0:
        raise OSError(ctypes.get_errno(), "tgkill failed")


class Demo:
    """A demo that serves, and a client of it."""

    def __init__(self, process: subprocess.Popen[str], folder: Path, log: Path) -> None:
        self.process = process
        self.folder = folder
        self.log = log
        self.line = _line_of(process, log)
        self.told: dict[str, Any] = json.loads(self.line)
        self._http = httpx.Client(base_url=self.told["address"], timeout=20)

    def ask(self, method: str, path: str, token: str | None = None, json: Any = None) -> httpx.Response:
        """Send a request below the prefix; by default with the token that the demo printed."""
        headers = {"Authorization": f"Bearer {token or self.told['token']}"}
        return self._http.request(method, _API + path, headers=headers, json=json)

    def ends(self, job_id: str, token: str | None = None) -> dict[str, Any] | None:
        """Ask how a job stands; None while it may still come to an end."""
        shown: dict[str, Any] = self.ask("GET", f"/{job_id}", token).json()
        return shown if shown["status"] in ("COMPLETE", "FAILED") else None

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """Send a signal and return the exit status and the seconds that it took."""
        began = time.monotonic()
        self.process.send_signal(number)
        status = self.process.wait(timeout=10)
        return status, time.monotonic() - began

    def close(self) -> None:
        """End it however it stands, with everything that it started."""
        self._http.close()
        if self.process.poll() is None:
            kill_tree(psutil.Process(self.process.pid))
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


@contextmanager
def demo(folder: Path, *arguments: str) -> Iterator[Demo]:
    """Run `sqr-jobs demo --serve --json` on a free port, with its state in a folder."""
    log = folder / "stderr.log"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [
                _PROGRAM,
                "demo",
                "--serve",
                "--json",
                "--port",
                "0",
                "--dir",
                str(folder / "state"),
                *arguments,
            ],
            cwd=folder,
            env=environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    try:
        made = Demo(process, folder / "state", log)
    except BaseException:
        process.kill()
        process.wait()
        raise
    try:
        yield made
    finally:
        made.close()


def _line_of(process: subprocess.Popen[str], log: Path) -> str:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], _START_SECONDS)
    line = process.stdout.readline() if ready else ""
    assert line, f"the demo printed nothing; its log: {log.read_text()}"
    return line
