"""Storing documents by hand: a folder, or a bucket."""

import base64
import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

__all__ = ["s3_client", "to_bucket", "to_folder"]


def to_folder(folder: Path, key: str, document: bytes) -> None:
    """Store a file so that it is whole or not there, and survives a power cut."""
    target = folder / key
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(document)
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(target)


def to_bucket(client: Any, bucket: str, key: str, document: bytes) -> None:
    """Store an object whose bytes the server compares with their checksum."""
    checksum = base64.b64encode(hashlib.sha256(document).digest()).decode()
    client.put_object(
        Bucket=bucket, Key=key, Body=document, ContentType="application/pdf", ChecksumSHA256=checksum
    )


def s3_client(parameters: dict[str, str]) -> Any:
    """Make the client, once per process."""
    import boto3
    from botocore.config import Config

    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        connect_timeout=2,
        read_timeout=4,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return boto3.session.Session().client(
        "s3",
        endpoint_url=parameters["endpoint_url"],
        region_name=parameters["region"],
        aws_access_key_id=parameters["access_key"],
        aws_secret_access_key=parameters["secret_key"],
        config=config,
    )
