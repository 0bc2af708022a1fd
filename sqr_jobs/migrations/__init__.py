"""Creates and changes the tables, with Alembic.

Either `sqr-jobs db upgrade` keeps them, in a version table of our own, or a host's Alembic does, which finds
the revisions by `version_locations` as the branch `sqr_jobs`: docs/howto/migrations.md.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from alembic import command, context
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, MetaData, Table

from sqr_jobs.adapters.sql.dialects import dialect_of
from sqr_jobs.adapters.sql.engine import translated
from sqr_jobs.adapters.sql.tables import metadata
from sqr_jobs.errors import ConfigurationError
from sqr_jobs.migrations.standing import VERSION_TABLE, Standing, read_standing

__all__ = [
    "VERSION_TABLE",
    "Standing",
    "current",
    "downgrade",
    "head",
    "include_name",
    "metadata",
    "stamp",
    "status",
    "upgrade",
]


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the tables up to a revision; tables that a later version has brought further stay as they are.

    Raises `ConfigurationError` if a host's own Alembic keeps the tables, if the later version no longer
    serves this one, or if the database can't hold them; and `DatabaseUnavailable`, as all of these.
    """

    def judge(found: Standing) -> None:
        _refuse(found.refusal("upgrade heads"))
        if found.is_newer:
            _refuse(found.fault)
            raise _NothingToDo
        _refuse(found.obstacle)

    with _alone(engine) as connection:
        dialect_of(engine).check_server(connection)
        _end_reading(connection)
        command.upgrade(_config(connection, judge), revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Take the tables back to a revision; `base` removes them, with every job."""

    def judge(found: Standing) -> None:
        _refuse(found.refusal(f"downgrade sqr_jobs@{revision}"))
        if found.is_newer:
            raise ConfigurationError(f"The database is {found.told}. Only that version can take it back.")

    with _alone(engine) as connection:
        command.downgrade(_config(connection, judge), revision)
        if _standing(connection).revision is None:
            _forget(connection)


def stamp(engine: Engine, revision: Literal["base"] | None = None) -> None:
    """Record where the tables stand, so that `sqr-jobs db` keeps them; the tables are not touched.

    `base` forgets that, so that a host's own Alembic keeps them.
    """
    with _alone(engine) as connection:
        found = _standing(connection)
        if revision == "base" or found.revision is None:
            _forget(connection)
        elif found.is_newer:
            raise ConfigurationError(f"The database is {found.told}. Only that version can record it.")
        else:
            _end_reading(connection)
            command.stamp(_config(connection), found.revision, purge=True)


def status(engine: Engine) -> Standing:
    """Read where the tables stand, whoever keeps them."""
    with translated(), engine.connect() as connection:
        return _read(connection)


def current(engine: Engine) -> str | None:
    """Read the tables' revision, whoever keeps them; None where there are none."""
    return status(engine).revision


def head() -> str:
    """Name the revision that this version of the library needs."""
    found = ScriptDirectory.from_config(_config()).get_current_head()
    assert found is not None
    return found


def include_name(name: str | None, kind: str, _parents: Mapping[Any, Any]) -> bool:
    """Leave our tables out of a host's autogenerate; pass it to `context.configure`."""
    return kind != "table" or not str(name).startswith("sqr_jobs_")


class _NothingToDo(Exception):
    """Leaves a migration that would change nothing."""


def _config(
    connection: Connection | None = None, judge: Callable[[Standing], None] = lambda _: None
) -> Config:
    """Configure Alembic; `judge` sees where the tables stand once nobody else can change that."""

    def take_turn() -> None:
        assert connection is not None
        judge(_standing(connection))

    config = Config(attributes={"connection": connection, "take_turn": take_turn})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


def _standing(connection: Connection) -> Standing:
    """Read where the tables stand, in a transaction in which nobody else changes it."""
    dialect_of(connection.engine).take_turn(connection)
    return _read(connection)


def _read(connection: Connection) -> Standing:
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    return read_standing(connection, needed=head(), known=known)


def _end_reading(connection: Connection) -> None:
    """Leave the transaction of a read: Alembic begins its own, and may end it to index concurrently."""
    if not dialect_of(connection.engine).migrates_as_one:
        connection.rollback()


def _refuse(why: str | None) -> None:
    if why is not None:
        raise ConfigurationError(why)


def _forget(connection: Connection) -> None:
    Table(VERSION_TABLE, MetaData()).drop(connection, checkfirst=True)


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """Let one of several deployments migrate at a time."""
    if hasattr(context, "config"):
        raise ConfigurationError(
            "An Alembic environment is at work in this process, and there can be one only. Call "
            "sqr_jobs.migrations before or after it, not in its env.py or a revision; or let it run these "
            "revisions too, by version_locations: docs/howto/migrations.md."
        )
    with translated(), engine.connect() as connection, dialect_of(engine).migrating(connection):
        try:
            yield connection
        except _NothingToDo:
            connection.rollback()
        except CommandError as error:
            raise ConfigurationError(f"{error}. `sqr-jobs db current` shows the revisions.") from None
        connection.commit()
