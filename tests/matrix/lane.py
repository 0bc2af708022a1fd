"""One deployment with servers of its own behind proxies, whose programs are supervised as in operation."""

import itertools
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import psutil

from sqr_jobs import Job
from sqr_jobs.adapters.sql.rows import job_from_row, select_jobs
from sqr_jobs.adapters.sql.tables import job
from tests.acceptance.deployment import Deployment
from tests.acceptance.program import ROOT
from tests.matrix import next_version
from tests.matrix.host import CLOCK, REVOKED
from tests.matrix.orders import FOLDER, Orders
from tests.matrix.servers import Servers
from tests.servers.ports import free_port, wait_until

if TYPE_CHECKING:
    from tests.acceptance.program import Program

__all__ = ["ATTEMPT_LIMIT_S", "DEADLINE_S", "TIMES", "Lane"]

DEADLINE_S = 30.0
ATTEMPT_LIMIT_S = 6.0
TIMES: dict[str, object] = {
    "lease_s": 3,
    "relay_interval_s": 0.3,
    "reaper_interval_s": 0.3,
    "retry_backoff_s": 0.2,
    "shutdown_grace_s": 6,
    "deadline_s": DEADLINE_S,
    "attempt_limit_s": ATTEMPT_LIMIT_S,
    "database_timeout_s": 2,
    "memory_limit_mb": 128,
    "cancel_route": "true",
}
"""The library's times, scaled down."""

_READY_S = 60
_LOOK_S = 0.1
"""How often logs are read: each look takes from the time of what is looked at."""
_WORKERS = ("worker-1", "worker-2")
_WEBS = ("fastapi", "flask")


class _Deployment(Deployment):
    """Gives its programs the folder of orders, the error of their clocks, and the bucket's credentials."""

    orders: Path
    credentials: Path
    clock_offset_s = 0.0

    @property
    def environment(self) -> dict[str, str]:
        """Add to the settings what is not one; the bucket's key comes from a file, which can change."""
        settings = super().environment
        for name in ("SQR_JOBS_S3_ACCESS_KEY_ID", "SQR_JOBS_S3_SECRET_ACCESS_KEY"):
            del settings[name]
        return {
            **settings,
            FOLDER: str(self.orders),
            CLOCK: str(self.clock_offset_s),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.credentials),
            "AWS_EC2_METADATA_DISABLED": "true",
        }


