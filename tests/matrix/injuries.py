"""What the runner does to servers, messages, objects and rights while a process is held at a phase."""

import os
import random
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import psycopg
from redis import Redis
from sqlalchemy import select

from sqr_jobs.adapters.sql.tables import job
from tests.matrix.history import History
from tests.matrix.host import REVOKED
from tests.matrix.orders import Note
from tests.matrix.travellers import Traveller
from tests.servers.ports import wait_until
from tests.servers.proxy import Proxy

if TYPE_CHECKING:
    from tests.matrix.lane import Lane

__all__ = ["Injured", "injure"]

_HARM_S = 1.0
_LIST = "dramatiq:sqr_jobs"
_MESSAGES = f"{_LIST}.msgs"


class Injured:
    """An injury in one episode: what it needs to know, and what it tells."""

    def __init__(
        self, lane: "Lane", history: History, note: Note | None, *, lasts_s: float, go_on: Callable[[], None]
    ) -> None:
        self.lane = lane
        self.history = history
        self.note = note
        self.lasts_s = lasts_s
        self.go_on = go_on
        self.revoked_at: dict[str, float] = {}
        self.hits: int | None = None
        """How many messages, sessions, pieces on the wire or clocks it met; None where that says nothing."""

    def wait(self) -> None:
        """Let the fault last."""
        until = time.monotonic() + self.lasts_s
        wait_until(lambda: time.monotonic() >= until, seconds=self.lasts_s + 5, what="the fault's end")

    @property
    def job_id(self) -> str:
        """The struck job."""
        assert self.note is not None
        assert self.note.job_id is not None
        return self.note.job_id


def injure(name: str, injured: Injured) -> None:  # noqa: C901, PLR0912, PLR0915 - one case for each injury
    """Do it, let the held process go on, and mend what must be mended."""
    lane = injured.lane
    match name:
        case "redis flushed":
            lane.redis.flush()
        case "redis killed":
            lane.redis.kill()
            injured.go_on()
            lane.redis.start()
        case "redis emptied":
            lane.redis.kill()
            injured.go_on()
            lane.redis.restart(empty=True)
        case "redis silent":
            _for_a_while(injured, lane.redis_proxy, lane.redis_proxy.silence)
        case "redis half open":
            _for_a_while(injured, lane.redis_proxy, lane.redis_proxy.forget)
        case "redis slow":
            _for_a_while(injured, lane.redis_proxy, lambda: setattr(lane.redis_proxy, "delay_s", 0.4))
        case "shuffled":
            injured.hits = _shuffle(lane.redis.url)
        case "postgres killed":
            lane.postgres.kill_immediately()
            injured.go_on()
            lane.postgres.start()
        case "postgres half open":
            _for_a_while(injured, lane.postgres_proxy, lane.postgres_proxy.forget)
        case "terminated":
            injured.hits = _terminate(lane)
        case "s3 slow":
            _for_a_while(injured, lane.s3_proxy, lambda: setattr(lane.s3_proxy, "delay_s", 0.7))
        case "object deleted":
            lane.replace_object(injured.job_id, None)
        case "object changed":
            lane.replace_object(injured.job_id, b"%PDF-1.7 somebody else's")
        case "cancelled":
            org, user = _owner(injured)
            Traveller(injured.history, lane.urls, org, user, patience_s=30).cancel(injured.job_id)
        case "revoked":
            user = injured.note.user if injured.note and injured.note.user else _owner(injured)[1]
            (lane.orders.folder / REVOKED / user).touch()
            injured.revoked_at[user] = time.monotonic()
        case "woken":
            _wake(injured)
        case "rolled out":
            lane.expand()
            lane.roll(*lane.programs, is_next=True)
        case "rolled back":
            lane.roll(*lane.programs, is_next=False)
        case "clocks":  # the programs were started so
            injured.hits = lane.wrong_clocks
        case "nothing":
            pass  # what was ordered is enough
        case other:
            raise AssertionError(other)
    injured.go_on()


def _for_a_while(injured: Injured, proxy: Proxy, begin: Callable[[], object]) -> None:
    before = proxy.held_back
    begin()
    injured.go_on()
    injured.wait()
    injured.hits = proxy.held_back - before
    proxy.heal()


def _wake(injured: Injured) -> None:
    """Wake the sleeper while another attempt runs its job, and give it time to do harm."""
    assert injured.note is not None
    os.kill(injured.note.pid, signal.SIGCONT)
    until = time.monotonic() + _HARM_S
    wait_until(lambda: time.monotonic() >= until, seconds=_HARM_S + 5, what="what the sleeper does")
    injured.lane.orders.go_on(f"{injured.note.name}-held")


def _shuffle(url: str) -> int:
    """Put every message twice, known ones of the past too, in any order."""
    with Redis.from_url(url) as redis:
        waiting = redis.lrange(_LIST, 0, -1)
        known = list(redis.hkeys(_MESSAGES))
        again = [*waiting, *known]
        random.shuffle(again)
        redis.delete(_LIST)
        if again:
            redis.rpush(_LIST, *again)
        return len(again)


def _terminate(lane: "Lane") -> int:
    with psycopg.connect(lane.admin_url.replace("+psycopg", ""), autocommit=True) as connection:
        return connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = %s AND pid <> pg_backend_pid()",
            (lane.database_name,),
        ).rowcount


def _owner(injured: Injured) -> tuple[str, str]:
    with injured.lane.deployment.database.read() as connection:
        row = connection.execute(
            select(job.c.org_id, job.c.user_id).where(job.c.job_id == injured.job_id)
        ).one()
    return row.org_id, row.user_id
