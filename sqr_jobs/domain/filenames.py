"""File names that people like and every file system takes."""

import hashlib
import re
import unicodedata
from urllib.parse import quote

from sqr_jobs.domain.caller import User

__all__ = ["content_disposition", "default_filename", "safe_filename"]

_MAX_BYTES = 150
_NAME_BYTES = 100
_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_SUFFIX_LETTERS = 4
_KEPT_MARKS = "-_."
_RESERVED = re.compile(r"(con|prn|aux|nul|(com|lpt)[\d¹²³])\.", re.IGNORECASE)


def default_filename(user: User, job_id: str) -> str:
    """Name a document `SQR_{initial}_{surname}_{4 letters or digits}.pdf` (contract, "GET url").

    The four characters come from the job, so the same document keeps its name.
    """
    digest = hashlib.sha256(job_id.encode()).digest()
    suffix = "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:_SUFFIX_LETTERS])
    parts = [
        _clean(user.given_name)[:1],
        _cut(_clean(user.family_name)[:60], _NAME_BYTES).strip(_KEPT_MARKS),
        suffix,
    ]
    return safe_filename("_".join(["SQR", *(part for part in parts if part)]) + ".pdf")


def safe_filename(name: str) -> str:
    """Keep letters, digits, `-`, `_` and `.`; everything else becomes one `-`.

    The result ends in `.pdf`, holds no control, direction or path character, is no device name of
    Windows, neither starts nor ends in a dot, and takes at most 150 bytes of UTF-8.
    """
    stem = _clean(name.removesuffix(".pdf")).strip(_KEPT_MARKS)
    if _RESERVED.match(f"{stem}."):
        stem = f"document-{stem}"
    stem = _cut(stem, _MAX_BYTES - len(".pdf"))
    stem = stem.rstrip(_KEPT_MARKS) or "document"
    return f"{stem}.pdf"


def content_disposition(filename: str) -> str:
    """Write the header that says "save it under this name" (RFC 6266), with an ASCII name for old clients."""
    plain = unicodedata.normalize("NFKD", filename).encode("ascii", "ignore").decode()
    fallback = re.sub(r"[^A-Za-z0-9._-]+", "-", plain)
    return f"attachment; filename=\"{fallback}\"; filename*=UTF-8''{quote(filename, safe='')}"


def _cut(text: str, max_bytes: int) -> str:
    """Keep as many characters as fit into so many bytes of UTF-8."""
    return text.encode()[:max_bytes].decode("utf-8", "ignore")


def _clean(text: str) -> str:
    """Turn each run of characters that some file system or header refuses into one `-`."""
    normal = unicodedata.normalize("NFC", text.encode("utf-8", "ignore").decode())
    kept = "".join(c if c.isalnum() or c in _KEPT_MARKS or unicodedata.combining(c) else " " for c in normal)
    return "-".join(kept.split())
