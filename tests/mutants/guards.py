"""The guards that the promises stand on, each with its mutant and the tests that must see it."""

from dataclasses import dataclass

__all__ = ["GUARDS", "Guard"]


@dataclass(frozen=True, kw_only=True)
class Guard:
    """One guard."""

    name: str
    file: str
    """Below the repository's root."""
    code: str
    """What stands there, once."""
    without: str
    """What stands there in the mutant."""
    tests: tuple[str, ...]
    """One of them must fail."""


_STORE, _CLAIMS = "tests/contracts/test_job_endings.py", "tests/contracts/test_job_claims.py"
_UPKEEP_TESTS = "tests/contracts/test_job_upkeep.py"
_RACES = "tests/contracts/test_job_races.py"
_FORKS = "tests/contracts/test_forks.py"
_LAYOUT_GUARD = "tests/contracts/test_layout_guard.py"
_MACHINE = "tests/contracts/test_job_store_machine.py"
_ROWS, _EXECUTION = "sqr_jobs/adapters/sql/rows.py", "sqr_jobs/adapters/sql/execution.py"
_INTAKE, _UPKEEP = "sqr_jobs/adapters/sql/intake.py", "sqr_jobs/adapters/sql/upkeep.py"
_DIALECTS, _SESSIONS_TESTS = "sqr_jobs/adapters/sql/dialects", "tests/contracts/test_database_sessions.py"
_FILE_TESTS, _MIGRATIONS_TESTS = "tests/contracts/test_sqlite_file.py", "tests/contracts/test_migrations.py"
_TOKENS, _TOKENS_TESTS = "sqr_jobs/adapters/jwt_authenticator.py", "tests/contracts/test_authenticator.py"
_CHILD_FORKS, _CHILD_GUARDS = "tests/contracts/test_child_forks.py", "tests/contracts/test_child_guards.py"
_CHILD_START = "tests/contracts/test_child_start.py"
_PRODUCER, _POOL = "sqr_jobs/adapters/child_producer.py", "sqr_jobs/adapters/child_pool.py"
_LIMITS = "sqr_jobs/documents/limits.py"
_S3, _CONNECTION = "sqr_jobs/adapters/s3_documents.py", "sqr_jobs/adapters/s3_connection.py"
_CONNECTION_TESTS = "tests/contracts/test_s3_connection.py"
_FOLDER, _FOLDER_TESTS = "sqr_jobs/adapters/local_documents.py", "tests/contracts/test_local_documents.py"
_SHELTER = "tests/contracts/test_sheltered_documents.py"

