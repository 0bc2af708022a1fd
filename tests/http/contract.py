"""The contract's `openapi.yaml`, copied to `contract.yaml` as it is, and whether an answer keeps it."""

import re
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml

if TYPE_CHECKING:
    from tests.http.clients import Reply

__all__ = ["DOCUMENT", "assert_kept", "faults", "operation", "resolved"]

DOCUMENT: dict[str, Any] = yaml.safe_load(
    Path(__file__).with_name("contract.yaml").read_text(encoding="utf-8")
)

_PATH = "/v1/document/api"
_TYPES: dict[str, tuple[type, ...]] = {"object": (dict,), "string": (str,), "integer": (int,)}


def resolved(node: dict[str, Any], document: dict[str, Any] = DOCUMENT) -> dict[str, Any]:
    """Follow a `$ref`; KeyError where it leads nowhere."""
    while "$ref" in node:
        target = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step.replace("~1", "/").replace("~0", "~")]
        node = target
    return node


def operation(method: str, below: str) -> dict[str, Any] | None:
    """Find the operation by method and path below the prefix; None for what the contract does not know."""
    parts = below.split("/")[1:]
    match method, parts:
        case "POST", []:
            path = _PATH
        case "GET", [str()]:
            path = _PATH + "/{id}"
        case "GET", [str(), "url"]:
            path = _PATH + "/{id}/url"
        case _:
            return None
    found: dict[str, Any] = DOCUMENT["paths"][path][method.lower()]
    return found


def assert_kept(described: dict[str, Any], reply: "Reply") -> None:
    """Check one answer: a documented status, its media type, its headers, its body, and no caching."""
    name = described["operationId"]
    assert str(reply.status) in described["responses"], f"{name} answers {reply.status}: {reply.body!r}"
    response = resolved(described["responses"][str(reply.status)])
    ((media_type, content),) = response["content"].items()
    assert reply.headers["content-type"] == media_type
    assert reply.headers["cache-control"] == "no-store"
    for header, rule in response.get("headers", {}).items():
        value = reply.headers.get(header.lower())
        assert value is not None or not rule.get("required"), f"{name} {reply.status} lacks {header}"
        if value is not None:
            typed = int(value) if rule["schema"]["type"] == "integer" else value
            assert not faults(typed, rule["schema"], header)
    assert not faults(reply.json(), content["schema"], name)


def faults(value: Any, schema: dict[str, Any], where: str = "") -> list[str]:
    """Say where a value breaks a schema, for the keywords that the contract uses; no field is unknown."""
    schema = resolved(schema)
    kind = schema.get("type")
    if kind and (not isinstance(value, _TYPES[kind]) or isinstance(value, bool)):
        return [f"{where} is no {kind}: {value!r}"]
    found = [f"{where} breaks {rule}: {value!r}" for rule in _broken(value, schema)]
    if isinstance(value, dict):
        fields = schema["properties"]
        found += [f"{where} lacks {name}" for name in schema.get("required", ()) if name not in value]
        found += [f"{where} has an unknown field {name}" for name in value if name not in fields]
        for name, field in fields.items():
            if name in value:
                found += faults(value[name], field, f"{where}.{name}")
    return found


def _broken(value: Any, schema: dict[str, Any]) -> list[str]:
    checks = {
        "const": lambda rule: value == rule,
        "enum": lambda rule: value in rule,
        "pattern": lambda rule: re.search(rule, value) is not None,
        "minimum": lambda rule: value >= rule,
        "maximum": lambda rule: value <= rule,
        "minLength": lambda rule: len(value) >= rule,
        "maxLength": lambda rule: len(value) <= rule,
        "format": lambda rule: _has_format(value, rule),
    }
    return [
        f"{name} {schema[name]}"
        for name, holds in checks.items()
        if name in schema and not holds(schema[name])
    ]


def _has_format(value: str, name: str) -> bool:
    match name:
        case "uuid":
            return str(uuid.UUID(value)) == value
        case "uri":
            return bool(urlsplit(value).scheme and urlsplit(value).netloc)
        case "uri-reference":
            return not re.search(r"[\s<>\"{}|\\^`]", value)
        case "date-time":
            return value.endswith("Z")
    raise AssertionError(f"format {name} is not known here")
