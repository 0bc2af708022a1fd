"""The parts that a host may write itself, against their protocols; checked by mypy, not run."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from sqr_jobs import (
    AsyncUserDirectory,
    Authenticator,
    Caller,
    Document,
    DocumentStore,
    DocumentsUnavailable,
    Job,
    JobEvent,
    LocalDocuments,
    Page,
    Paragraph,
    ProducedDocument,
    RateLimit,
    ReportJobs,
    ReportRequest,
    Template,
    Unauthenticated,
    Unavailable,
    User,
    VerifyingDocuments,
    build_report_jobs,
    content_disposition,
    mount,
    style,
)
from sqr_jobs.errors import LinkRefused
from sqr_jobs.testing import ReportsUnderTest
from sqr_jobs.web import FILES_PATH, Endpoints, HttpReply, HttpRequest, chunks

if TYPE_CHECKING:
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.pdfgen.canvas import Canvas
    from reportlab.platypus import Flowable


class People:
    async def find(self, user_id: str) -> User | None:
        if not user_id:
            raise Unavailable("the people's service does not answer")
        return User(user_id=user_id, given_name="Jo", family_name="Bloggs")

    async def may_report(self, caller: Caller, user: User) -> bool:
        return caller.org_id == user.user_id


class Tokens:
    def authenticate(self, headers: Mapping[str, str]) -> Caller:
        if "authorization" not in headers:
            raise Unauthenticated("nothing was sent", token_sent=False)
        return Caller(org_id="acme")


class Folder:
    def put(self, key: str, document: ProducedDocument, *, until: Callable[[], float]) -> None:
        if until() <= 0 or len(document.file.read()) != document.size:
            raise DocumentsUnavailable(document.sha256)

    def holds(self, key: str, *, size: int) -> bool:
        return bool(key) and size > 0

    def holds_unchanged(self, key: str, *, size: int, sha256: str) -> bool:
        return self.holds(key, size=size) and len(sha256) > 0

    def url(self, key: str, *, filename: str, expires_s: int, origin: str) -> str:
        return f"{origin}{FILES_PATH}?key={key}&expires={expires_s}&header={content_disposition(filename)}"

    def delete(self, key: str) -> None: ...

    def open_link(self, query: Mapping[str, str]) -> tuple[Path, str]:
        if "key" not in query:
            raise LinkRefused
        return Path(query["key"]), "report.pdf"


class Data(BaseModel):
    name: str


class Letter(Template[Data], name="letter", version="v1", language="en"):
    page_size = (595.0, 842.0)
    margins = (72.0, 56.0, 64.0, 56.0)

    def load(self, request: ReportRequest) -> Data:
        return Data(name=f"{request.user_id} {request.created_at:%Y}")

    def flowables(self, data: Data) -> "Iterator[Flowable]":
        heading: ParagraphStyle = style("heading")
        yield Paragraph(data.name, heading)

    def draw_page(self, canvas: "Canvas", page: Page, data: Data) -> None:
        page.header(canvas, left=data.name, right=str(page.number))
        canvas.line(page.left, page.bottom, page.width - page.right, page.height - page.top)


people: AsyncUserDirectory = People()
tokens: Authenticator = Tokens()
folder: DocumentStore = Folder()
served: LocalDocuments = Folder()
verified: VerifyingDocuments = Folder()


def quota(caller: Caller) -> RateLimit | None:
    return RateLimit(requests=100, window_s=600) if caller.org_id == "acme" else None


def report_jobs() -> ReportJobs:
    return build_report_jobs(
        users=people,
        templates=[Letter()],
        authenticator=tokens,
        documents=folder,
        choose_rate_limit=quota,
    )


def answer(request: HttpRequest) -> tuple[int, int]:
    endpoints: Endpoints = mount(report_jobs, has_own_login=True)
    reply: HttpReply = endpoints.status(request, "an id")
    return reply.status, len(reply.body) if isinstance(reply.body, bytes) else chunks(reply.body)[0]


def causes(reports: ReportsUnderTest, job: Job) -> list[str | None]:
    document: Document | None = job.document
    events: list[JobEvent] = list(reports.history(job))
    return [event.cause for event in events if document is None]
