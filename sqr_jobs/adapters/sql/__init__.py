"""The job store on SQLAlchemy Core, for PostgreSQL, MariaDB, MySQL and SQLite."""

from sqr_jobs.adapters.sql.engine import Database, engine_for
from sqr_jobs.adapters.sql.execution import SqlJobExecution
from sqr_jobs.adapters.sql.intake import SqlJobIntake
from sqr_jobs.adapters.sql.operations import SqlJobOperations
from sqr_jobs.adapters.sql.rehearsal import rehearse
from sqr_jobs.adapters.sql.retention import SqlJobRetention
from sqr_jobs.adapters.sql.tables import metadata
from sqr_jobs.adapters.sql.upkeep import SqlJobHistory, SqlJobUpkeep

__all__ = [
    "Database",
    "SqlJobExecution",
    "SqlJobHistory",
    "SqlJobIntake",
    "SqlJobOperations",
    "SqlJobRetention",
    "SqlJobUpkeep",
    "engine_for",
    "metadata",
    "rehearse",
]
