"""From a soak's result to the page's text."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sqr_jobs.domain.states import Transition
from tests.bench.figures import percentile
from tests.matrix.history import Exchange, Journey
from tests.soak.faults import Fault
from tests.soak.kinds import Kind, kind_of
from tests.soak.run import Result

if TYPE_CHECKING:
    from sqr_jobs import Job

__all__ = ["report"]

_KINDS_HEAD = ("Kind", "Jobs", "Ends", "Attempts", "p50", "p95", "max")
_FAULTS_HEAD = ("Fault", "Struck", "Clients under way", "Recovery p50", "max")
_ANSWERED_503 = ("database", "sessions", "store")
"""What the faults are called of which 503 tells."""
_AFTER_S = 5.0
"""For how long after such a fault a request may still be answered so."""
_HEALTHY = (Kind.SHORT, Kind.HEAVY)


def report(result: Result) -> str:
    """Write what the run was, what was seen, and two tables."""
    return "\n\n".join((_told(result), _summary(result), _kinds(result), _faults(result)))


def _told(result: Result) -> str:
    plan, manners = result.plan, Counter(errand.manner for errand in result.plan.errands)
    shown = "; ".join(f"{manner.value} {number}" for manner, number in manners.most_common())
    return (
        f"Seed {plan.seed}, {plan.jobs} jobs and {manners.total() - plan.jobs} requests of orgs with a small "
        f"ceiling. How clients went about it: {shown}."
    )


def _summary(result: Result) -> str:
    soaked, verdict = result.soaked, result.verdict
    exchanges, jobs = soaked.evidence.exchanges, soaked.evidence.jobs
    setbacks = ", ".join(f"{name} {number}" for name, number in verdict.setbacks.most_common())
    refusals = Counter(
        journey.end for journey in soaked.evidence.journeys if journey.end.startswith("refused")
    )
    gone = [fault.children_gone_s for fault in soaked.faults if fault.children_gone_s is not None]
    lost = len(set(verdict.lost))
    bound = f"; lost ≤ {3 / len(jobs) * 100:.2g} % with 95 % confidence (3/n)" if jobs and not lost else ""
    answered = (
        f"answered 5xx: {_counted(exchanges, soaked.faults)}; not answered at all: {_unanswered(exchanges)}"
    )
    in_fault, otherwise = (
        _posts(exchanges, soaked.faults, is_broker=is_broker) for is_broker in (True, False)
    )
    foreign = f"cross-org reads: {verdict.foreign_reads}"
    lines = [
        f"{len(jobs)} jobs were accepted: lost {lost}, doubled {len(set(verdict.doubled))}{bound}.",
        f"Stale writes: {verdict.stale_writes}; late admits: {verdict.late_admits}; {foreign}.",
        f"{soaked.compared} answers about other orgs' jobs were byte for byte those about no job.",
        f"Refused, as they should: {', '.join(f'{end[8:]} {number}' for end, number in refusals.items())}.",
        f"Attempts beyond a job's first: {verdict.wasted_attempts}; what came before them: {setbacks}.",
        f"Objects that lost attempts left: {verdict.objects_of_lost_attempts}.",
        f"{len(exchanges)} questions of clients; {answered}.",
        f"A POST took {in_fault} while the broker was at fault, and {otherwise} otherwise.",
    ]
    if gone:
        lines.append(
            f"Render children of {len(gone)} killed workers were seen for at most {max(gone):.2f} s "
            "afterwards (I14: 2 s)."
        )
    return "\n".join(f"- {line}" for line in lines)


def _kinds(result: Result) -> str:
    by_kind: dict[Kind, list[Job]] = defaultdict(list)
    for job in result.soaked.evidence.jobs:
        by_kind[kind_of(job.user_id)].append(job)
    histories = result.soaked.evidence.histories
    rows = []
    for kind in Kind:
        jobs = by_kind[kind]
        took_s = [(job.completed_at - job.created_at) / 1000 for job in jobs if job.completed_at]
        ends = Counter(str(job.error_code or job.state) for job in jobs)
        attempts = sum(event.why == Transition.CLAIM for job in jobs for event in histories[job.job_id])
        rows.append(
            (
                kind.name.lower().replace("_", " "),
                str(len(jobs)),
                ", ".join(f"{end} {number}" for end, number in ends.most_common()),
                str(attempts),
                *_percentiles(took_s),
            )
        )
    return _table(_KINDS_HEAD, rows)


def _faults(result: Result) -> str:
    journeys = result.soaked.evidence.journeys
    by_name: dict[str, list[Fault]] = defaultdict(list)
    for fault in result.soaked.faults:
        by_name[fault.name].append(fault)
    rows = []
    for name, faults in [*sorted(by_name.items()), ("**all**", list(result.soaked.faults))]:
        struck = [fault for fault in faults if fault.has_struck]
        missed = len(faults) - len(struck)
        recovery = [_recovery_s(fault, journeys) for fault in struck]
        rows.append(
            (
                name,
                f"{len(struck)}{f' ({missed} struck nothing)' if missed else ''}",
                str(sum(len(_under_way(fault, journeys)) for fault in struck)),
                *((f"{percentile(recovery, 0.5):.1f}", f"{max(recovery):.1f}") if recovery else ("", "")),
            )
        )
    return _table(_FAULTS_HEAD, rows)


def _under_way(fault: Fault, journeys: Iterable[Journey]) -> list[Journey]:
    return [journey for journey in journeys if journey.began < fault.began < journey.ended]


def _recovery_s(fault: Fault, journeys: Iterable[Journey]) -> float:
    """From the fault's end until the last healthy job that was under way had its document."""
    healthy = [journey for journey in _under_way(fault, journeys) if kind_of(journey.user) in _HEALTHY]
    return max((max(journey.ended - fault.ended, 0) for journey in healthy), default=0.0)


