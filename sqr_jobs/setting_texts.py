"""Values of settings as files and shells hand them over: white space, line ends and quotes around them."""

import unicodedata
from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

__all__ = ["stands_in_quotes", "tidied"]

_BYTE_ORDER_MARK = "\ufeff"
_PEM = "-----BEGIN"
_MAY_BE_QUOTED = frozenset(
    {"jwt_key", "link_key", "s3_access_key_id", "s3_secret_access_key", "support_contact"}
)
"""Free text, of which quotes may be a part. In any other value they can't be right."""


def tidied(values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Take white space and line ends from around the values, and undo what files do to PEM text.

    Returns the values, without those of white space alone, which count as not set, and a sentence for each
    that holds control characters or is enclosed in quotes. No sentence repeats a value: it may be a secret.
    """
    tidy: dict[str, Any] = {}
    faults = []
    for name, value in values.items():
        is_secret = isinstance(value, SecretStr)
        text = value.get_secret_value() if is_secret else value
        if not isinstance(text, str):
            tidy[name] = value
            continue
        clean = _tidied(name, text)
        if fault := _fault(name, clean):
            faults.append(f"SQR_JOBS_{name.upper()} {fault}")
        elif clean or not text:
            tidy[name] = SecretStr(clean) if is_secret else clean
    return tidy, faults


def _tidied(name: str, text: str) -> str:
    text = text.strip().strip(_BYTE_ORDER_MARK).strip()
    if _is_pem(name, text):
        lines = text.replace("\\r\\n", "\n").replace("\\n", "\n").splitlines()
        text = "\n".join(line.strip() for line in lines if line.strip())
    return text


def _fault(name: str, text: str) -> str | None:
    if stands_in_quotes(text) and (name not in _MAY_BE_QUOTED or _PEM in text):
        return (
            "is enclosed in quotes, which are a part of the value here. Remove them: Docker's env files keep "
            "them, unlike a shell."
        )
    inside = text.replace("\n", "") if _is_pem(name, text) else text
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in inside):
        return (
            "holds a line end, another control character, or bytes that are not UTF-8. Set it again "
            "without them."
        )
    return None


def stands_in_quotes(text: str) -> bool:
    """Say whether a value begins and ends with the same quote."""
    return len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"


def _is_pem(name: str, text: str) -> bool:
    return name == "jwt_key" and text.startswith(_PEM)
