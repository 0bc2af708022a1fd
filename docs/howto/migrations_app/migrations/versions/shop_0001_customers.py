"""The customers."""

import sqlalchemy as sa
from alembic import op

revision = "shop_0001"
down_revision = None
branch_labels = ("shop",)
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table("customers", sa.Column("customer_id", sa.Integer, primary_key=True))


def downgrade() -> None:
    """Remove it."""
    op.drop_table("customers")
