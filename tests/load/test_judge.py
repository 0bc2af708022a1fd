"""What is judged can fail: forged samples, of which each must be caught, and a good series that passes."""

from dataclasses import replace

import pytest

from tests.load.judge import Phase, faults_of, flatness_faults, is_disturbed, thirds
from tests.load.run import Loaded
from tests.load.table import failures, report
from tests.load.visits import Seen
from tests.load.watch import Look, Usage

_MIB = 1 << 20
_LOOKS = 30


def _seen(kind: str, status: int, *, at: float = 0.0, took_s: float = 0.01, late_s: float = 0.0) -> Seen:
    began = at + late_s
    return Seen(kind=kind, scheduled=at, began=began, ended=began + took_s, status=status, told="")


def _looks(
    oldest_s: float = 0.0, *, rise: float = 0.0, memory: float = 0.0, descriptors: float = 0.0
) -> list[Look]:
    """Make looks, each of whose figures grows by so much a second."""
    return [
        Look(
            at=float(at),
            oldest_s=oldest_s + at * rise,
            unfinished=0,
            usages={
                "uvicorn": Usage(
                    memory=round(100 * _MIB + at * memory),
                    descriptors=round(20 + at * descriptors),
                    processes=1,
                )
            },
        )
        for at in range(_LOOKS)
    ]


_POSTS = tuple(_seen("post", 202, at=number / 10) for number in range(100))
_GOOD = Phase(
    factor=0.7,
    rate=10.0,
    began=0.0,
    ended=30.0,
    seen=(*_POSTS, _seen("look", 200), _seen("url", 200)),
    looks=_looks(),
    arrivals=100,
    complete=100,
    drained_s=1.0,
)


def _with(*more: Seen) -> Phase:
    return replace(_GOOD, seen=(*_GOOD.seen, *more))


def _slow(count: int, took_s: float, late_s: float = 0.0) -> Phase:
    slow = (_seen("post", 202, took_s=took_s, late_s=late_s) for _ in range(count))
    return replace(_GOOD, seen=(*_POSTS[count:], *slow))


_FORGED = {
    "a 503": (_with(_seen("look", 503)), "look was answered 503, 1 times"),
    "a 500 to a POST": (replace(_GOOD, seen=(*_POSTS[1:], _seen("post", 500))), "post was answered 500"),
    "a refusal": (replace(_GOOD, seen=(*_POSTS[1:], _seen("post", 429))), "post was answered 429"),
    "no answer": (_with(_seen("url", 0)), "url was answered nothing"),
    "a job that failed": (_with(replace(_seen("look", 200), told="FAILED")), "a job failed, 1 times"),
    "requests that were never made": (replace(_GOOD, seen=_POSTS[1:]), "99 of 100 requests were made"),
    "slow POSTs": (_slow(2, 0.6), "a POST took 600 ms at p99"),
    "POSTs that were asked late": (_slow(2, 0.1, late_s=0.5), "a POST took 600 ms at p99"),
    "an asking side that is late": (_slow(3, 0.1, late_s=0.2), "the asking side itself was 200 ms late"),
    "a backlog that grows": (replace(_GOOD, looks=_looks(rise=0.1)), "the oldest waiting job grew older"),
    "a backlog that stays after the end": (replace(_GOOD, drained_s=None), "it had not drained 60 s"),
    "a backlog that goes too late": (replace(_GOOD, drained_s=61.0), "it had not drained 60 s"),
    "jobs that were lost": (replace(_GOOD, complete=99), "99 of 100 jobs were complete"),
    "a look that failed": (replace(_GOOD, notes=("a look failed: x",)), "a look failed"),
}


def test_a_good_phase_holds() -> None:
    """Else every forged one would be caught for nothing."""
    assert list(faults_of(_GOOD)) == []
    assert list(flatness_faults(_GOOD.looks)) == []


@pytest.mark.parametrize("what", _FORGED)
def test_what_does_not_hold_is_caught(what: str) -> None:
    """By the sentence that names it."""
    phase, sentence = _FORGED[what]
    assert [found for found in faults_of(phase) if found.startswith(sentence)], list(faults_of(phase))


def test_one_slow_post_of_a_hundred_is_within_the_bound() -> None:
    """P99 is the 99th of a hundred."""
    assert list(faults_of(_slow(1, 0.6))) == []


def test_an_old_backlog_that_does_not_grow_is_no_fault() -> None:
    """What is judged is the rise."""
    assert list(faults_of(replace(_GOOD, looks=_looks(5.0)))) == []


@pytest.mark.parametrize(
    ("looks", "sentence"),
    [
        (_looks(memory=0.6 * _MIB), "the memory of uvicorn grew by 9.6 MiB"),
        (_looks(descriptors=0.5), "the descriptors of uvicorn grew by 8"),
    ],
    ids=["memory", "descriptors"],
)
def test_a_leak_is_caught(looks: list[Look], sentence: str) -> None:
    """A process that grows at every job ends some night."""
    assert list(flatness_faults(looks)) == [sentence]


def test_growth_while_warming_up_is_no_leak() -> None:
    """Pools fill and fonts load in the first fifth."""
    looks = _looks()
    cold = [replace(look, usages={"uvicorn": Usage(memory=0, descriptors=1, processes=1)}) for look in looks]
    assert list(flatness_faults([*cold[: _LOOKS // 5], *looks[_LOOKS // 5 :]])) == []


def test_two_looks_are_no_series() -> None:
    """A phase that was hardly watched proves nothing."""
    with pytest.raises(ValueError, match="fewer than three"):
        thirds([1.0, 2.0])


def test_the_knee_is_the_first_rate_that_does_not_hold() -> None:
    """And the page says why."""
    broken = replace(_GOOD, factor=1.1, drained_s=None)
    loaded = Loaded(capacity=14.0, steady=_GOOD, steps=(replace(_GOOD, factor=1.0), broken))
    assert loaded.knee is broken
    assert "The knee: at 1.1 of the capacity: it had not drained 60 s after the end." in report(loaded)
    assert failures(loaded) == []


def test_a_rate_that_breaks_while_others_keep_the_machine_busy_says_so() -> None:
    """It says nothing about us, and is made anew."""
    broken = replace(_GOOD, factor=0.8, drained_s=None)
    assert not is_disturbed(broken)
    disturbed = replace(broken, others_cores=0.9)
    assert is_disturbed(disturbed)
    assert not is_disturbed(replace(_GOOD, others_cores=0.9))
    told = report(Loaded(capacity=14.0, steady=_GOOD, steps=(disturbed,)))
    assert "other programs kept 0.90 cores busy meanwhile" in told


def test_a_run_without_a_knee_says_how_far_it_went() -> None:
    """An unknown is not a promise."""
    loaded = Loaded(capacity=14.0, steady=_GOOD, steps=(replace(_GOOD, factor=1.5),))
    assert "The knee: nowhere; the highest rate tried was 1.5." in report(loaded)


def test_a_steady_load_that_breaks_fails_the_run() -> None:
    """Nothing is written then."""
    leaking = replace(_GOOD, looks=_looks(memory=_MIB), drained_s=None)
    found = failures(Loaded(capacity=14.0, steady=leaking, steps=()))
    assert [sentence[:10] for sentence in found] == ["it had not", "the memory"]
