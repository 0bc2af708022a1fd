"""One service in operation: its programs and its rows, whoever wrote it."""

import contextlib
import itertools
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
from sqlalchemy import Engine, bindparam, text

from tests.acceptance.program import ROOT, Program, script
from tests.bench.byhand.config import PREFIX
from tests.bench.cpu import tree_cpu_s
from tests.bench.figures import MeasurementBroken
from tests.bench.http_client import Client, Exchange, Tokens
from tests.servers.ports import free_port, wait_until

__all__ = ["SEEDS_ORG", "Deployment", "JobTimes", "poll_until"]

SEEDS_ORG = "seeds"

_START_S = 60
_JOBS_OF_AN_ORG = 8


@dataclass(frozen=True, kw_only=True)
class JobTimes:
    """When a job was created and complete, in epoch milliseconds as its row has them."""

    created_at: int
    completed_at: int

    @property
    def seconds(self) -> float:
        """From creation to completion."""
        return (self.completed_at - self.created_at) / 1000


class Deployment:
    """Programs under one environment, over one table of jobs with `job_id, state, created_at, completed_at`.

    Its end is the end of all that it started. Whatever happens to a job but its completion breaks the
    measurement.
    """

    def __init__(
        self, *, folder: Path, environment: Mapping[str, str], engine: Engine, table: str, tokens: Tokens
    ) -> None:
        self.folder = folder
        self.engine = engine
        self.tokens = tokens
        self.programs: list[Program] = []
        self.environment = {
            "PATH": os.defpath,
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            **environment,
        }
        self._table = table
        self._numbers = itertools.count()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for program in self.programs:
            program.kill()
        self.engine.dispose()
        if error is not None:
            error.add_note(self._last_words())

    def start(self, name: str, command: Sequence[str]) -> Program:
        """Start a program."""
        folder = self.folder / "programs" / f"{len(self.programs)}-{name}"
        self.programs.append(Program(name, command, folder=folder, environment=self.environment))
        return self.programs[-1]

    def web(self, framework: str, app: str) -> str:
        """Start one process of a web server, uvicorn or gunicorn, and return its address when it answers."""
        port = free_port()
        if framework == "fastapi":
            options = ["--port", str(port), "--log-level", "warning", "--timeout-keep-alive", "60"]
            program = self.start(
                "uvicorn", [script("uvicorn"), "--factory", app, "--no-access-log", *options]
            )
        else:
            options = ["--bind", f"127.0.0.1:{port}", "--workers", "1", "--worker-class", "gthread"]
            options += [
                "--threads",
                "8",
                "--keep-alive",
                "60",
                "--no-control-socket",
                "--log-level",
                "warning",
            ]
            program = self.start("gunicorn", [script("gunicorn"), *options, f"{app}()"])
        url = f"http://127.0.0.1:{port}"

        def answers() -> bool:
            self.check_alive(program)
            with contextlib.suppress(httpx.TransportError):
                return httpx.get(f"{url}{PREFIX}/x", timeout=5, trust_env=False).status_code in (401, 404)
            return False

        wait_until(answers, seconds=_START_S, what=f"an answer from {program.name}")
        return url

    def new_person(self) -> tuple[str, str]:
        """Return an org and a user id that nobody has asked for; no org comes near its rate limit."""
        number = next(self._numbers)
        return f"org-{number // _JOBS_OF_AN_ORG}", f"U{number:08d}"

    def complete_here(self, count: int) -> list[str]:
        """Make finished jobs of the org `SEEDS_ORG`, so that there are documents to ask for."""
        raise NotImplementedError

    def create(self, client: Client, prefix: str = PREFIX) -> Exchange:
        """Create a job over HTTP."""
        org, user_id = self.new_person()
        return client.post(prefix, {"userId": user_id}, self.tokens.of(org)).expect(202)

    def unfinished(self) -> int:
        """Count the jobs that are not COMPLETE. Raises `MeasurementBroken` when one ended otherwise."""
        counted = text(
            f"SELECT state, count(*) AS number FROM {self._table} WHERE state <> 'COMPLETE' GROUP BY state"
        )
        with self.engine.connect() as connection:
            found = {str(row.state): int(row.number) for row in connection.execute(counted)}
        if lost := {state: number for state, number in found.items() if state in ("FAILED", "CANCELLED")}:
            raise MeasurementBroken(f"jobs did not complete: {lost}")
        for program in self.programs:
            self.check_alive(program)
        return sum(found.values())

    def await_all(self, *, every_s: float = 0.05) -> None:
        """Return when every job is COMPLETE."""
        poll_until(lambda: self.unfinished() == 0, every_s=every_s, what="the end of all jobs")

    def times(self, job_ids: Iterable[str]) -> list[JobTimes]:
        """Read when these jobs were created and complete; all of them must be."""
        wanted = list(job_ids)
        question = text(
            f"SELECT created_at, completed_at FROM {self._table} WHERE job_id IN :ids AND state = 'COMPLETE'"
        ).bindparams(bindparam("ids", expanding=True))
        with self.engine.connect() as connection:
            rows = connection.execute(question, {"ids": wanted}).all()
        if not wanted or len(rows) != len(wanted):
            raise MeasurementBroken(f"{len(rows)} of {len(wanted)} jobs are complete")
        return [JobTimes(created_at=row.created_at, completed_at=row.completed_at) for row in rows]

    def cpu_s(self) -> float:
        """Sum the CPU seconds of all its programs so far; all of them must still run."""
        for program in self.programs:
            self.check_alive(program)
        return tree_cpu_s(program.pid for program in self.programs)

    def check_alive(self, program: Program) -> None:
        """Raise `MeasurementBroken` for a program that has ended."""
        if not program.is_alive():
            raise MeasurementBroken(f"{program.name} has ended.")

    def _last_words(self) -> str:
        return "\n".join(
            "\n".join([f"--- {program.name} said:", *program.said().splitlines()[-20:]])
            for program in self.programs
        )


def poll_until(condition: Callable[[], bool], *, every_s: float, what: str, seconds: float = 120) -> None:
    """Ask now and then until it is so: what asks too often is part of the load that it measures.

    Raises `MeasurementBroken` when time is up.
    """
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise MeasurementBroken(f"waited {seconds:g} s in vain for {what}")
        time.sleep(every_s)
