"""The demo's page: what its paths answer, whatever framework serves them."""

import ipaddress
import json
from collections.abc import Mapping
from http import HTTPStatus
from importlib.resources import files
from typing import Any, Final
from urllib.parse import urlsplit

from sqr_jobs.demo.app import ORG, state_folder
from sqr_jobs.demo.people import listing
from sqr_jobs.demo.tokens import issue

__all__ = ["FrontPage"]

_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "ttf": "font/ttf",
}
_FONTS: Final = ("NotoSans-Regular.ttf", "NotoSans-Bold.ttf")
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; "
    "connect-src 'self'; frame-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
"""Nothing but the page's own files; the frame shows the report, which the page has fetched and checked."""
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_OWN_NAMES: Final = ("127.0.0.1", "localhost")

_Reply = tuple[int, dict[str, str], bytes]
"""Status, headers, body."""


class FrontPage:
    """Answers `/` and `/demo/{name}`: the page's files to anyone, its session to a browser on this machine.

    The page is a client like any other: the session gives it a token, and all else it gets by the three
    endpoints under `prefix`.
    """

    def __init__(self, *, prefix: str) -> None:
        self._prefix = prefix

    def reply(self, path: str, headers: Mapping[str, str], client: str | None) -> _Reply:
        """Answer a GET. `headers` has its names in lower case; `client` is the IP address that asks."""
        name = path.removeprefix("/demo/") if path != "/" else "page.html"
        if name == "session":
            if refusal := _stranger(headers, client):
                return _problem(HTTPStatus.FORBIDDEN, "DEMO_SESSION_REFUSED", refusal)
            return _json(HTTPStatus.OK, self._session())
        kind = _TYPES.get(name.rpartition(".")[2])
        folder = files("sqr_jobs") / ("documents/fonts" if name in _FONTS else "demo/page")
        if kind is None or name not in {entry.name for entry in folder.iterdir()}:
            return _problem(HTTPStatus.NOT_FOUND, "NOT_FOUND", "The demo has no such file.")
        content = (folder / name).read_bytes()
        return HTTPStatus.OK, _HEADERS | {"Content-Type": kind, "Cache-Control": "no-cache"}, content

    def _session(self) -> dict[str, Any]:
        return {
            "org": ORG,
            "token": issue(state_folder(), ORG),
            "prefix": self._prefix,
            "people": listing(),
        }


def _stranger(headers: Mapping[str, str], client: str | None) -> str | None:
    """Say why this is not the demo's page on this machine that asks; None where it is.

    Another site can make a browser ask, and can point a name of its own here (DNS rebinding). The browser
    tells: `Host` has the name that was asked for, `Sec-Fetch-Site` who asks.
    """
    try:
        is_near = ipaddress.ip_address(client or "").is_loopback
    except ValueError:
        is_near = False
    if not is_near:
        return "The demo gives its token on this machine only."
    if urlsplit(f"//{headers.get('host', '')}").hostname not in _OWN_NAMES:
        return "The demo gives its token only under its own address. Open it by 127.0.0.1 or localhost."
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return "The demo gives its token to its own page only."
    return None


def _json(status: HTTPStatus, value: Mapping[str, Any], kind: str = "application/json") -> _Reply:
    headers = _HEADERS | {"Content-Type": kind, "Cache-Control": "no-store"}
    return status, headers, json.dumps(value).encode()


def _problem(status: HTTPStatus, code: str, detail: str) -> _Reply:
    value = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
    return _json(status, value, "application/problem+json")
