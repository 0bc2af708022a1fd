"""What PostgreSQL writes into its own log, where no erasure reaches: of a person nothing, at its defaults."""

import contextlib
import threading
import uuid
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection, insert, select, text, update

from sqr_jobs import migrations
from sqr_jobs.adapters.sql import Database, SqlJobIntake, engine_for
from sqr_jobs.adapters.sql.tables import idempotency, job
from sqr_jobs.domain.job import IdempotencyKey, NewJob, TemplateRef
from sqr_jobs.domain.rate_limit import RateLimit
from sqr_jobs.domain.states import JobState
from sqr_jobs.errors import DatabaseUnavailable, IdempotencyKeyInUse, JobAlreadyActive
from tests.contracts.job_store import SERVICE
from tests.servers.ports import wait_until
from tests.servers.postgres import PostgresServer

_USER = "U-CANARY"
_KEY = IdempotencyKey(key_hash="5" * 64, fingerprint="f" * 64)
_CEILING = RateLimit(requests=100, window_s=600)
_LOCKED = "SELECT count(*) FROM pg_locks WHERE NOT granted"


class Logged:
    """A database, and what its server has logged since it was made."""

    def __init__(self, server: PostgresServer, url: str) -> None:
        self.database = Database(engine_for(url, timeout_s=10), timeout_s=10)
        self.impatient = Database(engine_for(url, timeout_s=1), timeout_s=1)
        migrations.upgrade(self.database.engine)
        self._server = server
        self._before = len(server.said())

    def lines(self) -> str:
        """Return the log: what an answer tells of was logged before it."""
        return self._server.said()[self._before :]

    @contextlib.contextmanager
    def meanwhile(self, ask: Callable[[], None]) -> Iterator[Connection]:
        """Give a transaction, ended when another that `ask` begins waits for it."""
        twin = threading.Thread(target=ask)
        with self.database.engine.connect() as looking, self.database.engine.begin() as other:
            yield other
            twin.start()
            wait_until(lambda: looking.scalar(text(_LOCKED)), seconds=30, what="the twin's wait")
        twin.join()

    def create(self, database: Database, connection: Connection | None = None) -> None:
        """Ask for a report on the user."""
        SqlJobIntake(database, service=SERVICE).create(
            NewJob(
                job_id=str(uuid.uuid4()),
                org_id="acme",
                user_id=_USER,
                template=TemplateRef(name="report", version="v1"),
                lifetime_ms=300_000,
                document_lifetime_ms=300_000,
            ),
            _CEILING,
            connection=connection,
        )


@pytest.fixture
def logged() -> Iterator[Logged]:
    """Give a database on a server of its own, whose log nobody else writes to."""
    with PostgresServer() as server:
        made = Logged(server, server.create_database())
        yield made
        made.database.close()
        made.impatient.close()


def test_of_a_second_job_that_is_refused_nothing_is_logged(logged: Logged) -> None:
    """A conflict that only the table's constraint saw would name the user: the org's lock is before it."""

    def ask() -> None:
        with pytest.raises(JobAlreadyActive):
            logged.create(logged.database)

    with logged.meanwhile(ask) as other:
        logged.create(logged.database, other)
    assert "ERROR" not in logged.lines()


def test_a_statement_that_fails_is_logged_without_its_values(logged: Logged) -> None:
    """A wait that is too long, with the user among the values: the line does not tell of whom."""
    logged.create(logged.database)
    with logged.database.begin() as connection:
        row = dict(connection.execute(select(job)).mappings().one())
        connection.execute(update(job).values(state=JobState.CANCELLED))
    del row["active_slot"]
    with logged.database.engine.connect() as other:
        other.execute(insert(job).values({**row, "job_id": str(uuid.uuid4())}))
        with pytest.raises(DatabaseUnavailable):
            logged.create(logged.impatient)
    assert "STATEMENT:  INSERT INTO sqr_jobs_job" in logged.lines()
    assert _USER not in logged.lines()


def test_of_a_twins_key_nothing_is_logged(logged: Logged) -> None:
    """No erasure takes back what the server's own log holds, were it the key's hash."""
    given = {"service": SERVICE, "org_id": "acme", "key_hash": _KEY.key_hash, "token": "t"}
    given["fingerprint"] = _KEY.fingerprint

    def ask() -> None:
        with pytest.raises(IdempotencyKeyInUse):
            SqlJobIntake(logged.database, service=SERVICE).reserve("acme", _KEY)

    with logged.meanwhile(ask) as other:
        other.execute(insert(idempotency).values(**given, lapses_at=2**60))
    assert "ERROR" not in logged.lines()
    assert _KEY.key_hash not in logged.lines()


def test_a_server_that_is_told_to_log_values_logs_users(logged: Logged) -> None:
    """So says `docs/howto/operate.md`; and so a user would have been found in the log above."""
    with logged.database.begin() as connection:
        connection.execute(text("SET LOCAL log_min_duration_statement = 0"))
        connection.execute(text("SELECT :user"), {"user": _USER})
    wait_until(lambda: _USER in logged.lines(), seconds=5, what="the value")
