"""What a creation's body says, read strictly, and what is wrong with it in words for whoever sent it."""

import hashlib
import json
from collections.abc import Mapping

from pydantic import ValidationError

from sqr_jobs.domain.job import IdempotencyKey
from sqr_jobs.errors import RequestInvalid, UnsupportedMediaType
from sqr_jobs.web.models import CreateReportJob

__all__ = ["check_media_type", "idempotency_key", "parsed", "valid"]

_MAX_KEY = 255


def check_media_type(headers: Mapping[str, str]) -> None:
    """Refuse what is not declared as JSON. Raises `UnsupportedMediaType`."""
    media_type = headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type != "application/json":
        raise UnsupportedMediaType("Send the body as JSON, with Content-Type: application/json.")


def parsed(sent: bytes, key: str | None) -> CreateReportJob | RequestInvalid:
    """Parse the body; what is wrong with it is told only after the rate limit."""
    faults = []
    if key is not None and not 1 <= len(key) <= _MAX_KEY:
        faults.append(f"Idempotency-Key must have 1 to {_MAX_KEY} characters.")
    try:
        body = CreateReportJob.model_validate(_json_object(sent))
    except (ValueError, RecursionError) as error:
        if not isinstance(error, ValidationError):
            return RequestInvalid(" ".join([*faults, _malformed(error)]))
        faults += [
            _sentence(fault["loc"], fault["type"], fault["msg"])
            for fault in error.errors(include_url=False, include_input=False, include_context=False)
        ]
    return RequestInvalid(" ".join(faults)) if faults else body


def _json_object(body: bytes) -> object:
    """Parse strictly: UTF-8, no NaN, and no field twice, of which two readers might take different ones."""

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        names = [name for name, _ in pairs]
        if len(set(names)) != len(names):
            raise _FieldTwiceError
        return dict(pairs)

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    return json.loads(body.decode(), object_pairs_hook=unique, parse_constant=refuse)


class _FieldTwiceError(ValueError):
    """A field is given twice."""


def _malformed(error: Exception) -> str:
    return "A field is given twice." if isinstance(error, _FieldTwiceError) else "The body is not valid JSON."


def valid(body: CreateReportJob | RequestInvalid) -> CreateReportJob:
    """Say what was wrong with the body, now that it is its turn. Raises `RequestInvalid`."""
    if isinstance(body, RequestInvalid):
        raise body
    return body


def idempotency_key(
    sent: bytes, key: str | None, body: CreateReportJob | RequestInvalid
) -> IdempotencyKey | None:
    """Read the key, with a fingerprint of what the body says rather than of how it is written."""
    if key is None or not 1 <= len(key) <= _MAX_KEY:
        return None
    said = sent if isinstance(body, RequestInvalid) else body.model_dump_json(exclude_none=True).encode()
    return IdempotencyKey(
        key_hash=hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest(),
        fingerprint=hashlib.sha256(said).hexdigest(),
    )


def _sentence(location: tuple[int | str, ...], kind: str, message: str) -> str:
    field = ".".join(str(part)[:64] for part in location).encode("ascii", "replace").decode()
    match kind:
        case "missing":
            return f"{field} is missing."
        case "extra_forbidden":
            return f"{field} is not a known field."
        case "value_error":
            return message.removeprefix("Value error, ")
        case "model_type" | "model_attributes_type":
            return "The body must be a JSON object."
        case _:
            return f"{field or 'The body'}: {message}."
