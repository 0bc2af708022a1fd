"""What follows from a failure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqr_jobs.domain.failures import (
    GiveUp,
    JobErrorCode,
    RetryLater,
    RetryPolicy,
    after_failure,
    after_lost_lease,
)

POLICY = RetryPolicy()
LONG_MS = 3_600_000
CODES = st.sampled_from(list(JobErrorCode))
COUNTS = st.integers(0, 10)
POLICIES = st.builds(
    RetryPolicy,
    max_failures=st.integers(1, 10),
    max_crashes=st.integers(1, 10),
    backoff_ms=st.integers(1, 60_000),
)


def _after(code: JobErrorCode, **changes: object) -> RetryLater | GiveUp:
    usual = {
        "failures": 0,
        "crashes": 0,
        "same_before": 0,
        "left_ms": LONG_MS,
        "policy": POLICY,
        "jitter": 0.0,
    }
    return after_failure(code, **{**usual, **changes})


@pytest.mark.parametrize(
    ("code", "before", "expected"),
    [
        ("REPORT_DATA_UNAVAILABLE", {}, RetryLater(delay_ms=2_000, failures=1, crashes=0)),
        ("REPORT_DATA_UNAVAILABLE", {"failures": 3}, RetryLater(delay_ms=16_000, failures=4, crashes=0)),
        ("REPORT_DATA_UNAVAILABLE", {"failures": 4}, GiveUp(failures=5, crashes=0)),
        ("STORAGE_UNAVAILABLE", {}, RetryLater(delay_ms=2_000, failures=1, crashes=0)),
        ("STORAGE_UNAVAILABLE", {"failures": 4}, GiveUp(failures=5, crashes=0)),
        ("REPORT_DATA_INVALID", {}, GiveUp(failures=1, crashes=0)),
        ("RENDER_FAILED", {}, GiveUp(failures=1, crashes=0)),
        ("OUTPUT_TOO_LARGE", {}, GiveUp(failures=1, crashes=0)),
        ("RENDER_TIMEOUT", {}, RetryLater(delay_ms=2_000, failures=1, crashes=0)),
        ("RENDER_TIMEOUT", {"same_before": 1, "failures": 1}, GiveUp(failures=2, crashes=0)),
        ("RENDER_TIMEOUT", {"failures": 1}, RetryLater(delay_ms=4_000, failures=2, crashes=0)),
        ("OUT_OF_MEMORY", {}, RetryLater(delay_ms=2_000, failures=1, crashes=0)),
        ("OUT_OF_MEMORY", {"same_before": 1, "failures": 1}, GiveUp(failures=2, crashes=0)),
        ("RENDER_CRASHED", {}, RetryLater(delay_ms=2_000, failures=0, crashes=1)),
        ("RENDER_CRASHED", {"crashes": 1}, RetryLater(delay_ms=4_000, failures=0, crashes=2)),
        ("RENDER_CRASHED", {"crashes": 2}, GiveUp(failures=0, crashes=3)),
        ("STORAGE_UNAVAILABLE", {"left_ms": 2_001}, RetryLater(delay_ms=2_000, failures=1, crashes=0)),
        ("STORAGE_UNAVAILABLE", {"left_ms": 2_000}, GiveUp(failures=1, crashes=0)),
        ("STORAGE_UNAVAILABLE", {"left_ms": -1}, GiveUp(failures=1, crashes=0)),
    ],
)
def test_a_failure_is_tried_again_or_not_as_its_code_says(
    code: str, before: dict[str, int], expected: object
) -> None:
    """The contract's table of error codes, line by line."""
    assert _after(JobErrorCode(code), **before) == expected


@pytest.mark.parametrize(
    ("crashes", "expected"),
    [
        (0, RetryLater(delay_ms=0, failures=2, crashes=1)),
        (1, RetryLater(delay_ms=0, failures=2, crashes=2)),
        (2, GiveUp(failures=2, crashes=3)),
        (7, GiveUp(failures=2, crashes=8)),
    ],
)
def test_a_lost_worker_is_tried_again_at_once_until_the_bound(crashes: int, expected: object) -> None:
    """The lease was the wait; a job that kills workers has three."""
    assert after_lost_lease(failures=2, crashes=crashes, policy=POLICY) == expected


@given(
    code=CODES,
    failures=COUNTS,
    crashes=COUNTS,
    same_before=COUNTS,
    left_ms=st.integers(-1_000, LONG_MS),
    policy=POLICIES,
    jitter=st.floats(-1, 1),
)
def test_whatever_failed_the_bounds_hold(
    *,
    code: JobErrorCode,
    failures: int,
    crashes: int,
    same_before: int,
    left_ms: int,
    policy: RetryPolicy,
    jitter: float,
) -> None:
    """I9: one more of one kind is counted, and a retry is within every bound and before the deadline."""
    decision = after_failure(
        code,
        failures=failures,
        crashes=crashes,
        same_before=same_before,
        left_ms=left_ms,
        policy=policy,
        jitter=jitter,
    )
    assert decision.failures + decision.crashes == failures + crashes + 1
    assert decision.failures in (failures, failures + 1)
    if isinstance(decision, RetryLater):
        assert decision.failures < policy.max_failures
        assert decision.crashes < policy.max_crashes
        assert 0 <= decision.delay_ms < left_ms
        middle = policy.backoff_ms * 2 ** (failures + crashes)
        assert 0.8 * middle - 1 <= decision.delay_ms <= 1.2 * middle + 1


@given(policy=POLICIES, jitters=st.lists(st.floats(-1, 1), min_size=25, max_size=25), code=CODES)
def test_a_job_that_always_fails_comes_to_an_end(
    policy: RetryPolicy, jitters: list[float], code: JobErrorCode
) -> None:
    """I9: after so many attempts as the policy allows, whatever the code."""
    failures = crashes = attempts = 0
    for jitter in jitters:
        attempts += 1
        decision = after_failure(
            code,
            failures=failures,
            crashes=crashes,
            same_before=attempts - 1,
            left_ms=10**12,
            policy=policy,
            jitter=jitter,
        )
        failures, crashes = decision.failures, decision.crashes
        if isinstance(decision, GiveUp):
            break
    assert isinstance(decision, GiveUp)
    assert attempts <= max(policy.max_failures, policy.max_crashes)


@given(failures=COUNTS, crashes=COUNTS, policy=POLICIES)
def test_a_lost_worker_is_no_failure(failures: int, crashes: int, policy: RetryPolicy) -> None:
    """A machine that went down says nothing about the report."""
    decision = after_lost_lease(failures=failures, crashes=crashes, policy=policy)
    assert (decision.failures, decision.crashes) == (failures, crashes + 1)
    assert isinstance(decision, GiveUp) == (crashes + 1 >= policy.max_crashes)
