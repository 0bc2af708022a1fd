"""A creation's headers and body, read strictly, with a sentence per fault."""

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from itertools import islice

from pydantic import ValidationError

from sqr_jobs.domain.caller import USER_ID_LENGTH
from sqr_jobs.domain.job import IdempotencyKey
from sqr_jobs.errors import BodyTooLarge, RequestInvalid, UnsupportedMediaType
from sqr_jobs.web.models import USER_ID_MAX, CreateReportJob

__all__ = ["SentBody", "check_headers", "too_large"]

_MAX_KEY = 255
_MAX_FAULTS = 20
_KNOWN = frozenset(field.alias or name for name, field in CreateReportJob.model_fields.items())


def check_headers(headers: Mapping[str, str], *, max_body_bytes: int) -> None:
    """Judge what can be judged before the body is read.

    Raises `UnsupportedMediaType` or `BodyTooLarge`.
    """
    media_type = headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type != "application/json":
        raise UnsupportedMediaType("Send the body as JSON, with Content-Type: application/json.")
    codings = {coding.strip().lower() for coding in headers.get("content-encoding", "").split(",")}
    if codings - {"", "identity"}:
        raise UnsupportedMediaType(
            "Send the body uncompressed, without Content-Encoding.", accept_encoding="identity"
        )
    length = headers.get("content-length", "").lstrip("0")
    digits = len(str(max_body_bytes))
    # Compared by length first: Python refuses to read a number of a thousand digits.
    if length.isascii() and length.isdecimal() and (len(length) > digits or int(length) > max_body_bytes):
        raise too_large(max_body_bytes)


def too_large(limit: int) -> BodyTooLarge:
    """Make the refusal of a body that is longer than the limit."""
    return BodyTooLarge(f"The body may have at most {limit} bytes.")


class SentBody:
    """The body of a creation, parsed when it is first asked for: after the rate limit, or for a key."""

    def __init__(self, sent: bytes, key: str | None, *, user_id_max: int = USER_ID_LENGTH) -> None:
        self._sent = sent
        self._key = key
        self._user_id_max = user_id_max

    def idempotency_key(self) -> IdempotencyKey | None:
        """Read the key, with a fingerprint of what the body says rather than of how it is written."""
        if self._key is None or not 1 <= len(self._key) <= _MAX_KEY:
            return None
        body = self._parsed
        if isinstance(body, RequestInvalid):
            said = self._sent
        else:
            said = body.model_dump_json(exclude_none=True).encode()
        return IdempotencyKey(
            key_hash=hashlib.sha256(self._key.encode("utf-8", "surrogateescape")).hexdigest(),
            fingerprint=hashlib.sha256(said).hexdigest(),
        )

    def valid(self) -> CreateReportJob:
        """Return the body. Raises `RequestInvalid` with what is wrong with it, and with the key."""
        body = self._parsed
        if isinstance(body, RequestInvalid):
            raise body
        return body

    @cached_property
    def _parsed(self) -> CreateReportJob | RequestInvalid:
        faults = []
        if self._key is not None and not 1 <= len(self._key) <= _MAX_KEY:
            faults.append(f"Idempotency-Key must have 1 to {_MAX_KEY} characters.")
        unread = 0
        try:
            said = _json_object(self._sent)
            if isinstance(said, dict):
                said, unread = _fewer(said)
            body = CreateReportJob.model_validate(said, context={USER_ID_MAX: self._user_id_max})
        except (ValueError, RecursionError) as error:
            if not isinstance(error, ValidationError):
                return RequestInvalid(" ".join([*faults, _malformed(error)]))
            faults += [
                _sentence(fault["loc"], fault["type"], fault["msg"])
                for fault in error.errors(include_url=False, include_input=False, include_context=False)
            ]
        if not faults:
            return body
        more = len(faults) - _MAX_FAULTS + unread
        if more > 0:
            faults[_MAX_FAULTS:] = [f"{more} more {'fault is' if more == 1 else 'faults are'} not listed."]
        return RequestInvalid(" ".join(faults))


def _fewer(said: dict[str, object]) -> tuple[dict[str, object], int]:
    """Keep as many unknown fields as can be reported, so that the rest costs nothing; count the rest."""
    unknown = len(said) - len(said.keys() & _KNOWN)
    if unknown <= _MAX_FAULTS:
        return said, 0
    kept = {name: said[name] for name in said.keys() & _KNOWN}
    kept |= islice(((name, value) for name, value in said.items() if name not in _KNOWN), _MAX_FAULTS)
    return kept, unknown - _MAX_FAULTS


def _json_object(body: bytes) -> object:
    """Parse strictly: UTF-8, no NaN, and no field twice, of which two readers might take different ones."""

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        fields = dict(pairs)
        if len(fields) != len(pairs):
            raise _FieldTwiceError
        return fields

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    return json.loads(body.decode(), object_pairs_hook=unique, parse_constant=refuse)


class _FieldTwiceError(ValueError):
    """A field is given twice."""


def _malformed(error: Exception) -> str:
    return "A field is given twice." if isinstance(error, _FieldTwiceError) else "The body is not valid JSON."


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
