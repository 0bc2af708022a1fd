"""From settings to adapters, one function per port; each imports what it makes, because most are extras."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqr_jobs.domain.failures import RetryPolicy
from sqr_jobs.errors import ConfigurationError
from sqr_jobs.key_file import key_file
from sqr_jobs.local_paths import private_folder
from sqr_jobs.ports import Authenticator, DocumentProducer, DocumentStore, RateLimiter
from sqr_jobs.settings import Settings

if TYPE_CHECKING:
    import dramatiq
    from sqlalchemy import Engine

    from sqr_jobs.adapters.dramatiq_queue import ObservableBroker
    from sqr_jobs.adapters.own_rings import OwnRings
    from sqr_jobs.adapters.sql import Database
    from sqr_jobs.documents.template import Catalog

__all__ = [
    "authenticator_for",
    "broker_url",
    "database_for",
    "documents_for",
    "limiter_for",
    "limiter_setting",
    "limiter_url",
    "policy_for",
    "producer_for",
    "rehearse_message",
    "relaying_broker_for",
    "ringing_broker_for",
    "working_broker_for",
]

_MEBIBYTE = 1_048_576


def database_for(
    settings: Settings, engine: "Engine | None" = None, *, folder: Path | None = None
) -> "Database":
    """Make the job database: the host's engine, the configured URL, else a SQLite file in `data_dir`.

    `folder` is the one that a relative file name of the host's engine starts from.
    """
    from sqr_jobs.adapters.sql import Database, engine_for  # noqa: PLC0415

    timeout_s = settings.database_timeout_s
    if engine is not None:
        return Database(engine, timeout_s=timeout_s, is_host_engine=True, folder=folder)
    url = _secret(settings.database_url)
    if url is None:
        try:
            private_folder(settings.data_dir)
        except OSError as error:
            raise ConfigurationError(
                f"The folder {settings.data_dir} can't be made ({error.strerror}). Set SQR_JOBS_DATA_DIR to "
                "one that this process may write, or SQR_JOBS_DATABASE_URL."
            ) from None
        url = f"sqlite:///{settings.data_dir.resolve() / 'jobs.db'}"
    return Database(engine_for(url, timeout_s=timeout_s), timeout_s=timeout_s)


def documents_for(settings: Settings, *, files_path: str) -> DocumentStore:
    """Make the document store: the bucket, or the folder in `data_dir`, served below the mount."""
    if settings.s3_bucket:
        from sqr_jobs.adapters.s3_documents import S3DocumentStore  # noqa: PLC0415

        return S3DocumentStore(
            settings.s3_bucket,
            endpoint_url=settings.s3_endpoint_url,
            region=settings.s3_region,
            access_key_id=_secret(settings.s3_access_key_id),
            secret_access_key=_secret(settings.s3_secret_access_key),
            addressing=settings.s3_addressing,
            prefix=settings.s3_prefix,
            request_s=settings.s3_request_timeout_s,
        )
    from sqr_jobs.adapters.local_documents import LocalDocumentStore  # noqa: PLC0415

    given, data_dir = _secret(settings.link_key), settings.data_dir.resolve()
    return LocalDocumentStore(
        data_dir / "documents",
        link_key=lambda: given.encode() if given else key_file(data_dir / "link-key"),
        files_path=files_path,
    )


def limiter_for(settings: Settings, identity: Callable[[], str]) -> RateLimiter:
    """Make the limiter: on the configured storage, else on a Redis broker, else in memory.

    `identity` is that of the database, by which services that share a Redis count apart.
    """
    from sqr_jobs.adapters import limits_limiter  # noqa: PLC0415

    return limits_limiter.limiter_for(
        limiter_url(settings), identity=identity, setting=limiter_setting(settings)
    )


def authenticator_for(settings: Settings) -> Authenticator | None:
    """Make what judges tokens; None where no key is configured."""
    if not (settings.jwt_key or settings.jwt_jwks_url):
        return None
    from sqr_jobs.adapters.jwt_authenticator import JwtAuthenticator  # noqa: PLC0415
    from sqr_jobs.adapters.key_set_fetch import fetch_json  # noqa: PLC0415
    from sqr_jobs.adapters.signing_keys import JwksKeys, StaticKeys  # noqa: PLC0415

    key = _secret(settings.jwt_key)
    return JwtAuthenticator(
        StaticKeys(key, settings.jwt_algorithms)
        if key
        else JwksKeys(fetch_json(settings.jwt_jwks_url or "")),
        algorithms=settings.jwt_algorithms,
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        leeway_s=settings.jwt_leeway_s,
        org_claim=settings.jwt_org_claim,
        scope_claim=settings.jwt_scope_claim,
        strict=settings.jwt_strict,
    )


def producer_for(settings: Settings, catalog: "Catalog", factory: Callable[[], str]) -> DocumentProducer:
    """Make what makes the documents: render children, or the worker's own thread."""
    output_bytes = settings.output_limit_mb * _MEBIBYTE
    if settings.render == "inline":
        from sqr_jobs.adapters.inline_producer import InlineProducer  # noqa: PLC0415

        return InlineProducer(catalog, output_bytes=output_bytes)
    from sqr_jobs.adapters.child_producer import ChildProducer  # noqa: PLC0415

    return ChildProducer(
        factory=factory,
        memory_bytes=settings.memory_limit_mb * _MEBIBYTE,
        output_bytes=output_bytes,
        start_limit_s=settings.start_limit_s,
        work_dir=settings.work_dir,
        python=settings.python,
    )


