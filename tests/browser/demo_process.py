"""The demo as its user runs it: `sqr-jobs demo`, a process of its own on a port of its own."""

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.servers.ports import free_port
from tests.servers.process import ServerProcess

__all__ = ["Demo", "running_demo"]

_PROGRAM = Path(sys.executable).with_name("sqr-jobs")


class Demo:
    """One demo, which keeps its port and its state when it is stopped and started again."""

    def __init__(self, framework: str, settings: dict[str, str]) -> None:
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        self.framework = framework
        folder = Path(tempfile.mkdtemp(prefix="sqr-jobs-demo-"))
        variables = [f"SQR_JOBS_{name.upper()}={value}" for name, value in settings.items()]
        options = ["--framework", framework, "--port", str(port), "--dir", str(folder / "state")]
        command = ["/usr/bin/env", *variables, str(_PROGRAM), "demo", *options]
        self._process = ServerProcess(command, folder=folder)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return httpx.URL(self.address).port or 80

    def start(self) -> None:
        """Start it and return when it answers."""
        self._process.start(answers=self._answers)

    def stop(self) -> None:
        """Ask it to end, as Ctrl+C does, and wait until it has."""
        self._process.stop()

    def close(self) -> None:
        """Stop it and delete its state."""
        self._process.close()

    def session(self) -> dict[str, Any]:
        """Return what the page gets to start with."""
        told: dict[str, Any] = httpx.get(f"{self.address}/demo/session").raise_for_status().json()
        return told

    def job(self, job_id: str) -> dict[str, Any]:
        """Ask the service how a job stands, past the page."""
        session = self.session()
        headers = {"Authorization": f"Bearer {session['token']}"}
        answer = httpx.get(f"{self.address}{session['prefix']}/{job_id}", headers=headers)
        told: dict[str, Any] = answer.raise_for_status().json()
        return told

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.address}/demo/icon.svg").status_code == 200
        except httpx.TransportError:
            return False


@contextlib.contextmanager
def running_demo(framework: str, **settings: str) -> Iterator[Demo]:
    """Run a demo with settings (`rate_limit="1"`), and leave nothing of it behind."""
    demo = Demo(framework, settings)
    try:
        demo.start()
        yield demo
    finally:
        demo.close()
