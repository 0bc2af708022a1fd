"""One document, from the order to the finished bytes: load, validate, lay out, finish."""

import errno
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, BinaryIO

from pydantic import BaseModel, ValidationError

from sqr_jobs.documents.template import Catalog, ReportRequest, Template
from sqr_jobs.documents.text import line
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.errors import AttemptFailed
from sqr_jobs.logs import stack_of
from sqr_jobs.ports import RenderOrder

__all__ = ["failure_code", "make_document"]

_WRITE_FAULTS = {
    errno.EFBIG: JobErrorCode.OUTPUT_TOO_LARGE,
    errno.ENOSPC: JobErrorCode.STORAGE_UNAVAILABLE,
    errno.EDQUOT: JobErrorCode.STORAGE_UNAVAILABLE,
}


def make_document(
    catalog: Catalog,
    order: RenderOrder,
    output: BinaryIO,
    *,
    max_bytes: int,
    loaded: Callable[[], None] = lambda: None,
) -> int:
    """Write the finished document to `output` and return its size in bytes.

    `loaded` is called between `load` and the layout. Raises `AttemptFailed` with the code of the step that
    raised, whatever it raised.
    """
    template = catalog.get(order.template)
    if template is None:
        missing = f"no template {order.template} is registered"
        raise AttemptFailed(JobErrorCode.TEMPLATE_NOT_FOUND, missing, reason=missing)
    created_at = datetime.fromtimestamp(order.created_at / 1000, UTC)
    data = _load(template, order, created_at)
    loaded()
    try:
        return _render(template, data, created_at, output, max_bytes)
    except AttemptFailed:
        raise
    except MemoryError as error:
        raise AttemptFailed(JobErrorCode.OUT_OF_MEMORY, "MemoryError", stack=stack_of(error)) from None
    except BaseException as error:  # noqa: BLE001 - a template may raise any class
        raise AttemptFailed(failure_code(error), _cause(error), stack=stack_of(error)) from None


def failure_code(error: BaseException) -> JobErrorCode:
    """Say what a layout's exception means: a full disk may pass, a mistake in the template does not."""
    return _WRITE_FAULTS.get(getattr(error, "errno", None) or 0, JobErrorCode.RENDER_FAILED)


def _load(template: Template[Any], order: RenderOrder, created_at: datetime) -> BaseModel:
    request = ReportRequest(
        job_id=order.job_id, org_id=order.org_id, user_id=order.user_id, created_at=created_at
    )
    try:
        data = template.load(request)
        if isinstance(data, template.data_model):
            return data
        return template.data_model.model_validate(data)
    except MemoryError as error:
        raise AttemptFailed(JobErrorCode.OUT_OF_MEMORY, "MemoryError", stack=stack_of(error)) from None
    except ValidationError as error:
        raise AttemptFailed(JobErrorCode.REPORT_DATA_INVALID, _cause(error), stack=stack_of(error)) from None
    except BaseException as error:  # noqa: BLE001
        raise AttemptFailed(
            JobErrorCode.REPORT_DATA_UNAVAILABLE, _cause(error), stack=stack_of(error)
        ) from None


def _render(
    template: Template[Any], data: BaseModel, created_at: datetime, output: BinaryIO, max_bytes: int
) -> int:
    from sqr_jobs.documents.finishing import About, finish  # noqa: PLC0415 - ReportLab and pikepdf
    from sqr_jobs.documents.layout import lay_out  # noqa: PLC0415

    about = About(
        title=line(template.title(data)),
        author=line(template.author),
        subject=line(template.subject(data)),
        language=template.language,
        created_at=created_at,
    )
    finish(lay_out(template, data), output, about)
    size = output.tell()
    if size > max_bytes:
        too_large = f"{size} bytes, {max_bytes} are allowed"
        raise AttemptFailed(JobErrorCode.OUTPUT_TOO_LARGE, too_large, reason=too_large)
    return size


def _cause(error: BaseException) -> str:
    """Describe an error for operators; it may hold personal data and goes to the audit row alone."""
    try:
        text = str(error)
    except BaseException:  # noqa: BLE001 - even an exception's own text may raise
        text = "<its text can't be shown>"
    return f"{type(error).__module__}.{type(error).__qualname__}: {text}"
