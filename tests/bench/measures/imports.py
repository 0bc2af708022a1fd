"""What a web process loads: time, memory, and what it does not load."""

import json
import subprocess
import sys
from typing import Any

from tests.acceptance.program import ROOT
from tests.bench.bench import FORMS, Bench
from tests.bench.deployment import Deployment
from tests.bench.figures import MeasurementBroken, Row, at_most, median, ms

__all__ = ["measure"]

_FRAMEWORKS = {"fastapi": "FastAPI", "flask": "Flask"}
_MEBIBYTE = 1_048_576


def measure(bench: Bench) -> list[Row]:
    """Load the application in new processes: the library's, and the hand-written one on the same parts."""
    return [row for framework in _FRAMEWORKS for form in FORMS for row in _measure(bench, framework, form)]


def _measure(bench: Bench, framework: str, form: str) -> list[Row]:
    ours, by_hand = [], []
    with bench.site(form) as site, bench.by_hand(form, queue="list") as hand:
        for _ in range(bench.effort.rounds):
            ours.append(_load(site, f"tests.bench.host:{framework}_app"))
            by_hand.append(_load(hand, f"tests.bench.byhand.{framework}_app:create_app"))
    named = f"{_FRAMEWORKS[framework]}, {form}"
    heavy = sorted({name for told in ours for name in told["heavy"]})
    return [
        Row(
            what="import of a web process: time",
            form=named,
            measured=ms(median(told["seconds"] for told in ours)),
            compared=ms(median(told["seconds"] for told in by_hand)),
            ratio=median(a["seconds"] / b["seconds"] for a, b in zip(ours, by_hand, strict=True)),
        ),
        Row(
            what="import of a web process: memory",
            form=named,
            measured=_mebibytes(ours),
            compared=_mebibytes(by_hand),
            ratio=median(a["bytes"] / b["bytes"] for a, b in zip(ours, by_hand, strict=True)),
        ),
        Row(
            what="import of a web process: how many of ReportLab, pikepdf, boto3",
            form=named,
            measured=", ".join(heavy) or "0",
            aim=at_most(0),
            judged=len(heavy),
        ),
    ]


def _load(deployment: Deployment, app: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.import_probe", app],
        cwd=ROOT,
        env=deployment.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise MeasurementBroken(f"{app} could not be loaded: {done.stderr[-2000:]}")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def _mebibytes(loads: list[dict[str, Any]]) -> str:
    return f"{median(told['bytes'] for told in loads) / _MEBIBYTE:.0f} MB"
