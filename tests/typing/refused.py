"""What mypy must refuse in a host's code: it reports each ignore that hides no error."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import BaseModel

from sqr_jobs import Caller, Paragraph, ReportRequest, Settings, Template, User, build_report_jobs

if TYPE_CHECKING:
    from reportlab.platypus import Flowable


class Data(BaseModel):
    name: str


class MissingVersion(Template[Data], name="report"):  # type: ignore[call-arg]
    def load(self, request: ReportRequest) -> Data:
        return Data(name=request.user_id)

    def flowables(self, data: Data) -> "Iterator[Flowable]":
        yield Paragraph(data.nane)  # type: ignore[attr-defined]


class WrongLoad(Template[Data], name="report", version="v1"):
    def load(self, request: ReportRequest) -> str:  # type: ignore[override]
        return request.userid  # type: ignore[attr-defined, no-any-return]

    def flowables(self, data: Data) -> "Iterator[Flowable]":
        yield data.name  # type: ignore[misc]


class WrongUsers:
    def find(self, user_id: int) -> User | None:
        return None

    def may_report(self, caller: Caller, user: User) -> bool:
        return False


build_report_jobs(users=WrongUsers(), templates=[WrongLoad()])  # type: ignore[arg-type]
build_report_jobs(templates=[WrongLoad()])  # type: ignore[call-arg]
Settings(rate_limt=20)  # type: ignore[call-arg]
Caller("acme")  # type: ignore[call-arg]
