"""The S3 server as other tests rely on it: it refuses the URLs that Amazon would refuse."""

from __future__ import annotations

import datetime as dt
from contextlib import closing
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError

from tests.servers.s3 import S3Bucket, S3Server

if TYPE_CHECKING:
    from collections.abc import Iterator


def _s3_client(server: S3Server | S3Bucket) -> Any:
    """Return a client as the library would configure it."""
    return boto3.Session().client(
        "s3",
        endpoint_url=server.endpoint_url,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name=server.region,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            retries={"total_max_attempts": 1},
            proxies={},
        ),
    )


@pytest.fixture
def s3_client(s3_bucket: S3Bucket) -> Iterator[Any]:
    """Give a client to a bucket that holds `a.pdf`."""
    with closing(_s3_client(s3_bucket)) as client:
        client.put_object(Bucket=s3_bucket.bucket, Key="a.pdf", Body=b"%PDF-", ContentType="application/pdf")
        yield client


def _presign(client: Any, bucket: str, *, seconds: int = 60) -> str:
    disposition = 'attachment; filename="report.pdf"'
    parameters = {"Bucket": bucket, "Key": "a.pdf", "ResponseContentDisposition": disposition}
    return str(client.generate_presigned_url("get_object", Params=parameters, ExpiresIn=seconds))


def _fetch(url: str) -> httpx.Response:
    return httpx.get(url, trust_env=False)


def test_s3_serves_a_presigned_url_with_the_disposition_asked_for(
    s3_bucket: S3Bucket, s3_client: Any
) -> None:
    """The control for the refusals below: the URL itself is good."""
    response = _fetch(_presign(s3_client, s3_bucket.bucket))
    assert response.status_code == 200
    assert response.content == b"%PDF-"
    assert response.headers["content-disposition"] == 'attachment; filename="report.pdf"'
    assert response.headers["content-type"] == "application/pdf"


@pytest.mark.parametrize(
    ("good", "forged"),
    [("a.pdf", "b.pdf"), ("report.pdf", "other.pdf"), ("X-Amz-Expires=60", "X-Amz-Expires=61")],
    ids=["key", "disposition", "expiry"],
)
def test_s3_refuses_a_tampered_url(s3_bucket: S3Bucket, s3_client: Any, good: str, forged: str) -> None:
    """A server that lets this pass proves nothing about our URLs."""
    s3_client.put_object(Bucket=s3_bucket.bucket, Key="b.pdf", Body=b"another's")
    url = _presign(s3_client, s3_bucket.bucket)
    assert good in url
    assert _fetch(url.replace(good, forged)).status_code == 403


def test_s3_refuses_a_url_from_its_expiry_on(
    s3_bucket: S3Bucket, s3_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two URLs signed a minute ago, the one that is valid for longer is still served."""
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)  # botocore counts in naive UTC
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: now - dt.timedelta(seconds=60))
    assert _fetch(_presign(s3_client, s3_bucket.bucket, seconds=120)).status_code == 200
    assert _fetch(_presign(s3_client, s3_bucket.bucket, seconds=55)).status_code in {400, 403}


def test_s3_keeps_its_objects_across_a_kill() -> None:
    """Uploads that were acknowledged are there when the store comes back."""
    with S3Server() as server, closing(_s3_client(server)) as client:
        bucket = server.create_bucket()
        client.put_object(Bucket=bucket, Key="a.pdf", Body=b"%PDF-", ContentType="application/pdf")
        server.kill()
        with pytest.raises(EndpointConnectionError):
            client.get_object(Bucket=bucket, Key="a.pdf")
        server.restart()
        found = client.get_object(Bucket=bucket, Key="a.pdf")
        assert found["Body"].read() == b"%PDF-"
