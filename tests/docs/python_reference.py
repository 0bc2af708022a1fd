"""Writes the page of Python names from the docstrings; `python -m tests.docs.python_reference` renews it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import griffe

from tests.docs.pages import DOCS, ROOT

__all__ = ["PAGE", "SECTIONS", "Name", "Section", "names", "written"]

PAGE = DOCS / "reference" / "python.md"

_INTRODUCTION = """\
# Python names

What a host may import. Everything else is the library's own and may change with any release; how names
change is told in the [changelog](../../CHANGELOG.md). Constructors take keywords only. Instants are epoch
milliseconds by the database's clock, where nothing else is said.

This page is written from the docstrings: `help(sqr_jobs.ReportJobs)` says the same.
"""


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the page: names of one module, in the order of reading."""

    heading: str
    module: str = "sqr_jobs"
    names: tuple[str, ...] = ()
    """Without any: the module's errors, a line for each."""
    see: str = ""
    """Where to read on."""


SECTIONS = (
    Section(
        heading="Building the service",
        names=("build_report_jobs", "Settings", "RateLimit"),
        see="Every setting: [settings](settings.md).",
    ),
    Section(
        heading="What you write",
        names=(
            *("UserDirectory", "AsyncUserDirectory", "Template", "ReportRequest", "Paragraph", "style"),
            "Page",
        ),
        see="Step by step, for [FastAPI](../tutorial/fastapi.md) and for [Flask](../tutorial/flask.md).",
    ),
    Section(
        heading="Parts that you may replace",
        names=(
            "Authenticator",
            "DocumentStore",
            "ProducedDocument",
            "VerifyingDocuments",
            "LocalDocuments",
            "content_disposition",
        ),
        see=(
            "How to write [an authenticator](../howto/authentication.md#an-authenticator-of-yours) and "
            "[a document store](../howto/own-document-store.md)."
        ),
    ),
    Section(
        heading="The service",
        names=("ReportJobs", "Download"),
        see="Jobs in your own transaction: [transactions](../howto/transactions.md).",
    ),
    Section(
        heading="Who and what",
        names=(
            *("Caller", "User", "Job", "JobState", "ApiStatus", "JobErrorCode", "Document", "TemplateRef"),
            "JobEvent",
        ),
        see="How a job goes from state to state: [states](states.md).",
    ),
    Section(
        heading="Errors that you raise or catch",
        names=(
            *("SqrJobsError", "ConfigurationError", "RequestRefused", "Unauthenticated", "Unavailable"),
            "DocumentsUnavailable",
        ),
        see="What clients are answered: [errors](errors.md).",
    ),
    Section(heading="sqr_jobs_fastapi", module="sqr_jobs_fastapi", names=("create_router",)),
    Section(heading="sqr_jobs_flask", module="sqr_jobs_flask", names=("create_blueprint",)),
    Section(
        heading="Mounting in another framework",
        names=("mount",),
        see="An adapter in full: [custom integration](../howto/custom-integration.md).",
    ),
    Section(
        heading="sqr_jobs.web",
        module="sqr_jobs.web",
        names=("Endpoints", "HttpRequest", "HttpReply", "chunks", "FILES_PATH"),
    ),
    Section(
        heading="sqr_jobs.migrations",
        module="sqr_jobs.migrations",
        names=(
            *("upgrade", "downgrade", "stamp", "current", "head", "status", "Standing", "include_name"),
            *("metadata", "VERSION_TABLE"),
        ),
        see="Beside your own Alembic: [migrations](../howto/migrations.md).",
    ),
    Section(
        heading="sqr_jobs.testing",
        module="sqr_jobs.testing",
        names=("HttpContract", "ReportsUnderTest", "client_of", "Client", "Answer"),
        see="How to use it all: [testing](../howto/testing.md).",
    ),
    Section(heading="sqr_jobs.errors", module="sqr_jobs.errors"),
)

