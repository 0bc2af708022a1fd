"""All parts of one service, each made when it is first asked for."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from sqr_jobs.domain.caller import Caller
from sqr_jobs.domain.lifetimes import Lifetimes
from sqr_jobs.domain.rate_limit import RateLimit
from sqr_jobs.errors import ConfigurationError, QueueUnavailable
from sqr_jobs.factory import load_factory
from sqr_jobs.forks import Forkable, mind_forks
from sqr_jobs.local_paths import absolute_path
from sqr_jobs.maintenance import Maintenance
from sqr_jobs.ports import (
    AsyncUserDirectory,
    Authenticator,
    DocumentLinks,
    DocumentProducer,
    DocumentStore,
    JobQueue,
    LocalDocuments,
    OwnDoorbell,
    RateLimiter,
    UserDirectory,
)
from sqr_jobs.report_jobs import EmbeddedWorker, ReportJobs
from sqr_jobs.service import WorkerService
from sqr_jobs.settings import Settings
from sqr_jobs.web.endpoints import FILES_PATH, Endpoints
from sqr_jobs.wiring import parts
from sqr_jobs.wiring.identity import Identity
from sqr_jobs.wiring.made_once import made_once
from sqr_jobs.wiring.quotas import Quotas
from sqr_jobs.wiring.upkeep import check_lifetimes, maintenance_of
from sqr_jobs.wiring.workers import worker_broker, worker_service

if TYPE_CHECKING:
    import dramatiq
    from sqlalchemy import Engine

    from sqr_jobs.adapters.dramatiq_queue import ObservableBroker
    from sqr_jobs.adapters.embedded_worker import InProcessBroker
    from sqr_jobs.adapters.sql import Database, SqlJobHistory, SqlJobIntake
    from sqr_jobs.documents.template import Catalog

__all__ = ["System", "system_of"]

_OF_ONE_PROCESS = ("limiter", "documents", "links", "queue", "worker", "relaying_broker", "_broker")


def system_of(reports: object) -> "System":
    """Find the parts of a `ReportJobs`. Raises `ConfigurationError` for anything else."""
    system = reports.parts if isinstance(reports, ReportJobs) else None
    if not isinstance(system, System):
        raise ConfigurationError(
            f"The factory returned {type(reports).__name__}. It must return build_report_jobs(…)."
        )
    return system


class System(Forkable):
    """The parts of one service, as properties.

    Nothing is made before it is asked for, so a render child, which only needs the templates, loads neither
    SQLAlchemy nor Dramatiq.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        users: UserDirectory | AsyncUserDirectory,
        templates: "Catalog",
        engine: "Engine | None",
        authenticator: Authenticator | None,
        documents: DocumentStore | None,
        choose_rate_limit: Callable[[Caller], RateLimit | None] | None,
    ) -> None:
        if settings.broker_url and not settings.database_url and engine is None:
            raise ConfigurationError(
                "SQR_JOBS_BROKER_URL is set and there is no database that several machines share. Set "
                "SQR_JOBS_DATABASE_URL=postgresql+psycopg://user:password@host/name, or pass "
                "engine=… to build_report_jobs."
            )
        _refuse_two_of_one(settings, engine=engine, documents=documents)
        self.settings = settings
        self._users = users
        self.templates = templates
        self.factory = settings.factory
        self.user_id_max = settings.user_id_max
        self.quotas = Quotas(settings, choose_rate_limit)
        self.lifetimes = Lifetimes(
            deadline_s=settings.deadline_s,
            longest_deadline_s=settings.max_deadline_s,
            document_s=settings.document_lifetime_s,
            longest_document_s=settings.max_document_lifetime_s,
        )
        check_lifetimes(templates, settings)
        self.reports = ReportJobs(self)
        self._engine = engine
        # A relative file name of the host's engine starts from here, wherever the host goes later.
        self._folder = (
            absolute_path(Path()) if engine is not None and engine.dialect.name == "sqlite" else None
        )
        self._authenticator = authenticator
        self._documents = documents
        self.identity = Identity(self)
        self.making = threading.RLock()
        mind_forks(self)

    def after_fork_in_child(self) -> None:
        """Have made anew what has connections or locks; the database, which stores hold, does it itself."""
        self.making = threading.RLock()
        for name in _OF_ONE_PROCESS:
            vars(self).pop(name, None)

    @property
    def needs_factory(self) -> bool:
        """Whether this process will start render children."""
        return self.settings.is_embedded and self.settings.render == "child"

    @made_once
    def users(self) -> UserDirectory:
        """The host's people."""
        from sqr_jobs.adapters.sql.directory import HostDirectory  # noqa: PLC0415

        return HostDirectory(self._users)

    @made_once
    def database(self) -> "Database":
        """The job database."""
        return parts.database_for(self.settings, self._engine, folder=self._folder)

    @made_once
    def intake(self) -> "SqlJobIntake":
        """The job store as the endpoints use it."""
        from sqr_jobs.adapters.sql import SqlJobIntake  # noqa: PLC0415

        return SqlJobIntake(self.database, service=self.settings.service_name)

    @made_once
    def history(self) -> "SqlJobHistory":
        """The job store as operators read it."""
        from sqr_jobs.adapters.sql import SqlJobHistory  # noqa: PLC0415

        return SqlJobHistory(self.database)

    @made_once
    def limiter(self) -> RateLimiter:
        """The rate limiter in front."""
        return parts.limiter_for(self.settings, self.identity.of_service)

    def rate_limit(self, caller: Caller) -> RateLimit:
        """How much the caller's org may ask for."""
        return self.quotas.of(caller)

    @made_once
    def documents(self) -> DocumentStore:
        """The document store: the host's own, the bucket, or the local folder."""
        return self._documents or parts.documents_for(self.settings, files_path=FILES_PATH)

    @made_once
    def links(self) -> DocumentLinks:
        """Issues URLs for requests, few at a time; workers use `documents` without that bound."""
        from sqr_jobs.adapters.sheltered_documents import ShelteredDocuments  # noqa: PLC0415

        return ShelteredDocuments(self.documents)

    @made_once
    def queue(self) -> JobQueue:
        """The doorbell on this process's broker."""
        from sqr_jobs.actors import ACTOR, QUEUE  # noqa: PLC0415
        from sqr_jobs.adapters.dramatiq_queue import DramatiqQueue  # noqa: PLC0415
        from sqr_jobs.adapters.embedded_worker import NoQueue  # noqa: PLC0415

        if self.settings.is_embedded and not self.settings.embedded_worker:
            return NoQueue()

        return DramatiqQueue(lambda: self._broker, queue_name=QUEUE, actor_name=ACTOR)

    @made_once
    def authenticator(self) -> Authenticator | None:
        """The host's own, or the configured keys; None where each mount brings its own login."""
        return self._authenticator or parts.authenticator_for(self.settings)

    @made_once
    def endpoints(self) -> Endpoints:
        """The endpoints, over the authenticator."""
        settings, documents = self.settings, self.documents
        return Endpoints(
            self.reports,
            authenticator=self.authenticator,
            prefix=settings.prefix,
            max_body_bytes=settings.max_body_bytes,
            user_id_max=settings.user_id_max,
            create_scope=settings.create_scope,
            read_scope=settings.read_scope,
            public_url=settings.public_url,
            support_contact=settings.support_contact,
            has_cancel=settings.cancel_route,
            local_documents=documents if isinstance(documents, LocalDocuments) else None,
        )

    @made_once
    def worker(self) -> EmbeddedWorker:
        """The worker inside this process, or one that does nothing where workers run elsewhere."""
        from sqr_jobs.adapters.embedded_worker import InProcessWorker, NoWorker  # noqa: PLC0415

        if not (self.settings.is_embedded and self.settings.embedded_worker):
            return NoWorker()
        return InProcessWorker(
            broker=lambda: cast("InProcessBroker", self._broker),  # which the service has put there
            service=self._embedded_service,
            threads=self.settings.worker_threads,
            grace_s=self.settings.shutdown_grace_s,
        )

    def maintenance(self, *, is_worker: bool = False, own: OwnDoorbell | None = None) -> Maintenance:
        """Make relay and reaper, new each time: what was stopped does not start again."""
        return maintenance_of(self, is_worker=is_worker, own=own)

    def service(self, own: OwnDoorbell | None = None) -> WorkerService:
        """Make a worker's parts, new each time. Its relay rings `own` while the broker fails."""
        return worker_service(self, own)

    def producer(self) -> DocumentProducer:
        """Make what makes the documents."""
        return parts.producer_for(self.settings, self.templates, self.factory_path)

    def worker_broker(self) -> "dramatiq.Broker":
        """Make the broker of a worker process, with the actor on it and the service in its lifecycle.

        Raises `ConfigurationError` where no broker is configured: then the worker is embedded.
        """
        return worker_broker(self)

    @made_once
    def relaying_broker(self) -> "ObservableBroker":
        """The relay's own broker: no request waits for it, so it may be patient where those may not."""
        return parts.relaying_broker_for(parts.broker_url(self.settings) or "", self.identity.of_service)

    @made_once
    def _broker(self) -> "ObservableBroker":
        url = parts.broker_url(self.settings)
        if url is None:
            raise QueueUnavailable("The embedded worker is not started yet; it rings for itself when it is.")
        return parts.ringing_broker_for(url, self.identity.of_service)

    def _embedded_service(self) -> WorkerService:
        from sqr_jobs.actors import declare_actors  # noqa: PLC0415
        from sqr_jobs.adapters.embedded_worker import InProcessBroker  # noqa: PLC0415

        if self.needs_factory:
            load_factory(self.factory_path())  # a wrong name shows at the start, and not at each job
        service = self.service()
        broker = self.__dict__["_broker"] = InProcessBroker()  # new with each start
        declare_actors(broker, service.processor.process)
        return service

    def factory_path(self) -> str:
        """Name the factory for the render child. Raises `ConfigurationError` where nothing names it."""
        if self.factory is None:
            raise ConfigurationError(
                "The render child must be told how to build this service. Set SQR_JOBS_FACTORY=myapp.reports:"
                "report_jobs, or mount the factory itself instead of what it returned."
            )
        return self.factory


def _refuse_two_of_one(
    settings: Settings, *, engine: "Engine | None", documents: DocumentStore | None
) -> None:
    """Refuse a setting that would be ignored, because the factory passes the part that it names."""
    if engine is not None and settings.database_url:
        raise ConfigurationError(
            "SQR_JOBS_DATABASE_URL is set, and the factory passes engine=…, so there are two databases for "
            "the jobs. Unset the variable, or leave engine=… out."
        )
    if documents is not None and settings.s3_bucket:
        raise ConfigurationError(
            "SQR_JOBS_S3_BUCKET is set, and the factory passes documents=…, so there are two stores for the "
            "documents. Unset the variable, or leave documents=… out."
        )
