"""Web processes that die in the instant between commit and message."""

import httpx
import pytest
from sqlalchemy import select

from sqr_jobs import JobState
from sqr_jobs.adapters.sql.tables import job
from tests.acceptance.deployment import Deployment, Web
from tests.acceptance.figures import Measured
from tests.acceptance.fixtures import ClientOf
from tests.acceptance.lawful import assert_lawful
from tests.host.reports import FACTORY
from tests.servers.ports import wait_until

_FRAMEWORKS = pytest.mark.parametrize("framework", ["fastapi", "flask"])


def _ask_a_dying_one(deployment: Deployment, framework: str, client_of: ClientOf) -> None:
    """Ask a web process that dies after its commit; none of its kind is left afterwards."""
    dying: Web = getattr(deployment, framework)(f"tests.faults.dying_host:{framework}")
    with pytest.raises(httpx.TransportError):
        client_of(dying).ask("U1")
    dying.program.kill()  # gunicorn's master has started another one


@_FRAMEWORKS
def test_a_job_whose_message_was_never_sent_completes(
    distributed: Deployment, client_of: ClientOf, measured: Measured, framework: str
) -> None:
    """The row is committed, so the relay rings for it (I1)."""
    distributed.worker()
    _ask_a_dying_one(distributed, framework, client_of)
    job_id = _only_job(distributed)
    wait_until(
        lambda: distributed.job(job_id).state is JobState.COMPLETE, seconds=60, what="the relay's ring"
    )
    row = distributed.job(job_id)
    measured("from the commit to the end of the job", ((row.completed_at or 0) - row.created_at) / 1000)
    assert_lawful(distributed.history(job_id))
    client_of(getattr(distributed, framework)()).download(job_id)


@_FRAMEWORKS
def test_an_embedded_job_whose_process_died_completes_after_the_restart(
    embedded: Deployment, client_of: ClientOf, framework: str
) -> None:
    """With everything in one process, that process's death loses nothing either (I1)."""
    embedded.configure(factory=FACTORY)
    _ask_a_dying_one(embedded, framework, client_of)
    job_id = _only_job(embedded)
    client = client_of(getattr(embedded, framework)())
    client.complete(job_id)
    client.download(job_id)
    assert_lawful(embedded.history(job_id))


def _only_job(deployment: Deployment) -> str:
    with deployment.database.read() as connection:
        return str(connection.execute(select(job.c.job_id)).scalar_one())
