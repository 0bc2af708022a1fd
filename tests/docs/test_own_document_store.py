"""own-document-store.md: the example passes the port's contract suite, and serves a report end to end."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import create_engine, select, update

from sqr_jobs.errors import DocumentsUnavailable
from sqr_jobs.testing import Client, HttpContract, ReportsUnderTest, client_of
from tests.contracts.document_stores import KEY, Answer, StoreUnderTest, produced
from tests.contracts.test_document_store import *  # noqa: F403 - the whole suite

pytest_plugins = ["sqr_jobs.testing.plugin"]

_ADDRESS = "https://app.example"


@pytest.fixture
def link_key(monkeypatch: pytest.MonkeyPatch) -> str:
    from cryptography.fernet import Fernet

    key = Fernet.generate_key().decode()
    monkeypatch.setenv("MYAPP_LINK_KEY", key)
    monkeypatch.setenv("MYAPP_ADDRESS", _ADDRESS)
    return key


@pytest.fixture
def client(reports: ReportsUnderTest, link_key: str) -> Client:
    """Give a client of the example's application."""
    from myapp.people import make_engine
    from own_document_store import create_app, metadata

    metadata.create_all(make_engine())
    return client_of(create_app())


@pytest.fixture
def report_jobs_factory(report_jobs_factory: object, link_key: str) -> object:
    """Give the example's factory, over the tutorial's people."""
    from own_document_store import report_jobs

    return report_jobs


@pytest.fixture
def store(client: Client) -> Iterator[StoreUnderTest]:
    """Give the example's store, with its links served by the example's route."""
    from myapp.people import make_engine
    from own_document_store import documents, table_documents

    engine = make_engine()

    def fetch(url: str, method: str) -> Answer:
        link = urlsplit(url)
        answer = client(method, f"{link.path}?{link.query}", {}, None)
        return Answer(status=answer.status, headers=dict(answer.headers), body=answer.body)

    def stored_keys() -> list[str]:
        with engine.connect() as connection:
            return list(connection.execute(select(documents.c.key)).scalars())

    def overwrite(key: str, data: bytes) -> None:
        with engine.begin() as connection:
            connection.execute(update(documents).where(documents.c.key == key).values(body=data))

    made = table_documents(engine)
    yield StoreUnderTest(
        name="table", documents=made, fetch=fetch, stored_keys=stored_keys, overwrite=overwrite
    )
    engine.dispose()


class TestOwnDocumentStore(HttpContract):
    known_user, forbidden_user, unknown_user = "US1", "US2", "US404"

    def test_a_link_shows_no_name_and_leads_to_the_application(
        self, client: Client, reports: ReportsUnderTest
    ) -> None:
        """Web servers log addresses."""
        job = reports.create("US1")
        reports.run_pending()
        download = reports.jobs.download_url(reports.caller(), job.job_id)
        assert download.url.startswith(f"{_ADDRESS}/report-documents?link=")
        assert "Bloggs" in download.filename
        assert "Bloggs" not in download.url


def test_no_key_leads_outside_the_store(store: StoreUnderTest) -> None:
    """Stands for the suite's own, which looks at folders: in a table a key is a name and no path."""
    key = "../outside.pdf"
    store.documents.put(key, produced(), until=lambda: 10.0)
    assert store.stored_keys() == [key]
    store.documents.delete(key)
    assert store.stored_keys() == []


def test_wrong_bytes_are_refused(store: StoreUnderTest) -> None:
    """What the worker made is what is stored, or nothing is."""
    with pytest.raises(DocumentsUnavailable):
        store.documents.put(KEY, produced(sha256="0" * 64), until=lambda: 10.0)
    assert store.stored_keys() == []


def test_the_databases_outage_is_one_the_port_knows(
    tmp_path: Path, link_key: str, example_path: None
) -> None:
    """A worker tries again; with any other exception it would tell of a defect."""
    from own_document_store import table_documents

    engine = create_engine(f"sqlite:///{tmp_path}/without-tables.db")
    made = table_documents(engine)
    for use in (
        lambda: made.put(KEY, produced(), until=lambda: 10.0),
        lambda: made.holds(KEY, size=1),
        lambda: made.delete(KEY),
    ):
        with pytest.raises(DocumentsUnavailable):
            use()
    engine.dispose()
