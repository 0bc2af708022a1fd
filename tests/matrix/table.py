"""From outcomes to the table, and into the page."""

from collections import Counter
from collections.abc import Iterable, Sequence

from tests.bench.figures import percentile
from tests.matrix.outcome import Outcome

__all__ = ["failures", "summary", "table"]

_HEAD = ("Fault", "Phase", "n", "Jobs", "Without", "Lost", "Doubled", "Loss ≤", "per n", "p50", "p95", "max")
_POST_S = 0.5


def table(outcomes: Sequence[Outcome]) -> str:
    """Write a line for each cell, and one for all."""
    lines = [_HEAD, tuple("---" for _ in _HEAD)]
    cells = list(dict.fromkeys(outcome.cell.name for outcome in outcomes))
    for name in cells:
        of_cell = [outcome for outcome in outcomes if outcome.cell.name == name]
        lines.append(_line(of_cell[0].cell.fault, of_cell[0].cell.phase, of_cell))
    lines.append(_line("**all**", "", outcomes))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def summary(outcomes: Sequence[Outcome], *, fenced_off: int) -> str:
    """Tell what is no cell's own: attempts, objects, and the promised bounds."""
    verdicts = [outcome.verdict for outcome in outcomes]
    setbacks: Counter[str] = sum((verdict.setbacks for verdict in verdicts), Counter())
    shown = ", ".join(f"{name} {number}" for name, number in setbacks.most_common())
    gone = [outcome.children_gone_s for outcome in outcomes if outcome.children_gone_s is not None]
    posts = _posts(outcomes)
    stale = sum(verdict.stale_writes for verdict in verdicts)
    late = sum(verdict.late_admits for verdict in verdicts)
    foreign = sum(verdict.foreign_reads for verdict in verdicts)
    wasted = sum(verdict.wasted_attempts for verdict in verdicts)
    lines = [
        f"{len(outcomes)} injections; {sum(verdict.accepted for verdict in verdicts)} jobs were accepted.",
        f"Stale writes: {stale}; {fenced_off} were tried and fenced off.",
        f"Late admits: {late}; cross-org reads: {foreign}.",
        f"Attempts beyond a job's first: {wasted}; what came before them: {shown or 'nothing'}.",
        f"Objects that lost attempts left: {sum(verdict.objects_of_lost_attempts for verdict in verdicts)}.",
    ]
    if gone:
        lines.append(
            f"Render children of {len(gone)} killed workers were seen for {max(gone):.2f} s at most "
            "(I14: 2 s)."
        )
    overran = [outcome.overran_s for outcome in outcomes if outcome.overran_s is not None]
    if overran:
        lines.append(
            f"{len(overran)} children that hung were seen for {max(overran):.2f} s at most after their "
            "attempt's limit (I14: 2 s)."
        )
    if posts:
        lines.append(
            f"A POST during a fault of the broker took {percentile(posts, 0.99) * 1000:.0f} ms at p99 of "
            f"{len(posts)} (I16: {_POST_S * 1000:.0f} ms); while neither broker, database nor web server was "
            f"touched, on the same busy machine, {_shown_ms(_posts_of_calm(outcomes))}."
        )
    return "\n".join(f"- {line}" for line in lines)


def failures(outcomes: Sequence[Outcome]) -> list[str]:
    """Name every broken promise, and every injection that proves nothing."""
    found = []
    for outcome in outcomes:
        name = outcome.cell.name
        found += [f"{name}: {violation}" for violation in outcome.verdict.violations]
        if not outcome.has_struck:
            found.append(f"{name}: the fault did not strike")
        elif not outcome.is_telling:
            found.append(f"{name}: only {outcome.exposed} jobs were exposed")
    posts = _posts(outcomes)
    if posts and percentile(posts, 0.99) > max(_POST_S, percentile(_posts_of_calm(outcomes) or [0.0], 0.99)):
        found.append(f"I16: a POST during a fault of the broker took {percentile(posts, 0.99):.2f} s at p99")
    return found


def _line(fault: str, phase: str, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    jobs = sum(outcome.exposed for outcome in outcomes)
    without = sum(outcome.without_document for outcome in outcomes)
    lost = sum(len(set(outcome.verdict.lost)) for outcome in outcomes)
    doubled = sum(len(set(outcome.verdict.doubled)) for outcome in outcomes)
    recovery = [outcome.recovery_s for outcome in outcomes]
    return (
        fault,
        phase,
        str(len(outcomes)),
        str(jobs),
        str(without),
        str(lost),
        str(doubled),
        _bound(jobs - without) if not lost else "unknown",
        _bound(len(outcomes)) if not lost else "unknown",
        *(f"{percentile(recovery, share):.1f}" for share in (0.5, 0.95, 1.0)),
    )


def _bound(tries: int) -> str:
    """Bound the probability of a loss with 95 % confidence when none was seen: the rule of three."""
    return f"{float(f'{min(3 / tries, 1) * 100:.2g}'):g} %" if tries else "unknown"


def _shown_ms(posts: Sequence[float]) -> str:
    return f"{percentile(posts, 0.99) * 1000:.0f} ms of {len(posts)}" if posts else "none were made"


def _posts_of_calm(outcomes: Iterable[Outcome]) -> list[float]:
    return [took for outcome in outcomes if outcome.cell.is_calm for took in outcome.posts_s]


def _posts(outcomes: Iterable[Outcome]) -> list[float]:
    return [took for outcome in outcomes if outcome.cell.is_of_broker for took in outcome.posts_s]
