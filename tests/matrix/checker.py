"""Holds what clients saw, the audit table and the bucket against the invariants."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqr_jobs import Job, JobState
from sqr_jobs.domain.job import JobEvent, document_key
from sqr_jobs.domain.states import TERMINAL, TRANSITIONS, Transition
from tests.matrix.history import Exchange, Journey

__all__ = ["Evidence", "Verdict", "check"]

_DEADLINE_SLACK_MS = 10_000
_ORDER = ("PENDING", "IN_PROGRESS", "COMPLETE", "FAILED")
_URL_LIFETIME_S = 300


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All that is known of one episode."""

    exchanges: Sequence[Exchange]
    journeys: Sequence[Journey]
    jobs: Sequence[Job]
    """Every row of the episode's orgs, asked for or not."""
    histories: Mapping[str, Sequence[JobEvent]]
    """The audit rows by job."""
    objects: Mapping[str, int]
    """Every object under a key of these jobs, with its size."""
    ceilings: Mapping[str, int] = field(default_factory=dict)
    """How many jobs an org may have accepted in all."""
    right_ends: Collection[str] = ("document",)
    """How a journey may end."""
    revoked_at: Mapping[str, float] = field(default_factory=dict)
    """When the right to a user was taken away, in monotonic seconds."""
    max_failures: int = 5
    max_crashes: int = 3
    onlookers: Collection[str] = ()
    """Orgs whose jobs nobody waits for, and which must end rightly all the same."""
    struck: Collection[str | None] = ()
    """The jobs and persons that the fault was about, which may end otherwise."""
    may_lack_objects: bool = False
    """Whether the fault was the loss of an object."""


@dataclass(kw_only=True)
class Verdict:
    """What became of one episode."""

    accepted: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    stale_writes: int = 0
    late_admits: int = 0
    foreign_reads: int = 0
    wasted_attempts: int = 0
    """Claims beyond the first of each job."""
    setbacks: Counter[str] = field(default_factory=Counter)
    """Why: `lose lease WORKER_LOST`, `retry RENDER_TIMEOUT`, `give back`."""
    objects_of_lost_attempts: int = 0
    violations: list[str] = field(default_factory=list)
    """Sentences that begin with the invariant's name."""


def check(evidence: Evidence) -> Verdict:
    """Judge an episode; every sentence of `violations` is a broken promise."""
    verdict = Verdict()
    accepted = {seen.job_id for seen in evidence.exchanges if seen.kind == "create" and seen.status == 202}
    verdict.accepted = len(accepted)
    jobs = {job.job_id: job for job in evidence.jobs}
    _accepted_and_ended(evidence, verdict, {job_id for job_id in accepted if job_id}, jobs)
    _one_each(evidence, verdict)
    for job in evidence.jobs:
        _lawful(evidence, verdict, job)
        _stored(evidence, verdict, job)
    _admitted(evidence, verdict)
    _seen_by_clients(evidence, verdict)
    return verdict


def _accepted_and_ended(
    evidence: Evidence, verdict: Verdict, accepted: set[str], jobs: Mapping[str, Job]
) -> None:
    for job_id in sorted(accepted - set(jobs)):
        verdict.lost.append(job_id)
        verdict.violations.append(f"I1: job {job_id} was accepted, and there is no row")
    for job in jobs.values():
        if job.state not in TERMINAL:
            verdict.lost.append(job.job_id)
            verdict.violations.append(f"I6: job {job.job_id} has not ended: {job.state}")
        elif job.completed_at is not None and job.completed_at > job.deadline_at + _DEADLINE_SLACK_MS:
            verdict.violations.append(
                f"I6: job {job.job_id} ended {job.completed_at - job.deadline_at} ms late"
            )
        if job.failures > evidence.max_failures or job.crashes > evidence.max_crashes:
            verdict.violations.append(f"I9: job {job.job_id} failed without a bound")
        if _has_wrong_end(evidence, job):
            verdict.lost.append(job.job_id)
            verdict.violations.append(f"I1: job {job.job_id} of {job.org_id} ended with {job.error_code}")
    for journey in evidence.journeys:
        if journey.end not in evidence.right_ends:
            verdict.lost.append(journey.job_id or f"{journey.org}/{journey.user}")
            verdict.violations.append(f"I1: {journey.user} ended with: {journey.end} ({journey.job_id})")


