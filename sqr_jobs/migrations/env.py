"""Alembic's entry for `sqr_jobs.migrations`, on the connection that it hands over.

A host's Alembic has an entry of its own and needs the revisions' scripts alone.
"""

from alembic import context

from sqr_jobs.migrations import VERSION_TABLE, include_name, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    include_name=include_name,
)
with context.begin_transaction():
    context.config.attributes["take_turn"]()
    context.run_migrations()
