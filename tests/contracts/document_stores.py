"""Each document store with the way in which its URLs are fetched, so that one suite fits all."""

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

import httpx

from sqr_jobs.adapters.local_documents import LocalDocumentStore
from sqr_jobs.adapters.s3_documents import S3DocumentStore
from sqr_jobs.ports import DocumentStore, ProducedDocument
from sqr_jobs.web.endpoints import FILES_PATH, Endpoints
from sqr_jobs.web.messages import HttpRequest, chunks
from tests.servers.s3 import S3Bucket

__all__ = [
    "KEY",
    "ORIGIN",
    "Answer",
    "StoreUnderTest",
    "altered",
    "changed",
    "local_store",
    "parts_of",
    "produced",
    "s3_store",
]

KEY = "0c7b6a3e-0000-4000-8000-000000000001/1-0123456789abcdef.pdf"
ORIGIN = "https://service.example"
_PREFIX = "/v1/document/api"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a URL was answered with."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, kw_only=True)
class StoreUnderTest:
    """A store, and how a browser meets it."""

    name: str
    documents: DocumentStore
    fetch: Callable[[str, str], Answer]
    """Answer a URL asked for with a method."""
    stored_keys: Callable[[], list[str]]
    """List what is stored."""
    overwrite: Callable[[str, bytes], object]
    """Replace an object's bytes as somebody else would, who keeps no checksum."""


def produced(data: bytes = b"%PDF-1.7 a document", *, sha256: str | None = None) -> ProducedDocument:
    """Make the finished bytes of a document, with their SHA-256 or a wrong one."""
    file = io.BytesIO(data)
    digest = sha256 or hashlib.sha256(data).hexdigest()
    return ProducedDocument(file=file, size=len(data), sha256=digest, release=file.close)


def altered(data: bytes) -> bytes:
    """Change ten bytes in the middle of a document; the size stays."""
    start = len(data) // 2 - 5
    return data[:start] + bytes(byte ^ 1 for byte in data[start : start + 10]) + data[start + 10 :]


def parts_of(url: str) -> list[str]:
    """Name the parts of a URL that a test can change: its path, and each field of its query."""
    return ["path", *(name for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True))]


def changed(url: str, part: str) -> str:
    """Change one character, in the middle, of one part of a URL."""
    split = urlsplit(url)
    if part == "path":
        return urlunsplit(split._replace(path=_flip(split.path)))
    fields = [
        (name, _flip(value) if name == part else value)
        for name, value in parse_qsl(split.query, keep_blank_values=True)
    ]
    query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in fields)
    return urlunsplit(split._replace(query=query))


def _flip(text: str) -> str:
    middle = len(text) // 2
    return text[:middle] + ("1" if text[middle] != "1" else "2") + text[middle + 1 :]


class _NoReports:
    """Stands for the service behind the endpoints, of which the file route needs nothing."""

    def start(self) -> None:
        """Do nothing."""


def local_store(folder: Path) -> StoreUnderTest:
    """Make the local store, with its URLs served by the library's own endpoint."""
    store = LocalDocumentStore(folder, link_key=lambda: b"k" * 32, files_path=_PREFIX + FILES_PATH)
    endpoints = Endpoints(
        _NoReports(),  # type: ignore[arg-type]
        authenticator=None,
        prefix=_PREFIX,
        max_body_bytes=1,
        local_documents=store,
    )

    def fetch(url: str, method: str) -> Answer:
        split = urlsplit(url)
        if method != "GET" or split.path != _PREFIX + FILES_PATH:
            return Answer(status=405)  # the adapters register this one route, for GET
        query = dict(parse_qsl(split.query, keep_blank_values=True))
        reply = endpoints.file(HttpRequest(path=split.path, query=query))
        body = reply.body if isinstance(reply.body, bytes) else b"".join(chunks(reply.body)[1])
        return Answer(
            status=reply.status, headers={k.lower(): v for k, v in reply.headers.items()}, body=body
        )

    def stored_keys() -> list[str]:
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())

    def overwrite(key: str, data: bytes) -> None:
        (folder / key).write_bytes(data)

    return StoreUnderTest(
        name="local", documents=store, fetch=fetch, stored_keys=stored_keys, overwrite=overwrite
    )


def s3_store(bucket: S3Bucket) -> StoreUnderTest:
    """Make the bucket's store, with its URLs served by the S3 server, which checks signatures."""
    store = S3DocumentStore(
        bucket.bucket,
        endpoint_url=bucket.endpoint_url,
        region=bucket.region,
        access_key_id=bucket.access_key,
        secret_access_key=bucket.secret_key,
        prefix="reports/",
        request_s=10.0,  # a busy machine is no outage
    )

    def fetch(url: str, method: str) -> Answer:
        response = httpx.request(method, url, trust_env=False, timeout=10)
        return Answer(status=response.status_code, headers=dict(response.headers), body=response.content)

    def stored_keys() -> list[str]:
        listed = store._connection.client.list_objects_v2(Bucket=bucket.bucket)
        return [found["Key"].removeprefix("reports/") for found in listed.get("Contents", [])]

    def overwrite(key: str, data: bytes) -> None:
        store._connection.client.put_object(Bucket=bucket.bucket, Key=f"reports/{key}", Body=data)

    return StoreUnderTest(
        name="S3", documents=store, fetch=fetch, stored_keys=stored_keys, overwrite=overwrite
    )
