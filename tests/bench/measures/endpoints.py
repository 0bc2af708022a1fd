"""What an endpoint's answer takes, against a hand-written handler of the same framework."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from tests.bench.bench import FORMS, Bench
from tests.bench.byhand.config import PLAIN_PREFIX, PREFIX
from tests.bench.deployment import SEEDS_ORG, Deployment
from tests.bench.figures import Row, at_most, median, ms, percentile
from tests.bench.http_client import Client, Exchange

__all__ = ["measure"]

_FRAMEWORKS = {"fastapi": "FastAPI", "flask": "Flask"}
_SEEDS = 4


@dataclass(frozen=True, kw_only=True)
class _Side:
    """One of those that are compared: a server, and the path where the endpoints are."""

    deployment: Deployment
    client: Client
    prefix: str
    seeds: Iterator[str]
    """Finished jobs, one after the other and again."""

    def create(self) -> Exchange:
        return self.deployment.create(self.client, self.prefix)

    def status(self) -> Exchange:
        return self._get("")

    def url(self) -> Exchange:
        return self._get("/url")

    def _get(self, suffix: str) -> Exchange:
        token = self.deployment.tokens.of(SEEDS_ORG)
        return self.client.get(f"{self.prefix}/{next(self.seeds)}{suffix}", token).expect(200)


_ENDPOINTS: dict[str, Callable[[_Side], Exchange]] = {
    "create": _Side.create,
    "status": _Side.status,
    "url": _Side.url,
}


def measure(bench: Bench) -> list[Row]:
    """Ask each endpoint of each side in turn: whatever disturbs the machine meets all of them."""
    return [row for framework in _FRAMEWORKS for form in FORMS for row in _measure(bench, framework, form)]


def _measure(bench: Bench, framework: str, form: str) -> list[Row]:
    with ExitStack() as stack:
        # No worker runs: what is rendered meanwhile would be measured too.
        site = stack.enter_context(bench.site(form, embedded_worker=False))
        by_hand = stack.enter_context(bench.by_hand(form, queue="list"))
        site_url = site.web(framework, f"tests.bench.host:{framework}_app")
        hand_url = by_hand.web(framework, f"tests.bench.byhand.{framework}_app:create_app")
        sides = [
            _side(site, site_url, PREFIX),
            _side(by_hand, hand_url, PREFIX),
            _side(by_hand, hand_url, PLAIN_PREFIX),
        ]
        for side in sides:
            stack.callback(side.client.close)
        return [_row(bench, f"{_FRAMEWORKS[framework]}, {form}", name, sides) for name in _ENDPOINTS]


def _side(deployment: Deployment, url: str, prefix: str) -> _Side:
    return _Side(
        deployment=deployment,
        client=Client(url),
        prefix=prefix,
        seeds=itertools.cycle(deployment.complete_here(_SEEDS)),
    )


def _row(bench: Bench, form: str, name: str, sides: list[_Side]) -> Row:
    ask = _ENDPOINTS[name]
    for side in sides:
        for _ in range(bench.effort.warm_up_jobs):
            ask(side)
    rounds = []
    for _ in range(bench.effort.rounds):
        samples: list[list[float]] = [[] for _ in sides]
        for number in range(bench.effort.requests):
            for turn in range(len(sides)):
                which = (number + turn) % len(sides)
                samples[which].append(ask(sides[which]).seconds)
        rounds.append([percentile(taken, 0.5) for taken in samples])
    ours, same, plain = (median(column) for column in zip(*rounds, strict=True))
    return Row(
        what=f"{name}, p50",
        form=form,
        measured=ms(ours),
        compared=f"{ms(same)} (plain: {ms(plain)})",
        ratio=median(line[0] / line[1] for line in rounds),
        aim=at_most(1.15),
    )
