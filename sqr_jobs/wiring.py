"""The composition root: the one place where settings become adapters, and adapters a service."""

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from sqr_jobs.adapters.sql import (
    Database,
    SqlJobExecution,
    SqlJobHistory,
    SqlJobIntake,
    SqlJobUpkeep,
    engine_for,
)
from sqr_jobs.documents.template import Catalog, Template
from sqr_jobs.domain.caller import Caller, User
from sqr_jobs.domain.failures import RetryPolicy
from sqr_jobs.domain.job import Ceiling
from sqr_jobs.errors import ConfigurationError, QueueUnavailable
from sqr_jobs.factory import path_of
from sqr_jobs.key_file import key_file
from sqr_jobs.leases import LeaseKeeper
from sqr_jobs.maintenance import Maintenance
from sqr_jobs.ports import Authenticator, DocumentProducer, DocumentStore, JobQueue, UserDirectory
from sqr_jobs.processing import Processor
from sqr_jobs.report_jobs import EmbeddedWorker, ReportJobs
from sqr_jobs.service import WorkerService
from sqr_jobs.settings import Settings
from sqr_jobs.web.endpoints import FILES_PATH, Endpoints

if TYPE_CHECKING:
    import dramatiq
    from sqlalchemy import Engine

__all__ = ["System", "build_report_jobs", "database_for", "mount", "system_of"]


def build_report_jobs(
    settings: Settings | None = None,
    *,
    users: UserDirectory,
    templates: Iterable[Template[Any]],
    engine: "Engine | None" = None,
    authenticator: Authenticator | None = None,
    choose_template: Callable[[Caller, User], type[Template[Any]] | Template[Any]] | None = None,
) -> ReportJobs:
    """Build the service from settings and the host's own parts; nothing starts and nothing connects.

    `engine` is the host's SQLAlchemy engine, whose database then holds the jobs; without it the database is
    `SQR_JOBS_DATABASE_URL`, else a SQLite file. `authenticator` replaces the judging of JWTs. By default a
    new job's template is the last of `templates`. Raises `ConfigurationError`.
    """
    return System(
        settings or Settings(),
        users=users,
        catalog=Catalog(templates, choose_template),
        engine=engine,
        authenticator=authenticator,
    ).reports


def mount(report_jobs: Callable[[], ReportJobs] | ReportJobs, *, has_own_login: bool) -> Endpoints:
    """Build a host's `ReportJobs` and return the endpoints to mount.

    The factory's import path is what the render child needs; a `ReportJobs` itself can be mounted where
    `SQR_JOBS_FACTORY` names it. Raises `ConfigurationError`.
    """
    reports = report_jobs if isinstance(report_jobs, ReportJobs) else report_jobs()
    system = system_of(reports)
    if not isinstance(report_jobs, ReportJobs) and system.needs_factory:
        system.factory = system.factory or path_of(report_jobs)
    if system.endpoints.needs_caller and not has_own_login:
        raise ConfigurationError(
            "No token can be judged. Set SQR_JOBS_JWT_KEY or SQR_JOBS_JWT_JWKS_URL, pass authenticator=… to "
            "build_report_jobs, or mount with your own login: caller=…"
        )
    return system.endpoints


def system_of(reports: object) -> "System":
    """Find the parts of a `ReportJobs`. Raises `ConfigurationError` for anything else."""
    system = reports.system if isinstance(reports, ReportJobs) else None
    if not isinstance(system, System):
        raise ConfigurationError(
            f"The factory returned {type(reports).__name__}. It must return build_report_jobs(…)."
        )
    return system


def database_for(settings: Settings, engine: "Engine | None" = None) -> Database:
    """Make the job database: the host's engine, the configured URL, else a SQLite file in `data_dir`."""
    timeout_s = settings.database_timeout_s
    if engine is not None:
        return Database(engine, timeout_s=timeout_s, is_host_engine=True)
    url = _secret(settings.database_url)
    if url is None:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        url = f"sqlite:///{settings.data_dir.resolve() / 'jobs.db'}"
    return Database(engine_for(url, timeout_s=timeout_s), timeout_s=timeout_s)


