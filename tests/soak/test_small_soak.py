"""A small soak; `nox -s soak` runs the large one."""

from pathlib import Path

from tests.soak.faults import FAULTS
from tests.soak.kinds import Kind, kind_of
from tests.soak.plan import Plan
from tests.soak.run import soak
from tests.soak.table import report

_JOBS = 60
_EVERY_S = 2.0
_AT_LEAST = 3


def test_jobs_of_every_kind_reach_their_right_ends_whatever_fails(tmp_path: Path) -> None:
    """An accepted job reaches exactly one right end."""
    plan = Plan(seed=1053, jobs=_JOBS, faults=FAULTS, every_s=_EVERY_S)
    result = soak(plan, tmp_path, expected_faults=())
    assert result.verdict.violations == []
    assert len([fault for fault in result.soaked.faults if fault.has_struck]) >= _AT_LEAST
    assert {kind_of(job.user_id) for job in result.soaked.evidence.jobs} == set(Kind)
    assert "lost 0, doubled 0" in report(result)
