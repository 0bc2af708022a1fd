"""The examples of the how-to guides run, and keep the contract."""

import asyncio
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from sqlalchemy import text

from sqr_jobs import JobState, ReportJobs
from sqr_jobs.testing import Client, HttpContract, ReportsUnderTest, client_of
from tests.docs.pages import DOCS, Page

pytest_plugins = ["sqr_jobs.testing.plugin"]


class _Example(HttpContract):
    known_user, forbidden_user, unknown_user = "US1", "US2", "US404"


class TestWsgiMount(_Example):
    """custom-integration.md."""

    @pytest.fixture
    def client(self, reports: ReportsUnderTest, report_jobs_factory: Callable[[], ReportJobs]) -> Client:
        from wsgi_client import wsgi_client
        from wsgi_mount import in_front_of

        return wsgi_client(in_front_of(_other, report_jobs_factory))

    def test_every_other_path_is_left_to_the_host(self, client: Client) -> None:
        """The host's own pages go on."""
        for method, path in (
            ("GET", "/"),
            ("GET", "/id"),
            ("DELETE", self.prefix),
            ("GET", self.prefix + "/a/b"),
        ):
            assert client(method, path, {}, None).body == b"the host's own page"


class _OwnTokens(_Example):
    """authentication.md: the host's table of tokens."""

    module: str

    def headers(self, org: str) -> Mapping[str, str]:
        return {"Authorization": f"Bearer token-of-{org}"}

    @pytest.fixture(autouse=True)
    def _tokens(self, example_path: None, monkeypatch: pytest.MonkeyPatch) -> None:
        import hashlib
        import importlib

        tokens = importlib.import_module(self.module).TOKENS
        for org in ("test-org", "org-a", "org-b"):
            monkeypatch.setitem(tokens, hashlib.sha256(f"token-of-{org}".encode()).hexdigest(), org)


class TestOwnLoginFastapi(_OwnTokens):
    module = "own_login_fastapi"

    @pytest.fixture
    def client(self, reports: ReportsUnderTest) -> Client:
        from own_login_fastapi import create_app

        return client_of(create_app())


class TestOwnLoginFlask(_OwnTokens):
    module = "own_login_flask"

    @pytest.fixture
    def client(self, reports: ReportsUnderTest) -> Client:
        from own_login_flask import create_app

        return client_of(create_app())


class TestOwnAuthenticator(_OwnTokens):
    module = "own_authenticator"

    @pytest.fixture
    def client(self, reports: ReportsUnderTest) -> Client:
        from fastapi import FastAPI
        from own_authenticator import report_jobs

        from sqr_jobs_fastapi import create_router

        app = FastAPI()
        app.include_router(create_router(report_jobs))
        return client_of(app)


@pytest.mark.parametrize("how", ["place_order", "place_order_by_orm", "place_order_from_a_coroutine"])
def test_an_order_and_its_report_are_one_fact(how: str, reports: ReportsUnderTest, host_engine: Any) -> None:
    """transactions.md: each way stores both, and a refusal neither."""
    import order_with_report

    def place(user_id: str) -> Any:
        placed = getattr(order_with_report, how)(reports.jobs, host_engine, reports.caller(), user_id)
        return asyncio.run(placed) if asyncio.iscoroutine(placed) else placed

    assert reports.status(place("US1")).state is JobState.QUEUED
    with pytest.raises(Exception, match="already being made"):
        place("US1")
    assert _orders(host_engine) == ["US1"]


def test_an_order_can_stand_without_its_report(reports: ReportsUnderTest, host_engine: Any) -> None:
    """transactions.md: a refusal leaves the host's transaction usable."""
    from order_with_report import place_order_with_or_without_report as place

    with host_engine.begin() as connection:
        assert place(reports.jobs, connection, reports.caller(), "US1") is not None
        assert place(reports.jobs, connection, reports.caller(), "US1") is None
    assert _orders(host_engine) == ["US1", "US1"]


def test_alembics_configuration_is_the_examples_own() -> None:
    """migrations.md: a wrong separator cuts the library's place in two. tests/contracts runs the example."""
    page = Page.read(DOCS / "howto" / "migrations.md")
    (shown,), (toml,) = page.blocks("ini"), page.blocks("toml")
    example = (DOCS / "howto" / "migrations_app" / "alembic.ini").read_text(encoding="utf-8")
    assert shown.text in example
    places = tomllib.loads(toml.text)["tool"]["alembic"]["version_locations"]
    assert places == shown.text.partition("version_locations =")[2].split()


@pytest.fixture
def host_engine(reports: ReportsUnderTest) -> Any:
    """Give the host's engine, with its table of orders."""
    from myapp.people import make_engine
    from order_with_report import metadata

    engine = make_engine()
    metadata.create_all(engine)
    yield engine
    engine.dispose()


def _orders(engine: Any) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT user_id FROM orders ORDER BY id")).scalars())


def _other(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"the host's own page"]
