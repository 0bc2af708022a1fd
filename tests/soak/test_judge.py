"""The soak's judgement catches each kind of wrong run in forged evidence, and lets a good one pass.

What it shares with the fault matrix is tested in `tests/matrix/test_checker.py`.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from sqr_jobs import Job, JobState
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.job import Document, JobEvent, TemplateRef
from sqr_jobs.domain.states import Transition
from tests.matrix.checker import Evidence
from tests.matrix.history import Exchange, Journey
from tests.soak.faults import Fault
from tests.soak.judge import Soaked, judge
from tests.soak.kinds import Kind, user_id
from tests.soak.plan import Errand, Manner

_CRASHED, _TIMEOUT = JobErrorCode.RENDER_CRASHED, JobErrorCode.RENDER_TIMEOUT


class _Case:
    """One errand with all that it left."""

    def __init__(self, number: int, kind: Kind, manner: Manner = Manner.PLAIN, *, org: str = "org-1") -> None:
        self.number, self.org, self.user = number, org, user_id(1, number, kind)
        self.job_id = f"J{number}"
        self.errand = Errand(
            number=number,
            at_s=0.0,
            org=org,
            user=self.user,
            kind=kind,
            manner=manner,
            first_server=0,
            prober="org-2",
            probes_early=False,
            cancels_after_s=0.0,
        )

    def journey(self, end: str, *, key: str | None = None, job_id: str | None = "") -> Journey:
        job_id = self.job_id if job_id == "" else job_id
        key = self.errand.key if key is None else key
        return Journey(org=self.org, user=self.user, job_id=job_id, end=end, began=1, ended=5, key=key)

    def seen(self, kind: str, status: int | None, **told: Any) -> Exchange:
        job_id = self.job_id
        return Exchange(
            kind=kind,
            org=self.org,
            user=self.user,
            job_id=job_id,
            asked=1,
            answered=2,
            status=status,
            told=told,
        )

    def event(self, before: JobState | None, after: JobState, why: str, attempt: int, code: Any) -> JobEvent:
        token = f"t{attempt}" if attempt else None
        return JobEvent(
            job_id=self.job_id,
            at=1_000,
            from_state=before,
            to_state=after,
            attempt=attempt,
            why=why,
            token=token,
            error_code=code,
        )

    def history(self, end: JobState, codes: Sequence[JobErrorCode] = ()) -> list[JobEvent]:
        """One attempt for each code, the last of which ends it; or one that completes."""
        events = [self.event(None, JobState.QUEUED, "create", 0, None)]
        state = JobState.QUEUED
        for attempt, code in enumerate(codes or [None], start=1):
            events.append(self.event(state, JobState.RUNNING, Transition.CLAIM, attempt, None))
            is_last = attempt == max(len(codes), 1)
            why = {JobState.COMPLETE: Transition.COMPLETE, JobState.CANCELLED: Transition.CANCEL}.get(
                end, Transition.FAIL
            )
            after, why = (end, why) if is_last else (JobState.RETRY_WAIT, Transition.RETRY)
            events.append(self.event(JobState.RUNNING, after, why, attempt, code))
            state = after
        return events

    def job(self, end: JobState, *, code: JobErrorCode | None = None, crashes: int = 0) -> Job:
        key = f"{self.job_id}/1-t1.pdf"
        return Job(
            job_id=self.job_id,
            org_id=self.org,
            user_id=self.user,
            template=TemplateRef(name="soak", version="v1"),
            state=end,
            attempt=1,
            failures=0,
            crashes=crashes,
            created_at=1_000,
            updated_at=2_000,
            available_at=1_000,
            deadline_at=61_000,
            document_lifetime_ms=1,
            as_of=9_000,
            completed_at=2_000,
            error_code=code,
            document=Document(key=key, size=10, sha256="0" * 64) if end is JobState.COMPLETE else None,
        )


_SHORT = _Case(1, Kind.SHORT, Manner.RIVAL)
_SEGFAULT = _Case(2, Kind.SEGFAULT)
_HANGING = _Case(3, Kind.HANGING)
_WAITING = _Case(4, Kind.WAITING, Manner.CANCEL)
_FEW = _Case(5, Kind.SHORT, Manner.GREEDY, org="few-1")
_FEW_TOO = _Case(6, Kind.SHORT, Manner.GREEDY, org="few-1")
_CASES = (_SHORT, _SEGFAULT, _HANGING, _WAITING, _FEW, _FEW_TOO)

_FAULT = Fault(name="worker killed", began=1.0, ended=1.0, has_struck=True, children_gone_s=0.3)
_GOOD = Soaked(
    evidence=Evidence(
        exchanges=[
            *(case.seen("create", 202, jobId=case.job_id) for case in _CASES[:5]),
            _SHORT.seen("create", 409, code="JOB_ALREADY_ACTIVE", jobId="J1"),
            _WAITING.seen("cancel", 200),
            _SHORT.seen("status", 503),
        ],
        journeys=[
            _SHORT.journey("document"),
            _SHORT.journey("refused JOB_ALREADY_ACTIVE", key="errand-1-rival", job_id=None),
            _SEGFAULT.journey("failed RENDER_CRASHED"),
            _HANGING.journey("failed RENDER_TIMEOUT"),
            _WAITING.journey("failed CANCELLED"),
            _FEW.journey("document"),
            _FEW_TOO.journey("refused RATE_LIMITED", job_id=None),
        ],
        jobs=[
            _SHORT.job(JobState.COMPLETE),
            _SEGFAULT.job(JobState.FAILED, code=_CRASHED, crashes=3),
            _HANGING.job(JobState.FAILED, code=_TIMEOUT),
            _WAITING.job(JobState.CANCELLED, code=JobErrorCode.CANCELLED),
            _FEW.job(JobState.COMPLETE),
        ],
        histories={
            "J1": _SHORT.history(JobState.COMPLETE),
            "J2": _SEGFAULT.history(JobState.FAILED, [_CRASHED] * 3),
            "J3": _HANGING.history(JobState.FAILED, [_TIMEOUT] * 2),
            "J4": _WAITING.history(JobState.CANCELLED),
            "J5": _FEW.history(JobState.COMPLETE),
        },
        objects={"J1/1-t1.pdf": 10, "J5/1-t1.pdf": 10},
        ceilings={"few-1": 1},
    ),
    errands=[case.errand for case in _CASES],
    faults=[_FAULT],
    few_orgs=["few-1"],
    compared=10,
    expected_faults=["worker killed"],
    due_faults=1,
)


def _with(**changes: Any) -> Soaked:
    """Change the evidence: journeys in the place of those with the same key, the rest as given."""
    evidence = _GOOD.evidence
    for journey in changes.pop("journeys", []):
        others = [known for known in evidence.journeys if known.key != journey.key]
        evidence = replace(evidence, journeys=[*others, journey])
    for seen in changes.pop("seen", []):
        evidence = replace(evidence, exchanges=[*evidence.exchanges, seen])
    for job in changes.pop("jobs", []):
        rows = [known for known in evidence.jobs if known.job_id != job.job_id]
        evidence = replace(evidence, jobs=[*rows, job])
    histories = {**evidence.histories, **changes.pop("histories", {})}
    return replace(_GOOD, evidence=replace(evidence, histories=histories), **changes)


_FORGED: dict[str, tuple[str, Soaked]] = {
    "a short job that failed": ("I1", _with(journeys=[_SHORT.journey("failed WORKER_LOST")])),
    "a crashing job with a document": ("I1", _with(journeys=[_SEGFAULT.journey("document")])),
    "a hanging job that passed its deadline": (
        "I1",
        _with(journeys=[_HANGING.journey("failed DEADLINE_EXCEEDED")]),
    ),
    "a cancelled job with a document": ("I1", _with(journeys=[_WAITING.journey("document")])),
    "a job that nobody cancelled, and is": ("I1", _with(journeys=[_SHORT.journey("failed CANCELLED")])),
    "a refusal of an org without a ceiling": (
        "I1",
        _with(journeys=[_SEGFAULT.journey("refused RATE_LIMITED", job_id=None)]),
    ),
    "a first request that met a rival": (
        "I1",
        _with(
            journeys=[
                _SHORT.journey("refused JOB_ALREADY_ACTIVE", job_id=None),
                _SHORT.journey("document", key="errand-1-rival"),
            ]
        ),
    ),
    "an errand that nobody went": (
        "I1",
        replace(_GOOD, errands=[*_GOOD.errands, _Case(9, Kind.SHORT).errand]),
    ),
    "a second job for one key": (
        "I1",
        _with(
            jobs=[replace(_SHORT.job(JobState.COMPLETE), job_id="J9", created_at=3_000, completed_at=4_000)]
        ),
    ),
    "a conflict with somebody else's job": (
        "I2",
        _with(seen=[_SHORT.seen("create", 409, code="JOB_ALREADY_ACTIVE", jobId="J2")]),
    ),
    "a crash too many": ("I9", _with(jobs=[_SEGFAULT.job(JobState.FAILED, code=_CRASHED, crashes=2)])),
    "a timeout too few": ("I9", _with(histories={"J3": _HANGING.history(JobState.FAILED, [_TIMEOUT])})),
    "an answer that tells a job from none": ("I10", replace(_GOOD, differences=["I10: differs"])),
    "a ceiling that was never met": ("I12", _with(journeys=[_FEW_TOO.journey("document", job_id=None)])),
    "a ceiling that was passed": (
        "I12",
        replace(_GOOD, evidence=replace(_GOOD.evidence, ceilings={"few-1": 0})),
    ),
    "children that live on": ("I14", replace(_GOOD, faults=[replace(_FAULT, children_gone_s=2.1)])),
    "a name in a log": ("I15", replace(_GOOD, heard={"a person's name": "…"})),
    "a server's own fault": ("a fault of ours", _with(seen=[_SHORT.seen("status", 500)])),
    "a broken run": ("an errand broke", replace(_GOOD, broken=["an errand broke: x"])),
    "a fault that never struck": (
        "the run proves too little",
        replace(_GOOD, expected_faults=["worker killed", "web killed"]),
    ),
    "too few faults": ("the run proves too little", replace(_GOOD, due_faults=2)),
    "faults that struck nothing": (
        "the run proves too little",
        replace(_GOOD, faults=[replace(_FAULT, has_struck=False)]),
    ),
    "probes without an answer": ("the run proves too little", replace(_GOOD, compared=4)),
}


def test_a_good_run_passes() -> None:
    """Else every forged one would be caught for nothing."""
    verdict = judge(_GOOD)
    assert verdict.violations == []
    assert (verdict.accepted, verdict.lost, verdict.doubled) == (5, [], [])


@pytest.mark.parametrize("what", _FORGED)
def test_a_wrong_run_is_caught(what: str) -> None:
    """By the promise that it breaks."""
    promise, soaked = _FORGED[what]
    violations = judge(soaked).violations
    assert any(violation.startswith(promise) for violation in violations), violations


def test_a_cancel_that_came_after_the_last_timeout_is_right() -> None:
    """It was answered 409, and the job kept its end."""
    exchanges = [
        replace(seen, status=409) if seen.kind == "cancel" else seen for seen in _GOOD.evidence.exchanges
    ]
    late = _with(journeys=[_WAITING.journey("failed RENDER_TIMEOUT")])
    judged = judge(replace(late, evidence=replace(late.evidence, exchanges=exchanges)))
    assert judged.violations == []