def _has_wrong_end(evidence: Evidence, job: Job) -> bool:
    """Judge a job whose client did not wait for it."""
    if job.org_id not in evidence.onlookers or {job.job_id, job.user_id} & set(evidence.struck):
        return False
    return job.state is JobState.FAILED and f"failed {job.error_code}" not in evidence.right_ends


def _one_each(evidence: Evidence, verdict: Verdict) -> None:
    by_user: dict[tuple[str, str], list[Job]] = defaultdict(list)
    for job in evidence.jobs:
        by_user[job.org_id, job.user_id].append(job)
    keys: dict[tuple[str, str], set[str]] = defaultdict(set)
    for journey in evidence.journeys:
        was_refused = journey.job_id is None and journey.end.startswith("refused")
        keys[journey.org, journey.user] |= set() if was_refused else {journey.key}
    for who, jobs in by_user.items():
        spans = sorted((job.created_at, job.completed_at or job.as_of) for job in jobs)
        if any(before[1] > after[0] for before, after in itertools.pairwise(spans)):
            verdict.doubled.append("/".join(who))
            verdict.violations.append(f"I2: two active jobs at once for {who}")
        elif who in keys and len(jobs) > len(keys[who]):
            verdict.doubled.append("/".join(who))
            verdict.violations.append(f"I1: {len(jobs)} jobs for {len(keys[who])} idempotency keys of {who}")


def _lawful(evidence: Evidence, verdict: Verdict, job: Job) -> None:
    events = evidence.histories.get(job.job_id, ())
    faults = list(_faults(events))
    verdict.violations += [f"{fault} (job {job.job_id})" for fault in faults]
    verdict.stale_writes += sum(fault.startswith("I4") for fault in faults)
    claims = [event for event in events if event.why == Transition.CLAIM]
    verdict.wasted_attempts += max(len(claims) - 1, 0)
    back = (Transition.LOSE, Transition.RETRY, Transition.GIVE_BACK)
    verdict.setbacks.update(
        f"{event.why} {event.error_code or ''}".strip() for event in events if event.why in back
    )
    if events and events[-1].to_state != job.state:
        verdict.violations.append(f"I3: job {job.job_id} is {job.state}, its history ends otherwise")
    ends = [event for event in events if event.to_state in TERMINAL]
    if len(ends) > 1:
        verdict.doubled.append(job.job_id)


def _faults(events: Sequence[JobEvent]) -> Iterator[str]:
    """Walk along a history; the chain must be allowed, and written by the attempt that held the job."""
    if not events or (events[0].from_state, events[0].to_state) != (None, JobState.QUEUED):
        yield "I3: the history does not begin with a creation"
        return
    held: tuple[int, str | None] = (0, None)
    tokens: set[str | None] = set()
    for before, event in itertools.pairwise(events):
        if before.to_state in TERMINAL:
            yield f"I3: {event.why} after {before.to_state}"
            continue
        sources, target = TRANSITIONS[Transition(event.why)]
        if before.to_state != event.from_state or event.from_state not in sources or event.to_state != target:
            yield f"I3: {event.from_state} -> {event.to_state} ({event.why}) after {before.to_state}"
        if event.why == Transition.CLAIM:
            if event.attempt != held[0] + 1 or event.token in tokens:
                yield f"I8: attempt {event.attempt} was claimed after {held[0]}, or with a used token"
            held = (event.attempt, event.token)
            tokens.add(event.token)
        elif (event.attempt, event.token) != held:
            yield f"I4: {event.why} by attempt {event.attempt}, which did not hold the job"


