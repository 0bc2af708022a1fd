"""The job store against a simple model, in runs of events that nobody would have thought of.

Time stands still between the steps, so each moment is exact; claims that lost their job long ago go on
writing, and everything that was ever stored is compared after each step.
"""

from dataclasses import dataclass, field
from functools import partial

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import BigInteger, ColumnElement, Engine, bindparam

from sqr_jobs.adapters.sql import Database
from sqr_jobs.adapters.sql.tables import identity, metadata
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.job import Claim
from sqr_jobs.errors import JobAlreadyActive
from tests.contracts.job_store import JobStore, document_of

_START = 1_800_000_000_000
_LEASE, _BACKOFF = 30_000, 2_000
_MAX_FAILURES, _MAX_CRASHES = 5, 3
_ACTIVE = {"QUEUED", "RUNNING", "RETRY_WAIT"}
_USERS = ("U1", "U2", "U3")
_CRASH, _ONCE, _NEVER = "RENDER_CRASHED", "RENDER_TIMEOUT", "RENDER_FAILED"
_CODES = ("REPORT_DATA_UNAVAILABLE", "STORAGE_UNAVAILABLE", _CRASH, _ONCE, _NEVER)


class _StoppedDatabase(Database):
    """A database whose clock stands where the machine puts it."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, timeout_s=10)
        self.instant = _START
        self.now: ColumnElement[int] = bindparam("now", callable_=lambda: self.instant, type_=BigInteger)


@dataclass
class _Modelled:
    """One job, as a page of paper would have it."""

    job_id: str
    user: str
    deadline: int
    available: int
    state: str = "QUEUED"
    attempt: int = 0
    failures: int = 0
    crashes: int = 0
    lease: int = 0
    error: str | None = None
    codes: list[str] = field(default_factory=list)
    story: list[str] = field(default_factory=lambda: ["QUEUED"])

    def is_due(self, now: int) -> bool:
        return self.state in ("QUEUED", "RETRY_WAIT") and self.available <= now < self.deadline

    def become(self, state: str) -> None:
        self.state = state
        self.story.append(state)


class StoreMachine(RuleBasedStateMachine):
    """Creates, claims, writes with claims old and new, reaps, cancels, and lets time pass."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.database = _StoppedDatabase(database.engine)
        with self.database.begin() as connection:
            for table in reversed(metadata.sorted_tables):
                if table is not identity:
                    connection.execute(table.delete())
        self.store = JobStore(self.database)
        self.jobs: dict[str, _Modelled] = {}
        self.claims: list[Claim] = []

    def teardown(self) -> None:
        if self.database.is_sqlite:
            self.database.close()

    @property
    def now(self) -> int:
        return self.database.instant

    def _held(self, claim: Claim) -> _Modelled | None:
        """Give the job if this claim may still write to it."""
        modelled = self.jobs[claim.job.job_id]
        holds = modelled.state == "RUNNING" and modelled.attempt == claim.job.attempt
        return modelled if holds and self.now < modelled.deadline else None

    @rule(user=st.sampled_from(_USERS), lifetime=st.sampled_from([40, 120, 300]))
    def create(self, user: str, lifetime: int) -> None:
        active = next((job for job in self.jobs.values() if job.user == user and job.state in _ACTIVE), None)
        if active is not None and self.now < active.deadline:
            with pytest.raises(JobAlreadyActive) as refused:
                self.store.create(user, lifetime_s=lifetime)
            assert refused.value.job.job_id == active.job_id
            return
        if active is not None:
            self._expire(active)
        job_id = self.store.create(user, lifetime_s=lifetime).job_id
        deadline = self.now + lifetime * 1000
        self.jobs[job_id] = _Modelled(job_id=job_id, user=user, deadline=deadline, available=self.now)

    @rule(named=st.one_of(st.none(), st.integers(0, 9)))
    def claim(self, named: int | None) -> None:
        due = sorted(
            (job for job in self.jobs.values() if job.is_due(self.now)),
            key=lambda job: (job.available, job.job_id),
        )
        wanted = list(self.jobs)[named % len(self.jobs)] if named is not None and self.jobs else None
        expected = next((job for job in due if job.job_id == wanted), due[0] if due else None)
        claim = self.store.execution.claim(wanted)
        assert (claim and claim.job.job_id) == (expected and expected.job_id)
        if claim is None or expected is None:
            return
        expected.attempt += 1
        expected.lease = min(self.now + _LEASE, expected.deadline)
        expected.become("RUNNING")
        assert claim.left_ms == expected.deadline - self.now
        assert claim.token not in {other.token for other in self.claims}
        self.claims.append(claim)

    @precondition(lambda self: self.claims)
    @rule(number=st.integers(0, 50))
    def renew(self, number: int) -> None:
        claim = self.claims[-1 - number % len(self.claims)]
        held = self._held(claim)
        assert self.store.renew(claim) is (held is not None)
        if held is not None:
            held.lease = min(self.now + _LEASE, held.deadline)

    @precondition(lambda self: self.claims)
    @rule(number=st.integers(0, 50))
    def complete(self, number: int) -> None:
        claim = self.claims[-1 - number % len(self.claims)]
        held, modelled = self._held(claim), self.jobs[claim.job.job_id]
        is_repeated = modelled.state == "COMPLETE" and modelled.attempt == claim.job.attempt
        done = self.store.execution.complete(claim, document_of(claim), duration_ms=7)
        assert done is (held is not None or is_repeated)
        if held is not None:
            held.error = None
            held.become("COMPLETE")

    @precondition(lambda self: self.claims)
    @rule(number=st.integers(0, 50), code=st.sampled_from(_CODES))
    def fail(self, number: int, code: str) -> None:
        claim = self.claims[-1 - number % len(self.claims)]
        held = self._held(claim)
        state = self.store.execution.fail(claim, JobErrorCode(code), "a cause")
        if held is None:
            assert state is None
            return
        held.crashes += code == _CRASH
        held.failures += code != _CRASH
        wait = _BACKOFF * 2 ** (held.failures + held.crashes - 1)
        is_over = (
            code == _NEVER
            or (code == _ONCE and code in held.codes)
            or held.failures >= _MAX_FAILURES
            or held.crashes >= _MAX_CRASHES
            or self.now + wait >= held.deadline
        )
        held.codes.append(code)
        held.error = code
        held.become("FAILED" if is_over else "RETRY_WAIT")
        if not is_over:
            held.available = self.now + wait
        assert state == held.state

    @precondition(lambda self: self.claims)
    @rule(number=st.integers(0, 50), delay=st.sampled_from([0, 5_000]))
    def give_back(self, number: int, delay: int) -> None:
        claim = self.claims[-1 - number % len(self.claims)]
        held = self._held(claim)
        assert self.store.execution.give_back(claim, delay_ms=delay) is (held is not None)
        if held is not None:
            held.available = self.now + delay
            held.become("RETRY_WAIT")

    @precondition(lambda self: self.jobs)
    @rule(number=st.integers(0, 50))
    def cancel(self, number: int) -> None:
        modelled = list(self.jobs.values())[number % len(self.jobs)]
        job = self.store.intake.cancel(self.store.read(modelled.job_id))
        if modelled.state in _ACTIVE:
            modelled.error = "CANCELLED"
            modelled.become("CANCELLED")
        assert job.state == modelled.state

    @precondition(lambda self: self.jobs)
    @rule(number=st.integers(0, 50))
    def settle(self, number: int) -> None:
        modelled = list(self.jobs.values())[number % len(self.jobs)]
        job = self.store.read(modelled.job_id)
        if job.is_overdue:
            job = self.store.intake.settle(job)
            self._expire(modelled)
        assert job.state == modelled.state

    @rule()
    def reap(self) -> None:
        overdue = [job for job in self.jobs.values() if job.state in _ACTIVE and job.deadline <= self.now]
        assert self.store.upkeep.reap_deadlines(100) == len(overdue)
        for job in overdue:
            self._expire(job)
        lost = [job for job in self.jobs.values() if job.state == "RUNNING" and job.lease <= self.now]
        assert self.store.upkeep.reap_leases(100) == len(lost)
        for job in lost:
            job.crashes += 1
            job.error = "WORKER_LOST"
            job.codes.append("WORKER_LOST")
            job.become("FAILED" if job.crashes >= _MAX_CRASHES else "RETRY_WAIT")
            if job.state == "RETRY_WAIT":
                job.available = self.now

    @precondition(lambda self: any(job.state == "RUNNING" for job in self.jobs.values()))
    @rule()
    def overtake(self) -> None:
        """Let workers fall silent and others take their jobs: zombies hold the claims of before."""
        self.database.instant += _LEASE
        self.reap()
        self.claim(None)

    @rule(passing=st.sampled_from([1, 1_999, 2_000, 5_000, 29_999, 30_000, 40_000, 120_000]))
    def let_time_pass(self, passing: int) -> None:
        self.database.instant += passing

    def _expire(self, job: _Modelled) -> None:
        job.error = "DEADLINE_EXCEEDED"
        job.become("FAILED")

    @invariant()
    def what_is_stored_is_what_the_model_says(self) -> None:
        for modelled in self.jobs.values():
            job = self.store.read(modelled.job_id)
            assert (job.state, job.attempt, job.failures, job.crashes, job.error_code, job.available_at) == (
                modelled.state,
                modelled.attempt,
                modelled.failures,
                modelled.crashes,
                modelled.error,
                modelled.available,
            )
            assert (job.document is not None) == (modelled.state == "COMPLETE")
            if modelled.state == "RUNNING":
                assert job.lease_until == modelled.lease
            events = self.store.history.history(modelled.job_id)
            assert [event.to_state for event in events] == modelled.story
            assert [event.from_state for event in events] == [None, *modelled.story[:-1]]

    @invariant()
    def the_relay_sees_what_is_due(self) -> None:
        due = {job.job_id for job in self.jobs.values() if job.is_due(self.now)}
        assert self.store.upkeep.count_due() == len(due)
        assert set(self.store.upkeep.due(100)) == due


def test_the_store_does_what_the_model_does(database: Database) -> None:
    """On each database, in runs of fifty steps."""
    runs = settings(max_examples=25, stateful_step_count=50, deadline=None)
    run_state_machine_as_test(partial(StoreMachine, database), settings=runs)
