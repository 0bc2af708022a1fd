"""The guides on quotas and on asynchronous hosts."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from sqr_jobs import Caller, Paragraph, ReportJobs, ReportRequest, Template, build_report_jobs
from sqr_jobs.testing import Client, HttpContract, ReportsUnderTest, client_of

pytest_plugins = ["sqr_jobs.testing.plugin"]

_TABLES = (
    "CREATE TABLE organisation (id TEXT PRIMARY KEY, plan TEXT)",
    "INSERT INTO organisation VALUES ('small', 'trial'), ('big', 'large'), ('odd', 'unheard of')",
    "CREATE TABLE person (id TEXT PRIMARY KEY, given_name TEXT, family_name TEXT)",
    "INSERT INTO person VALUES ('US1', 'Jo', 'Bloggs'), ('US2', 'Mo', 'Bloggs')",
    "CREATE TABLE consent (person_id TEXT, org_id TEXT)",
    "INSERT INTO consent VALUES ('US1', 'test-org'), ('US1', 'org-a')",
)


@pytest.fixture
def database_file(tmp_path: Path) -> Path:
    """Give a host's database."""
    path = tmp_path / "host.db"
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        for statement in _TABLES:
            connection.execute(text(statement))
    engine.dispose()
    return path


@pytest.mark.parametrize(("org", "requests"), [("small", 3), ("big", 100), ("odd", None), ("unknown", None)])
def test_the_plan_decides_the_quota(
    database_file: Path, example_path: None, org: str, requests: int | None
) -> None:
    """quotas.md: and without a plan the settings do."""
    from quota_by_plan import Plans

    engine = create_engine(f"sqlite:///{database_file}")
    quota = Plans(engine).quota(Caller(org_id=org))
    engine.dispose()
    assert (quota and quota.requests) == requests


class _Name(BaseModel):
    name: str


class _Greeting(Template[_Name], name="greeting", version="v1", language="en"):
    def load(self, request: ReportRequest) -> _Name:
        return _Name(name=request.user_id)

    def flowables(self, data: _Name) -> Iterator[Paragraph]:
        yield Paragraph(f"Hello {data.name}")


class TestAsyncPeople(HttpContract):
    """async.md."""

    known_user, forbidden_user, unknown_user = "US1", "US2", "US404"

    @pytest.fixture
    def report_jobs_factory(self, database_file: Path, example_path: None) -> Callable[[], ReportJobs]:
        from async_people import AsyncPeople

        def report_jobs() -> ReportJobs:
            engine = create_async_engine(f"sqlite+aiosqlite:///{database_file}", poolclass=NullPool)
            return build_report_jobs(users=AsyncPeople(engine), templates=[_Greeting()])

        return report_jobs

    @pytest.fixture(params=["FastAPI", "Flask"])
    def client(
        self,
        request: pytest.FixtureRequest,
        reports: ReportsUnderTest,
        report_jobs_factory: Callable[[], ReportJobs],
    ) -> Client:
        if request.param == "FastAPI":
            from fastapi import FastAPI

            from sqr_jobs_fastapi import create_router

            app = FastAPI()
            app.include_router(create_router(report_jobs_factory))
            return client_of(app)
        from flask import Flask

        from sqr_jobs_flask import create_blueprint

        application = Flask(__name__)
        application.register_blueprint(create_blueprint(report_jobs_factory))
        return client_of(application)
