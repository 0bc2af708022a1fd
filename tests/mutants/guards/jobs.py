"""The guards of jobs, their claims and their rows."""

from tests.mutants.guards.guard import Guard

__all__ = ["JOBS"]

_STORE = "tests/contracts/test_job_endings.py"
_CLAIMS = "tests/contracts/test_job_claims.py"
_UPKEEP_TESTS = "tests/contracts/test_job_upkeep.py"
_RACES = "tests/contracts/test_job_races.py"
_MACHINE = "tests/contracts/test_job_store_machine.py"
_ROWS = "sqr_jobs/adapters/sql/rows.py"
_EXECUTION = "sqr_jobs/adapters/sql/execution.py"
_INTAKE = "sqr_jobs/adapters/sql/intake.py"
_UPKEEP = "sqr_jobs/adapters/sql/upkeep.py"

JOBS = (
    Guard(
        name="a transition leaves only the states that it may leave",
        file=_ROWS,
        code="    if seen.state not in sources:\n        return False\n",
        without="",
        tests=(_STORE,),
    ),
    Guard(
        name="a write looks at the state",
        file=_EXECUTION,
        code="            job.c.state == JobState.RUNNING,\n            job.c.attempt ==",
        without="            job.c.attempt ==",
        tests=(_STORE, _MACHINE),
    ),
    Guard(
        name="a write looks at the token",
        file=_EXECUTION,
        code='            job.c.lease_token == bindparam("held_token"),\n',
        without="",
        tests=(_STORE, _CLAIMS),
    ),
    Guard(
        name="a write looks at the attempt",
        file=_EXECUTION,
        code='            job.c.attempt == bindparam("held_attempt"),\n',
        without="",
        tests=(_STORE, _CLAIMS),
    ),
    Guard(
        name="a renewal is fenced",
        file=_EXECUTION,
        code='            attempts.in_(bindparam("held", expanding=True)),\n',
        without="",
        tests=(_MACHINE, _CLAIMS),
    ),
    Guard(
        name="nothing is completed after the deadline",
        file=_EXECUTION,
        code="self._in_time = job.c.deadline_at > database.now",
        without="self._in_time = job.c.deadline_at > 0",
        tests=(_STORE, _MACHINE),
    ),
    Guard(
        name="each claim is a new attempt",
        file=_EXECUTION,
        code="attempt=seen.attempt + 1,",
        without="attempt=max(seen.attempt, 1),",
        tests=(_MACHINE,),
    ),
    Guard(
        name="each attempt has a key of its own",
        file="sqr_jobs/domain/job.py",
        code='return f"{job_id}/{attempt}-{token}.pdf"',
        without='return f"{job_id}/document.pdf"',
        tests=(_CLAIMS, _STORE, "tests/unit/test_processing.py"),
    ),
    Guard(
        name="the compare-and-swap is over what was seen",
        file=_ROWS,
        code="""            job.c.state == bindparam("seen_state"),
            job.c.attempt == bindparam("seen_attempt"),
            job.c.lease_token.is_not_distinct_from(bindparam("seen_token", type_=job.c.lease_token.type)),
            *guards,""",
        without="            *guards,",
        tests=(_UPKEEP_TESTS, _RACES),
    ),
    Guard(
        name="the reaper looks again whether the lease is still out",
        file=_UPKEEP,
        code="return move(connection, seen, transition, self._ran_out, values",
        without="return move(connection, seen, transition, values",
        tests=(_UPKEEP_TESTS, _RACES),
    ),
    Guard(
        name="failures are bounded",
        file="sqr_jobs/domain/failures.py",
        code="        or failures >= policy.max_failures\n",
        without="",
        tests=("tests/unit/test_failures.py",),
    ),
    Guard(
        name="crashes of a worker are bounded",
        file="sqr_jobs/domain/failures.py",
        code="    if crashes + 1 >= policy.max_crashes:\n",
        without="    if policy is None:\n",
        tests=("tests/unit/test_failures.py",),
    ),
    Guard(
        name="a job is visible to its own org",
        file=_INTAKE,
        code='job.c.job_id == bindparam("job"), of_org, ',
        without='job.c.job_id == bindparam("job"), ',
        tests=("tests/contracts/test_job_intake.py",),
    ),
    Guard(
        name="the ceiling is counted under the org's lock",
        file=_INTAKE,
        code="        if not self._database.dialect.lock_org(connection, self._service, new.org_id):\n",
        without="        if not new.org_id:\n",
        tests=(_RACES,),
    ),
    Guard(
        name="no more than the ceiling is accepted",
        file=_INTAKE,
        code='        if seen["accepted"] >= ceiling.requests:\n',
        without='        if seen["accepted"] > ceiling.requests:\n',
        tests=("tests/contracts/test_job_intake.py",),
    ),
    Guard(
        name="a job is kept for its time",
        file="sqr_jobs/adapters/sql/retention.py",
        code="                job.c.completed_at <= self._before(job_lifetime_ms),\n",
        without="",
        tests=("tests/contracts/test_job_retention.py",),
    ),
    Guard(
        name="a row that somebody locks holds up no other",
        file=_UPKEEP,
        code='if connection.execute(self._free, {"job": row.job_id}).first() is not None:',
        without="if True:",
        tests=(_UPKEEP_TESTS,),
    ),
    Guard(
        name="what can't be deleted is put off",
        file="sqr_jobs/adapters/sql/retention.py",
        code="values(collect_at=database.now)",
        without="values(collect_at=job.c.collect_at)",
        tests=("tests/contracts/test_job_retention.py",),
    ),
    Guard(
        name="rows from the future count as now",
        file="sqr_jobs/adapters/sql/rewind.py",
        code="        if ahead_ms > 0:\n",
        without="        if ahead_ms > row.now:\n",
        tests=("tests/contracts/test_clock_setback.py",),
    ),
    Guard(
        name="a lease from the future is cut",
        file="sqr_jobs/adapters/sql/rewind.py",
        code="        if row.lease_until > longest:\n",
        without="        if row.lease_until > 2 * longest:\n",
        tests=("tests/contracts/test_clock_setback.py",),
    ),
    Guard(
        name="a service sees its own jobs",
        file=_INTAKE,
        code='of_org = (job.c.service == service) & (job.c.org_id == bindparam("org"))',
        without='of_org = job.c.org_id == bindparam("org")',
        tests=("tests/contracts/test_job_services.py",),
    ),
    Guard(
        name="a service's workers claim its own jobs",
        file=_ROWS,
        code="        & (job.c.service == service)\n",
        without="",
        tests=("tests/contracts/test_job_services.py",),
    ),
    Guard(
        name="a service deletes its own documents",
        file="sqr_jobs/adapters/sql/retention.py",
        code="job.c.collect_at <= self._before(grace_ms), job.c.service == service",
        without="job.c.collect_at <= self._before(grace_ms)",
        tests=("tests/contracts/test_job_services.py",),
    ),
    Guard(
        name="releasing a reservation deletes that of its holder",
        file="sqr_jobs/adapters/sql/idempotency.py",
        code="""                    idempotency.c.token == reservation.token,
                    idempotency.c.job_id.is_(None),
""",
        without="                    idempotency.c.job_id.is_(None),\n",
        tests=("tests/contracts/test_job_idempotency.py",),
    ),
    Guard(
        name="releasing a reservation deletes no record",
        file="sqr_jobs/adapters/sql/idempotency.py",
        code="                    idempotency.c.job_id.is_(None),\n",
        without="",
        tests=("tests/contracts/test_job_idempotency.py",),
    ),
    Guard(
        name="a worker claims only what it has the template of",
        file=_EXECUTION,
        code="is_due(database.now, service), is_of(templates))",
        without="is_due(database.now, service))",
        tests=("tests/contracts/test_job_templates.py",),
    ),
)
