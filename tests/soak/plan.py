"""What a soak does, all of it drawn from one seed: who asks when for what and how, and which fault when."""

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tests.soak.kinds import Kind, user_id

__all__ = ["EVERY_S", "ORGS", "RIVAL", "USERS", "Errand", "Manner", "Plan", "PlannedFault"]

ORGS, USERS = 40, 25
EVERY_S = 7.0
"""The time between two faults."""
_FEW_ORGS = 2
_FEW_TOGETHER = 4
"""How many requests of an org with a small ceiling come at one moment."""
_APART_S = 0.16
"""The mean time between two errands, where a run has many."""

_KINDS: dict[Kind, float] = {
    Kind.SHORT: 0.795,
    Kind.HEAVY: 0.06,
    Kind.WAITING: 0.04,
    Kind.HANGING: 0.015,
    Kind.SEGFAULT: 0.02,
    Kind.KILLED: 0.02,
    Kind.MEMORY: 0.02,
    Kind.BROKEN: 0.03,
}


RIVAL = "-rival"
"""What the key of an errand's second request ends with."""


class Manner(StrEnum):
    """How a client goes about it."""

    PLAIN = "plain"
    DROPPED = "reply not awaited, asked again with the key"
    """Sends its POST, drops the connection at once, and asks again with the same key."""
    TWINS = "two at once with one key"
    RIVAL = "a second request while the first runs"
    CANCEL = "cancelled"
    GREEDY = "above the ceiling"
    """Of an org that may have only a few."""


_MANNERS: dict[Manner, float] = {
    Manner.PLAIN: 0.54,
    Manner.DROPPED: 0.15,
    Manner.TWINS: 0.13,
    Manner.RIVAL: 0.13,
    Manner.CANCEL: 0.05,
}


@dataclass(frozen=True, kw_only=True)
class Errand:
    """One person's wish for one report."""

    number: int
    at_s: float
    """When it begins, from the run's start on."""
    org: str
    user: str
    kind: Kind
    manner: Manner
    first_server: int
    prober: str
    """The other org that asks about this one's job."""
    probes_early: bool
    """Whether that org asks while the job is under way; else when it has ended."""
    cancels_after_s: float

    @property
    def key(self) -> str:
        """The idempotency key."""
        return f"errand-{self.number}"


@dataclass(frozen=True, kw_only=True)
class PlannedFault:
    """One fault of the schedule."""

    number: int
    at_s: float
    name: str
    target: int
    """Which of several like processes, modulo their number."""


class Plan:
    """Everything that a seed says."""

    def __init__(self, *, seed: int, jobs: int, faults: Sequence[str], every_s: float = EVERY_S) -> None:
        self.seed, self.jobs, self.every_s = seed, jobs, every_s
        self._faults = faults
        self.few_orgs = [f"few-{number:02d}" for number in range(_FEW_ORGS)]
        self.errands: Sequence[Errand] = sorted(self._errands(), key=lambda errand: errand.at_s)

    def faults(self) -> Iterator[PlannedFault]:
        """Yield faults without end; each kind comes once before any comes twice."""
        chance = random.Random(f"{self.seed} faults")
        numbers = itertools.count(1)
        while True:
            for name in chance.sample(list(self._faults), len(self._faults)):
                number = next(numbers)
                yield PlannedFault(
                    number=number, at_s=number * self.every_s, name=name, target=chance.randrange(60)
                )

    def _errands(self) -> list[Errand]:
        chance = random.Random(f"{self.seed} errands")
        people = [(org, user) for org in range(_FEW_ORGS, ORGS) for user in range(USERS)]
        chance.shuffle(people)
        cast = people[: self.jobs]
        kinds = _deal(_KINDS, len(cast), chance)
        at_s = 0.0
        errands = []
        for number in range(self.jobs):
            at_s += chance.expovariate(1 / _APART_S)
            person, kind = cast[number % len(cast)], kinds[number % len(cast)]
            errands.append(self._errand(chance, number, at_s, person, kind))
        return errands + self._greedy(chance, at_s)

    def _errand(
        self, chance: random.Random, number: int, at_s: float, person: tuple[int, int], kind: Kind
    ) -> Errand:
        org, user = person
        manner = Manner.CANCEL if kind is Kind.WAITING else Manner.PLAIN
        if kind in (Kind.SHORT, Kind.HEAVY):
            (manner,) = chance.choices(list(_MANNERS), list(_MANNERS.values()))
        if org < _FEW_ORGS:
            manner = Manner.GREEDY
        return Errand(
            number=number,
            at_s=at_s,
            org=self.few_orgs[org] if org < _FEW_ORGS else f"org-{org:02d}",
            user=user_id(org, user, kind),
            kind=kind,
            manner=manner,
            first_server=chance.randrange(2),
            prober=f"org-{chance.choice([other for other in range(_FEW_ORGS, ORGS) if other != org]):02d}",
            probes_early=chance.random() < 0.5,
            cancels_after_s=chance.uniform(0, 1.5) if kind is Kind.WAITING else chance.uniform(0, 0.2),
        )

    def _greedy(self, chance: random.Random, last_s: float) -> list[Errand]:
        """Let orgs with a small ceiling ask for more, now and then, several people at a time."""
        errands = []
        asks = min(USERS, 6 + self.jobs // 50)
        for org in range(_FEW_ORGS):
            moments = sorted(chance.uniform(0, last_s) for _ in range(-(-asks // _FEW_TOGETHER)))
            for user in range(asks):
                number = self.jobs + org * USERS + user
                at_s = moments[user // _FEW_TOGETHER]
                errands.append(self._errand(chance, number, at_s, (org, user), Kind.SHORT))
        return errands


def _deal(shares: Mapping[Kind, float], count: int, chance: random.Random) -> list[Kind]:
    """Give each its share, and at least one, in any order."""
    dealt = [kind for kind, share in shares.items() for _ in range(max(round(share * count), 1))]
    missing = count - len(dealt)
    dealt = dealt + [Kind.SHORT] * missing if missing > 0 else dealt[-missing:]
    chance.shuffle(dealt)
    return dealt