class System:
    """All parts of one service, each made when it is first asked for."""

    def __init__(
        self,
        settings: Settings,
        *,
        users: UserDirectory,
        catalog: Catalog,
        engine: "Engine | None",
        authenticator: Authenticator | None,
    ) -> None:
        self.settings = settings
        self.catalog = catalog
        self.factory = settings.factory
        self._users = users
        self._authenticator = authenticator
        self.database = database_for(settings, engine)
        self.reports = ReportJobs(
            intake=SqlJobIntake(self.database),
            limiter=_limiter(settings),
            queue=self.queue,
            documents=self.documents,
            users=users,
            templates=catalog,
            ceiling=Ceiling(jobs=settings.rate_limit, window_ms=settings.rate_window_s * 1000),
            lifetime_ms=round(settings.deadline_s * 1000),
            worker=self._embedded_worker(),
            system=self,
        )

    @property
    def needs_factory(self) -> bool:
        """Whether this process will start render children."""
        return self.settings.is_embedded and self.settings.render == "child"

    @functools.cached_property
    def endpoints(self) -> Endpoints:
        """The endpoints, over the host's authenticator or the configured keys."""
        settings = self.settings
        return Endpoints(
            self.reports,
            authenticator=self._authenticator or _jwt(settings),
            prefix=settings.prefix,
            max_body_bytes=settings.max_body_bytes,
            create_scope=settings.create_scope,
            read_scope=settings.read_scope,
            public_url=settings.public_url,
            support_contact=settings.support_contact,
            local_documents=None if settings.s3_bucket else self.documents,  # type: ignore[arg-type]
        )

    @functools.cached_property
    def documents(self) -> DocumentStore:
        """The bucket, or the folder in `data_dir`."""
        settings = self.settings
        if settings.s3_bucket:
            from sqr_jobs.adapters.s3_documents import S3DocumentStore  # noqa: PLC0415 - an extra

            return S3DocumentStore(
                settings.s3_bucket,
                endpoint_url=settings.s3_endpoint_url,
                region=settings.s3_region,
                access_key_id=_secret(settings.s3_access_key_id),
                secret_access_key=_secret(settings.s3_secret_access_key),
                prefix=settings.s3_prefix,
            )
        from sqr_jobs.adapters.local_documents import LocalDocumentStore  # noqa: PLC0415

        given = _secret(settings.link_key)
        return LocalDocumentStore(
            settings.data_dir / "documents",
            link_key=lambda: given.encode() if given else key_file(settings.data_dir / "link-key"),
            files_path=settings.prefix + FILES_PATH,
        )

    @functools.cached_property
    def queue(self) -> JobQueue:
        """The doorbell on this process's broker."""
        from sqr_jobs.actors import ACTOR, QUEUE  # noqa: PLC0415 - dramatiq
        from sqr_jobs.adapters.dramatiq_queue import DramatiqQueue  # noqa: PLC0415

        return DramatiqQueue(lambda: self._broker, queue_name=QUEUE, actor_name=ACTOR)

    def maintenance(self) -> Maintenance:
        """Make relay and reaper."""
        return Maintenance(
            jobs=SqlJobUpkeep(self.database, policy=_policy(self.settings)),
            queue=self.queue,
            relay_interval_s=self.settings.relay_interval_s,
            reaper_interval_s=self.settings.reaper_interval_s,
        )

    @functools.cached_property
    def history(self) -> SqlJobHistory:
        """The jobs' histories, for operators."""
        return SqlJobHistory(self.database)

    def producer(self) -> DocumentProducer:
        """Make what makes the documents: render children, or the worker's own thread."""
        settings = self.settings
        output_bytes = settings.output_limit_mb * 1_048_576
        if settings.render == "inline":
            from sqr_jobs.adapters.inline_producer import InlineProducer  # noqa: PLC0415

            return InlineProducer(self.catalog, output_bytes=output_bytes)
        from sqr_jobs.adapters.child_producer import ChildProducer  # noqa: PLC0415

        return ChildProducer(
            factory=self._factory_path,
            memory_bytes=settings.memory_limit_mb * 1_048_576,
            output_bytes=output_bytes,
            work_dir=settings.work_dir,
        )

    def service(self) -> WorkerService:
        """Make a worker's parts, new each time: a service that was stopped does not start again."""
        settings = self.settings
        execution = SqlJobExecution(
            self.database,
            lease_ms=round(settings.lease_s * 1000),
            document_lifetime_ms=round(settings.document_lifetime_s * 1000),
            policy=_policy(settings),
        )
        leases = LeaseKeeper(
            execution,
            heartbeat_s=settings.heartbeat_s,
            fence_s=settings.fence_s,
            limit_s=settings.attempt_limit_s,
        )
        producer = self.producer()
        processor = Processor(jobs=execution, producer=producer, documents=self.documents, leases=leases)
        return WorkerService(
            processor=processor,
            producer=producer,
            leases=leases,
            maintenance=self.maintenance(),
            grace_s=settings.shutdown_grace_s,
        )

    def worker_broker(self) -> "dramatiq.Broker":
        """Make the broker of a worker process, with the actor on it and the service in its lifecycle.

        Raises `ConfigurationError` where no broker is configured: then the worker is embedded.
        """
        from sqr_jobs.actors import declare_actors  # noqa: PLC0415
        from sqr_jobs.adapters.redis_broker import working_broker  # noqa: PLC0415
        from sqr_jobs.adapters.worker_lifecycle import WorkerLifecycle  # noqa: PLC0415

        url = _secret(self.settings.broker_url)
        if url is None:
            raise ConfigurationError(
                "SQR_JOBS_BROKER_URL is not set, so the worker runs inside the web process and none is needed "
                "here. Set it to redis://host:6379/0 to run workers of their own."
            )
        lifecycle = WorkerLifecycle(self.service)
        broker = working_broker(url, threads=self.settings.worker_threads, middleware=[lifecycle])
        declare_actors(broker, lifecycle.process)
        return broker

    @functools.cached_property
    def _broker(self) -> "dramatiq.Broker":
        url = _secret(self.settings.broker_url)
        if url is not None:
            try:
                from sqr_jobs.adapters.redis_broker import ringing_broker  # noqa: PLC0415 - an extra
            except ModuleNotFoundError:
                raise ConfigurationError(
                    "The Redis client is missing. Install it: pip install 'sqr-jobs[redis]'."
                ) from None
            return ringing_broker(url)
        raise QueueUnavailable("The embedded worker is not started yet; it rings for itself when it is.")

    def _embedded_worker(self) -> EmbeddedWorker:
        from sqr_jobs.adapters.embedded_worker import InProcessWorker, NoWorker  # noqa: PLC0415

        if not self.settings.is_embedded:
            return NoWorker()
        return InProcessWorker(
            broker=lambda: self._broker,
            service=self._embedded_service,
            threads=self.settings.worker_threads,
            grace_s=self.settings.shutdown_grace_s,
        )

    def _embedded_service(self) -> WorkerService:
        from sqr_jobs.actors import declare_actors  # noqa: PLC0415
        from sqr_jobs.adapters.embedded_worker import in_process_broker  # noqa: PLC0415

        service = self.service()
        self.__dict__["_broker"] = in_process_broker()  # new with each start: a fork must not share one
        declare_actors(self._broker, service.processor.process)
        return service

    def _factory_path(self) -> str:
        if self.factory is None:
            raise ConfigurationError(
                "The render child must be told how to build this service. Set SQR_JOBS_FACTORY=myapp.reports:"
                "report_jobs, or mount the factory itself instead of what it returned."
            )
        return self.factory


def _limiter(settings: Settings) -> Any:
    from sqr_jobs.adapters.limits_limiter import limiter_for  # noqa: PLC0415

    url = _secret(settings.limiter_url) or _secret(settings.broker_url) or "memory://"
    return limiter_for(url, limit=settings.rate_limit, window_s=settings.rate_window_s)


def _jwt(settings: Settings) -> Authenticator | None:
    if not (settings.jwt_key or settings.jwt_jwks_url):
        return None
    from sqr_jobs.adapters.jwt_authenticator import JwtAuthenticator  # noqa: PLC0415

    return JwtAuthenticator(
        key=_secret(settings.jwt_key),
        jwks_url=settings.jwt_jwks_url,
        algorithms=settings.jwt_algorithms,
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        leeway_s=settings.jwt_leeway_s,
        org_claim=settings.jwt_org_claim,
    )


def _policy(settings: Settings) -> RetryPolicy:
    return RetryPolicy(
        max_failures=settings.max_failures,
        max_crashes=settings.max_crashes,
        backoff_ms=round(settings.retry_backoff_s * 1000),
    )


def _secret(value: Any) -> str | None:
    return value.get_secret_value() if value is not None else None
