"""What every job store promises to an attempt's beginning: one job, one claim, one lease."""

from dataclasses import replace

import pytest

from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.states import JobState
from tests.contracts.job_store import LEASE_S, JobStore
from tests.databases import SERVERS


def test_a_claim_makes_the_job_run_under_a_token_and_a_lease(store: JobStore) -> None:
    """I4: attempt and token are what every later write must show."""
    created = store.create()
    claim = store.claim(created.job_id)
    stored = store.read(created.job_id)
    assert (stored.state, stored.attempt, stored.lease_token) == (JobState.RUNNING, 1, claim.token)
    assert stored.lease_until == stored.updated_at + LEASE_S * 1000
    assert len(claim.token) == 32
    assert 290_000 < claim.left_ms <= 300_000
    assert {**vars(claim.job), "as_of": 0} == {**vars(stored), "as_of": 0}


def test_a_claim_is_one_line_of_the_history_with_attempt_and_token(store: JobStore) -> None:
    """I8: the checker counts the claims of each attempt there."""
    claim = store.claimed()
    event = store.history.history(claim.job.job_id)[-1]
    assert (event.why, event.from_state, event.to_state) == ("claim", JobState.QUEUED, JobState.RUNNING)
    assert (event.attempt, event.token) == (1, claim.token)


def test_each_attempt_has_a_number_a_token_and_a_document_key_of_its_own(store: JobStore) -> None:
    """I4: an attempt that is late can't overwrite the document of the one that owns the job."""
    job = store.create()
    claims = []
    for _ in range(4):
        claims.append(store.claim(job.job_id))
        store.execution.give_back(claims[-1], delay_ms=0)
    assert [claim.job.attempt for claim in claims] == [1, 2, 3, 4]
    assert len({claim.token for claim in claims}) == len({claim.document_key for claim in claims}) == 4


def test_nothing_is_claimed_where_nothing_is_due(store: JobStore) -> None:
    """A message for a job that is taken is dropped, not an error."""
    assert store.execution.claim(None) is None
    assert store.execution.claim("no such job") is None
    claim = store.claimed()
    assert store.execution.claim(None) is None
    assert store.execution.claim(claim.job.job_id) is None


def test_the_job_named_is_claimed_though_an_older_one_is_due(store: JobStore) -> None:
    """A doorbell brings its own job where that is possible."""
    store.create("U1")
    store.move_clock(1)
    second = store.create("U2")
    assert store.claim(second.job_id).job.job_id == second.job_id


def test_the_oldest_due_job_is_claimed_when_the_one_named_is_taken(store: JobStore) -> None:
    """Any doorbell serves any job, so a lost message costs nothing."""
    jobs = []
    for number in range(3):
        jobs.append(store.create(f"U{number}").job_id)
        store.move_clock(1)
    assert store.claim(jobs[2]).job.job_id == jobs[2]
    assert [store.claim(jobs[2]).job.job_id, store.claim("unknown").job.job_id] == jobs[:2]


def test_jobs_are_claimed_in_the_order_in_which_they_became_due(store: JobStore) -> None:
    """One that waited for a retry takes its place by that moment, not by its age."""
    first = store.claimed("U1")
    store.execution.give_back(first, delay_ms=10_000)
    store.move_clock(5)
    second = store.create("U2")
    store.move_clock(6)
    third = store.create("U3")
    due = [second.job_id, first.job.job_id, third.job_id]
    assert [store.claim().job.job_id for _ in range(3)] == due


def test_a_waiting_job_is_not_claimed_before_its_time(store: JobStore) -> None:
    """The wait between attempts is what lets a broken dependency recover."""
    claim = store.claimed()
    store.execution.give_back(claim, delay_ms=10_000)
    store.move_clock(5)
    assert store.execution.claim(claim.job.job_id) is None
    assert store.execution.claim(None) is None
    store.move_clock(5)
    assert store.claim().job.attempt == 2


