"""What the runner does to servers, messages, objects and rights while a process is held at a phase."""

import os
import random
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

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
_HOUR_S = 3_600


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
    lane, servers = injured.lane, injured.lane.servers
    match name:
        case "redis flushed":
            servers.redis.flush()
        case "redis killed":
            servers.redis.kill()
            injured.go_on()
            servers.redis.start()
        case "redis emptied":
            servers.redis.kill()
            injured.go_on()
            servers.redis.restart(empty=True)
        case "redis silent":
            _for_a_while(injured, servers.redis_proxy, servers.redis_proxy.silence)
        case "redis half open":
            _for_a_while(injured, servers.redis_proxy, servers.redis_proxy.forget)
        case "redis failover":
            injured.hits = servers.fail_over_redis()
        case "redis full":
            injured.hits = _refuse_writes(injured)
        case "redis slow":
            _for_a_while(injured, servers.redis_proxy, lambda: setattr(servers.redis_proxy, "delay_s", 0.4))
        case "shuffled":
            injured.hits = _shuffle(servers.redis.url)
        case "postgres killed":
            servers.postgres.kill_immediately()
            injured.go_on()
            servers.postgres.start()
        case "postgres half open":
            _for_a_while(injured, servers.postgres_proxy, servers.postgres_proxy.forget)
        case "postgres read-only":
            injured.hits = _make_read_only(injured)
        case "clock set back":
            servers.set_clock(-_HOUR_S)
        case "terminated":
            injured.hits = servers.terminate_sessions()
        case "s3 slow":
            _for_a_while(injured, servers.s3_proxy, lambda: setattr(servers.s3_proxy, "delay_s", 0.7))
        case "credentials rotated":
            servers.rotate_credentials()
        case "object deleted":
            servers.replace_object(injured.job_id, lambda _content: None)
        case "object changed":
            servers.replace_object(injured.job_id, _overwrite_ten)
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


def _overwrite_ten(content: bytes) -> bytes:
    return content[:100] + b"other text" + content[110:]


def _refuse_writes(injured: Injured) -> int:
    """Fill the broker, which then refuses every write; return how many it refused."""
    with Redis.from_url(injured.lane.servers.redis.url, decode_responses=True) as redis:
        redis.config_set("maxmemory", 1)
        injured.go_on()
        injured.wait()
        redis.config_set("maxmemory", 0)
        refused = redis.info("errorstats").get("errorstat_OOM", {"count": 0})
        redis.config_resetstat()
        return int(refused["count"])


def _make_read_only(injured: Injured) -> int:
    """Let every new session be read-only for a while, as a provider does whose disk is full.

    Sessions that began in that time keep the setting. Return how many sessions were replaced.
    """
    servers = injured.lane.servers
    servers.make_read_only(is_read_only=True)
    hits = servers.terminate_sessions()
    injured.go_on()
    injured.wait()
    servers.make_read_only(is_read_only=False)
    return hits


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
        messages = next(redis.scan_iter("sqr_jobs:*:sqr_jobs.msgs"), b"")
        name = messages.removesuffix(b".msgs")
        waiting = redis.lrange(name, 0, -1)
        known = list(redis.hkeys(messages))
        again = [*waiting, *known]
        random.shuffle(again)
        redis.delete(name)
        if again:
            redis.rpush(name, *again)
        return len(again)


def _owner(injured: Injured) -> tuple[str, str]:
    with injured.lane.deployment.database.read() as connection:
        row = connection.execute(
            select(job.c.org_id, job.c.user_id).where(job.c.job_id == injured.job_id)
        ).one()
    return row.org_id, row.user_id
