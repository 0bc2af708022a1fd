"""A person's next job begins after the end of the one before, however long the statements in between take."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from sqr_jobs.adapters.sql import Database
from tests.contracts.job_store import JobStore


@contextmanager
def _slow_statements(database: Database) -> Iterator[None]:
    """Let each statement take a second by the database's clock."""

    def wait(*_arguments: Any) -> None:
        database.clock_offset_ms += 1_000

    event.listen(database.engine, "after_cursor_execute", wait)
    try:
        yield
    finally:
        event.remove(database.engine, "after_cursor_execute", wait)


def test_a_job_that_settles_an_overdue_one_is_created_after_its_end(store: JobStore) -> None:
    """I2: else the rows would tell of two active jobs at once."""
    old = store.create()
    store.move_clock_to_deadline(old.job_id)
    with _slow_statements(store.database):
        new = store.create()
    ended = store.read(old.job_id).completed_at
    assert ended is not None
    assert new.created_at >= ended
