"""Documents in a table of the application's own database, served by a route of its own."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cryptography.fernet import Fernet, InvalidToken
from fastapi import FastAPI, HTTPException, Request, Response
from sqlalchemy import Column, Engine, Integer, LargeBinary, MetaData, String, Table, delete, insert, select
from sqlalchemy.exc import SQLAlchemyError
from sqr_jobs import (
    DocumentsUnavailable,
    ProducedDocument,
    ReportJobs,
    Settings,
    build_report_jobs,
    content_disposition,
)
from sqr_jobs_fastapi import create_router

from myapp.people import make_engine
from myapp.reports import ScreeningReport, Users

metadata = MetaData()
documents = Table(
    "report_document",
    metadata,
    Column("key", String(255), primary_key=True),
    Column("size", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
)


class TableDocuments:
    """Keeps documents in a table; its links are sealed, so they show neither the key nor a name."""

    def __init__(self, engine: Engine, *, address: str, link_key: str) -> None:
        self._engine = engine
        self._address = address
        self._seal = Fernet(link_key)

    def put(self, key: str, document: ProducedDocument, *, until: Callable[[], float]) -> None:
        """Store the bytes, if they are the right ones and in time."""
        body = document.file.read()
        if hashlib.sha256(body).hexdigest() != document.sha256 or until() <= 0:
            raise DocumentsUnavailable("The document changed on its way, or its attempt's time is over.")
        with _translated(), self._engine.begin() as connection:
            connection.execute(delete(documents).where(documents.c.key == key))
            connection.execute(insert(documents).values(key=key, size=len(body), body=body))

    def holds(self, key: str, *, size: int) -> bool:
        """Look for the row and its size."""
        with _translated(), self._engine.connect() as connection:
            return connection.scalar(select(documents.c.size).where(documents.c.key == key)) == size

    def holds_unchanged(self, key: str, *, size: int, sha256: str) -> bool:
        """Compare the bytes too: this method is optional, and called instead of `holds` where it exists."""
        with _translated(), self._engine.connect() as connection:
            body = connection.scalar(select(documents.c.body).where(documents.c.key == key))
        return body is not None and len(body) == size and hashlib.sha256(body).hexdigest() == sha256

    def url(self, key: str, *, filename: str, expires_s: int, origin: str) -> str:  # noqa: ARG002 - has its own
        """Seal key, name and end into a link to the route below."""
        content = json.dumps([key, filename, time.time() + expires_s])
        return f"{self._address}?link={self._seal.encrypt(content.encode()).decode()}"

    def delete(self, key: str) -> None:
        """Remove the row; none is no error."""
        with _translated(), self._engine.begin() as connection:
            connection.execute(delete(documents).where(documents.c.key == key))

    def opened(self, link: str) -> tuple[bytes, str] | None:
        """Open a link: the bytes and the name to save them under; None where it does not hold."""
        try:
            key, filename, ends = json.loads(self._seal.decrypt(link))
        except InvalidToken:
            return None
        if ends <= time.time():
            return None
        with _translated(), self._engine.connect() as connection:
            body = connection.scalar(select(documents.c.body).where(documents.c.key == key))
        return None if body is None else (body, filename)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the database's errors into the one that this port knows."""
    try:
        yield
    except SQLAlchemyError as error:
        raise DocumentsUnavailable(f"The documents' table failed ({type(error).__name__}).") from None


def table_documents(engine: Engine) -> TableDocuments:
    """Build the store, the same in every process."""
    address = f"{os.environ['MYAPP_ADDRESS']}/report-documents"
    return TableDocuments(engine, address=address, link_key=os.environ["MYAPP_LINK_KEY"])


def report_jobs() -> ReportJobs:
    """Build the service with it."""
    engine = make_engine()
    return build_report_jobs(
        Settings(),
        users=Users(engine),
        templates=[ScreeningReport(engine)],
        engine=engine,
        documents=table_documents(engine),
    )


def create_app() -> FastAPI:
    """Mount the endpoints, and the route that the links lead to."""
    app = FastAPI()
    stored = table_documents(make_engine())

    @app.get("/report-documents", include_in_schema=False)
    def document(request: Request) -> Response:
        """Serve a document to whoever has its link."""
        is_ours = set(request.query_params) == {"link"}
        found = stored.opened(request.query_params["link"]) if is_ours else None
        if found is None:
            raise HTTPException(403, "This link is not valid, or no longer. Ask for a fresh URL.")
        body, filename = found
        headers = {"Content-Disposition": content_disposition(filename), "Cache-Control": "no-store"}
        return Response(body, media_type="application/pdf", headers=headers)

    app.include_router(create_router(report_jobs))
    return app