class Lane:
    """Two web servers, one of each framework, and workers, on PostgreSQL, Valkey and S3 of their own."""

    workers: Sequence[str] = _WORKERS
    upkeep: Sequence[str] = ()
    """Processes that do the upkeep beside them."""
    host = "tests.matrix.host"
    """The module with the factory and the two applications."""
    times: Mapping[str, object] = TIMES

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.orders = Orders(folder / "orders")
        (self.orders.folder / REVOKED).mkdir()
        self._ends = ExitStack()
        self._numbers = itertools.count(1)
        self._programs: dict[str, Program] = {}
        self._ports = {name: free_port() for name in _WEBS}
        self._roots: dict[str, Path] = {}
        self._next: Path | None = None
        self._is_expanded = False
        self._clocks: dict[str, float] = {}
        self.wrong_clocks = 0
        """How many programs told that their clocks are as wrong as they were started with."""

    def __enter__(self) -> Self:
        with ExitStack() as ends:
            self._start(ends)
            self._ends = ends.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.orders.withdraw()
        self._ends.__exit__(kind, error, trace)

    @property
    def programs(self) -> Sequence[str]:
        """Those that a new version replaces, in the order in which it does."""
        return (*self.workers, *_WEBS)

    @property
    def urls(self) -> list[str]:
        """Where the web servers listen."""
        return [f"http://127.0.0.1:{port}" for port in self._ports.values()]

    def number(self) -> int:
        """Count the injections."""
        return next(self._numbers)

    def revive(self) -> None:
        """Start anew what has ended, as a supervisor does; do not wait for workers."""
        for name, program in list(self._programs.items()):
            if not program.is_alive():
                self._start_program(name)

    def await_ready(self) -> None:
        """Return when every program runs."""

        def are_up() -> bool:
            self.revive()
            return all("the worker runs: " in self._programs[name].said() for name in self.workers)

        wait_until(are_up, seconds=_READY_S, what="all workers", every_s=_LOOK_S)

    def set_clocks(self, who: str, offset_s: float) -> None:
        """Have the web servers' clocks be wrong, or the workers', and all others right."""
        wanted = dict.fromkeys(_WEBS if who == "web" else self.workers, offset_s) if who else {}
        changed = [name for name in self.programs if wanted.get(name, 0.0) != self._clocks.get(name, 0.0)]
        for name in changed:
            self.deployment.clock_offset_s = wanted.get(name, 0.0)
            self._programs[name].kill()
            self._start_program(name)
        self.deployment.clock_offset_s = 0.0
        self._clocks = wanted
        if changed:
            self.await_ready()
            told = self.orders.clocks()
            self.wrong_clocks = sum(abs(offset - offset_s) < abs(offset_s) / 2 for offset in told)

    def mix(self, next_ones: Sequence[str] | None) -> None:
        """Have a later version run in these programs and this one in all others.

        With an empty sequence its tables are not there either; None leaves them as they are.
        """
        chosen = next_ones or ()
        self.roll(*(name for name in self.programs if name not in chosen), is_next=False)
        if chosen:
            self.expand()
            self.roll(*chosen, is_next=True)
        elif next_ones is not None and self._is_expanded:
            self._of_next("db", "downgrade", "sqr_jobs_0001")
            self._is_expanded = False

    def expand(self) -> None:
        """Let the later version of the library bring the tables to where it needs them."""
        if not self._is_expanded:
            self._of_next("db", "upgrade")
        self._is_expanded = True

    def roll(self, *names: str, is_next: bool) -> None:
        """Replace programs one by one, as a rolling deployment does: told to end, and started anew.

        A program that runs this version already is left alone.
        """
        for name in names:
            root = self._next_root() if is_next else ROOT
            if self._roots.get(name, ROOT) == root:
                continue
            self._roots[name] = root
            program = self._programs[name]
            program.signal_group(signal.SIGTERM)
            wait_until(partial(_has_ended, program), seconds=_READY_S, what=f"the end of {name}")
            self._start_program(name)
            self.await_ready()

    def jobs_of(self, orgs: Sequence[str]) -> list[Job]:
        """Read every job of these orgs."""
        with self.deployment.database.read() as connection:
            wanted = select_jobs(self.deployment.database).where(job.c.org_id.in_(orgs))
            return [job_from_row(row) for row in connection.execute(wanted)]

    def said(self) -> Iterator[str]:
        """Yield all that its programs wrote."""
        for program in self.deployment.programs:
            yield from program.said().splitlines()

    def _start(self, ends: ExitStack) -> None:
        self.servers = ends.enter_context(Servers(self.folder))
        deployment = _Deployment.distributed(
            self.folder,
            postgres_url=self.servers.admin_url,
            redis_url=f"redis://127.0.0.1:{self.servers.redis_proxy.port}/0",
            bucket=self.servers.bucket,
            **self.times,
        )
        deployment.orders = self.orders.folder
        deployment.credentials = self.servers.credentials
        self.deployment = ends.enter_context(deployment)
        deployment.configure(factory=f"{self.host}:report_jobs", database_url=self.servers.database_url)
        deployment.migrate()
        for name in (*self.workers, *self.upkeep, *_WEBS):
            self._start_program(name)
        self.await_ready()

    def _start_program(self, name: str) -> None:
        self.deployment.root = self._roots.get(name, ROOT)
        if name in self.workers:
            self._programs[name] = self.deployment.worker()
        elif name in self.upkeep:
            self._programs[name] = self.deployment.maintain()
        else:
            start = getattr(self.deployment, name)
            app = f"{self.host}:{name}_app"
            self._programs[name] = start(app, port=self._ports[name]).program
        self.deployment.root = ROOT

    def _of_next(self, *arguments: str) -> None:
        self.deployment.root = self._next_root()
        self.deployment.run(*arguments)
        self.deployment.root = ROOT

    def _next_root(self) -> Path:
        if self._next is None:
            (self.folder / "next").mkdir()
            self._next = next_version.make(self.folder / "next")
        return self._next


def _has_ended(program: "Program") -> bool:
    return not program.is_alive()


def are_gone(pids: Sequence[int]) -> bool:
    """Say whether no process of these runs any more."""
    return not any(map(_runs, pids))


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
