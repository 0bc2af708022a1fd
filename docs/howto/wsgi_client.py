"""A client of a WSGI application, for the contract's tests."""

import io
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from sqr_jobs.testing import Answer, Client


def wsgi_client(app: Any) -> Client:
    """Call the application as a server would."""

    def send(method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        url = urlsplit(path)
        told: dict[str, Any] = {}
        environ: dict[str, Any] = {
            f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()
        }
        environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE", "")
        environ |= {
            "wsgi.url_scheme": "http",
            "HTTP_HOST": "testserver",
            "wsgi.input": io.BytesIO(body or b""),
        }
        environ |= {"REQUEST_METHOD": method, "CONTENT_LENGTH": str(len(body or b"")), "SCRIPT_NAME": ""}
        environ |= {"PATH_INFO": unquote_to_bytes(url.path).decode("latin-1"), "QUERY_STRING": url.query}

        def start_response(status: str, sent: list[tuple[str, str]]) -> None:
            told.update(status=status, headers={name.lower(): value for name, value in sent})

        content = b"".join(app(environ, start_response))
        return Answer(status=int(told["status"][:3]), headers=told["headers"], body=content)

    return send
