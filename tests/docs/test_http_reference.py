"""The exchanges on the page about the endpoints are what the application answers.

Renew them with `SQR_RENEW_EXCHANGES=1 pytest tests/docs/test_http_reference.py`.
"""

import os

import pytest

from sqr_jobs.testing import ReportsUnderTest, client_of
from tests.docs.exchanges import exchanges
from tests.docs.pages import DOCS, Page, replace_blocks

pytest_plugins = ["sqr_jobs.testing.plugin"]

_PAGE = DOCS / "reference" / "http.md"


def test_every_exchange_is_a_real_one(reports: ReportsUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Someone writes a client by it."""
    monkeypatch.setenv("SQR_JOBS_CANCEL_ROUTE", "true")  # the page tells of the optional route too
    from myapp.main import create_app

    real = exchanges(client_of(create_app()), reports, _spoil)
    page = Page.read(_PAGE)
    if os.environ.get("SQR_RENEW_EXCHANGES"):
        _PAGE.write_text(replace_blocks(page, "http", real), encoding="utf-8")
        pytest.fail("renewed; run it again without SQR_RENEW_EXCHANGES")
    shown = {block.title: block.text for block in page.blocks("http")}
    assert shown == real


def _spoil() -> None:
    from myapp.people import Person, make_engine
    from sqlalchemy.orm import Session

    with Session(make_engine()) as session, session.begin():
        session.get_one(Person, "US1").checks = [404]  # type: ignore[list-item]
