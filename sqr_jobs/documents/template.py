"""Templates: what a host writes to say how a report comes about."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, get_args, get_origin

from pydantic import BaseModel

from sqr_jobs.domain.caller import Caller, User
from sqr_jobs.domain.filenames import default_filename, safe_filename
from sqr_jobs.domain.job import TemplateRef
from sqr_jobs.errors import ConfigurationError
from sqr_jobs.ports.conformity import check_conformity

if TYPE_CHECKING:
    from reportlab.pdfgen.canvas import Canvas
    from reportlab.platypus import Flowable

    from sqr_jobs.documents.page import Page

__all__ = ["Catalog", "ReportRequest", "Template"]

Data = TypeVar("Data", bound=BaseModel)

_A4 = (595.276, 841.89)
_MAX_NAME, _MAX_VERSION = 64, 32


@dataclass(frozen=True, kw_only=True)
class ReportRequest:
    """What a template's `load` is told."""

    job_id: str
    org_id: str
    """The org that asked."""
    user_id: str
    """The person that the report is about."""
    created_at: datetime
    """When the job was created, UTC: the date to print, so that every attempt makes the same document."""


class Template(ABC, Generic[Data]):
    """One kind of report in one version: `class Bill(Template[BillData], name="bill", version="v1")`.

    `BillData` is a pydantic model. `load` fetches the data with all the host's access; from its return on,
    the render child opens no connection and no file but fonts and the package's own assets. `flowables`
    yields the content. The same data, version and job must give the same flowables, because an attempt may
    be repeated. The class statement raises `ConfigurationError` where a name or version is missing or long.
    """

    name: ClassVar[str]
    """Stored with each job; at most 64 characters."""
    version: ClassVar[str]
    """Stored with each job, which this version then makes; at most 32 characters."""
    language: ClassVar[str]
    """The document's language (BCP 47), by default `en`."""
    data_model: ClassVar[type[BaseModel]]
    """The model between the brackets."""

    page_size: ClassVar[tuple[float, float]] = _A4
    """Width and height in points, by default A4."""
    margins: ClassVar[tuple[float, float, float, float]] = (72, 56, 64, 56)
    """Top, right, bottom and left, in points; header and footer stand inside them."""
    document_lifetime_s: ClassVar[float | None] = None
    """For how many seconds a document is kept; by default as the settings say."""
    author: ClassVar[str] = ""
    """The document's author in its metadata."""

    def __init_subclass__(cls, *, name: str, version: str, language: str = "en", **kwargs: Any) -> None:
        """Take the template's name, its version and its language (BCP 47).

        Raises `ConfigurationError` for one that the job's row can't hold.
        """
        super().__init_subclass__(**kwargs)
        if not (name and len(name) <= _MAX_NAME and name.isprintable()):
            raise ConfigurationError(f"{cls.__name__}: a template's name has 1 to {_MAX_NAME} characters.")
        if not (version and len(version) <= _MAX_VERSION and version.isprintable()):
            raise ConfigurationError(
                f"{cls.__name__}: a template's version has 1 to {_MAX_VERSION} characters."
            )
        cls.name, cls.version, cls.language = name, version, language
        cls.data_model = _data_model(cls)

    @abstractmethod
    def load(self, request: ReportRequest) -> Data:
        """Fetch the report's data.

        What it raises is `REPORT_DATA_UNAVAILABLE` and tried again, unless it is a mistake in the code
        (`TypeError`, `AttributeError`, `NameError`, `ImportError`). Data that the model refuses is
        `REPORT_DATA_INVALID` and not tried again.
        """

    @abstractmethod
    def flowables(self, data: Data) -> Iterator["Flowable"]:
        """Yield the content piece by piece, as ReportLab flowables; text through `sqr_jobs.Paragraph`.

        Whatever it raises is `RENDER_FAILED`, and not tried again.
        """

    def title(self, data: Data) -> str:  # noqa: ARG002 - for those who override it
        """Return the document's title, for its metadata and the window of whoever reads it.

        By default the template's name.
        """
        return self.name

    def subject(self, data: Data) -> str:  # noqa: ARG002
        """Return what the document is about, for its metadata; by default nothing."""
        return ""

    def draw_page(self, canvas: "Canvas", page: "Page", data: Data) -> None:
        """Draw what stands on every page; by default the title and "page X of Y" at the foot."""
        page.footer(canvas, left=self.title(data))

    def filename(self, user: User, job_id: str) -> str:
        """Name the file for people. The result is made safe for every file system afterwards.

        By default `SQR_{initial}_{surname}_{4 letters or digits}.pdf` (contract, "GET url").
        """
        return default_filename(user, job_id)


