"""A host in operation: its settings, its programs, its database, and what is left of it in the end."""

import contextlib
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import httpx
import psutil
from sqlalchemy import select

from sqr_jobs import Job, migrations
from sqr_jobs.adapters.sql import Database, SqlJobHistory, SqlJobIntake, engine_for
from sqr_jobs.adapters.sql.tables import identity
from sqr_jobs.domain.job import JobEvent
from tests.acceptance.client import PREFIX, Client
from tests.acceptance.program import ROOT, Program, script
from tests.host.reports import FACTORY, KEY
from tests.servers.ports import free_port, wait_until
from tests.servers.s3 import S3Bucket

__all__ = ["Deployment", "Web"]

_MARK = "SQR_TEST_DEPLOYMENT"
_START_SECONDS = 60
_LOG_LINES = 150


@dataclass(frozen=True, kw_only=True)
class Web:
    """A running web server."""

    program: Program
    url: str

    def client(self, org: str = "acme") -> Client:
        """Make a client of an org; the caller closes it."""
        return Client(self.url, org)


class Deployment:
    """Everything that runs for one host, under `SQR_JOBS_*` of its own; its end is the end of all of it.

    Leaving it kills what still runs and prints what each program said, which pytest shows when the test
    failed. `signals` is the folder through which the sample host's template and a test talk; `log_level` may
    be set to "debug" before programs are started, and `root` to another tree to start them from.
    """

    def __init__(self, folder: Path, *, database_url: str, **settings: object) -> None:
        self.folder = folder
        self.signals = folder / "signals"
        self.signals.mkdir()
        self.programs: list[Program] = []
        self.webs: list[Web] = []
        self.printed: list[str] = []
        """What each command wrote to stdout and stderr."""
        self.log_level = "info"
        self.root = ROOT
        self._mark = secrets.token_hex(8)
        self._database_url = database_url
        self._settings: dict[str, object] = {
            "database_url": database_url,
            "data_dir": folder / "data",
            "jwt_key": KEY,
            "jwt_algorithms": "HS256",
            "rate_limit": 1000,
            **settings,
        }

    @classmethod
    def distributed(
        cls, folder: Path, *, postgres_url: str, redis_url: str, bucket: S3Bucket, **settings: object
    ) -> Self:
        """Make one with workers of its own, PostgreSQL, Redis and S3."""
        return cls(
            folder,
            database_url=postgres_url,
            factory=FACTORY,
            broker_url=redis_url,
            s3_bucket=bucket.bucket,
            s3_endpoint_url=bucket.endpoint_url,
            s3_region=bucket.region,
            s3_access_key_id=bucket.access_key,
            s3_secret_access_key=bucket.secret_key,
            **{"s3_request_timeout_s": 10, **settings},  # a busy machine is no outage
        )

    @classmethod
    def embedded(cls, folder: Path, **settings: object) -> Self:
        """Make one with its workers inside the web processes, SQLite and a folder."""
        return cls(folder, database_url=f"sqlite:///{folder}/jobs.db", **settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for program in self.programs:
            program.kill()
        self.database.close()
        for program in self.programs:
            lines = program.said().splitlines()[-_LOG_LINES:]
            sys.stdout.write("\n".join([f"\n--- {program.name} said:", *lines, ""]))
        self._end_all()

    def configure(self, **settings: object) -> None:
        """Change settings for the programs that are started from now on."""
        self._settings |= settings

    @property
    def environment(self) -> dict[str, str]:
        """What its programs are told."""
        settings = {f"SQR_JOBS_{name.upper()}": str(value) for name, value in self._settings.items()}
        return {
            "PATH": os.defpath,
            "HOME": str(self.folder),
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": str(self.root),
            "PYTHONUNBUFFERED": "1",
            "SQR_TEST_SIGNALS": str(self.signals),
            "SQR_TEST_LOG_LEVEL": self.log_level.upper(),
            _MARK: self._mark,
            **settings,
        }

    def migrate(self) -> None:
        """Bring the tables to the newest version."""
        migrations.upgrade(self.database.engine)

    def run(self, *arguments: str) -> str:
        """Run a command of `sqr-jobs` to its end, which must be well, and return what it printed."""
        command = [script("sqr-jobs"), *arguments]
        done = subprocess.run(
            command,
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.printed += [done.stdout, done.stderr]
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def start(self, name: str, command: Sequence[str]) -> Program:
        """Start a program."""
        folder = self.folder / "programs" / f"{len(self.programs)}-{name}"
        program = Program(name, command, folder=folder, environment=self.environment, root=self.root)
        self.programs.append(program)
        return program

    def worker(self, *, processes: int = 1) -> Program:
        """Start `sqr-jobs worker`."""
        command = [script("sqr-jobs"), "worker", f"--processes={processes}", *self._verbose]
        return self.start("worker", command)

    def dramatiq(self, broker: str = "sqr_jobs.worker:broker") -> Program:
        """Start a worker by Dramatiq's own command."""
        command = [script("dramatiq"), broker, "--processes=1", "--threads=2", *self._verbose]
        return self.start("dramatiq", command)

    def maintain(self) -> Program:
        """Start `sqr-jobs maintain`."""
        return self.start("maintain", [script("sqr-jobs"), "maintain"])

    def fastapi(
        self, app: str = "tests.acceptance.fastapi_host:create_app", *, workers: int = 1, port: int = 0
    ) -> Web:
        """Start uvicorn, and return when it answers."""
        port = port or free_port()
        command = [script("uvicorn"), "--factory", app, "--port", str(port), "--workers", str(workers)]
        command += ["--log-level", self.log_level, *([] if self._verbose else ["--no-access-log"])]
        return self._web("uvicorn", command, port)

    def flask(
        self,
        app: str = "tests.acceptance.flask_host:create_app",
        *,
        workers: int = 2,
        threads: int = 1,
        port: int = 0,
    ) -> Web:
        """Start gunicorn, which loads the application before it forks, and return when it answers."""
        port = port or free_port()
        command = [script("gunicorn"), "--preload", "--workers", str(workers), "--bind", f"127.0.0.1:{port}"]
        command += ["--log-level", self.log_level, "--no-control-socket", "--threads", str(threads)]
        command += ["--access-logfile", "-"] if self._verbose else []
        return self._web("gunicorn", [*command, f"{app}()"], port)

    def flask_run(self, app: str) -> Web:
        """Start Flask's own development server, and return when it answers."""
        port = free_port()
        return self._web("flask", [script("flask"), "--app", app, "run", "--port", str(port)], port)

    @cached_property
    def database(self) -> Database:
        """The jobs' database, as this test process sees it."""
        return Database(engine_for(self._database_url, timeout_s=5), timeout_s=5)

    def history(self, job_id: str) -> Sequence[JobEvent]:
        """Read a job's audit rows."""
        return SqlJobHistory(self.database).history(job_id)

    @cached_property
    def queue_key(self) -> str:
        """The key of the messages' list in Redis, which carries the database's identity and the service."""
        with self.database.read() as connection:
            database = connection.execute(select(identity.c.identity)).scalar_one()
        return f"sqr_jobs:{database}:{quote(PREFIX, safe='')}:sqr_jobs"

    def job(self, job_id: str, org: str = "acme") -> Job:
        """Read a job's row as it is, without settling it."""
        job = SqlJobIntake(self.database, service=PREFIX).find(org, job_id)
        assert job is not None
        return job

    def has_begun(self, name: str, *, times: int = 1) -> bool:
        """Say whether the attempts at a user's report have begun so often."""
        return len(self.beginnings(name)) >= times

    def beginnings(self, name: str) -> list[tuple[str, int]]:
        """List job and render child of each attempt that has begun at a user's report."""
        with contextlib.suppress(FileNotFoundError):
            lines = (self.signals / name).read_text(encoding="utf-8").splitlines()
            return [(line.split()[0], int(line.split()[1])) for line in lines if len(line.split()) == 2]
        return []

    def let_go(self, name: str) -> None:
        """Let the waiting attempts at a user's report go on."""
        (self.signals / f"{name}.go").touch()

    def hold(self, name: str) -> None:
        """Let attempts at a user's report wait again."""
        (self.signals / f"{name}.go").unlink()

    def processes(self) -> Iterator[psutil.Process]:
        """Find every process of this deployment, whoever its parent is by now."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get(_MARK) == self._mark:
                    yield process

    def render_children(self) -> list[psutil.Process]:
        """Find its render children."""
        found = []
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                if "sqr_jobs.documents.child" in process.cmdline():
                    found.append(process)
        return found

    @property
    def _verbose(self) -> list[str]:
        return ["--verbose"] if self.log_level == "debug" else []

    def _web(self, name: str, command: Sequence[str], port: int) -> Web:
        program = self.start(name, command)
        url = f"http://127.0.0.1:{port}"

        def answers() -> bool:
            assert program.is_alive(), program.said()
            with contextlib.suppress(httpx.TransportError):
                return httpx.get(f"{url}{PREFIX}/x", timeout=5, trust_env=False).status_code == 401
            return False

        wait_until(answers, seconds=_START_SECONDS, what=f"an answer from {name}")
        self.webs.append(Web(program=program, url=url))
        return self.webs[-1]

    def _end_all(self) -> None:
        """Fail when a process is left, which only a render child could be: its parent is gone (I14)."""
        try:
            wait_until(lambda: not list(self.processes()), seconds=5, what="the end of every process")
        finally:
            for process in self.processes():
                with contextlib.suppress(psutil.Error):
                    process.kill()
