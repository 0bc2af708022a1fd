"""One document, from the order to the finished bytes: load, validate, lay out, finish."""

import errno
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, BinaryIO

from pydantic import BaseModel, ValidationError

from sqr_jobs.documents.places import own_code, place_of, raised_frames
from sqr_jobs.documents.template import Catalog, ReportRequest, Template
from sqr_jobs.documents.text import line
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.glyphs import MissingGlyphs
from sqr_jobs.errors import AttemptFailed
from sqr_jobs.logs import stack_of
from sqr_jobs.ports import RenderOrder

__all__ = ["Made", "document_identifier", "failure_code", "make_document"]

_LONGEST_MESSAGE = 9_000

_MISTAKES = (TypeError, AttributeError, NameError, ImportError)
"""Of a `load` that raises them, the next try will raise the same."""
_WRITE_FAULTS = {
    errno.EFBIG: JobErrorCode.OUTPUT_TOO_LARGE,
    errno.ENOSPC: JobErrorCode.STORAGE_UNAVAILABLE,
    errno.EDQUOT: JobErrorCode.STORAGE_UNAVAILABLE,
}


@dataclass(frozen=True, kw_only=True)
class Made:
    """A document that was written."""

    size: int
    """Bytes."""
    missing_glyphs: MissingGlyphs | None


def make_document(
    catalog: Catalog,
    order: RenderOrder,
    output: BinaryIO,
    *,
    max_bytes: int,
    guarded: Callable[[Callable[[], Made]], Made] = lambda layout: layout(),
) -> Made:
    """Write the finished document to `output`.

    `guarded` is given what comes after `load`, and calls it. Raises `AttemptFailed` with the code of the step
    that raised.
    """
    template = catalog.get(order.template)
    if template is None:
        missing = f"no template {order.template} is registered"
        raise AttemptFailed(JobErrorCode.TEMPLATE_NOT_FOUND, missing, reason=missing)
    request = ReportRequest(
        job_id=order.job_id,
        org_id=order.org_id,
        user_id=order.user_id,
        created_at=datetime.fromtimestamp(order.created_at / 1000, UTC),
    )
    with _copies_end_here():
        data = _load(template, request)

    def layout() -> Made:
        with _copies_end_here():
            return _render(template, data, request, output, max_bytes)

    try:
        return guarded(layout)
    except AttemptFailed:
        raise
    except MemoryError as error:
        raise AttemptFailed(JobErrorCode.OUT_OF_MEMORY, "MemoryError", stack=stack_of(error)) from None
    except BaseException as error:  # noqa: BLE001 - a template may raise any class
        raise AttemptFailed(failure_code(error), _cause(error, template), stack=stack_of(error)) from None


@contextmanager
def _copies_end_here() -> Iterator[None]:
    """End the copy that a template forked and forgot to end, or it would make and answer the order too."""
    own = os.getpid()
    try:
        yield
    finally:
        if os.getpid() != own:
            os._exit(1)


def failure_code(error: BaseException) -> JobErrorCode:
    """Say what a layout's exception means: a full disk may pass, a mistake in the template does not."""
    return _WRITE_FAULTS.get(getattr(error, "errno", None) or 0, JobErrorCode.RENDER_FAILED)


def _load(template: Template[Any], request: ReportRequest) -> BaseModel:
    try:
        data = template.load(request)
        if isinstance(data, template.data_model):
            return data
        return template.data_model.model_validate(data)
    except MemoryError as error:
        raise AttemptFailed(JobErrorCode.OUT_OF_MEMORY, "MemoryError", stack=stack_of(error)) from None
    except ValidationError as error:
        raise AttemptFailed(
            JobErrorCode.REPORT_DATA_INVALID, _cause(error, template), stack=stack_of(error)
        ) from None
    except BaseException as error:  # noqa: BLE001
        raise AttemptFailed(
            JobErrorCode.REPORT_DATA_UNAVAILABLE,
            _cause(error, template),
            stack=stack_of(error),
            is_final=isinstance(error, _MISTAKES),
        ) from None


def _render(
    template: Template[Any], data: BaseModel, request: ReportRequest, output: BinaryIO, max_bytes: int
) -> Made:
    from sqr_jobs.documents.finishing import About, finish  # noqa: PLC0415 - ReportLab and pikepdf
    from sqr_jobs.documents.layout import lay_out  # noqa: PLC0415

    about = About(
        title=line(template.title(data)),
        author=line(template.author),
        subject=line(template.subject(data)),
        language=template.language,
        created_at=request.created_at,
        identifier=document_identifier(request.job_id),
    )
    missing: Counter[str] = Counter()
    finish(lay_out(template, data, missing=missing), output, about)
    size = output.tell()
    if size > max_bytes:
        too_large = f"{size} bytes, {max_bytes} are allowed"
        raise AttemptFailed(JobErrorCode.OUTPUT_TOO_LARGE, too_large, reason=too_large)
    return Made(size=size, missing_glyphs=MissingGlyphs.counted(missing))


def document_identifier(job_id: str) -> str:
    """Name the document in its metadata, so that it can be told from any other job's."""
    return f"sqr-jobs:{job_id}"


def _cause(error: BaseException, template: Template[Any]) -> str:
    """Describe an error for operators, with the place in the host's code.

    It may hold personal data and goes to the audit row alone.
    """
    try:
        text = str(error)
    except BaseException:  # noqa: BLE001 - even an exception's own text may raise
        text = "<its text can't be shown>"
    place = place_of(raised_frames(error), own_code([type(template).__module__]))
    said = f"{type(error).__module__}.{type(error).__qualname__}: {text}"[:_LONGEST_MESSAGE]
    return f"{said} (at {place})" if place else said
