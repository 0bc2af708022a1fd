"""Creates and changes the tables, with Alembic, in a version table of our own.

Run by `sqr-jobs db upgrade`. A host that has Alembic itself leaves our tables, which all begin with
`sqr_jobs_`, out of its autogenerate: docs/howto/migrations.md.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, text

from sqr_jobs.adapters.sql.engine import translated
from sqr_jobs.errors import ConfigurationError

__all__ = ["VERSION_TABLE", "current", "downgrade", "head", "upgrade"]

VERSION_TABLE = "sqr_jobs_alembic_version"
_WAIT_S, _LOOK_AGAIN_S = 60.0, 0.2


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the tables up to a revision. Raises `DatabaseUnavailable`, as all of these."""
    _run(engine, lambda config: command.upgrade(config, revision))


def downgrade(engine: Engine, revision: str) -> None:
    """Take the tables back to a revision; `base` removes them, with every job."""
    _run(engine, lambda config: command.downgrade(config, revision))


def current(engine: Engine) -> str | None:
    """Read the database's revision; None where there is none."""
    with translated(), engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        return context.get_current_revision()


def head() -> str:
    """Name the revision that this version of the library needs."""
    found = ScriptDirectory.from_config(_config()).get_current_head()
    assert found is not None
    return found


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


def _run(engine: Engine, what: Callable[[Config], None]) -> None:
    config = _config()
    with translated(), engine.connect() as connection, _alone(connection):
        config.attributes["connection"] = connection
        try:
            what(config)
        except CommandError as error:
            raise ConfigurationError(f"{error}. `sqr-jobs db current` shows the revisions.") from None
        connection.commit()


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """Let one of several deployments migrate at a time, without a timeout: an index takes its time."""
    if connection.dialect.name != "postgresql":
        yield
        return
    until = time.monotonic() + _WAIT_S
    while not connection.scalar(text("SELECT pg_try_advisory_lock(7305, 1)")):
        connection.rollback()
        if time.monotonic() >= until:
            raise ConfigurationError("Another migration is at work. Try again after it.")
        time.sleep(_LOOK_AGAIN_S)
    connection.execute(text("SELECT set_config('statement_timeout', '0', false)"))
    connection.commit()
    try:
        yield
    finally:
        connection.rollback()
        connection.execute(text("SELECT pg_advisory_unlock(7305, 1)"))
        connection.execute(text("RESET statement_timeout"))
        connection.commit()