_ROOTS_OF_ERRORS = {"ConfigurationError", "RequestRefused", "Unavailable"}
_LONGEST = 100
_EMPTY = {"frozenset": "frozenset()", "dict": "{}", "tuple": "()", "list": "[]"}
_FIELD = re.compile(r"field\((?:default(?:_factory)?=([^,)]+))?.*\)")
_CODE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_SPOKEN = re.compile(r"(?<!\[)`((?:\w+\.)*\w+)`")
_HEADING = re.compile(r"^#{3,4} ([\w.]+)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Name:
    """A name with what the source says of it."""

    name: str
    source: Any
    """griffe's object."""

    @property
    def text(self) -> str:
        """The docstring."""
        return self.source.docstring.value if self.source.docstring else ""

    @property
    def fields(self) -> "list[Name]":
        """What can be read: fields, attributes, properties, an enum's members."""
        return [member for member in self._members() if not member.source.is_function]

    @property
    def methods(self) -> "list[Name]":
        """What can be called."""
        return [member for member in self._members() if member.source.is_function]

    def _members(self) -> "Iterator[Name]":
        members = self.source.members.items() if self.source.is_class else ()
        for name, member in members:
            if not name.startswith(("_", "test_")):
                yield Name(name=name, source=member)


def names() -> Iterator[tuple[Section, Name]]:
    """Read every name that has an entry of its own."""
    modules = _modules()
    for section in SECTIONS:
        for name in section.names:
            yield section, _read(modules[section.module], name)


def written() -> str:
    """Write the page."""
    modules = _modules()
    parts = [_INTRODUCTION]
    for section in SECTIONS:
        module = modules[section.module]
        parts.append(f"## {section.heading}")
        if section.heading == section.module:
            parts += [module.docstring.value, section.see]
        else:
            parts.append(f"From `{section.module}`. {section.see}")
        for name in section.names:
            parts += [f"### {name}", *_entry(_read(module, name))]
        if not section.names:
            parts.append("\n".join(map(_error, _errors(module))))
    return _linked("\n\n".join(part.strip("\n") for part in parts if part) + "\n")


def _modules() -> Any:
    loader = griffe.GriffeLoader(search_paths=[ROOT])
    for package in dict.fromkeys(section.module.partition(".")[0] for section in SECTIONS):
        loader.load(package)
    loader.resolve_aliases(implicit=True, external=False)
    return loader.modules_collection


def _read(module: Any, name: str) -> Name:
    found = module[name]
    return Name(name=name, source=found.final_target if found.is_alias else found)


def _entry(name: Name) -> Iterator[str]:
    if name.source.is_function:
        yield _code(_signature(name.source))
    elif _is_error(name.source):
        made = name.source.members.get("__init__")
        body = f"\n    {_signature(made).replace('(', '(self, ', 1)}" if made is not None else " ..."
        yield _code(f"class {name.name}({', '.join(map(str, name.source.bases))}):{body}")
    yield name.text
    if name.name == "Settings":
        return  # their page has them all
    yield "\n".join(_field(field, name) for field in name.fields)
    for method in name.methods:
        yield f"#### {name.name}.{method.name}"
        yield _code(_signature(method.source))
        yield method.text


def _field(field: Name, owner: Name) -> str:
    text = " ".join(field.text.split())
    if text[1:2].islower():
        text = text[0].lower() + text[1:]
    return f"- `{_declaration(field, owner)}`" + (f": {text}" if text else "")


def _declaration(field: Name, owner: Name) -> str:
    """Write a field with its type and default; an enum's member by its name alone."""
    annotation, value = field.source.annotation, str(field.source.value or "")
    if any(str(base).endswith("Enum") for base in owner.source.bases):
        return field.name
    if "__init__" in owner.source.members:
        made_of = {parameter.name: parameter for parameter in owner.source.members["__init__"].parameters}
        if value in made_of:
            annotation, value = annotation or made_of[value].annotation, ""
    default = _FIELD.sub(lambda found: found[1] or "", value)
    default = _EMPTY.get(default, default).replace("'", '"')
    text = field.name + (f": {_plain(annotation)}" if annotation is not None else "")
    return text if not default or default.startswith("_") else f"{text} = {default}"


def _signature(function: Any) -> str:
    parameters: list[str] = []
    for parameter in function.parameters:
        if parameter.name in ("self", "cls"):
            continue
        is_keyword = parameter.kind is griffe.ParameterKind.keyword_only
        if is_keyword and "*" not in parameters:
            parameters.append("*")
        default = "" if parameter.default is None else " = " + str(parameter.default).replace("'", '"')
        parameters.append(f"{parameter.name}: {_plain(parameter.annotation)}{default}")
    begin = f"{'async ' if 'async' in function.labels else ''}def {function.name}("
    end = f") -> {_plain(function.returns)}: ..."
    line = f"{begin}{', '.join(parameters)}{end}"
    if len(line) <= _LONGEST:
        return line
    return "\n".join([begin, *(f"    {text}," for text in parameters), end])


def _plain(annotation: Any) -> str:
    """Write an annotation without its quotes, and without what only a class body needs."""
    text = str(annotation).replace('"', "").replace("'", "")
    return text.removeprefix("ClassVar[").removesuffix("]") if text.startswith("ClassVar[") else text


def _code(text: str) -> str:
    return f"```python\n{text}\n```"


def _is_error(source: Any) -> bool:
    bases: Sequence[Any] = source.bases if source.is_class else ()
    return any(str(base) in _ROOTS_OF_ERRORS for base in bases)


def _errors(module: Any) -> list[Name]:
    """Find the errors that a host may meet: those of attempts never leave the worker."""
    found = [_read(module, name) for name in module.exports]
    return [error for error in found if _is_error(error.source)]


def _error(error: Name) -> str:
    code = error.source.members.get("code")
    told = f", {str(code.value).replace(chr(39), '`')}" if code is not None else ""
    carried = [f"`{field.name}`" for field in error.fields if field.name != "code"]
    text = " ".join(error.text.split()) + (f" Attributes: {', '.join(carried)}." if carried else "")
    return f"- `{error.name}`{told}: {text[0].lower()}{text[1:]}"


def _linked(page: str) -> str:
    """Turn each spoken name that has an entry into a link to it."""
    entries = set(_HEADING.findall(page))

    def link(found: re.Match[str]) -> str:
        name = re.sub(r"^sqr_jobs\w*\.", "", found[1])
        if name not in entries or (name.islower() and "_" not in name):
            return found[0]  # a word such as `style` is most often an argument
        return f"[{found[0]}](#{name.lower().replace('.', '')})"

    parts = _CODE.split(page)
    return "".join(part if part.startswith("```") else _SPOKEN.sub(link, part) for part in parts)


if __name__ == "__main__":
    PAGE.write_text(written(), encoding="utf-8")
