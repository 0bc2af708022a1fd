"""What a service tells of its own parts: to the log of a worker, and to `sqr-jobs check`."""

import importlib.metadata
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from sqr_jobs.domain.announcement import Announcement
from sqr_jobs.domain.rate_limit import RateLimit
from sqr_jobs.settings import Settings
from sqr_jobs.wiring import parts
from sqr_jobs.wiring.upkeep import relay_queue_of

if TYPE_CHECKING:
    from sqr_jobs.adapters.signing_keys import KeySetReport
    from sqr_jobs.wiring.system import System

__all__ = [
    "broker_address",
    "credentials_left_s",
    "database_address",
    "documents_lie_in",
    "hit_shared_limiter",
    "issuer_keys",
    "limiter_address",
    "limits",
    "messages_waiting",
    "rehearse_job",
    "rehearse_message",
    "ring_s",
    "serves",
    "shares_messages",
    "workers",
]

_PATIENCE_S = 2.0
_TRIES = 3


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


def database_address(system: "System") -> str:
    """Name where the database is: host, port and name, or the file."""
    database = system.database
    return database.dialect.address(database.engine.url)


def rehearse_job(system: "System") -> None:
    """Create, change and delete a job by the service's own statements, all rolled back.

    Raises `DatabaseUnavailable`.
    """
    from sqr_jobs.adapters.sql import rehearse  # noqa: PLC0415

    rehearse(system.database, system.intake, service=system.settings.service_name)


def broker_address(system: "System") -> str:
    """Name where the broker is: host, port, and database or virtual host."""
    from sqr_jobs.adapters.broker_outages import broker_address  # noqa: PLC0415

    return broker_address(parts.broker_url(system.settings) or "")


def messages_waiting(system: "System") -> int:
    """Count the messages that wait, with the patience of a relay. Raises `QueueUnavailable`."""
    return relay_queue_of(system, is_worker=False).waiting()


def workers(system: "System") -> Mapping[str, Announcement]:
    """Read what the live workers announced, with the patience of a relay. Raises `QueueUnavailable`."""
    return relay_queue_of(system, is_worker=False).workers()


def ring_s(system: "System") -> float:
    """Measure how long the broker takes to answer, as a ring waits for it: the least of three tries."""
    taken = []
    for _ in range(_TRIES):
        began = time.monotonic()
        messages_waiting(system)
        taken.append(time.monotonic() - began)
    return min(taken)


def rehearse_message(system: "System") -> None:
    """Send a message and fetch it as a worker does, on a queue for this alone. Raises `QueueUnavailable`."""
    import dramatiq  # noqa: PLC0415

    from sqr_jobs.actors import ACTOR, QUEUE  # noqa: PLC0415
    from sqr_jobs.adapters.own_rings import OwnRings  # noqa: PLC0415

    url = parts.broker_url(system.settings) or ""
    worker = parts.working_broker_for(
        url,
        system.identity.of_service,
        threads=1,
        lifecycle=dramatiq.Middleware(),
        rings=OwnRings(queue_name=QUEUE, actor_name=ACTOR, room=1),
    )
    parts.rehearse_message(url, system.relaying_broker, worker)


def limiter_address(system: "System") -> str:
    """Name where the limiter's storage is."""
    from sqr_jobs.adapters.broker_outages import broker_address  # noqa: PLC0415

    return broker_address(parts.limiter_url(system.settings))


def hit_shared_limiter(system: "System", org_id: str, limit: RateLimit) -> float | None:
    """Count a request in the shared storage; the seconds that it takes, the least of three tries.

    It waits 2 s for each answer, longer than a request does. None where each process counts for itself.
    Raises `LimiterUnavailable` or `DatabaseUnavailable`.
    """
    from sqr_jobs.adapters.limits_limiter import shared_limiter_for  # noqa: PLC0415

    url = parts.limiter_url(system.settings)
    if url.startswith("memory://"):
        return None
    system.identity()
    limiter, taken = (
        shared_limiter_for(
            url,
            identity=system.identity.of_service,
            setting=parts.limiter_setting(system.settings),
            timeout_s=_PATIENCE_S,
        ),
        [],
    )
    for _ in range(_TRIES):
        began = time.monotonic()
        limiter.hit(org_id, limit)
        taken.append(time.monotonic() - began)
    return min(taken)


def shares_messages(system: "System") -> bool:
    """Say whether services on different databases take each other's messages from this broker."""
    return (parts.broker_url(system.settings) or "").startswith("amqp")


def issuer_keys(settings: Settings) -> "KeySetReport":
    """Fetch the issuer's key set, and say which configured algorithms it serves and which keys are skipped.

    Raises `IdentityUnavailable`.
    """
    from sqr_jobs.adapters.key_set_fetch import fetch_json  # noqa: PLC0415
    from sqr_jobs.adapters.signing_keys import JwksKeys  # noqa: PLC0415

    return JwksKeys(fetch_json(settings.jwt_jwks_url or "")).inspect(settings.jwt_algorithms)


def credentials_left_s(system: "System") -> float | None:
    """Tell how long the bucket's credentials live.

    Infinity where they do not expire, None where nobody can tell. Raises `DocumentsUnavailable`.
    """
    from sqr_jobs.adapters.s3_documents import S3DocumentStore  # noqa: PLC0415

    documents = system.documents
    return documents.credentials_left_s() if isinstance(documents, S3DocumentStore) else None
