"""A host that has nothing but the library: it is copied into an environment's folder and runs there."""

import asyncio
import json
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from pydantic import BaseModel

from sqr_jobs import (
    Caller,
    Paragraph,
    ReportJobs,
    ReportRequest,
    Settings,
    Template,
    User,
    build_report_jobs,
    migrations,
)

SECRET = "a shared secret of this host, long enough for HS256"
PREFIX = "/v1/document/api"


class Data(BaseModel):
    name: str


class Letter(Template[Data], name="letter", version="v1", language="en"):
    def load(self, request: ReportRequest) -> Data:
        return Data(name=request.user_id)

    def flowables(self, data: Data) -> Iterator[Paragraph]:
        yield Paragraph(f"Dear {data.name}")


class Users:
    def find(self, user_id: str) -> User:
        return User(user_id=user_id, given_name="Jo", family_name="Bloggs")

    def may_report(self, caller: Caller, user: User) -> bool:
        return True


def report_jobs() -> ReportJobs:
    keys = {"jwt_key": SECRET, "jwt_algorithms": ("HS256",), "factory": "clean_host:report_jobs"}
    return build_report_jobs(Settings(**keys), users=Users(), templates=[Letter()])


def make_tables(reports: ReportJobs) -> None:
    migrations.upgrade(reports.parts.database.engine)


def without_framework() -> None:
    """Make a report with a render child, and print its address."""
    reports, caller = report_jobs(), Caller(org_id="acme")
    make_tables(reports)
    reports.start()
    job = reports.create(caller, user_id="U1")
    while job.is_active:
        time.sleep(0.05)
        job = reports.status(caller, job.job_id)
    print(job.status.value, reports.download_url(caller, job.job_id).filename)
    reports.stop()


def mounted_in(framework: str) -> None:
    """Create, poll and download over a framework's own interface, and print how it began and ended."""
    ask, stop = globals()[framework]()
    made = ask("POST", PREFIX, json.dumps({"userId": "U1"}))
    job = json.loads(made)
    while job["status"] in ("PENDING", "IN_PROGRESS"):
        time.sleep(0.05)
        job = json.loads(ask("GET", f"{PREFIX}/{job['jobId']}"))
    link = urlsplit(json.loads(ask("GET", f"{PREFIX}/{job['jobId']}/url"))["url"])
    document = ask("GET", f"{link.path}?{link.query}")
    print(job["status"], document[:4].decode(), len(document) == job["sizeBytes"])
    stop()


def token() -> str:
    import jwt

    return jwt.encode({"org": "acme", "exp": int(time.time()) + 60}, SECRET, algorithm="HS256")


def flask():
    from flask import Flask

    from sqr_jobs_flask import create_blueprint

    reports = report_jobs()
    make_tables(reports)
    app = Flask("host")
    app.register_blueprint(create_blueprint(reports))

    def ask(method: str, path: str, body: str = "") -> bytes:
        headers = {"Authorization": f"Bearer {token()}", "Content-Type": "application/json"}
        return app.test_client().open(path, method=method, headers=headers, data=body).get_data()

    return ask, reports.stop


def fastapi():
    from fastapi import FastAPI

    from sqr_jobs_fastapi import create_router

    reports = report_jobs()
    make_tables(reports)
    app = FastAPI()
    app.include_router(create_router(reports))

    def ask(method: str, path: str, body: str = "") -> bytes:
        return asyncio.run(_exchange(app, method, path, body.encode()))

    return ask, reports.stop


async def _exchange(app, method: str, path: str, body: bytes) -> bytes:
    """Speak ASGI: the framework's own client of tests would need another package."""
    where = urlsplit(path)
    headers = [(b"authorization", f"Bearer {token()}".encode()), (b"content-type", b"application/json")]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "server": ("host", 80),
        "client": ("client", 1),
        "method": method,
        "root_path": "",
        "path": where.path,
        "query_string": where.query.encode(),
        "headers": [(b"host", b"host"), *headers],
    }
    arriving = [{"type": "http.request", "body": body, "more_body": False}]
    parts: list[bytes] = []

    async def receive():
        if not arriving:  # the client is still there, and says nothing more
            await asyncio.Event().wait()
        return arriving.pop()

    async def send(message) -> None:
        parts.append(message.get("body", b""))

    await app(scope, receive, send)
    return b"".join(parts)
