"""What differs between the databases: one file each, and all other code asks here."""

from sqlalchemy import Engine

from sqr_jobs.adapters.sql.dialects.dialect import Dialect
from sqr_jobs.adapters.sql.dialects.mysql import MySql
from sqr_jobs.adapters.sql.dialects.postgresql import PostgreSql
from sqr_jobs.adapters.sql.dialects.sqlite import Sqlite
from sqr_jobs.errors import ConfigurationError

__all__ = ["Dialect", "dialect_named", "dialect_of", "is_fault_of_statement", "lacks_tables", "reason_of"]

_DIALECTS: tuple[Dialect, ...] = (PostgreSql(), MySql(), Sqlite())


def dialect_named(name: str) -> Dialect | None:
    """Find a dialect by the name that SQLAlchemy has for it."""
    return next((dialect for dialect in _DIALECTS if name in dialect.names), None)


def dialect_of(engine: Engine) -> Dialect:
    """Find the dialect of an engine. Raises `ConfigurationError` where it is none that holds jobs."""
    found = dialect_named(engine.dialect.name)
    if found is None:
        raise ConfigurationError(
            f"The engine speaks {engine.dialect.name}. Pass one for PostgreSQL, MariaDB, MySQL or SQLite, "
            "or leave it out and set SQR_JOBS_DATABASE_URL."
        )
    return found


def is_fault_of_statement(error: BaseException) -> bool:
    """Whether what a driver calls operational tells of a wrong statement."""
    return any(dialect.is_fault_of_statement(error) for dialect in _DIALECTS)


def lacks_tables(error: BaseException) -> bool:
    """Whether a driver says that a table or column of ours is not there."""
    return any(dialect.lacks_tables(error) for dialect in _DIALECTS)


def reason_of(error: BaseException | None) -> str:
    """Say why a driver failed, for logs; its class where nothing else is known."""
    if error is None:
        return "unknown"
    return next(filter(None, (dialect.reason(error) for dialect in _DIALECTS)), type(error).__name__)