GUARDS = (
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
        code="return move(connection, seen, transition, self._ran_out, values=values, code=code)",
        without="return move(connection, seen, transition, values=values, code=code)",
        tests=(_UPKEEP_TESTS, _RACES),
    ),
    Guard(
        name="the relay rings for what waits",
        file="sqr_jobs/maintenance.py",
        code="        missing = min(due - self._queue.waiting(), _BATCH)\n",
        without="        missing = 0\n",
        tests=("tests/unit/test_maintenance.py",),
    ),
    Guard(
        name="the relay rings no more than is missing",
        file="sqr_jobs/maintenance.py",
        code="        missing = min(due - self._queue.waiting(), _BATCH)\n",
        without="        missing = min(due, _BATCH)\n",
        tests=("tests/unit/test_maintenance.py",),
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
        name="user text is escaped",
        file="sqr_jobs/documents/text.py",
        code="return ReportLabParagraph(str(escape(cleaned)).replace",
        without="return ReportLabParagraph(str(cleaned).replace",
        tests=("tests/unit/test_text.py",),
    ),
    Guard(
        name="a job is visible to its own org",
        file=_INTAKE,
        code='job.c.job_id == bindparam("job"), job.c.org_id == bindparam("org"), ',
        without='job.c.job_id == bindparam("job"), ',
        tests=("tests/contracts/test_job_intake.py",),
    ),
    Guard(
        name="the ceiling is counted under the org's lock",
        file=_INTAKE,
        code="        if not self._database.dialect.lock_org(connection, new.org_id):\n",
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
        name="one active job per user, whatever is looked up before",
        file="sqr_jobs/migrations/versions/sqr_jobs_0001_jobs.py",
        code='sa.UniqueConstraint("org_id", "user_id", "active_slot", name',
        without='sa.UniqueConstraint("job_id", "user_id", "active_slot", name',
        tests=(_RACES, "tests/contracts/test_migrations.py"),
    ),
    Guard(
        name="rights are asked for again at each download",
        file="sqr_jobs/report_jobs.py",
        code="""            raise UserNotPermitted("This organisation may not have a report on this user.")
        self._permit(caller, user)
        if job.status""",
        without="""            raise UserNotPermitted("This organisation may not have a report on this user.")
        if job.status""",
        tests=("tests/http/test_download_url.py",),
    ),
    Guard(
        name="scopes are asked for",
        file="sqr_jobs/web/endpoints.py",
        code="        if scope is not None and scope not in caller.scopes:\n",
        without="        if scope is not None and not caller:\n",
        tests=("tests/http/test_authentication.py",),
    ),
    Guard(
        name="a broker that fails is left alone",
        file="sqr_jobs/adapters/dramatiq_queue.py",
        code="            self._breaker.trip()\n            raise\n",
        without="            raise\n",
        tests=("tests/contracts/test_ringing_in_time.py",),
    ),
    Guard(
        name="a job is kept for its time",
        file="sqr_jobs/adapters/sql/retention.py",
        code="job.c.completed_at <= self._before(job_lifetime_ms), ",
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
        name="a forked process has connections of its own",
        file="sqr_jobs/adapters/sql/engine.py",
        code="            mind_forks(self._gate)\n",
        without="",
        tests=(_FORKS,),
    ),
    Guard(
        name="nothing is open in SQLite's file at a fork",
        file="sqr_jobs/adapters/sql/forking.py",
        code="            self._engine.dispose()\n",
        without="            pass\n",
        tests=(_FORKS,),
    ),
    Guard(
        name="a file of SQLite is the one at its path",
        file=f"{_DIALECTS}/sqlite_file.py",
        code="        if now != opened:\n",
        without="        if now.main is None:\n",
        tests=(_FILE_TESTS,),
    ),
    Guard(
        name="a commit into a file of SQLite that went is in doubt",
        file="sqr_jobs/adapters/sql/engine.py",
        code="                self.dialect.confirm(connection)\n",
        without="",
        tests=(_FILE_TESTS,),
    ),
    Guard(
        name="a file of SQLite is not opened with the log of another",
        file=f"{_DIALECTS}/sqlite_file.py",
        code="                raise DatabaseUnavailable(_OTHERS_LOG)\n",
        without="                pass\n",
        tests=(_FILE_TESTS,),
    ),
    Guard(
        name="a commit to SQLite survives a power cut",
        file=f"{_DIALECTS}/sqlite.py",
        code='"synchronous=FULL"',
        without='"synchronous=NORMAL"',
        tests=(_FILE_TESTS,),
    ),
    Guard(
        name="a file of SQLite is its owner's alone",
        file="sqr_jobs/local_paths.py",
        code="os.O_EXCL, 0o600)",
        without="os.O_EXCL, 0o660)",
        tests=(_FILE_TESTS,),
    ),
    Guard(
        name="a session that PostgreSQL no longer serves is dropped",
        file=f"{_DIALECTS}/postgresql.py",
        code="return state in _USELESS_SESSION or state.startswith(_CONNECTION_EXCEPTIONS)",
        without="return state.startswith(_CONNECTION_EXCEPTIONS)",
        tests=(_SESSIONS_TESTS,),
    ),
    Guard(
        name="a session that began read-only is dropped",
        file="sqr_jobs/adapters/sql/sessions.py",
        code="        if not dialect.is_read_only(connection):\n",
        without="        if True:\n",
        tests=(_SESSIONS_TESTS,),
    ),
    Guard(
        name="a connection of ours to PostgreSQL is bound",
        file=f"{_DIALECTS}/postgresql.py",
        code='f" -c idle_in_transaction_session_timeout={2 * timeout_ms} "',
        without='f" "',
        tests=(_SESSIONS_TESTS,),
    ),
    Guard(
        name="a transaction of ours on a host's connection to PostgreSQL is bound",
        file=f"{_DIALECTS}/postgresql.py",
        code="        if timeout_ms is not None:\n",
        without="        if timeout_ms == 0:\n",
        tests=(_SESSIONS_TESTS,),
    ),
    Guard(
        name="a row keeps its type while a column is widened",
        file="sqr_jobs/adapters/sql/strings.py",
        code='    return f"CAST({compiler.process(element.clauses.clauses[0], **options)} AS TEXT)"\n',
        without="    return _as_it_is(element, compiler, **options)\n",
        tests=("tests/contracts/test_expanded_tables.py",),
    ),
    Guard(
        name="a cause that can't be stored does not decide how an attempt ends",
        file=_ROWS,
        code="    except (DBAPIError, UnicodeError):",
        without="    except ZeroDivisionError:",
        tests=("tests/contracts/test_database_encoding.py",),
    ),
    Guard(
        name="migrations on PostgreSQL take turns",
        file=f"{_DIALECTS}/postgresql.py",
        code="        await_turn(lambda: bool(connection.scalar(_TAKE_TURN)))\n",
        without="",
        tests=(_MIGRATIONS_TESTS,),
    ),
    Guard(
        name="a relative path is resolved at the start",
        file="sqr_jobs/settings.py",
        code="        return value and absolute_path(value)\n",
        without="        return value\n",
        tests=("tests/unit/test_wiring.py",),
    ),
    Guard(
        name="a render child is let go by a forked process",
        file="sqr_jobs/adapters/render_child.py",
        code="        mind_forks(self)\n",
        without="",
        tests=(_FORKS,),
    ),
    Guard(
        name="a part of the service is made once",
        file="sqr_jobs/wiring/made_once.py",
        code="        with owner.making:\n",
        without="        if True:\n",
        tests=("tests/unit/test_made_once.py",),
    ),
    Guard(
        name="a claim that a token names twice is nobody's",
        file=_TOKENS,
        code="                _refuse_repeats(parts[1])\n",
        without="",
        tests=(_TOKENS_TESTS,),
    ),
    Guard(
        name="a token for another purpose opens nothing",
        file=_TOKENS,
        code='str(header.get("typ", self._type_unsaid)).lower() not in self._types',
        without="False",
        tests=(_TOKENS_TESTS,),
    ),
    Guard(
        name="the kernel restricts a layout's thread",
        file="sqr_jobs/documents/guard.py",
        code="                self._sandbox.restrict_this_thread()\n",
        without="",
        tests=(_LAYOUT_GUARD,),
    ),
    Guard(
        name="the audit hook refuses a layout what it lists",
        file="sqr_jobs/documents/guard.py",
        code="            case _ if event in _REFUSED:\n",
        without="            case _ if False:\n",
        tests=(_LAYOUT_GUARD,),
    ),
    Guard(
        name="a mistake in load is not tried again",
        file="sqr_jobs/documents/production.py",
        code="is_final=isinstance(error, _MISTAKES)",
        without="is_final=False",
        tests=("tests/unit/test_production.py",),
    ),
    Guard(
        name="characters without a glyph are counted",
        file="sqr_jobs/documents/glyphs.py",
        code="            self._missing.update(coverage.lacking(shown))\n",
        without="            pass\n",
        tests=("tests/contracts/test_document_producer.py",),
    ),
    Guard(
        name="a template is an instance",
        file="sqr_jobs/documents/template.py",
        code="if inspect.isclass(template) and issubclass(template, Template):",
        without="if False:",
        tests=("tests/unit/test_template.py",),
    ),
    Guard(
        name="a child's reply belongs to the order that was asked",
        file=_PRODUCER,
        code='            if reply.get("id") != order_id:\n',
        without="            if False:\n",
        tests=(_CHILD_FORKS,),
    ),
    Guard(
        name="a child's document is the one that it wrote for this job",
        file=_PRODUCER,
        code='if (size, sha256) != (reply["size"], reply.get("sha256")) or not is_named:',
        without="if not size:",
        tests=("tests/contracts/test_child_work_file.py",),
    ),
    Guard(
        name="a child's forked copy holds none of its pipes",
        file="sqr_jobs/documents/wires.py",
        code="        mind_forks(self)\n",
        without="",
        tests=(_CHILD_FORKS,),
    ),
    Guard(
        name="a child's forked copy makes no document",
        file="sqr_jobs/documents/production.py",
        code="        if os.getpid() != own:\n",
        without="        if False:\n",
        tests=(_CHILD_FORKS,),
    ),
    Guard(
        name="a child that sent something unasked gets no order",
        file="sqr_jobs/adapters/render_child.py",
        code="        return not poll.poll(0)\n",
        without="        return True\n",
        tests=(_CHILD_FORKS,),
    ),
    Guard(
        name="a child's orphans end with it",
        file="sqr_jobs/documents/guardian.py",
        code="    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)\n",
        without="",
        tests=(_CHILD_FORKS,),
    ),
    Guard(
        name="a child leaves no core file",
        file="sqr_jobs/documents/guardian.py",
        code="    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n",
        without="",
        tests=(_CHILD_GUARDS,),
    ),
    Guard(
        name="a child imports nothing from the working folder",
        file="sqr_jobs/documents/guardian.py",
        code='COMMAND = ("-P", "-m",',
        without='COMMAND = ("-m",',
        tests=(_CHILD_GUARDS,),
    ),
    Guard(
        name="a child ignores a signal to its whole group",
        file="sqr_jobs/documents/child.py",
        code="        signal.signal(number, signal.SIG_IGN)\n",
        without="        pass\n",
        tests=(_CHILD_GUARDS,),
    ),
    Guard(
        name="a child that is worn is replaced",
        file=_POOL,
        code="if child.is_worn or not child.is_fit():",
        without="if not child.is_fit():",
        tests=(_CHILD_GUARDS,),
    ),
    Guard(
        name="a child's files are bounded",
        file=_LIMITS,
        code="        _set_soft(resource.RLIMIT_FSIZE, self.output_bytes + _SLACK_BYTES)\n",
        without="",
        tests=(_CHILD_GUARDS,),
    ),
    Guard(
        name="a child's time is bounded by the kernel too",
        file=_LIMITS,
        code="        signal.setitimer(signal.ITIMER_REAL, self.seconds)",
        without="        pass",
        tests=(_CHILD_GUARDS,),
    ),
    Guard(
        name="a child's message is bounded",
        file="sqr_jobs/documents/pipes.py",
        code="        if length > MAX_MESSAGE:\n",
        without="        if False:\n",
        tests=("tests/unit/test_pipes.py",),
    ),
    Guard(
        name="a child's start is no part of the attempt's limit",
        file=_PRODUCER,
        code="            lease.begin_rendering()\n",
        without="",
        tests=(_CHILD_START,),
    ),
    Guard(
        name="a child that starts slowly is kept",
        file=_POOL,
        code="                self._keep(child, self._starting)\n",
        without="                child.kill()\n",
        tests=(_CHILD_START,),
    ),
    Guard(
        name="a message for another hour is refused",
        file="sqr_jobs/adapters/honest_message.py",
        code='        and "eta" not in message.options\n',
        without="",
        tests=("tests/unit/test_honest_message.py",),
    ),
    Guard(
        name="an id that no job can have is not looked up",
        file="sqr_jobs/actors.py",
        code=" and len(job_id) <= _JOB_ID",
        without="",
        tests=("tests/unit/test_honest_message.py",),
    ),
    Guard(
        name="a session that Redis refuses is closed",
        file="sqr_jobs/adapters/redis_connections.py",
        code="                self.is_refused = True\n",
        without="",
        tests=("tests/contracts/test_broker_failover.py",),
    ),
    Guard(
        name="an address of Redis lifts no bound",
        file="sqr_jobs/adapters/redis_connections.py",
        code='        "socket_timeout": timeout_s,\n',
        without='        "socket_timeout": options.get("socket_timeout", timeout_s),\n',
        tests=("tests/contracts/test_ringing_in_time.py",),
    ),
    Guard(
        name="replies of Redis are read as bytes",
        file="sqr_jobs/adapters/redis_connections.py",
        code="    if found := [name for name in _CHANGES_REPLIES if name in names]:\n",
        without="    if found := []:\n",
        tests=("tests/unit/test_wiring.py",),
    ),
    Guard(
        name="services on one Redis keep apart",
        file="sqr_jobs/adapters/redis_broker.py",
        code='        return f"sqr_jobs:{self._identity()}"\n',
        without='        return "sqr_jobs:all"\n',
        tests=("tests/contracts/test_shared_redis.py",),
    ),
    Guard(
        name="jobs do not wait for a broker that fails",
        file="sqr_jobs/maintenance.py",
        code="            self._ring_own(self._own, due)\n            raise",
        without="            raise",
        tests=("tests/unit/test_maintenance.py",),
    ),
    Guard(
        name="jobs do not wait for messages that can't be fetched",
        file="sqr_jobs/maintenance.py",
        code="self._own is not None and self._own.is_cut_off",
        without="False",
        tests=("tests/unit/test_maintenance.py",),
    ),
    Guard(
        name="a worker without a broker makes no more attempts than it has threads",
        file="sqr_jobs/adapters/worker_lifecycle.py",
        code="        with self._slots:\n",
        without="        if True:\n",
        tests=("tests/unit/test_own_rings.py",),
    ),
    Guard(
        name="rings of its own find room among a worker's threads",
        file="sqr_jobs/adapters/own_rings.py",
        code=" or self._taken >= self._room",
        without="",
        tests=("tests/unit/test_own_rings.py",),
    ),
    Guard(
        name="a worker that drains is no longer announced",
        file="sqr_jobs/maintenance.py",
        code="                self._at_end()",
        without="                pass",
        tests=("tests/unit/test_maintenance.py",),
    ),
    Guard(
        name="few requests wait for the document store",
        file="sqr_jobs/adapters/sheltered_documents.py",
        code="            while self._running >= _CALLS:\n",
        without="            while False:\n",
        tests=(_SHELTER,),
    ),
    Guard(
        name="a document store that does not answer is left alone",
        file="sqr_jobs/adapters/sheltered_documents.py",
        code="            if failed and self._now() - began > _SLOW_S:\n",
        without="            if False:\n",
        tests=(_SHELTER,),
    ),
    Guard(
        name="after a breaker's time, one call is a probe",
        file="sqr_jobs/adapters/circuit_breaker.py",
        code="            self._probe_at = self._now() + self._open_s\n            return True\n",
        without="            return True\n",
        tests=(_SHELTER,),
    ),
    Guard(
        name="the bucket's checksum is compared",
        file=_S3,
        code="                return bool(kept == _in_base64(sha256))\n",
        without="                return bool(kept)\n",
        tests=("tests/contracts/test_document_store.py",),
    ),
    Guard(
        name="bytes without a checksum are hashed",
        file=_S3,
        code="            return digest == sha256\n",
        without="            return bool(digest)\n",
        tests=("tests/contracts/test_document_store.py",),
    ),
    Guard(
        name="a file's bytes are compared before a link is issued",
        file=_FOLDER,
        code=" or self._digest(self._path(key)) != sha256:\n",
        without=":\n",
        tests=("tests/contracts/test_document_store.py",),
    ),
    Guard(
        name="a link opens the bytes that it was issued for",
        file=_FOLDER,
        code="        if digest and self._digest(path) != digest:\n            raise LinkRefused\n",
        without="",
        tests=(_FOLDER_TESTS,),
    ),
    Guard(
        name="refused credentials are read again",
        file=_CONNECTION,
        code="            if not (_refuses_credentials(error) and self._renew(client)):\n",
        without="            if True:\n",
        tests=(_CONNECTION_TESTS,),
    ),
    Guard(
        name="refused credentials are not read at each request",
        file=_CONNECTION,
        code="            if self._now() - self._renewed_at < _RENEWAL_S:\n",
        without="            if False:\n",
        tests=(_CONNECTION_TESTS,),
    ),
    Guard(
        name="a forgotten connection costs half of a request's time",
        file=_S3,
        code="            self._connection.forget_idle()\n",
        without="",
        tests=(_CONNECTION_TESTS,),
    ),
    Guard(
        name="an upload uses no connection that was idle for long",
        file=_CONNECTION,
        code="        if self._now() - self._fresh_at > _IDLE_S:\n            self.forget_idle()\n",
        without="",
        tests=(_CONNECTION_TESTS,),
    ),
    Guard(
        name="URLs name the bucket's region",
        file=_CONNECTION,
        code='            addressing = "path" if endpoint_url else "virtual"\n',
        without='            addressing = "path" if endpoint_url else "auto"\n',
        tests=(_CONNECTION_TESTS,),
    ),
    Guard(
        name="a stored key has one shape",
        file=_FOLDER,
        code="        if not _KEY.fullmatch(key):\n",
        without="        if not _KEY.match(key):\n",
        tests=(_FOLDER_TESTS,),
    ),
    Guard(
        name="bytes are synced before they are named",
        file=_FOLDER,
        code="                    os.fsync(part.fileno())\n",
        without="",
        tests=(_FOLDER_TESTS,),
    ),
    Guard(
        name="a name is synced before it is relied on",
        file=_FOLDER,
        code="                _keep_names(target.parent, target.parent.parent)\n",
        without="",
        tests=(_FOLDER_TESTS,),
    ),
    Guard(
        name="a URL carries the content type",
        file=_S3,
        code='                    "ResponseContentType": "application/pdf",\n',
        without="",
        tests=("tests/contracts/test_s3_uploads.py",),
    ),
)
