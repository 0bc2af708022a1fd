"""The shop's Alembic environment."""

import os

from alembic import context
from models import Base
from sqlalchemy import NullPool, create_engine
from sqr_jobs.migrations import include_name

URL = os.environ["SHOP_DATABASE_URL"]

if context.is_offline_mode():
    context.configure(url=URL, literal_binds=True, dialect_opts={"paramstyle": "named"})
    with context.begin_transaction():
        context.run_migrations()
else:
    with create_engine(URL, poolclass=NullPool).connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            include_name=include_name,
        )
        with context.begin_transaction():
            context.run_migrations()
