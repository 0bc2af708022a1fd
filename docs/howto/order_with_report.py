"""An order and its report in one transaction: both are there, or neither."""

from sqlalchemy import Column, Connection, Engine, Integer, MetaData, String, Table, insert
from sqlalchemy.orm import Session
from sqr_jobs import Caller, Job, ReportJobs, RequestRefused
from starlette.concurrency import run_in_threadpool

metadata = MetaData()
orders = Table("orders", metadata, Column("id", Integer, primary_key=True), Column("user_id", String(16)))


def place_order(reports: ReportJobs, engine: Engine, caller: Caller, user_id: str) -> Job:
    """Store an order and ask for its report; the job is there once the block has committed."""
    with engine.begin() as connection:
        connection.execute(insert(orders).values(user_id=user_id))
        return reports.create(caller, user_id=user_id, connection=connection)


def place_order_by_orm(reports: ReportJobs, engine: Engine, caller: Caller, user_id: str) -> Job:
    """Do the same in a session of the ORM."""
    with Session(engine) as session, session.begin():
        session.execute(insert(orders).values(user_id=user_id))
        return reports.create(caller, user_id=user_id, connection=session.connection())


def place_order_with_or_without_report(
    reports: ReportJobs, connection: Connection, caller: Caller, user_id: str
) -> Job | None:
    """Keep the order when the report is refused; the caller's transaction stays usable."""
    connection.execute(insert(orders).values(user_id=user_id))
    try:
        return reports.create(caller, user_id=user_id, connection=connection)
    except RequestRefused as refusal:
        if refusal.code in ("JOB_ALREADY_ACTIVE", "RATE_LIMITED"):
            return None
        raise


async def place_order_from_a_coroutine(
    reports: ReportJobs, engine: Engine, caller: Caller, user_id: str
) -> Job:
    """Do it in a thread: the library waits for the database, and a coroutine must not."""
    return await run_in_threadpool(place_order, reports, engine, caller, user_id)
