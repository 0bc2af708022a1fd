"""The three endpoints' work, without a framework: the same calls as the library's, and no more."""

import hashlib
import hmac
import json
import math
import time
import uuid
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from limits import RateLimitItemPerSecond
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter
from pydantic import BaseModel, Field
from sqlalchemy import Row, func, insert, select, text
from sqlalchemy.exc import IntegrityError

from tests.bench.bare_stores import s3_client
from tests.bench.byhand.config import Config
from tests.bench.byhand.tables import job, make_engine, note

__all__ = ["CreateBody", "Refused", "Service", "now_ms"]

_LIMIT, _WINDOW_S = 10, 600
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:org, 1))")


class CreateBody(BaseModel):
    """The body of a creation."""

    user_id: str = Field(alias="userId", min_length=1, max_length=16)


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


class Service:
    """Verifies, counts, stores, rings, reads and signs.

    `is_plain` leaves out what the contract asks for beyond the obvious: the ceiling in SQL with its lock, the
    rate limit's headers, the look whether the document is still there, and the ping by which a pool
    survives a restart of the database.
    """

    def __init__(self, config: Config, *, enqueue: Callable[[str], None], is_plain: bool = False) -> None:
        self.config = config
        self.is_plain = is_plain
        self.engine = make_engine(config.database_url, pre_ping=not is_plain)
        self._is_sqlite = self.engine.dialect.name == "sqlite"
        self._key: Any = load_pem_public_key(config.public_key.encode())
        self._limiter = MovingWindowRateLimiter(storage_from_string(config.redis_url or "memory://"))
        self._limit = RateLimitItemPerSecond(_LIMIT, _WINDOW_S, namespace=f"by-hand:{is_plain}")
        self._enqueue = enqueue
        self._link_key = hashlib.sha256(config.folder.encode()).digest()

    def org_of(self, authorization: str | None) -> str:
        """Judge the token and return its org."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            raise Refused(401, "UNAUTHENTICATED")
        try:
            claims = jwt.decode(token, self._key, algorithms=["RS256"], options={"require": ["exp", "org"]})
        except jwt.PyJWTError:
            raise Refused(401, "UNAUTHENTICATED") from None
        return str(claims["org"])

    def create(self, org: str, user_id: str) -> tuple[dict[str, Any], dict[str, str]]:
        """Store a job and ring for it; return the body and the headers of the 202."""
        headers = {"Retry-After": "3", "Cache-Control": "no-store"}
        if not self._limiter.hit(self._limit, org):
            raise Refused(429, "RATE_LIMITED")
        if not self.is_plain:
            window = self._limiter.get_window_stats(self._limit, org)
            reset_s = max(math.ceil(window.reset_time - time.time()), 1)
            headers["RateLimit-Policy"] = f'"org";q={_LIMIT};w={_WINDOW_S}'
            headers["RateLimit"] = f'"org";r={window.remaining};t={reset_s}'
        job_id, now = str(uuid.uuid4()), now_ms()
        try:
            self._insert(job_id, org, user_id, now)
        except IntegrityError:
            raise Refused(409, "JOB_ALREADY_ACTIVE") from None
        self._enqueue(job_id)
        body = {"jobId": job_id, "status": "PENDING", "userId": user_id, "attempts": 0}
        return {**body, "createdAt": _timestamp(now), "updatedAt": _timestamp(now)}, headers

    def status(self, org: str, job_id: str) -> dict[str, Any]:
        """Tell how a job stands."""
        row = self._find(org, job_id)
        shown = {"QUEUED": "PENDING", "RUNNING": "IN_PROGRESS"}.get(row.state, row.state)
        body = {"jobId": row.job_id, "status": shown, "userId": row.user_id, "attempts": row.attempts}
        body |= {"createdAt": _timestamp(row.created_at), "updatedAt": _timestamp(row.updated_at)}
        if row.state == "COMPLETE":
            body |= {"templateVersion": row.template_version, "sizeBytes": row.size, "sha256": row.sha256}
            body |= {
                "durationMs": row.completed_at - row.created_at,
                "completedAt": _timestamp(row.completed_at),
            }
        return body

    def download_url(self, org: str, job_id: str, origin: str) -> dict[str, Any]:
        """Sign a fresh URL."""
        row = self._find(org, job_id)
        if row.state != "COMPLETE":
            raise Refused(422, "JOB_NOT_COMPLETE")
        filename = f"SQR_J_Bloggs_{hashlib.sha256(job_id.encode()).hexdigest()[:4].upper()}.pdf"
        if not self.is_plain and not self._is_there(row.document_key, row.size):
            raise Refused(410, "DOCUMENT_GONE")
        if self.config.s3 is None:
            url = self._link(row.document_key, filename, origin)
        else:
            disposition = f"attachment; filename=\"{filename}\"; filename*=UTF-8''{quote(filename)}"
            wanted = {"Bucket": self.config.bucket, "Key": row.document_key}
            wanted |= {"ResponseContentType": "application/pdf", "ResponseContentDisposition": disposition}
            url = self.s3.generate_presigned_url("get_object", Params=wanted, ExpiresIn=300)
        return {"url": url, "expiresInSeconds": 300, "filename": filename}

    @cached_property
    def s3(self) -> Any:
        """The bucket's client."""
        return s3_client(self.config.s3 or {})

    def _insert(self, job_id: str, org: str, user_id: str, now: int) -> None:
        with self.engine.begin() as connection:
            if self._is_sqlite:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            if not self.is_plain:
                if not self._is_sqlite:
                    connection.execute(_LOCK, {"org": org})
                since = now - _WINDOW_S * 1000
                counted = select(func.count()).where(job.c.org_id == org, job.c.created_at > since)
                if connection.execute(counted).scalar_one() >= _LIMIT:
                    raise Refused(429, "RATE_LIMITED")
            values = {"job_id": job_id, "org_id": org, "user_id": user_id, "state": "QUEUED", "attempts": 0}
            connection.execute(
                insert(job).values(**values, template_version="v1", created_at=now, updated_at=now)
            )
            note(connection, job_id, "QUEUED", now)

    def _find(self, org: str, job_id: str) -> Row[Any]:
        with self.engine.connect() as connection:
            row = connection.execute(
                select(job).where(job.c.job_id == job_id, job.c.org_id == org)
            ).one_or_none()
        if row is None:
            raise Refused(404, "JOB_NOT_FOUND")
        return row

    def _is_there(self, key: str, size: int) -> bool:
        if self.config.s3 is None:
            return (Path(self.config.folder) / key).stat().st_size == size
        head = self.s3.head_object(Bucket=self.config.bucket, Key=key)
        return bool(head["ContentLength"] == size)

    def _link(self, key: str, filename: str, origin: str) -> str:
        query = {"key": key, "filename": filename, "expires": str(int(time.time()) + 300)}
        signed = json.dumps(["GET", *query.values()]).encode()
        query["signature"] = hmac.new(self._link_key, signed, hashlib.sha256).hexdigest()
        return f"{origin}/files?{urlencode(query)}"


def now_ms() -> int:
    """Return the present in epoch milliseconds."""
    return time.time_ns() // 1_000_000


def _timestamp(epoch_ms: int) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(epoch_ms // 1000))
    return f"{whole}.{epoch_ms % 1000:03d}Z"
