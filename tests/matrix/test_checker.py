"""The checker catches each kind of broken promise in a forged history, and lets a good one pass."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sqr_jobs import Job, JobState
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.job import Document, JobEvent, TemplateRef
from sqr_jobs.domain.states import Transition
from tests.matrix.checker import Evidence, check
from tests.matrix.history import Exchange, History, Journey, read

_KEY = "J1/1-t1.pdf"


def _event(
    before: JobState | None, after: JobState, why: str, attempt: int = 0, token: Any = None
) -> JobEvent:
    return JobEvent(
        job_id="J1", at=1_000, from_state=before, to_state=after, attempt=attempt, why=why, token=token
    )


_CREATED = _event(None, JobState.QUEUED, "create")
_CLAIMED = _event(JobState.QUEUED, JobState.RUNNING, Transition.CLAIM, 1, "t1")
_COMPLETED = _event(JobState.RUNNING, JobState.COMPLETE, Transition.COMPLETE, 1, "t1")
_LOST = _event(JobState.RUNNING, JobState.RETRY_WAIT, Transition.LOSE, 1, "t1")
_CLAIMED_AGAIN = _event(JobState.RETRY_WAIT, JobState.RUNNING, Transition.CLAIM, 2, "t2")

_JOB = Job(
    job_id="J1",
    org_id="org",
    user_id="U1",
    template=TemplateRef(name="matrix", version="v1"),
    state=JobState.COMPLETE,
    attempt=1,
    failures=0,
    crashes=0,
    created_at=1_000,
    updated_at=2_000,
    available_at=1_000,
    deadline_at=31_000,
    document_lifetime_ms=1,
    as_of=9_000,
    completed_at=2_000,
    document=Document(key=_KEY, size=10, sha256="0" * 64),
)


def _seen(kind: str, status: int, at: float, /, **told: Any) -> Exchange:
    return Exchange(
        kind=kind, org="org", user="U1", job_id="J1", asked=at, answered=at + 0.1, status=status, told=told
    )


_CREATE = _seen("create", 202, 1, jobId="J1")
_LOOKS = (_seen("status", 200, 2, status="PENDING"), _seen("status", 200, 3, status="COMPLETE"))
_URL = _seen("url", 200, 4, expiresInSeconds=300)
_FETCH = _seen("fetch", 200, 5, isWhole=True, isTheirs=True)
_PROBE = _seen("probe", 404, 6, code="JOB_NOT_FOUND")
_JOURNEY = Journey(org="org", user="U1", job_id="J1", end="document", began=1, ended=5)

_GOOD = Evidence(
    exchanges=(_CREATE, *_LOOKS, _URL, _FETCH, _PROBE),
    journeys=(_JOURNEY,),
    jobs=(_JOB,),
    histories={"J1": (_CREATED, _CLAIMED, _COMPLETED)},
    objects={_KEY: 10},
    ceilings={"org": 1},
)


def _with_events(*events: JobEvent) -> Evidence:
    return replace(_GOOD, histories={"J1": events})


def _with_seen(*more: Exchange) -> Evidence:
    return replace(_GOOD, exchanges=(*_GOOD.exchanges, *more))


def _with_job(**changes: Any) -> Evidence:
    return replace(_GOOD, jobs=(replace(_JOB, **changes),))


_FORGED: dict[str, tuple[str, Evidence]] = {
    "an accepted job without a row": ("I1", replace(_GOOD, jobs=(), histories={}, ceilings={})),
    "a journey that ended with nothing": (
        "I1",
        replace(_GOOD, journeys=(replace(_JOURNEY, end="nothing"),)),
    ),
    "a journey that ended in a failure": (
        "I1",
        replace(_GOOD, journeys=(replace(_JOURNEY, end="failed WORKER_LOST"),)),
    ),
    "a job that failed while nobody waited": (
        "I1",
        replace(
            _with_job(state=JobState.FAILED, document=None, error_code=JobErrorCode.WORKER_LOST),
            onlookers=("org",),
        ),
    ),
    "a URL of a job that never completed": (
        "I11",
        _with_job(state=JobState.FAILED, document=None, error_code=JobErrorCode.WORKER_LOST),
    ),
    "two jobs for one key": (
        "I1",
        replace(
            _GOOD,
            jobs=(_JOB, replace(_JOB, job_id="J0", created_at=3_000, completed_at=4_000, document=None)),
            ceilings={},
        ),
    ),
    "two active jobs of one person": (
        "I2",
        replace(_GOOD, jobs=(_JOB, replace(_JOB, job_id="J0", created_at=1_500)), ceilings={}),
    ),
    "a second end": ("I3", _with_events(_CREATED, _CLAIMED, _COMPLETED, _COMPLETED)),
    "an end that was taken back": (
        "I3",
        _with_events(_CREATED, _CLAIMED, _COMPLETED, replace(_CLAIMED_AGAIN, from_state=JobState.COMPLETE)),
    ),
    "a leap from queued to complete": (
        "I3",
        _with_events(_CREATED, replace(_COMPLETED, from_state=JobState.QUEUED, attempt=0, token=None)),
    ),
    "a history that begins in the middle": ("I3", _with_events(_CLAIMED, _COMPLETED)),
    "a history that ends elsewhere than the row": ("I3", _with_events(_CREATED, _CLAIMED)),
    "a write of an attempt that had lost the job": (
        "I4",
        _with_events(_CREATED, _CLAIMED, _LOST, _CLAIMED_AGAIN, _COMPLETED),
    ),
    "a write with another token": (
        "I4",
        _with_events(_CREATED, _CLAIMED, replace(_COMPLETED, token="t9")),
    ),
    "a document of an attempt that had lost the job": (
        "I4",
        replace(
            _with_events(
                _CREATED, _CLAIMED, _LOST, _CLAIMED_AGAIN, replace(_COMPLETED, attempt=2, token="t2")
            ),
            objects={_KEY: 10, "J1/2-t2.pdf": 10},
        ),
    ),
    "an object that no claim accounts for": ("I4", replace(_GOOD, objects={_KEY: 10, "J1/7-x.pdf": 10})),
    "a document that is not there": ("I5", replace(_GOOD, objects={})),
    "a document of another size": ("I5", replace(_GOOD, objects={_KEY: 11})),
    "complete without a document": ("I5", _with_job(document=None)),
    "bytes other than told": ("I5", _with_seen(_seen("fetch", 200, 7, isWhole=False, isTheirs=True))),
    "a job that never ends": ("I6", _with_job(state=JobState.RUNNING, completed_at=None)),
    "an end long after the deadline": ("I6", _with_job(completed_at=41_001)),
    "an attempt claimed twice": (
        "I8",
        _with_events(
            _CREATED, _CLAIMED, _LOST, replace(_CLAIMED_AGAIN, attempt=1), replace(_COMPLETED, token="t2")
        ),
    ),
    "a token given twice": (
        "I8",
        _with_events(
            _CREATED, _CLAIMED, _LOST, replace(_CLAIMED_AGAIN, token="t1"), replace(_COMPLETED, attempt=2)
        ),
    ),
    "failures without a bound": ("I9", _with_job(failures=6)),
    "crashes without a bound": ("I9", _with_job(crashes=4)),
    "an answer about another org's job": ("I10", _with_seen(_seen("probe", 200, 7, status="COMPLETE"))),
    "another refusal for another org's job": ("I10", _with_seen(_seen("probe", 403, 7))),
    "somebody else's document": ("I10", _with_seen(_seen("fetch", 200, 7, isWhole=True, isTheirs=False))),
    "a URL after the right was taken away": ("I11", replace(_GOOD, revoked_at={"U1": 3.5})),
    "a URL that lives too long": ("I11", _with_seen(_seen("url", 200, 7, expiresInSeconds=3600))),
    "one job too many": ("I12", replace(_GOOD, ceilings={"org": 0})),
    "a status that goes backwards": ("I13", _with_seen(_seen("status", 200, 7, status="IN_PROGRESS"))),
    "an end that changes": ("I13", _with_seen(_seen("status", 200, 7, status="FAILED"))),
}


def test_a_good_history_passes() -> None:
    """Else every forged one would be caught for nothing."""
    verdict = check(_GOOD)
    assert verdict.violations == []
    assert (verdict.accepted, verdict.lost, verdict.doubled, verdict.wasted_attempts) == (1, [], [], 0)


@pytest.mark.parametrize("what", _FORGED)
def test_a_forged_history_is_caught(what: str) -> None:
    """By the invariant that it breaks, and named after it."""
    invariant, evidence = _FORGED[what]
    violations = check(evidence).violations
    assert any(violation.startswith(f"{invariant}:") for violation in violations), violations


_COUNTED: dict[str, tuple[str, Callable[[Any], int]]] = {
    "an accepted job without a row": ("lost", lambda verdict: len(verdict.lost)),
    "a job that never ends": ("lost", lambda verdict: len(verdict.lost)),
    "two jobs for one key": ("doubled", lambda verdict: len(verdict.doubled)),
    "a second end": ("doubled", lambda verdict: len(verdict.doubled)),
    "a write of an attempt that had lost the job": ("stale", lambda verdict: verdict.stale_writes),
    "one job too many": ("late", lambda verdict: verdict.late_admits),
    "somebody else's document": ("foreign", lambda verdict: verdict.foreign_reads),
}


@pytest.mark.parametrize("what", _COUNTED)
def test_what_is_caught_is_counted(what: str) -> None:
    """The table shows counts, not sentences."""
    _, count = _COUNTED[what]
    assert count(check(_FORGED[what][1])) == 1


def test_lost_attempts_are_counted_with_their_objects_and_causes() -> None:
    """They are lawful, and cost something."""
    document = Document(key="J1/2-t2.pdf", size=10, sha256="0" * 64)
    verdict = check(
        replace(
            _GOOD,
            jobs=(replace(_JOB, attempt=2, crashes=1, document=document),),
            histories={
                "J1": (
                    _CREATED,
                    _CLAIMED,
                    replace(_LOST, error_code=JobErrorCode.WORKER_LOST),
                    _CLAIMED_AGAIN,
                    replace(_COMPLETED, attempt=2, token="t2"),
                )
            },
            objects={_KEY: 10, document.key: 10},
        )
    )
    assert verdict.violations == []
    assert (verdict.wasted_attempts, verdict.objects_of_lost_attempts) == (1, 1)
    assert verdict.setbacks == {"lose lease WORKER_LOST": 1}


def test_looks_that_overlap_may_be_answered_in_either_order() -> None:
    """Two questions at the same time have no order."""
    slow = replace(_seen("status", 200, 2.5, status="PENDING"), answered=9.0)
    later = _seen("status", 200, 3.05, status="PENDING")
    assert check(_with_seen(slow)).violations == []
    assert check(_with_seen(later)).violations == []


def test_a_history_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    """What was held against the invariants can be held against them again."""
    history = History(tmp_path / "history.jsonl")
    for seen in (_CREATE, _FETCH, _JOURNEY):
        history.add(seen)
    lines = (tmp_path / "history.jsonl").read_text(encoding="utf-8").splitlines()
    assert read(lines) == ([_CREATE, _FETCH], [_JOURNEY])