def _posts(exchanges: Iterable[Exchange], faults: Iterable[Fault], *, is_broker: bool) -> str:
    spans = [(fault.began, fault.ended) for fault in faults if fault.is_of_broker]
    took_s = [
        seen.took_s
        for seen in exchanges
        if seen.kind == "create"
        and seen.answered is not None
        and is_broker == any(begin < seen.answered and seen.asked < end for begin, end in spans)
    ]
    if not took_s:
        return "no time (there was none)"
    return (
        f"{percentile(took_s, 0.5) * 1000:.0f} ms at p50 and {percentile(took_s, 0.99) * 1000:.0f} ms at p99 "
        f"of {len(took_s)}"
    )


def _counted(exchanges: Iterable[Exchange], faults: Iterable[Fault]) -> str:
    """Count by status and question, and those that no fault of the database or the store explains."""
    spans = [
        (fault.began, fault.ended + _AFTER_S) for fault in faults if fault.name.startswith(_ANSWERED_503)
    ]
    found = [seen for seen in exchanges if seen.status is not None and seen.status >= 500]
    by_kind = Counter(f"{seen.status} to {seen.kind}" for seen in found)
    elsewhere = [
        seen
        for seen in found
        if not any(begin < (seen.answered or 0) and seen.asked < end for begin, end in spans)
    ]
    shown = ", ".join(f"{what} {number}" for what, number in by_kind.most_common()) or "none"
    if not elsewhere:
        return shown
    told = "; ".join(_circumstances(seen, faults) for seen in elsewhere)
    return f"{shown}, {len(elsewhere)} of them when neither database nor store was at fault ({told})"


def _circumstances(seen: Exchange, faults: Iterable[Fault]) -> str:
    """Tell what was answered, and which fault came last before it."""
    code = (seen.told or {}).get("code", "no code")
    before = [fault for fault in faults if fault.began < (seen.answered or seen.asked)]
    last = max(before, key=lambda fault: fault.began, default=None)
    when = f"{seen.asked - last.began:.1f} s after {last.name} began" if last else "before any fault"
    return f"{code} to {seen.kind} in {seen.took_s:.1f} s, asked {when}"


def _unanswered(exchanges: Iterable[Exchange]) -> int:
    """Count questions without an answer, but the dropped ones, which ask for none."""
    return sum(seen.status is None and seen.kind != "dropped" for seen in exchanges)


def _percentiles(took_s: Sequence[float]) -> tuple[str, str, str]:
    if not took_s:
        return ("", "", "")
    p50, p95, most = (percentile(took_s, share) for share in (0.5, 0.95, 1.0))
    return (f"{p50:.2f}", f"{p95:.2f}", f"{most:.1f}")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