def _stored(evidence: Evidence, verdict: Verdict, job: Job) -> None:
    own = {key for key in evidence.objects if key.startswith(f"{job.job_id}/")}
    if job.state is JobState.COMPLETE:
        if job.document is None:
            verdict.violations.append(f"I5: job {job.job_id} is complete without a document")
        elif evidence.objects.get(job.document.key) != job.document.size and not evidence.may_lack_objects:
            verdict.violations.append(f"I5: the document of job {job.job_id} is missing, or has another size")
    winner = job.document.key if job.document else None
    completed = [
        document_key(job.job_id, event.attempt, event.token or "")
        for event in evidence.histories.get(job.job_id, ())
        if event.why == Transition.COMPLETE
    ]
    if winner is not None and completed != [winner]:
        # A row that names another attempt's object was written by that one, whatever the audit tells.
        verdict.stale_writes += 1
        verdict.violations.append(f"I4: job {job.job_id} shows {winner}, completed was {completed}")
    verdict.objects_of_lost_attempts += len(own - {winner})
    known = {
        document_key(job.job_id, event.attempt, event.token or "")
        for event in evidence.histories.get(job.job_id, ())
        if event.why == Transition.CLAIM
    }
    for key in own - known:
        verdict.violations.append(f"I4: an object that no attempt accounts for: {key}")


def _admitted(evidence: Evidence, verdict: Verdict) -> None:
    for org, ceiling in evidence.ceilings.items():
        admitted = sum(job.org_id == org for job in evidence.jobs)
        if admitted > ceiling:
            verdict.late_admits += admitted - ceiling
            verdict.violations.append(f"I12: {admitted} jobs of {org}, {ceiling} are allowed")


def _seen_by_clients(evidence: Evidence, verdict: Verdict) -> None:
    complete = {job.job_id for job in evidence.jobs if job.state is JobState.COMPLETE}
    asked = sorted(evidence.exchanges, key=lambda exchange: exchange.asked)
    verdict.violations += _backwards(seen for seen in asked if (seen.kind, seen.status) == ("status", 200))
    for seen in asked:
        match seen.kind, seen.status:
            case "url", 200:
                verdict.violations += _wrong_url(seen, evidence.revoked_at.get(seen.user or ""))
                if seen.job_id not in complete:
                    verdict.violations.append(f"I11: a URL for job {seen.job_id}, which is not complete")
            case "fetch", 200:
                told = seen.told or {}
                if not told.get("isWhole"):
                    verdict.violations.append(f"I5: other bytes than told for job {seen.job_id}")
                if not told.get("isTheirs"):
                    verdict.foreign_reads += 1
                    verdict.violations.append(f"I10: job {seen.job_id} shows another person, or no PDF")
            case "probe", int(status) if status < 500 and status != 404:
                verdict.foreign_reads += 1
                verdict.violations.append(f"I10: another org's question about {seen.job_id}: {status}")


def _backwards(looks: Iterable[Exchange]) -> Iterator[str]:
    """Compare each look at a job with those that were answered before it was asked."""
    last: dict[str | None, tuple[float, int]] = {}
    for seen in looks:
        rank = _ORDER.index(str((seen.told or {}).get("status")))
        answered, before = last.get(seen.job_id, (0.0, 0))
        has_ended = before >= _ORDER.index("COMPLETE")
        if answered <= seen.asked and (rank < before or (has_ended and rank != before)):
            yield f"I13: the status of job {seen.job_id} went backwards"
        last[seen.job_id] = (seen.answered or seen.asked, rank)


def _wrong_url(seen: Exchange, revoked_at: float | None) -> Iterator[str]:
    lives_s = (seen.told or {}).get("expiresInSeconds")
    if revoked_at is not None and seen.asked > revoked_at:
        yield f"I11: a URL for {seen.user}, whose right was taken away"
    if lives_s != _URL_LIFETIME_S:
        yield f"I11: a URL of {lives_s} s"
