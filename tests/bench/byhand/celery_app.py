"""The hand-written service's worker: `celery -A tests.bench.byhand.celery_app worker`."""

import functools
import hashlib
from typing import Any

from celery import Celery, Task  # type: ignore[import-not-found,import-untyped,unused-ignore]
from sqlalchemy import Engine, update

from tests.bench.bare import make_document
from tests.bench.bare_stores import s3_client, to_bucket
from tests.bench.byhand.config import Config
from tests.bench.byhand.service import now_ms
from tests.bench.byhand.tables import job, make_engine, note

__all__ = ["app", "render"]

_config = Config.from_environment()

app = Celery("by_hand", broker=_config.redis_url)
app.conf.update(
    task_acks_late=True,  # a task whose worker died is delivered again
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    task_ignore_result=True,
    task_time_limit=60,
    task_serializer="json",
    broker_connection_retry_on_startup=True,
)


class Recorded(Task):  # type: ignore[misc]  # Celery has no types
    """A task whose last failure stands in the job's row."""

    def on_failure(self, exc: Exception, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """Write it; retries have passed by then."""
        with _engine().begin() as connection:
            now = now_ms()
            failed = {
                "state": "FAILED",
                "error_code": type(exc).__name__,
                "updated_at": now,
                "completed_at": now,
            }
            connection.execute(update(job).where(job.c.job_id == args[0]).values(**failed))
            note(connection, args[0], "FAILED", now)


@app.task(  # type: ignore[untyped-decorator]
    base=Recorded, name="by_hand.render", autoretry_for=(Exception,), max_retries=4, retry_backoff=2
)
def render(job_id: str) -> None:
    """Make and store the report of a job."""
    with _engine().begin() as connection:
        started_at = now_ms()
        user_id = connection.execute(
            update(job)
            .where(job.c.job_id == job_id, job.c.state.in_(("QUEUED", "RUNNING")))
            .values(state="RUNNING", attempts=job.c.attempts + 1, updated_at=started_at)
            .returning(job.c.user_id)
        ).scalar_one_or_none()
        if user_id is None:
            return  # delivered twice
        note(connection, job_id, "RUNNING", started_at)
    document = make_document(user_id)
    key = f"{job_id}.pdf"
    to_bucket(_s3(), _config.bucket, key, document)
    with _engine().begin() as connection:
        now = now_ms()
        finished = {"state": "COMPLETE", "updated_at": now, "completed_at": now, "document_key": key}
        described = {"size": len(document), "sha256": hashlib.sha256(document).hexdigest()}
        connection.execute(
            update(job)
            .where(job.c.job_id == job_id, job.c.state == "RUNNING")
            .values(**finished, **described)
        )
        note(connection, job_id, "COMPLETE", now)


@functools.cache
def _engine() -> Engine:
    """Make the engine in the process that uses it: a pool must not be forked."""
    return make_engine(_config.database_url)


@functools.cache
def _s3() -> Any:
    return s3_client(_config.s3 or {})
