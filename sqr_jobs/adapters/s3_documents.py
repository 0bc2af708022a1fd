"""Documents in a bucket of S3 or a compatible store."""

import base64
import functools
import importlib.util
import logging
import math
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from sqr_jobs.adapters.bounded import bounded
from sqr_jobs.domain.filenames import content_disposition
from sqr_jobs.errors import ConfigurationError, DocumentsUnavailable
from sqr_jobs.ports import ProducedDocument

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["S3DocumentStore"]

T = TypeVar("T")

_TOTAL_S = 10.0
_NOT_FOUND = ("404", "NoSuchKey", "NotFound")


class S3DocumentStore:
    """`DocumentStore` on boto3, with one client per process, made on first use.

    URLs are presigned with Signature Version 4; the store itself refuses them once expired or changed.
    """

    def __init__(
        self,
        bucket: str,
        *,
        endpoint_url: str | None = None,
        region: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        prefix: str = "",
        within_s: float = _TOTAL_S,
    ) -> None:
        if importlib.util.find_spec("boto3") is None:  # said at the start, and loaded on first use
            raise ConfigurationError("boto3 is missing. Install it: pip install 'sqr-jobs[s3]'.")
        self._bucket = bucket
        self._prefix = prefix
        self._within_s = within_s
        self._lock = threading.Lock()
        self._has_versions = False
        self._arguments = {
            "endpoint_url": endpoint_url,
            "region_name": region or ("us-east-1" if endpoint_url else None),
            "aws_access_key_id": access_key_id,
            "aws_secret_access_key": secret_access_key,
        }

    def put(self, key: str, document: ProducedDocument, *, until: Callable[[], float]) -> None:
        """Stream the bytes with their SHA-256, which the server compares with what arrived."""
        checksum = base64.b64encode(bytes.fromhex(document.sha256)).decode()
        self._ask(
            lambda client: client.put_object(
                Bucket=self._bucket,
                Key=self._prefix + key,
                Body=_TimedReader(document.file, until),  # type: ignore[arg-type]  # a file in all that is used
                ContentLength=document.size,
                ContentType="application/pdf",
                ChecksumSHA256=checksum,
            ),
            left_s=until,
        )

    def holds(self, key: str, *, size: int) -> bool:
        """Ask for the object's head."""
        from botocore.exceptions import ClientError  # noqa: PLC0415 - boto3 is loaded on first use

        def look(client: "S3Client") -> bool:
            try:
                head = client.head_object(Bucket=self._bucket, Key=self._prefix + key)
            except ClientError as error:
                if error.response["Error"]["Code"] in _NOT_FOUND:
                    return False
                raise
            if "ContentLength" not in head:
                raise DocumentsUnavailable("The bucket told no size.")
            return head["ContentLength"] == size

        return self._ask(look)

    def url(self, key: str, *, filename: str, expires_s: int, origin: str) -> str:  # noqa: ARG002 - has its own
        """Presign a GET with the type and the file name that the answer must carry."""
        with _translated():
            return self._client.generate_presigned_url(
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

    def delete(self, key: str) -> None:
        """Delete the object; in a bucket with versions every one of them, and what marks it as deleted."""
        from botocore.exceptions import ClientError  # noqa: PLC0415 - boto3 is loaded on first use

        name = self._prefix + key

        def delete(client: "S3Client") -> None:
            if not self._has_versions:
                try:
                    answer = client.delete_object(Bucket=self._bucket, Key=name)
                except ClientError as error:
                    if error.response["Error"]["Code"] in _NOT_FOUND:  # as some stores answer
                        return
                    raise
                # Known from then on: each deletion without a version would leave one more mark.
                self._has_versions = "VersionId" in answer
            if self._has_versions:
                self._delete_versions(client, name)

        self._ask(delete)

    def _delete_versions(self, client: "S3Client", name: str) -> None:
        """Delete what a bucket with versions keeps of an object: its versions, and the marks of deletions."""
        pages = client.get_paginator("list_object_versions")
        for page in pages.paginate(Bucket=self._bucket, Prefix=name):
            for kept in [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]:
                if kept["Key"] == name:
                    version = kept["VersionId"]
                    client.delete_object(Bucket=self._bucket, Key=name, VersionId=version)

    def _ask(self, call: Callable[["S3Client"], T], *, left_s: Callable[[], float] | None = None) -> T:
        """Ask the store, and wait so long in all: botocore bounds each byte's time, and not their sum."""
        until = time.monotonic() + self._within_s

        def ask() -> T:
            with _translated():
                return call(self._client)

        try:
            return bounded(ask, left_s=left_s or (lambda: until - time.monotonic()), name="sqr-jobs-s3")
        except TimeoutError:
            raise DocumentsUnavailable("The bucket did not answer in time.") from None

    def credentials_left_s(self) -> float | None:
        """Tell for how many seconds the credentials live: infinity without end, None if nobody can tell."""
        from botocore.credentials import RefreshableCredentials  # noqa: PLC0415

        with _translated():
            client: Any = self._client
        credentials = client._request_signer._credentials  # noqa: SLF001 - there is no public way
        if credentials is None:
            raise DocumentsUnavailable("There are no credentials for the bucket.")
        if not isinstance(credentials, RefreshableCredentials):
            # A session token stands for temporary ones, whose end is known to whoever gave them.
            return None if getattr(credentials, "token", None) else math.inf
        with _translated():
            credentials.get_frozen_credentials()
        expiry: datetime | None = getattr(credentials, "_expiry_time", None)
        return None if expiry is None else (expiry - datetime.now(UTC)).total_seconds()

    @property
    def _client(self) -> "S3Client":
        with self._lock:
            return self._connected

    @functools.cached_property
    def _connected(self) -> "S3Client":
        import boto3  # noqa: PLC0415 - 50 MB that only the distributed form needs
        from botocore.config import Config  # noqa: PLC0415

        _keep_quiet()
        config = Config(
            signature_version="s3v4",
            connect_timeout=2,
            read_timeout=4,
            retries={"total_max_attempts": 1},  # the job itself is tried again
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path"} if self._arguments["endpoint_url"] else {},
        )
        given = {name: value for name, value in self._arguments.items() if value}
        return boto3.session.Session().client("s3", config=config, **given)  # type: ignore[call-overload,no-any-return]  # keywords chosen at run time


def _keep_quiet() -> None:
    """Keep signed URLs, which botocore logs at DEBUG, out of a log that is at DEBUG as a whole."""
    botocores = logging.getLogger("botocore")
    if botocores.level == logging.NOTSET:
        botocores.setLevel(logging.INFO)


class _TimedReader:
    """A body that ends the upload when the attempt's time is over: botocore has no total timeout."""

    def __init__(self, file: BinaryIO, until: Callable[[], float]) -> None:
        self._file = file
        self._until = until

    def read(self, size: int = -1) -> bytes:
        if self._until() <= 0:
            raise DocumentsUnavailable("The upload took longer than the attempt may.")
        return self._file.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class _translated:  # noqa: N801 - reads as the statement that it is
    """Turn what botocore raises into `DocumentsUnavailable`; URLs and keys stay out of its text."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, (DocumentsUnavailable, ConfigurationError)):
            return
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        if isinstance(error, ClientError):
            code = error.response["Error"].get("Code", "?")
            raise DocumentsUnavailable(f"The bucket refused ({code}).") from None
        if isinstance(error, RuntimeError):  # all that botocore says of expired ones
            raise DocumentsUnavailable("The bucket's credentials have expired.") from None
        if isinstance(error, (BotoCoreError, OSError, ValueError)):
            raise DocumentsUnavailable(f"The bucket did not answer ({type(error).__name__}).") from None
