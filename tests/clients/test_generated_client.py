"""A client that openapi-python-client makes of the published document drives the whole flow over HTTP."""

import hashlib
import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from tests.acceptance.deployment import Deployment, Web
from tests.acceptance.program import script
from tests.host.tokens import token
from tests.servers.ports import wait_until

_DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "openapi.yaml"
_PACKAGE = "generated_report_client"

Module = Callable[[str], ModuleType]


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Module]:
    """Generate the client, and give its modules by name; a warning of the generator is a failure."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "settings.yaml").write_text("post_hooks: []\n", encoding="utf-8")
    command = [script("openapi-python-client"), "generate", "--meta=none", "--fail-on-warning"]
    command += [f"--path={_DOCUMENT}", f"--output-path={folder / _PACKAGE}", "--config=settings.yaml"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield lambda name: importlib.import_module(f"{_PACKAGE}.{name}")
        for name in [name for name in sys.modules if name.split(".")[0] == _PACKAGE]:
            patch.delitem(sys.modules, name)


@pytest.fixture(params=["embedded", "distributed"])
def deployment(request: pytest.FixtureRequest) -> Deployment:
    """Give each form, in which an org may create three jobs and a worker waits for them."""
    made: Deployment = request.getfixturevalue(request.param)
    made.configure(rate_limit=3, limiter_url="memory://")
    if request.param == "distributed":
        made.worker()
    return made


def test_a_generated_client_asks_polls_and_downloads(
    deployment: Deployment, framework: str, generated: Module
) -> None:
    """What a client's developer gets by one command is enough, and every answer has its type."""
    api, models = _Api(generated), generated("models")
    web: Web = getattr(deployment, framework)(workers=1)
    with generated("client").AuthenticatedClient(base_url=web.url, token=token()) as client:
        # Given a job that was asked for, and asked for again under the same key
        wanted = models.CreateReportJob(user_id="U-WAIT-1")
        job = api.create(client, body=wanted, idempotency_key="order-1")
        assert isinstance(job, models.ReportJob)
        assert job.status == models.ReportJobStatus.PENDING
        assert api.create(client, body=wanted, idempotency_key="order-1").job_id == job.job_id
        # When it is too early for its document, and for a second job
        early = api.url(client, id=str(job.job_id))
        assert isinstance(early, models.Problem)
        assert (early.status, early.code) == (422, "JOB_NOT_COMPLETE")
        conflict = api.create(client, body=wanted)
        assert isinstance(conflict, models.Problem)
        assert (conflict.status, conflict.code) == (409, "JOB_ALREADY_ACTIVE")
        assert conflict.job_id == job.job_id
        assert conflict.job_status in (models.ProblemJobStatus.PENDING, models.ProblemJobStatus.IN_PROGRESS)
        # Then it comes, and its bytes are those that the job tells of
        deployment.let_go("U-WAIT-1")
        shown = _end(api, client, str(job.job_id))
        assert shown.status == models.ReportJobStatus.COMPLETE
        assert shown.created_at <= shown.completed_at
        download = api.url(client, id=str(job.job_id))
        assert isinstance(download, models.DownloadUrl)
        document = httpx.get(download.url, timeout=20, trust_env=False)
        assert hashlib.sha256(document.content).hexdigest() == shown.sha256
        assert len(document.content) == shown.size_bytes
        # And once the quota is spent, the client is told to wait
        unknown = models.CreateReportJob(user_id="NOBODY")
        assert api.create(client, body=unknown).code == "USER_NOT_FOUND"
        limited = api.create_detailed(client, body=unknown)
        assert isinstance(limited.parsed, models.Problem)
        assert (limited.parsed.status, limited.parsed.code) == (429, "RATE_LIMITED")
        assert 1 <= int(limited.headers["Retry-After"]) <= 600
    with generated("client").AuthenticatedClient(base_url=web.url, token="bad") as stranger:
        refused = api.status(stranger, id=str(job.job_id))
        assert isinstance(refused, models.Problem)
        assert (refused.status, refused.code) == (401, "UNAUTHENTICATED")


class _Api:
    """The three operations under the names that the generator gives them after their ids."""

    def __init__(self, generated: Module) -> None:
        modules = {
            name: generated(f"api.pdf_report_api_client.{name}")
            for name in ("create_org_report_job", "get_org_report_job", "get_org_report_download_url")
        }
        self._create = modules["create_org_report_job"]
        self._status = modules["get_org_report_job"]
        self._url = modules["get_org_report_download_url"]

    def create(self, client: Any, **arguments: Any) -> Any:
        return self._create.sync(client=client, **arguments)

    def create_detailed(self, client: Any, **arguments: Any) -> Any:
        return self._create.sync_detailed(client=client, **arguments)

    def status(self, client: Any, **arguments: Any) -> Any:
        return self._status.sync(client=client, **arguments)

    def url(self, client: Any, **arguments: Any) -> Any:
        return self._url.sync(client=client, **arguments)


def _end(api: _Api, client: Any, job_id: str) -> Any:
    """Poll until the job has ended."""
    seen: list[Any] = []

    def has_ended() -> bool:
        seen.append(api.status(client, id=job_id))
        return seen[-1].status in ("COMPLETE", "FAILED")

    wait_until(has_ended, seconds=30, what=f"the end of job {job_id}")
    return seen[-1]
