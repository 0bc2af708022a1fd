"""Requests that schemathesis derives from the OpenAPI document, alone and one after the other.

Every answer is held against the document: status, media type, headers, schema; what keeps the document is
never refused as malformed, what breaks it is, and no answer is a 5xx.
"""

import itertools
import random
import uuid
from collections import Counter
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings

from sqr_jobs.web.openapi import openapi_document
from tests.clients.explorer import AsgiStandIn, Caller, WsgiStandIn, explored, is_meant_well
from tests.clients.varied_host import SPENDTHRIFT, kind_of, report_jobs
from tests.http.clients import PREFIX, Client
from tests.http.conftest import Serve

_WSGI, _ASGI = WsgiStandIn(), AsgiStandIn()
_FLASK = explored(openapi_document(PREFIX), _WSGI)
_FASTAPI = explored(openapi_document(PREFIX), _ASGI)
_BOUNDED = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
_MET_ON_THE_WAY = {
    *(("POST", PREFIX, status) for status in (202, 400, 404, 429)),
    *(("GET", f"{PREFIX}/{{id}}", status) for status in (200, 404)),
    *(("GET", f"{PREFIX}/{{id}}/url", status) for status in (200, 422)),
}
"""What scenarios must have come to at the least, or they went nowhere."""
_SCENARIOS = settings(
    max_examples=40,
    stateful_step_count=12,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def service(serve: Serve) -> Client:
    """Give a client of the varied host; its ids are the same in every run."""
    client = serve(report_jobs)
    numbers = random.Random(0)
    client.reports._new_id = lambda: str(uuid.UUID(int=numbers.getrandbits(128), version=4))
    return client


@pytest.fixture
def flask(serve_on: Serve) -> None:
    """Mount the varied host in Flask for one operation."""
    _WSGI.app = serve_on("flask", report_jobs, rate_limit=100_000).app  # type: ignore[attr-defined]


@pytest.fixture
def fastapi(serve_on: Serve) -> None:
    """Mount it in FastAPI."""
    _ASGI.app = serve_on("fastapi", report_jobs, rate_limit=100_000).app  # type: ignore[attr-defined]


@pytest.mark.needs("flask")
@pytest.mark.usefixtures("flask")
@_FLASK.parametrize()
@_BOUNDED
def test_an_operation_keeps_the_document_under_flask(case: schemathesis.Case) -> None:
    """Whatever one request holds, its answer is one that the document knows."""
    case.call_and_validate()


@pytest.mark.needs("fastapi")
@pytest.mark.usefixtures("fastapi")
@_FASTAPI.parametrize()
@_BOUNDED
def test_an_operation_keeps_the_document_under_fastapi(case: schemathesis.Case) -> None:
    """Whatever one request holds, its answer is one that the document knows."""
    case.call_and_validate()


def test_operations_that_are_linked_keep_the_document_one_after_the_other(
    service: Client, framework: str
) -> None:
    """Create, status, URL, in any order and number, with work done in between: as clients really ask."""
    caller, met = Caller(), Counter[tuple[str, str, int]]()
    if framework == "fastapi":  # the host's own document
        document: dict[str, Any] = service.app.openapi()  # type: ignore[attr-defined]
    else:
        document = openapi_document(PREFIX)
    schema = explored(document, service.app, caller)  # type: ignore[attr-defined]
    _scenario(schema, service, caller, met).run(settings=_SCENARIOS)
    assert set(met) >= _MET_ON_THE_WAY, sorted(met)


def _scenario(schema: Any, service: Client, caller: Caller, met: Counter[tuple[str, str, int]]) -> Any:
    """Make the class of one scenario after the other; each speaks for an org of its own."""
    numbers = itertools.count()

    class Scenario(schema.as_state_machine()):  # type: ignore[misc]
        """What happens depends on what was drawn and on nothing else, or Hypothesis could not repeat it."""

        def setup(self) -> None:
            caller.org = f"org-{next(numbers)}"
            self.turn = 0
            self.accepted: Any = None
            self.waiting: list[str] = []

        def before_call(self, case: schemathesis.Case) -> None:
            """Do work at every fourth turn; ask for the same person again at every third."""
            self.turn += 1
            if self.turn % 4 == 0 and self.waiting:
                service.work(self.waiting.pop())
            if case.method != "POST" or not is_meant_well(case):
                return
            if self.turn % 3 == 0 and self.accepted:
                case.body = self.accepted
            elif kind_of(case.body["userId"]) == SPENDTHRIFT:
                for _ in range(10):
                    service.post({}, org=caller.org)

        def after_call(self, response: Any, case: schemathesis.Case) -> None:
            met[case.method, case.operation.path, response.status_code] += 1
            if response.status_code == 202:
                self.accepted = case.body
                self.waiting.append(response.json()["jobId"])
            super().after_call(response, case)

    return Scenario
