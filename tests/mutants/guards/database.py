"""The guards of sessions, migrations and the SQLite file."""

from tests.mutants.guards.guard import Guard

__all__ = ["DATABASE"]

_RACES = "tests/contracts/test_job_races.py"
_FORKS = "tests/contracts/test_forks.py"
_DIALECTS = "sqr_jobs/adapters/sql/dialects"
_SESSIONS_TESTS = "tests/contracts/test_database_sessions.py"
_FILE_TESTS = "tests/contracts/test_sqlite_file.py"
_MIGRATIONS_TESTS = "tests/contracts/test_migrations.py"

DATABASE = (
    Guard(
        name="one active job per user, whatever is looked up before",
        file="sqr_jobs/migrations/versions/sqr_jobs_0001_jobs.py",
        code='            "service", "org_id", "user_id", "active_slot", name',
        without='            "service", "job_id", "user_id", "active_slot", name',
        tests=(_RACES, "tests/contracts/test_migrations.py"),
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
        file="sqr_jobs/adapters/sql/audit.py",
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
)