class Catalog:
    """The templates of a service. `choose` is the host's choice for a new job, else the last registered."""

    def __init__(
        self,
        templates: Iterable[Template[Any]],
        choose: Callable[[Caller, User], type[Template[Any]] | Template[Any]] | None = None,
    ) -> None:
        self._templates: dict[TemplateRef, Template[Any]] = {}
        for template in _instances(templates):
            ref = TemplateRef(name=template.name, version=template.version)
            if ref in self._templates:
                raise ConfigurationError(f"Two templates are called {ref}. Give one another name or version.")
            self._templates[ref] = template
        if not self._templates:
            raise ConfigurationError("No template is registered. Pass templates=[…] to build_report_jobs.")
        self._choose = choose

    def refs(self) -> Sequence[TemplateRef]:
        """Name the registered templates, in order of registration."""
        return list(self._templates)

    def get(self, ref: TemplateRef) -> Template[Any] | None:
        """Find a template; None when this process does not know it."""
        return self._templates.get(ref)

    def choose(self, caller: Caller, user: User) -> TemplateRef:
        """Choose the template of a new job. Raises `ConfigurationError` when the host's choice is unknown."""
        if self._choose is None:
            return next(reversed(self._templates))
        chosen = self._choose(caller, user)
        ref = TemplateRef(name=chosen.name, version=chosen.version)
        if ref not in self._templates:
            raise ConfigurationError(f"choose_template chose {ref}, which is not among templates=[…].")
        return ref

    def document_lifetime_s(self, template: TemplateRef) -> float | None:
        """Tell what a template says of its documents' lifetime."""
        return self._templates[template].document_lifetime_s

    def filename(self, template: TemplateRef, user: User, job_id: str) -> str:
        """Name a document; one whose template is gone gets the default name."""
        known = self._templates.get(template)
        return safe_filename(known.filename(user, job_id) if known else default_filename(user, job_id))


def _instances(templates: Any) -> Iterator[Template[Any]]:
    """Refuse what is no template, or one that can't be called as it will be."""
    try:
        given = list(templates)
    except TypeError:
        raise ConfigurationError("templates= needs a list: templates=[MyReport()].") from None
    for template in given:
        if inspect.isclass(template) and issubclass(template, Template):
            name = template.__name__
            raise ConfigurationError(f"templates= got the class {name}. Pass an instance: {name}(…).")
        if not isinstance(template, Template):
            kind = template.__name__ if inspect.isclass(template) else type(template).__name__
            raise ConfigurationError(
                f"templates= got {kind}, which is no sqr_jobs.Template. Derive it from one."
            )
        check_conformity(template, Template, passed_as="templates=")
        yield template


def _data_model(template: type[Template[Any]]) -> type[BaseModel]:
    """Find the pydantic model between the brackets of `Template[…]`."""
    for cls in inspect.getmro(template):
        for base in getattr(cls, "__orig_bases__", ()):
            origin, arguments = get_origin(base), get_args(base)
            if inspect.isclass(origin) and issubclass(origin, Template) and arguments:
                model = arguments[0]
                if inspect.isclass(model) and issubclass(model, BaseModel):
                    return model
    raise ConfigurationError(
        f"{template.__name__} does not say what its data is. Derive it from Template[YourModel], where "
        "YourModel is a pydantic model."
    )
