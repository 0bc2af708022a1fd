"""Pairs of fault and phase that can't be, and why."""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["IMPOSSIBLE", "Impossible"]


@dataclass(frozen=True, kw_only=True)
class Impossible:
    """Faults that can't strike at these phases."""

    faults: tuple[str, ...]
    phases: str
    why: str


IMPOSSIBLE: Sequence[Impossible] = (
    Impossible(
        faults=("web killed", "web told to end", "web asleep"),
        phases="DEFGH",
        why="no web process takes part in an attempt",
    ),
    Impossible(
        faults=("worker killed", "worker told to end", "worker asleep", "worker killed, versions mixed"),
        phases="ABCI",
        why="no worker takes part in a request; a message that waits for a dead one is D",
    ),
    Impossible(
        faults=("worker asleep, overtaken",),
        phases="ABCDHI",
        why="nobody can overtake whoever holds no job yet, or none any more",
    ),
    Impossible(
        faults=(
            "child holds the GIL",
            "child hangs in C",
            "child segfaults",
            "child killed",
            "child out of memory",
            "disk full",
        ),
        phases="ABCDFGHI",
        why="a render child has a job, and writes, in E only; an idle one that dies is merely replaced",
    ),
    Impossible(
        faults=("broker flushed", "broker killed, data kept", "broker restarted empty", "broker silent"),
        phases="I",
        why="issuing a URL asks no broker",
    ),
    Impossible(
        faults=("broker's reply lost",),
        phases="ABEFGI",
        why="on a job's way the broker is asked to ring (C), to fetch (D) and to acknowledge (H)",
    ),
    Impossible(
        faults=("limiter's reply lost",), phases="BCDEFGHI", why="a request is counted once, before its job"
    ),
    Impossible(
        faults=("broker refuses",),
        phases="ADEFGHI",
        why="the port has one call in a job's way, the ring: refused (B), or taken and told so (C)",
    ),
    Impossible(
        faults=("call hangs",), phases="E", why="what hangs there is the render child, which has its own rows"
    ),
    Impossible(
        faults=("message doubled",), phases="ACDEFGHI", why="a message is sent once, after the commit"
    ),
    Impossible(
        faults=("messages shuffled, doubled",),
        phases="ABI",
        why="the job has no message yet, or none any more that means anything",
    ),
    Impossible(
        faults=("cut at COMMIT", "COMMIT's reply lost"),
        phases="BCEFHI",
        why="what moves a job on is committed at its creation (A), the claim (D) and the end (G)",
    ),
    Impossible(
        faults=("reservation cut at COMMIT", "reservation's COMMIT unanswered"),
        phases="BCDEFGHI",
        why="an idempotency key is reserved before its job",
    ),
    Impossible(
        faults=("renewal cut at COMMIT", "renewal's COMMIT unanswered"),
        phases="ABCDFGHI",
        why="leases are renewed while jobs run: in E, and no otherwise in F and G",
    ),
    Impossible(
        faults=("database raises",),
        phases="BCEFI",
        why="what moves a job on is written before A, D and G, or was already written (H)",
    ),
    Impossible(
        faults=("store answers 503", "store resets", "store's reply lost", "store raises"),
        phases="ABCDEGH",
        why="the store is asked to put (F) and to look (I), and nothing else",
    ),
    Impossible(faults=("object deleted", "object changed"), phases="ABCDEF", why="there is no object yet"),
    Impossible(faults=("cancelled",), phases="A", why="nobody knows the job yet"),
    Impossible(
        faults=("relay killed in mid-batch",), phases="ACDEFGHI", why="the relay rings for jobs that are in B"
    ),
    Impossible(
        faults=("reaper killed in mid-batch",),
        phases="ABCDHI",
        why="the reaper takes attempts that were lost, in E, F or G",
    ),
)
