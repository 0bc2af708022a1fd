"""The sample host in a Flask application."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Flask

from sqr_jobs import ReportJobs
from sqr_jobs.wiring import system_of
from sqr_jobs_flask import create_blueprint
from tests.http.clients import HOST, Client, Reply, Stream, recording, reply_of

__all__ = ["client", "nested", "together"]


class _FlaskClient(Client):
    def __init__(self, app: Flask, reports: ReportJobs, **where: Any) -> None:
        super().__init__(reports, **where)
        self.app = app
        app.testing = True

    def _send(self, method: str, path: str, headers: list[tuple[str, str]], content: bytes | None) -> Reply:
        with self._open(path, method=method, headers=headers, data=content) as answer:
            return reply_of(answer.status_code, answer.headers.items(), answer.get_data())

    def stream(self, path: str, headers: dict[str, str], body: Stream, *, length: int | None) -> Reply:
        server: dict[str, Any] = {"wsgi.input": body, "CONTENT_LENGTH": str(length)}
        if length is None:
            server |= {
                "CONTENT_LENGTH": "",
                "HTTP_TRANSFER_ENCODING": "chunked",
                "wsgi.input_terminated": True,
            }
        with self._open(path, method="POST", headers=headers, environ_overrides=server) as answer:
            return reply_of(answer.status_code, answer.headers.items(), answer.get_data())

    def _open(self, path: str, **request: Any) -> Any:
        client = self.app.test_client(use_cookies=False)
        root = self.root if path.startswith(self.root) else quote(self.root)
        return client.open(path.removeprefix(root), base_url=f"http://{HOST}{self.root}", **request)


@contextmanager
def client(
    factory: Callable[[], ReportJobs] | ReportJobs, *, caller: Any = None, **where: Any
) -> Iterator[Client]:
    """Mount in a Flask application; the end stops what the first request started."""
    made, remembering = recording(factory)
    app = Flask("tests.http")
    app.register_blueprint(create_blueprint(remembering, caller=caller))
    made_client = _FlaskClient(app, made(), **where)
    try:
        yield made_client
    finally:
        made_client.reports.stop()


def nested(reports: ReportJobs, outer: str) -> Client:
    """Mount below another blueprint."""
    app = Flask("tests.http")
    around = Blueprint("around", "tests.http", url_prefix=outer)
    around.register_blueprint(create_blueprint(reports))
    app.register_blueprint(around)
    return _FlaskClient(app, reports, prefix=outer + system_of(reports).settings.prefix)


def together(made: list[ReportJobs]) -> list[Client]:
    """Mount several services in one application."""
    app = Flask("tests.http")
    for number, reports in enumerate(made):
        app.register_blueprint(create_blueprint(reports, name=f"reports_{number}"))
    return [_FlaskClient(app, reports, prefix=system_of(reports).settings.prefix) for reports in made]
