"""What a service tells of its own parts: to the log of a worker, and to `sqr-jobs check`."""

import importlib.metadata
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from sqr_jobs.settings import Settings
from sqr_jobs.wiring import parts

if TYPE_CHECKING:
    from sqr_jobs.wiring.system import System

__all__ = [
    "credentials_left_s",
    "documents_lie_in",
    "issuer_algorithms",
    "limiter_answers",
    "limiter_is_shared",
    "limits",
    "serves",
]


def serves(system: "System") -> str:
    """Say in a line what a worker of this service works on; no address, no name but the templates'."""
    settings = system.settings
    broker = urlsplit(parts.broker_url(settings) or "").scheme or "none but this process"
    return ", ".join(
        [
            f"sqr-jobs {importlib.metadata.version('sqr-jobs')}",
            f"database {system.database.engine.dialect.name}",
            f"broker {broker}",
            f"documents in {documents_lie_in(system)}",
            f"templates {' and '.join(str(ref) for ref in system.templates.refs())}",
            f"per attempt {limits(settings)}",
        ]
    )


def limits(settings: Settings) -> str:
    """Say which limits of an attempt hold on this machine."""
    if settings.render == "inline":
        return "no limit holds with SQR_JOBS_RENDER=inline"
    memory = (
        f"{settings.memory_limit_mb} MB of memory" if sys.platform == "linux" else "NO limit of memory here"
    )
    return f"{settings.attempt_limit_s:g} s, {memory}, {settings.output_limit_mb} MB of output"


def documents_lie_in(system: "System") -> Literal["a bucket", "a folder", "the host's own store"]:
    """Say what kind of store holds the documents."""
    from sqr_jobs.adapters.local_documents import LocalDocumentStore  # noqa: PLC0415
    from sqr_jobs.adapters.s3_documents import S3DocumentStore  # noqa: PLC0415

    if isinstance(system.documents, S3DocumentStore):
        return "a bucket"
    return "a folder" if isinstance(system.documents, LocalDocumentStore) else "the host's own store"


def limiter_is_shared(system: "System") -> bool:
    """Say whether all processes count together, and not each for itself."""
    from sqr_jobs.adapters.limits_limiter import ShelteredRateLimiter  # noqa: PLC0415

    return isinstance(system.limiter, ShelteredRateLimiter)


def limiter_answers(system: "System") -> bool:
    """Say whether the limiter's storage answered when it was last asked."""
    from sqr_jobs.adapters.limits_limiter import ShelteredRateLimiter  # noqa: PLC0415

    return not (isinstance(system.limiter, ShelteredRateLimiter) and system.limiter.is_sheltering)


def issuer_algorithms(settings: Settings) -> Sequence[str]:
    """Fetch the issuer's key set, and name the configured algorithms for which it has a key.

    Raises `IdentityUnavailable`.
    """
    from sqr_jobs.adapters.key_set_fetch import fetch_json  # noqa: PLC0415
    from sqr_jobs.adapters.signing_keys import JwksKeys  # noqa: PLC0415

    return JwksKeys(fetch_json(settings.jwt_jwks_url or "")).serving(settings.jwt_algorithms)


def credentials_left_s(system: "System") -> float | None:
    """Tell how long the bucket's credentials live.

    Infinity where they do not expire, None where nobody can tell. Raises `DocumentsUnavailable`.
    """
    from sqr_jobs.adapters.s3_documents import S3DocumentStore  # noqa: PLC0415

    documents = system.documents
    return documents.credentials_left_s() if isinstance(documents, S3DocumentStore) else None
