"""A host whose people are called what they are called, with a careful template and a careless one.

Its ReportLab fetches whatever address it meets, which by default it does not: were it the one that refuses,
nobody would know whether our guard does.
"""

import os
import sys
from typing import TYPE_CHECKING, Any

from markupsafe import Markup
from pydantic import BaseModel

from sqr_jobs import Caller, Paragraph, ReportJobs, ReportRequest, Settings, Template, User, build_report_jobs
from sqr_jobs.documents.text import style
from tests.security.payloads import HUGE, PAYLOADS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reportlab.pdfgen.canvas import Canvas
    from reportlab.platypus import Flowable

    from sqr_jobs.documents.page import Page

__all__ = ["FACTORY", "report_jobs"]

FACTORY = "tests.security.payload_host:report_jobs"
_CHILD = "sqr_jobs.documents.child"
_WATCHED = ("open", "socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "urllib.")

_TEXTS = [*PAYLOADS.values(), *HUGE.values()]


class Named(BaseModel):
    """A person, whose name is all that is known."""

    name: str


class _Witness:
    """Notes what the child reaches for from `load`'s return on, before the guard can refuse it."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self.is_watching = False
        sys.addaudithook(self._note)

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.is_watching and event.startswith(_WATCHED):
            os.write(self._fd, f"{event} {arguments[:1]!a}\n".encode())


_witnesses: list[_Witness] = []


def text_of(user_id: str) -> str:
    """Look up what a person is called."""
    text = _TEXTS[int(user_id.removeprefix("U-"))]
    for name in ("lure", "secret"):
        text = text.replace(f"{{{name}}}", os.environ.get(f"SQR_TEST_{name.upper()}", ""))
    return text


class _People:
    def find(self, user_id: str) -> User:
        """Give the person the same text for both names."""
        return User(user_id=user_id, given_name=text_of(user_id), family_name=text_of(user_id))

    def may_report(self, caller: Caller, user: User) -> bool:
        return True


class _Careful(Template[Named], name="careful", version="v1"):
    """Puts the name wherever text can go, as the documentation says."""

    def load(self, request: ReportRequest) -> Named:
        for witness in _witnesses:
            witness.is_watching = True
        # Past the model's own check, which would refuse lone surrogates.
        return Named.model_construct(name=text_of(request.user_id))

    def flowables(self, data: Named) -> "Iterator[Flowable]":
        from reportlab.lib.styles import ParagraphStyle
        from reportlab.platypus import Table

        yield Paragraph("before")
        yield Paragraph(data.name)
        if len(data.name) < 10_000:
            yield Paragraph(data.name, "title")
            yield Paragraph(Markup("<b>{}</b> and <i>{}</i>").format(data.name, data.name))
            yield Paragraph(data.name, ParagraphStyle("loud", style("body"), textTransform="uppercase"))
            yield Table([[Paragraph(data.name, "cell"), Paragraph(Markup("{}").format(data.name), "cell")]])
        yield Paragraph("after")

    def title(self, data: Named) -> str:
        return data.name

    def subject(self, data: Named) -> str:
        return f"A report on {data.name}"

    def draw_page(self, canvas: "Canvas", page: "Page", data: Named) -> None:
        page.header(canvas, left=data.name, right=data.name)
        page.footer(canvas, left=data.name)


class _Careless(_Careful, name="careless", version="v1"):
    """Takes a name for markup, which the documentation forbids."""

    def flowables(self, data: Named) -> "Iterator[Flowable]":
        yield Paragraph(Markup(data.name))


def _trust_every_address() -> None:
    from reportlab import rl_config

    rl_config.trustedHosts = ["*"]


def report_jobs(**settings: Any) -> ReportJobs:
    """Build the service; in a render child, begin to watch it."""
    main: Any = sys.modules["__main__"]
    if getattr(main.__spec__, "name", None) == _CHILD and not _witnesses:
        _witnesses.append(_Witness(os.environ["SQR_TEST_WITNESS"]))
        _trust_every_address()
    return build_report_jobs(
        Settings(factory=FACTORY, **settings),
        users=_People(),
        templates=[_Careful(), _Careless()],
        choose_template=lambda caller, _user: _Careless if "careless" in caller.org_id else _Careful,
    )
