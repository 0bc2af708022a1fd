"""Holds a soak's evidence against the promises: the matrix's checker, and what each kind must come to."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqr_jobs import Job
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.job import JobEvent
from tests.matrix.checker import Evidence, Verdict, check
from tests.matrix.history import Exchange, Journey
from tests.soak.faults import Fault
from tests.soak.kinds import RIGHT_ENDS, Kind, kind_of
from tests.soak.plan import RIVAL, Errand, Manner

__all__ = ["Soaked", "judge"]

_CHILD_END_S = 2.0
_CRASHES = 3
_TIMEOUTS = 2
_PROBES_OF_A_JOB = 2
_ANSWERED_SHARE = 0.7
"""Of the probes: some meet a server that is down."""
_STRUCK_SHARE = 0.7
_RIGHT, _RIGHTLY_REFUSED = "rightly", "refused, rightly"


@dataclass(frozen=True, kw_only=True)
class Soaked:
    """All that is known of a run."""

    evidence: Evidence
    errands: Sequence[Errand]
    faults: Sequence[Fault]
    few_orgs: Sequence[str] = ()
    differences: Sequence[str] = ()
    """Sentences about probes that told a job from no job."""
    broken: Sequence[str] = ()
    """What went wrong with the run itself."""
    compared: int = 0
    """How many probes were compared."""
    heard: Mapping[str, str] = field(default_factory=dict)
    """Canaries that turned up in logs, with the line."""
    expected_faults: Sequence[str] = ()
    """Each must have struck at least once."""
    due_faults: int = 0
    """How many the schedule has until the last errand's end."""


def judge(soaked: Soaked) -> Verdict:
    """Judge a run; a sentence of `violations` is a broken promise, or says that the run proves too little."""
    evidence = soaked.evidence
    cancels = _answers_to_cancels(evidence.exchanges)
    manners = {errand.key: errand.manner for errand in soaked.errands}
    journeys = [
        _rightly(journey, manners[journey.key.removesuffix(RIVAL)], cancels) for journey in evidence.journeys
    ]
    verdict = check(replace(evidence, journeys=journeys, right_ends=(_RIGHT, _RIGHTLY_REFUSED)))
    verdict.violations += _unfulfilled(soaked)
    verdict.violations += _wrong_statuses(evidence.exchanges, evidence.jobs)
    for job in evidence.jobs:
        verdict.violations += _unbounded(job, evidence.histories.get(job.job_id, ()))
    verdict.violations += soaked.differences
    verdict.foreign_reads += len(soaked.differences)
    verdict.violations += [f"I15: {what} in a log: {line}" for what, line in soaked.heard.items()]
    for fault in soaked.faults:
        if (fault.children_gone_s or 0) > _CHILD_END_S:
            verdict.violations.append(
                f"I14: render children of a killed worker were seen for {fault.children_gone_s:.2f} s"
            )
    verdict.violations += [*soaked.broken, *_too_little(soaked)]
    return verdict


def _rightly(journey: Journey, manner: Manner, cancels: Mapping[str, set[int]]) -> Journey:
    """Show an end that is right for this kind and manner as what the checker is told to take for right."""
    if not _is_right(journey, manner, cancels):
        return journey
    return replace(journey, end=_RIGHTLY_REFUSED if journey.end.startswith("refused") else _RIGHT)


def _is_right(journey: Journey, manner: Manner, cancels: Mapping[str, set[int]]) -> bool:
    answers = cancels.get(journey.job_id or "", set())
    kind = kind_of(journey.user)
    if 200 in answers:
        return journey.end == "failed CANCELLED"
    if kind is Kind.WAITING:  # cancelled so late that it had had its two attempts
        return journey.end == "failed RENDER_TIMEOUT" and answers == {409}
    if manner is Manner.GREEDY and journey.end == "refused RATE_LIMITED":
        return True
    if manner is Manner.RIVAL and journey.end == "refused JOB_ALREADY_ACTIVE":
        return journey.key.endswith(RIVAL)
    return journey.end in RIGHT_ENDS[kind]


def _answers_to_cancels(exchanges: Iterable[Exchange]) -> dict[str, set[int]]:
    answers: dict[str, set[int]] = defaultdict(set)
    for seen in exchanges:
        if seen.kind == "cancel" and seen.status in (200, 204, 404, 409):
            answers[str(seen.job_id)].add(int(seen.status))
    return answers


def _unfulfilled(soaked: Soaked) -> Iterator[str]:
    """Find errands that nobody went, or whose report was never asked for to the end."""
    gone = {journey.key for journey in soaked.evidence.journeys}
    for errand in soaked.errands:
        if errand.key not in gone:
            yield f"I1: errand {errand.number} of {errand.user} was not carried out"
    accepted: Counter[str] = Counter(job.org_id for job in soaked.evidence.jobs)
    for org in soaked.few_orgs:
        refused = [
            journey
            for journey in soaked.evidence.journeys
            if journey.org == org and journey.end == "refused RATE_LIMITED"
        ]
        if not (accepted[org] and refused):
            yield f"I12: {org} had {accepted[org]} jobs and {len(refused)} refusals: its ceiling was not met"


def _wrong_statuses(exchanges: Iterable[Exchange], jobs: Sequence[Job]) -> Iterator[str]:
    """A server's own fault is never an answer, an outage is 503; a 409 shows a job of one's own."""
    owners = {job.job_id: (job.org_id, job.user_id) for job in jobs}
    for seen in exchanges:
        if seen.kind != "fetch" and seen.status is not None and seen.status >= 500 and seen.status != 503:
            yield f"a fault of ours: {seen.kind} was answered {seen.status}"
        told = seen.told or {}
        is_conflict = seen.kind == "create" and told.get("code") == "JOB_ALREADY_ACTIVE"
        if is_conflict and owners.get(str(told.get("jobId"))) != (seen.org, seen.user):
            yield f"I2: a conflict of {seen.user} names a job that is not theirs: {told.get('jobId')}"


def _unbounded(job: Job, events: Sequence[JobEvent]) -> Iterator[str]:
    """Hold the ends of poison jobs against their bounds (I9): neither earlier nor later."""
    causes = Counter(event.error_code for event in events if event.error_code)
    match job.error_code:
        case JobErrorCode.RENDER_CRASHED | JobErrorCode.WORKER_LOST if job.crashes != _CRASHES:
            yield f"I9: job {job.job_id} ended {job.error_code} after {job.crashes} crashes"
        case JobErrorCode.RENDER_TIMEOUT | JobErrorCode.OUT_OF_MEMORY if causes[job.error_code] != _TIMEOUTS:
            yield f"I9: job {job.job_id} ended {job.error_code} after {causes[job.error_code]} of them"


def _too_little(soaked: Soaked) -> Iterator[str]:
    """Fair weather is no evidence."""
    struck = Counter(fault.name for fault in soaked.faults if fault.has_struck)
    for name in soaked.expected_faults:
        if not struck[name]:
            yield f"the run proves too little: {name} never struck"
    if struck.total() < _STRUCK_SHARE * soaked.due_faults:
        yield f"the run proves too little: {struck.total()} of {soaked.due_faults} due faults struck"
    job_ids = {job.job_id for job in soaked.evidence.jobs}
    if soaked.compared < _ANSWERED_SHARE * _PROBES_OF_A_JOB * len(job_ids):
        yield f"the run proves too little: {soaked.compared} probes were answered for {len(job_ids)} jobs"
