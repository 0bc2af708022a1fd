"""A database that can't hold every text: refused by `db upgrade` and `check`, and no job ends by it."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from sqr_jobs import migrations
from sqr_jobs.adapters.sql import Database, engine_for
from sqr_jobs.adapters.sql.dialects.postgresql import PostgreSql
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.states import JobState
from sqr_jobs.errors import ConfigurationError
from tests.contracts.job_store import JobStore
from tests.databases import SERVERS
from tests.servers.postgres import PostgresServer

CAUSE = "the field 🎉 is missing"
_NARROW = {
    "postgresql": "ALTER TABLE sqr_jobs_audit ALTER COLUMN cause TYPE VARCHAR(9)",
    "mysql": "ALTER TABLE sqr_jobs_audit MODIFY cause TEXT CHARACTER SET utf8mb3",
}


@pytest.fixture(params=["SQL_ASCII", "LATIN1"])
def narrow(request: pytest.FixtureRequest, postgres_server: PostgresServer) -> Iterator[Database]:
    """Give an empty database with another encoding."""
    postgres_server.start()
    url = postgres_server.create_database(encoding=request.param)
    made = Database(engine_for(url, timeout_s=5), timeout_s=5)
    yield made
    made.close()
    postgres_server.drop_database(url)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.usefixtures("database_url")
class TestPostgreSqlThatIsNotUtf8:
    """Databases of an old cluster, or of one that was made under LANG=C."""

    def test_no_tables_are_made(self, narrow: Database) -> None:
        """Names of people, and the causes of failures, are in every script there is."""
        with pytest.raises(ConfigurationError, match=r"Create one with ENCODING 'UTF8'"):
            migrations.upgrade(narrow.engine)

    def test_the_check_finds_a_fault(self, narrow: Database) -> None:
        """Of tables that an earlier version made there."""
        with narrow.read() as connection, pytest.raises(ConfigurationError, match="has the encoding"):
            narrow.dialect.check(connection)

    def test_jobs_of_an_earlier_version_end_as_they_do(
        self, narrow: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Such a job ended as WORKER_LOST after three leases; an SQL_ASCII server answered bytes."""
        with monkeypatch.context() as before:
            before.setattr(PostgreSql, "check_server", lambda *_: None, raising=False)
            migrations.upgrade(narrow.engine)
        store = JobStore(narrow)
        with narrow.read() as connection:
            is_ascii = connection.scalar(text("SHOW server_encoding")) == "SQL_ASCII"
        _fails_with(store, JobErrorCode.REPORT_DATA_INVALID, cause=CAUSE if is_ascii else None)


@pytest.mark.parametrize("database_url", SERVERS, indirect=True)
def test_a_cause_that_the_column_cannot_hold_is_left_out(database_url: str) -> None:
    """Nothing but the outcome may decide how an attempt ends; an operator may have changed the column."""
    jobs = Database(engine_for(database_url, timeout_s=5), timeout_s=5)
    migrations.upgrade(jobs.engine)
    with jobs.begin() as connection:
        connection.execute(text(_NARROW[connection.dialect.name]))
    store = JobStore(jobs)
    _fails_with(store, JobErrorCode.REPORT_DATA_INVALID, cause=None)
    claim = store.claimed("U2")
    assert store.execution.give_back(claim, delay_ms=0, code=JobErrorCode.TEMPLATE_NOT_FOUND, cause=CAUSE)
    assert store.story(claim.job.job_id) == ["create", "claim", "give back"]
    jobs.close()


def _fails_with(store: JobStore, code: JobErrorCode, *, cause: str | None) -> None:
    claim = store.claimed("U1")
    assert store.execution.fail(claim, code, CAUSE) is JobState.FAILED
    job = store.read(claim.job.job_id)
    assert (job.state, job.error_code) == (JobState.FAILED, code)
    assert store.history.history(claim.job.job_id)[-1].cause == cause
