"""All of the load's measuring runs; whether a rate holds is judged by `nox -s load`, on a quiet machine."""

from pathlib import Path

from tests.load.run import QUICK, run_load
from tests.load.table import report


def test_a_few_seconds_of_load_are_measured_from_end_to_end(tmp_path: Path) -> None:
    """Every arrival is asked for, answered, watched and completed."""
    loaded = run_load(QUICK, tmp_path, seed=2)
    assert loaded.capacity > 0
    for phase in (loaded.steady, *loaded.steps):
        posts = [seen for seen in phase.seen if seen.kind == "post"]
        assert phase.arrivals == len(posts) == phase.complete
        assert all(seen.status == (202 if seen.kind == "post" else 200) for seen in phase.seen)
        assert {"uvicorn", "gunicorn", "worker", "render children"} <= set(phase.looks[-1].usages)
    assert "| 0.7 |" in report(loaded)
