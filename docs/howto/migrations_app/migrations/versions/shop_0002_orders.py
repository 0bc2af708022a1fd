"""The orders, with their reports."""

import sqlalchemy as sa
from alembic import op

revision = "shop_0002"
down_revision = "shop_0001"
branch_labels = None
depends_on = "sqr_jobs_0001"


def upgrade() -> None:
    """Make the table, after that of the jobs."""
    op.create_table(
        "orders",
        sa.Column("order_id", sa.Integer, primary_key=True),
        sa.Column("report_job_id", sa.String(36), sa.ForeignKey("sqr_jobs_job.job_id", ondelete="SET NULL")),
    )


def downgrade() -> None:
    """Remove it."""
    op.drop_table("orders")
