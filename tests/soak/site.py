"""The deployment that is soaked: the fault matrix's lane, with three workers and an upkeep of its own."""

import threading
import time
from typing import TYPE_CHECKING

from redis import Redis

from sqr_jobs import Job
from sqr_jobs.adapters.sql.rows import job_from_row, select_jobs
from tests.matrix.lane import TIMES, Lane
from tests.servers.ports import wait_until

if TYPE_CHECKING:
    from tests.acceptance.program import Program

__all__ = ["DEADLINE_S", "Site", "pause_until"]

DEADLINE_S = 90.0
_LOOK_S = 0.2
_READY_S = 30


class Site(Lane):
    """Programs that a thread starts anew when they end, as a supervisor does."""

    workers = ("worker-1", "worker-2", "worker-3")
    upkeep = ("upkeep",)
    host = "tests.soak.host"
    times = {**TIMES, "deadline_s": DEADLINE_S, "attempt_limit_s": 8}  # noqa: RUF012 - as its base has it
    webs = ("fastapi", "flask")

    def supervise(self, ended: threading.Event) -> None:
        """Start programs anew until told to end; one that is struck while it starts is started again."""
        while not ended.wait(_LOOK_S):
            try:
                self.revive()
            except (AssertionError, TimeoutError):
                continue

    def program(self, name: str) -> "Program":
        """Return a program that runs: the one of this name, once it does."""
        what = f"{name}, which its supervisor starts"

        def runs() -> bool:
            return self._programs[name].is_alive()

        wait_until(runs, seconds=_READY_S, what=what)
        return self._programs[name]

    def all_jobs(self) -> list[Job]:
        """Read every row."""
        with self.deployment.database.read() as connection:
            wanted = select_jobs(self.deployment.database)
            return [job_from_row(row) for row in connection.execute(wanted)]

    def heal(self) -> None:
        """Let every connection be as it should."""
        for proxy in self.servers.proxies:
            proxy.heal()

    def run_of_redis(self) -> str:
        """Tell one life of the broker from another."""
        with Redis.from_url(self.servers.redis.url) as client:
            return str(client.info("server")["run_id"])

    def run_of_postgres(self) -> str:
        """Tell one life of the database from another."""
        with self.deployment.database.read() as connection:
            return str(connection.exec_driver_sql("SELECT pg_postmaster_start_time()").scalar_one())

    def keys_of_redis(self) -> int:
        """Count what a flush would delete."""
        with Redis.from_url(self.servers.redis.url) as client:
            return int(client.dbsize())


def pause_until(moment: float, ended: threading.Event) -> bool:
    """Wait for a moment; whether it came before the end did."""
    return not ended.wait(max(moment - time.monotonic(), 0))
