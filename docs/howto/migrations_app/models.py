"""A shop's tables, one of which points to the report's job."""

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqr_jobs.migrations import metadata as sqr_jobs_metadata

_JOB = sqr_jobs_metadata.tables["sqr_jobs_job"]


class Base(DeclarativeBase):
    """The shop's own metadata."""


class Customer(Base):
    """Who orders."""

    __tablename__ = "customers"

    customer_id: Mapped[int] = mapped_column(primary_key=True)


class Order(Base):
    """An order, with the job of its report."""

    __tablename__ = "orders"

    order_id: Mapped[int] = mapped_column(primary_key=True)
    report_job_id: Mapped[str | None] = mapped_column(
        String(36), ForeignKey(_JOB.c.job_id, ondelete="SET NULL")
    )
