"""Documents in a bucket of S3 or a compatible store."""

import base64
import hashlib
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from sqr_jobs.adapters.bounded import bounded, hedged
from sqr_jobs.adapters.remembered import Remembered
from sqr_jobs.adapters.s3_connection import S3Connection, code_of, translated
from sqr_jobs.adapters.upload_body import UploadBody
from sqr_jobs.domain.filenames import content_disposition
from sqr_jobs.errors import DocumentsUnavailable
from sqr_jobs.ports import ProducedDocument

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["S3DocumentStore"]

T = TypeVar("T")

_TOTAL_S, _REQUEST_S, _MAKING_S = 10.0, 0.9, 5.0
_READ_BYTES = 1_048_576
_THREAD = "sqr-jobs-s3"
_NOT_FOUND = ("404", "NoSuchKey", "NotFound")


class S3DocumentStore:
    """`DocumentStore` and `VerifyingDocuments` on boto3.

    URLs are presigned with Signature Version 4; the store itself refuses them once expired or changed.
    `request_s` bounds what a request waits for, `within_s` a deletion. An upload ends with its attempt.
    """

    def __init__(
        self,
        bucket: str,
        *,
        endpoint_url: str | None = None,
        region: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        addressing: Literal["auto", "path", "virtual"] = "auto",
        prefix: str = "",
        request_s: float = _REQUEST_S,
        within_s: float = _TOTAL_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._request_s = request_s
        self._within_s = within_s
        self._has_versions = False
        self._digests: Remembered[str] = Remembered()
        self._connection = S3Connection(
            endpoint_url=endpoint_url,
            region=region,
            access_key_id=access_key_id,
            secret_access_key=secret_access_key,
            addressing=addressing,
            now=now,
        )

    def put(self, key: str, document: ProducedDocument, *, until: Callable[[], float]) -> None:
        """Stream the bytes with their SHA-256, which the server compares with what arrived."""
        checksum = _in_base64(document.sha256)
        body = UploadBody(document.file, until=until)

        def upload(client: "S3Client") -> None:
            body.seek(0)  # an upload with refused credentials is repeated
            client.put_object(
                Bucket=self._bucket,
                Key=self._prefix + key,
                Body=body,  # type: ignore[arg-type]  # a file in all that is used
                ContentLength=document.size,
                ContentType="application/pdf",
                ChecksumSHA256=checksum,
            )

        try:
            self._ask(upload, left_s=body.left_s)
        finally:
            body.end()

    def holds(self, key: str, *, size: int) -> bool:
        """Ask for the object's head."""
        return self._ask_in_request(lambda client: self._head(client, key, size=size) is not None)

    def holds_unchanged(self, key: str, *, size: int, sha256: str) -> bool:
        """Compare the checksum that the store keeps.

        Where it keeps none, the bytes are read and hashed, once per version of the object. Objects above
        1 MiB are too large for that in a request: of them only the size is compared.
        """

        def look(client: "S3Client") -> bool:
            head = self._head(client, key, size=size)
            if head is None:
                return False
            if kept := head.get("ChecksumSHA256"):
                return bool(kept == _in_base64(sha256))
            if size > _READ_BYTES:
                return True
            version = (head["ETag"], head["LastModified"]) if "ETag" in head else None
            digest = version and self._digests.get(key, version)
            if digest is None:
                body = client.get_object(Bucket=self._bucket, Key=self._prefix + key)["Body"].read()
                digest = hashlib.sha256(body).hexdigest()
                self._digests.put(key, version, digest)  # found there by a retry, if this one is too late
            return digest == sha256

        return self._ask_in_request(look)

    def url(self, key: str, *, filename: str, expires_s: int, origin: str) -> str:  # noqa: ARG002 - has its own
        """Presign a GET with the type and the file name that the answer must carry."""

        def sign(client: "S3Client") -> str:
            return client.generate_presigned_url(
                "get_object",
                Params={
                    "Bucket": self._bucket,
                    "Key": self._prefix + key,
                    "ResponseContentType": "application/pdf",
                    "ResponseContentDisposition": content_disposition(filename),
                },
                ExpiresIn=expires_s,
                HttpMethod="GET",
            )

        if self._connection.has_own_credentials:  # signing is arithmetic, unless a provider is asked
            with translated():
                return self._connection.ask(sign)
        self._make_client()
        return self._ask(sign, left_s=_for(self._request_s))

    def delete(self, key: str) -> None:
        """Delete the object; in a bucket with versions every one of them, and what marks it as deleted."""
        from botocore.exceptions import ClientError  # noqa: PLC0415 - boto3 is loaded on first use

        name = self._prefix + key

        def delete(client: "S3Client") -> None:
            if not self._has_versions:
                try:
                    answer = client.delete_object(Bucket=self._bucket, Key=name)
                except ClientError as error:
                    if code_of(error) in _NOT_FOUND:  # as some stores answer
                        return
                    raise
                # Known from then on: each deletion without a version would leave one more mark.
                self._has_versions = "VersionId" in answer
            if self._has_versions:
                self._delete_versions(client, name)

        self._ask(delete, left_s=_for(self._within_s))

    def _delete_versions(self, client: "S3Client", name: str) -> None:
        """Delete what a bucket with versions keeps of an object: its versions, and the marks of deletions."""
        pages = client.get_paginator("list_object_versions")
        for page in pages.paginate(Bucket=self._bucket, Prefix=name):
            for kept in [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]:
                if kept["Key"] == name:
                    version = kept["VersionId"]
                    client.delete_object(Bucket=self._bucket, Key=name, VersionId=version)

    def _head(self, client: "S3Client", key: str, *, size: int) -> Any:
        """Ask for the object's head; None where there is no such object of this size."""
        from botocore.exceptions import ClientError  # noqa: PLC0415 - boto3 is loaded on first use

        try:
            head = client.head_object(Bucket=self._bucket, Key=self._prefix + key, ChecksumMode="ENABLED")
        except ClientError as error:
            if code_of(error) in _NOT_FOUND:
                return None
            raise
        if "ContentLength" not in head:
            raise DocumentsUnavailable("The bucket told no size.")
        return head if head["ContentLength"] == size else None

    def _ask_in_request(self, call: Callable[["S3Client"], T]) -> T:
        """Ask, and ask again on a fresh connection after half of a request's time without an answer.

        The first call goes on: on a fresh connection to a distant bucket it takes longer than half.
        """
        self._make_client()
        try:
            return hedged(
                _reporting(lambda: self._connection.ask(call)),
                first_s=self._request_s / 2,
                again=self._connection.forget_idle,
                retried=_NoAnswer,
                left_s=_for(self._request_s),
                name=_THREAD,
            )
        except TimeoutError:
            raise _late() from None

    def _ask(self, call: Callable[["S3Client"], T], *, left_s: Callable[[], float]) -> T:
        """Ask the store, and wait so long in all: botocore bounds each byte's time, and not their sum."""
        return _in_time(lambda: self._connection.ask(call), left_s=left_s)

    def _make_client(self) -> None:
        """Make the client with a bound of its own: that takes longer than a call, and happens once."""
        if not self._connection.is_made:
            _in_time(lambda: self._connection.client, left_s=_for(_MAKING_S))

    def credentials_left_s(self) -> float | None:
        """Tell for how many seconds the credentials live: infinity without end, None if nobody can tell."""
        from botocore.credentials import RefreshableCredentials  # noqa: PLC0415

        with translated():
            client: Any = self._connection.client
        credentials = client._request_signer._credentials  # noqa: SLF001 - there is no public way
        if credentials is None:
            raise DocumentsUnavailable("There are no credentials for the bucket.")
        if not isinstance(credentials, RefreshableCredentials):
            # A session token stands for temporary ones, whose end is known to whoever gave them.
            return None if getattr(credentials, "token", None) else math.inf
        with translated():
            credentials.get_frozen_credentials()
        expiry: datetime | None = getattr(credentials, "_expiry_time", None)
        return None if expiry is None else (expiry - datetime.now(UTC)).total_seconds()


class _NoAnswer(DocumentsUnavailable):
    """Nothing came, or the connection broke; a fresh connection may do better."""


def _in_time(call: Callable[[], T], *, left_s: Callable[[], float]) -> T:
    try:
        return bounded(_reporting(call), left_s=left_s, name=_THREAD)
    except TimeoutError:
        raise _late() from None


def _late() -> _NoAnswer:
    return _NoAnswer("The bucket did not answer in time.")


def _reporting(call: Callable[[], T]) -> Callable[[], T]:
    """Have a call raise what the store's callers know."""
    from botocore.exceptions import HTTPClientError  # noqa: PLC0415 - boto3 is loaded on first use

    def translating() -> T:
        with translated():
            try:
                return call()
            except HTTPClientError as error:
                raise _NoAnswer(f"The bucket did not answer ({type(error).__name__}).") from None

    return translating


def _for(seconds: float) -> Callable[[], float]:
    until = time.monotonic() + seconds
    return lambda: until - time.monotonic()


def _in_base64(sha256: str) -> str:
    return base64.b64encode(bytes.fromhex(sha256)).decode()