def test_a_job_past_its_deadline_is_not_claimed(store: JobStore) -> None:
    """I6: its end is DEADLINE_EXCEEDED already, though nobody has written it."""
    job = store.create(lifetime_s=300)
    store.move_clock_to_deadline(job.job_id)
    assert store.execution.claim(job.job_id) is None
    assert store.execution.claim(None) is None
    assert store.read(job.job_id).state is JobState.QUEUED


def test_a_job_that_ended_is_not_claimed(store: JobStore) -> None:
    """I3: nothing comes after the end."""
    claim = store.claimed()
    store.finish(claim)
    failed = store.claimed("U2")
    store.execution.fail(failed, JobErrorCode.RENDER_FAILED, "")
    store.move_clock(60)
    assert store.execution.claim(claim.job.job_id) is None
    assert store.execution.claim(failed.job.job_id) is None


def test_a_lease_never_reaches_past_the_deadline(store: JobStore) -> None:
    """I6: a worker that dies in a job's last seconds holds up its end by nothing."""
    claim = store.claimed(lifetime_s=20)
    stored = store.read(claim.job.job_id)
    assert stored.lease_until == stored.deadline_at
    store.move_clock(5)
    assert store.renew(claim)
    assert store.read(claim.job.job_id).lease_until == stored.deadline_at


def test_a_renewal_moves_the_lease_and_writes_no_history(store: JobStore) -> None:
    """Heartbeats are no transitions: a history full of them tells nothing."""
    claim = store.claimed()
    before = store.read(claim.job.job_id).lease_until
    store.move_clock(20)
    assert store.renew(claim)
    after = store.read(claim.job.job_id).lease_until
    assert before is not None
    assert after is not None
    assert 20_000 <= after - before < 25_000
    assert store.story(claim.job.job_id) == ["create", "claim"]


def test_a_renewed_lease_keeps_the_reaper_away(store: JobStore) -> None:
    """A long report is no dead worker."""
    claim = store.claimed()
    for _ in range(5):
        store.move_clock(20)
        assert store.renew(claim)
        assert store.upkeep.reap_leases(100) == 0
    store.finish(claim)


def test_a_renewal_is_refused_to_whoever_does_not_hold_the_lease(store: JobStore) -> None:
    """I4: state, token and attempt must all be the claim's own."""
    claim = store.claimed()
    before = store.rows()
    for stranger in (
        replace(claim, token="0" * 32),
        replace(claim, job=replace(claim.job, attempt=2)),
        replace(claim, job=replace(claim.job, job_id="another")),
    ):
        assert store.renew(stranger) is False
    assert store.rows() == before


def test_leases_that_are_renewed_together_are_each_judged_by_their_own_claim(store: JobStore) -> None:
    """A process renews all that it holds at once; one job that was taken from it ends one attempt."""
    claims = [store.claimed(f"U{number}") for number in range(4)]
    store.finish(claims[1])
    taken = replace(claims[2], token=claims[3].token)
    before = store.read(claims[2].job.job_id).lease_until
    store.move_clock(10)
    renewal = store.execution.renew([claims[0], claims[1], taken])
    assert renewal.extended == {claims[0].token}
    assert renewal.lost == {claims[1].token, taken.token}
    assert store.read(claims[2].job.job_id).lease_until == before
    assert store.execution.renew([claims[0], claims[2], claims[3]]).lost == frozenset()


@pytest.mark.parametrize("database", SERVERS, indirect=True)
def test_a_lease_whose_row_somebody_locks_is_neither_extended_nor_lost(store: JobStore) -> None:
    """And the others are extended meanwhile: whoever looks at one job by hand ends no attempt."""
    claims = [store.claimed(f"U{number}") for number in range(3)]
    with store.locked(claims[0]):
        renewal = store.execution.renew(claims)
        assert renewal.extended == {claim.token for claim in claims[1:]}
        assert renewal.lost == frozenset()
    assert store.execution.renew(claims).extended == {claim.token for claim in claims}


def test_a_renewal_is_refused_from_the_deadline_on(store: JobStore) -> None:
    """I6: the attempt must stop, whatever it has in hand."""
    claim = store.claimed(lifetime_s=300)
    store.move_clock_to_deadline(claim.job.job_id)
    before = store.rows()
    assert store.renew(claim) is False
    assert store.rows() == before