def ringing_broker_for(url: str, identity: Callable[[], str]) -> "ObservableBroker":
    """Make the broker of a web process, for the service on the database of this identity.

    Raises `ConfigurationError` without the broker's client, or for an address that can't serve.
    """
    if _is_amqp(url):
        with _needing("RabbitMQ", extra="rabbitmq"):
            from sqr_jobs.adapters import rabbitmq_broker  # noqa: PLC0415
        return rabbitmq_broker.ringing_broker(url)
    with _needing("Redis", extra="redis"):
        from sqr_jobs.adapters import redis_broker  # noqa: PLC0415
    return redis_broker.ringing_broker(url, identity)


def relaying_broker_for(url: str, identity: Callable[[], str]) -> "ObservableBroker":
    """Make the broker of a relay. Raises `ConfigurationError` as for a web process."""
    if _is_amqp(url):
        with _needing("RabbitMQ", extra="rabbitmq"):
            from sqr_jobs.adapters import rabbitmq_broker  # noqa: PLC0415
        return rabbitmq_broker.relaying_broker(url)
    with _needing("Redis", extra="redis"):
        from sqr_jobs.adapters import redis_broker  # noqa: PLC0415
    return redis_broker.relaying_broker(url, identity)


def working_broker_for(
    url: str,
    identity: Callable[[], str],
    *,
    threads: int,
    lifecycle: "dramatiq.Middleware",
    rings: "OwnRings",
) -> "dramatiq.Broker":
    """Make the broker of a worker process. Raises `ConfigurationError` as for a web process."""
    if _is_amqp(url):
        with _needing("RabbitMQ", extra="rabbitmq"):
            from sqr_jobs.adapters import rabbitmq_broker  # noqa: PLC0415
        return rabbitmq_broker.working_broker(url, threads=threads, middleware=[lifecycle], rings=rings)
    with _needing("Redis", extra="redis"):
        from sqr_jobs.adapters import redis_broker  # noqa: PLC0415
    return redis_broker.working_broker(url, identity, threads=threads, middleware=[lifecycle], rings=rings)


def rehearse_message(url: str, sender: Any, worker: Any) -> None:
    """Send a message from a relay's broker to a worker's, on a queue for this alone.

    Raises `QueueUnavailable`.
    """
    if _is_amqp(url):
        from sqr_jobs.adapters.rabbitmq_rehearsal import rehearse_on_rabbitmq  # noqa: PLC0415

        rehearse_on_rabbitmq(sender, worker)
    else:
        from sqr_jobs.adapters.redis_rehearsal import rehearse_on_redis  # noqa: PLC0415

        rehearse_on_redis(sender, worker)


def _is_amqp(url: str) -> bool:
    return url.startswith(("amqp://", "amqps://"))


@contextmanager
def _needing(server: str, *, extra: str) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError:
        raise ConfigurationError(
            f"The {server} client is missing. Install it: pip install 'sqr-jobs[{extra}]'."
        ) from None


def policy_for(settings: Settings) -> RetryPolicy:
    """Say how often and how soon a job is tried again."""
    return RetryPolicy(
        max_failures=settings.max_failures,
        max_crashes=settings.max_crashes,
        backoff_ms=round(settings.retry_backoff_s * 1000),
    )


def limiter_url(settings: Settings) -> str:
    """Return the address of the limiter's storage; `memory://` where each process counts for itself."""
    broker = broker_url(settings)
    shared = None if broker is None or _is_amqp(broker) else broker  # RabbitMQ has no place to count in
    return _secret(settings.limiter_url) or shared or "memory://"


def limiter_setting(settings: Settings) -> str:
    """Name the variable that holds the address of the limiter's storage."""
    return "SQR_JOBS_LIMITER_URL" if settings.limiter_url else "SQR_JOBS_BROKER_URL"


def broker_url(settings: Settings) -> str | None:
    """Tell the broker's address; None where the worker is embedded."""
    return _secret(settings.broker_url)


def _secret(value: Any) -> str | None:
    return value.get_secret_value() if value is not None else None
