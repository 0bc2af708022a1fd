"""The client of a bucket: how it is made, renewed and addressed, and how its errors are translated."""

import importlib.util
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from sqr_jobs.errors import ConfigurationError, DocumentsUnavailable

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_s3 import S3Client

__all__ = ["S3Connection", "code_of", "translated"]

T = TypeVar("T")

_RENEWAL_S = 5.0
_IDLE_S = 60.0
_CLOCK_S = 60.0
_REFUSED_CREDENTIALS = frozenset(
    {
        "400",  # a HEAD has no body, so its code is the status; an expired token is a 400 on S3
        "401",
        "403",
        "AccessDenied",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
    }
)


class S3Connection:
    """One boto3 client per process, made on first use. Safe to use from any thread.

    boto3 reads a credentials file once per session. When the store refuses credentials of boto3's provider
    chain, one new session is made, at most every 5 s, and the call is repeated. Credentials from the settings
    can't change, so they are never read again.
    """

    def __init__(
        self,
        *,
        endpoint_url: str | None,
        region: str | None,
        access_key_id: str | None,
        secret_access_key: str | None,
        addressing: Literal["auto", "path", "virtual"],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        if importlib.util.find_spec("boto3") is None:  # said at the start, and loaded on first use
            raise ConfigurationError("boto3 is missing. Install it: pip install 'sqr-jobs[s3]'.")
        self.has_own_credentials = access_key_id is not None
        """Whether the settings name the credentials, and not boto3's provider chain."""
        arguments = {
            "endpoint_url": endpoint_url,
            "region_name": region or ("us-east-1" if endpoint_url else None),
            "aws_access_key_id": access_key_id,
            "aws_secret_access_key": secret_access_key,
        }
        self._arguments = {name: value for name, value in arguments.items() if value}
        if addressing == "auto":
            addressing = "path" if endpoint_url else "virtual"
        self._addressing = addressing
        self._now = now
        self._lock = threading.Lock()
        self._client: S3Client | None = None
        self._renewed_at = float("-inf")
        self._used_at = now()

    @property
    def is_made(self) -> bool:
        """Whether the client exists; making it takes longer than a call."""
        return self._client is not None

    @property
    def client(self) -> "S3Client":
        """The client; connections that were idle for long are closed before it is used."""
        client = self._client
        if client is None:
            with self._lock:
                if self._client is None:
                    self._client = self._made()
                    self._used_at = self._now()
                client = self._client
        used_at, self._used_at = self._used_at, self._now()
        if self._used_at - used_at > _IDLE_S:
            self.forget_idle()
        return client

    def ask(self, call: Callable[["S3Client"], T]) -> T:
        """Make a call, and repeat it once with new credentials when the store refuses the present ones."""
        client = self.client
        try:
            return _on_open_pool(call, client)
        except Exception as error:
            if not (_refuses_credentials(error) and self._renew(client)):
                raise
        return _on_open_pool(call, self.client)

    def forget_idle(self) -> None:
        """Close idle connections, which a firewall may have forgotten; those in use go on."""
        if (client := self._client) is not None:
            client.close()

    def _renew(self, refused: "S3Client") -> bool:
        """Replace the refused client; False where that can't help or was tried a moment ago."""
        if self.has_own_credentials:
            return False
        with self._lock:
            if self._client is not refused:
                return True  # another thread did it
            if self._now() - self._renewed_at < _RENEWAL_S:
                return False
            self._renewed_at = self._now()
            self._client = self._made()
        refused.close()
        return True

    def _made(self) -> "S3Client":
        import boto3  # noqa: PLC0415 - 50 MB that only the distributed form needs
        from botocore.config import Config  # noqa: PLC0415

        _keep_quiet()
        config = Config(
            signature_version="s3v4",
            connect_timeout=2,
            read_timeout=4,
            tcp_keepalive=True,
            retries={"total_max_attempts": 1},  # the job itself is tried again
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            # Without a style of its own, boto3 presigns for the global host, which newer regions refuse. A
            # bucket with a dot in its name has no certificate as a host; boto3 puts it into the path.
            s3={"addressing_style": self._addressing},
        )
        return boto3.session.Session().client("s3", config=config, **self._arguments)  # type: ignore[call-overload,no-any-return]  # keywords chosen at run time


def _on_open_pool(call: Callable[["S3Client"], T], client: "S3Client") -> T:
    """Make a call, and repeat it where another thread closed the pool before it had a connection."""
    from botocore.exceptions import HTTPClientError  # noqa: PLC0415 - boto3 is loaded on first use
    from urllib3.exceptions import ClosedPoolError  # noqa: PLC0415

    try:
        return call(client)
    except HTTPClientError as error:  # nothing was sent
        if not isinstance(error.kwargs.get("error"), ClosedPoolError):
            raise
    return call(client)


def code_of(error: "ClientError") -> str:
    """Read the store's own error code; for an answer without a body it is the HTTP status."""
    return str(error.response.get("Error", {}).get("Code", "?"))


def _refuses_credentials(error: Exception) -> bool:
    from botocore.exceptions import ClientError, NoCredentialsError  # noqa: PLC0415 - loaded on first use

    if isinstance(error, ClientError):
        return code_of(error) in _REFUSED_CREDENTIALS
    # A RuntimeError is all that botocore says of expired ones. A process may start before it has any.
    return isinstance(error, NoCredentialsError) or type(error) is RuntimeError


def _keep_quiet() -> None:
    """Keep signed URLs, which botocore logs at DEBUG, out of a log that is at DEBUG as a whole."""
    botocores = logging.getLogger("botocore")
    if botocores.level == logging.NOTSET:
        botocores.setLevel(logging.INFO)


class translated:  # noqa: N801 - reads as the statement that it is
    """Turn what botocore raises into `DocumentsUnavailable`; URLs and keys stay out of its text."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, (DocumentsUnavailable, ConfigurationError)):
            return
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        if isinstance(error, ClientError):
            raise DocumentsUnavailable(_refusal(error)) from None
        if isinstance(error, RuntimeError):  # all that botocore says of expired ones
            raise DocumentsUnavailable("The bucket's credentials have expired.") from None
        if isinstance(error, (BotoCoreError, OSError, ValueError)):
            raise DocumentsUnavailable(f"The bucket did not answer ({type(error).__name__}).") from None


def _refusal(error: "ClientError") -> str:
    code = code_of(error)
    off_s = _clock_difference_s(error.response)
    if code == "RequestTimeTooSkewed" or (code in _REFUSED_CREDENTIALS and off_s > _CLOCK_S):
        return f"The bucket refused ({code}): this machine's clock is {off_s:.0f} s off. Set the clock."
    return f"The bucket refused ({code})."


def _clock_difference_s(response: Any) -> float:
    """Compare this machine's clock with the `Date` of an answer; 0 where it has none."""
    date = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        return abs((parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return 0.0
