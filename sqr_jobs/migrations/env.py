"""Alembic's entry: runs on the connection that `sqr_jobs.migrations` hands over."""

from alembic import context

from sqr_jobs.adapters.sql.tables import metadata
from sqr_jobs.migrations import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    include_name=lambda name, kind, _parents: kind != "table" or str(name).startswith("sqr_jobs_"),
)
with context.begin_transaction():
    context.run_migrations()
