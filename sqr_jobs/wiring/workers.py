"""Makes what a worker process runs, from the parts of a service."""

from typing import TYPE_CHECKING

from sqr_jobs.errors import ConfigurationError
from sqr_jobs.leases import LeaseKeeper
from sqr_jobs.ports import OwnDoorbell
from sqr_jobs.processing import Processor
from sqr_jobs.service import WorkerService
from sqr_jobs.wiring import parts
from sqr_jobs.wiring.inspection import serves
from sqr_jobs.worker_name import worker_name

if TYPE_CHECKING:
    import dramatiq

    from sqr_jobs.wiring.system import System

__all__ = ["worker_broker", "worker_service"]


def worker_service(system: "System", own: OwnDoorbell | None) -> WorkerService:
    """Make a worker's parts, new each time. Its relay rings `own` while the broker fails."""
    from sqr_jobs.adapters.sql import SqlJobExecution  # noqa: PLC0415

    settings = system.settings
    execution = SqlJobExecution(
        system.database,
        service=settings.service_name,
        worker=worker_name(),
        templates=system.templates.refs(),
        lease_ms=round(settings.lease_s * 1000),
        policy=parts.policy_for(settings),
    )
    leases = LeaseKeeper(
        execution,
        heartbeat_s=settings.heartbeat_s,
        fence_s=settings.fence_s,
        limit_s=settings.attempt_limit_s,
    )
    producer = system.producer()
    processor = Processor(jobs=execution, producer=producer, documents=system.documents, leases=leases)
    return WorkerService(
        processor=processor,
        producer=producer,
        leases=leases,
        maintenance=system.maintenance(is_worker=True, own=own),
        grace_s=settings.shutdown_grace_s,
        serves=serves(system),
    )


def worker_broker(system: "System") -> "dramatiq.Broker":
    """Make the broker of a worker process, with the actor on it and the service in its lifecycle.

    Raises `ConfigurationError` where no broker is configured: then the worker is embedded.
    """
    from sqr_jobs.actors import ACTOR, QUEUE, declare_actors  # noqa: PLC0415
    from sqr_jobs.adapters.own_rings import OwnRings  # noqa: PLC0415
    from sqr_jobs.adapters.worker_lifecycle import WorkerLifecycle  # noqa: PLC0415

    url = parts.broker_url(system.settings)
    if url is None:
        raise ConfigurationError(
            "SQR_JOBS_BROKER_URL is not set, so the worker runs inside the web process and none is "
            "needed here. Set it to redis://host:6379/0, or to RabbitMQ's "
            "amqp://user:password@host/vhost, to run workers of their own."
        )
    _ = system.producer()  # a system without render children shows here, and not in each process
    threads = system.settings.worker_threads
    rings = OwnRings(queue_name=QUEUE, actor_name=ACTOR, room=threads)
    lifecycle = WorkerLifecycle(lambda: system.service(rings), threads=threads)
    broker = parts.working_broker_for(
        url, system.identity.of_service, threads=threads, lifecycle=lifecycle, rings=rings
    )
    declare_actors(broker, lifecycle.process)
    return broker
