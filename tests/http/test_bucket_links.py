"""What the URL leads to, where a bucket holds the bytes."""

import hashlib
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.http.clients import Client
from tests.http.conftest import Serve
from tests.servers.s3 import S3Bucket


@pytest.fixture
def in_bucket(serve: Serve, s3_bucket: S3Bucket) -> Client:
    """Give a client of a service that keeps its documents in a bucket."""
    return serve(
        s3_bucket=s3_bucket.bucket,
        s3_endpoint_url=s3_bucket.endpoint_url,
        s3_region=s3_bucket.region,
        s3_access_key_id=s3_bucket.access_key,
        s3_secret_access_key=s3_bucket.secret_key,
    )


def test_the_bucket_serves_the_bytes_under_a_signature_of_version_4(in_bucket: Client) -> None:
    """The bytes never pass through the web process, and the client sees the same headers."""
    job_id = in_bucket.complete()
    shown, download = in_bucket.status(job_id).json(), in_bucket.url(job_id).json()
    query = parse_qs(urlsplit(download["url"]).query)
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert query["X-Amz-Expires"] == ["300"]
    answer = httpx.get(download["url"])
    assert answer.status_code == 200
    assert hashlib.sha256(answer.content).hexdigest() == shown["sha256"]
    assert len(answer.content) == shown["sizeBytes"]
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"].startswith(f'attachment; filename="{download["filename"]}"')
    assert "filename*=UTF-8''" in answer.headers["content-disposition"]


def test_the_bucket_refuses_what_was_changed_and_every_other_method(in_bucket: Client) -> None:
    """The signature is over method, key, name and lifetime."""
    url = in_bucket.url(in_bucket.complete()).json()["url"]
    assert httpx.put(url, content=b"other").status_code == 403
    assert httpx.delete(url).status_code == 403
    assert httpx.get(url.replace("X-Amz-Expires=300", "X-Amz-Expires=3000")).status_code == 403
    assert httpx.get(url.replace("attachment", "inline")).status_code == 403
    assert httpx.get(url.split("?")[0]).status_code in (400, 401, 403)
    assert httpx.get(url).status_code == 200


def test_an_object_that_vanished_is_410(
    in_bucket: Client, s3_bucket: S3Bucket, caplog: pytest.LogCaptureFixture
) -> None:
    """The same as with a folder: no URL that leads nowhere, and an operator hears of it."""
    job_id = in_bucket.complete()
    url = in_bucket.url(job_id).json()["url"]
    key = urlsplit(url).path.split(f"/{s3_bucket.bucket}/", 1)[-1].lstrip("/")
    in_bucket.system.documents.delete(key)
    assert in_bucket.url(job_id).code == "DOCUMENT_GONE"
    assert [record for record in caplog.records if record.levelname == "ERROR"]
    assert url not in caplog.text


def test_the_local_file_route_is_closed(in_bucket: Client) -> None:
    """A service with a bucket serves no files itself."""
    reply = in_bucket.request("GET", f"{in_bucket.path}/files?key=x&filename=y&expires=1&signature=z")
    assert reply.status in (401, 403, 404)
