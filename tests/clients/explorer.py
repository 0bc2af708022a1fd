"""What schemathesis is told: the document, a caller, and what the document can't say."""

import math
import unicodedata
from typing import Any

import schemathesis
from schemathesis import BaseSchema
from schemathesis.config import SchemathesisConfig

from sqr_jobs.web.models import CreateReportJob
from tests.host.tokens import bearer

__all__ = ["AsgiStandIn", "Caller", "WsgiStandIn", "explored", "is_meant_well"]

_SETTINGS = {
    "seed": 7,
    "generation": {"deterministic": True, "with-security-parameters": False},
    "checks": {
        # A request that keeps the document may meet any state of the service, but is never malformed (400).
        "positive_data_acceptance": {
            "expected-statuses": ["2xx", "401", "403", "404", "409", "410", "422", "429"]
        },
    },
    "phases": {"stateful": {"inference": {"algorithms": []}}},
}
"""Every check is on, the document's own links are the only ones, and the same examples come in every run."""


class Caller:
    """Whose token requests carry; a scenario takes an org of its own, so that none finds another's jobs."""

    org = "acme"


class WsgiStandIn:
    """Stands for the application that the test in hand has mounted."""

    app: Any

    def __call__(self, environ: Any, start_response: Any) -> Any:
        """Pass the request on."""
        return self.app(environ, start_response)


class AsgiStandIn:
    """Stands for the application that the test in hand has mounted."""

    app: Any

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass the request on."""
        await self.app(scope, receive, send)


def explored(document: dict[str, Any], app: Any, caller: type[Caller] | Caller = Caller) -> BaseSchema:
    """Let schemathesis derive requests to an application from its document."""
    schema = schemathesis.openapi.from_dict(document, config=SchemathesisConfig.from_dict(_SETTINGS))
    schema.app = app
    schema.hook("map_case")(_within_bounds)
    schema.hook("filter_case")(_can_be_accepted)

    @schema.auth(refresh_interval=None)
    class Tokens:
        def get(self, case: Any, context: Any) -> str:
            return bearer(caller.org)["Authorization"]

        def set(self, case: Any, data: str, context: Any) -> None:
            case.headers = {**(case.headers or {}), "Authorization": data}

    return schema


def is_meant_well(case: schemathesis.Case) -> bool:
    """Say whether a request keeps the document."""
    return case.meta is not None and case.meta.generation.mode.is_positive


def _within_bounds(_context: Any, case: schemathesis.Case) -> schemathesis.Case:
    """Put a usual time in the place of one that the settings do not allow, which a schema can't say."""
    if is_meant_well(case) and isinstance(case.body, dict):
        for name, (shortest_s, usual, longest_s) in _TIMES.items():
            if name in case.body and not shortest_s <= _seconds(name, case.body[name]) <= longest_s:
                case.body[name] = usual
    return case


def _seconds(name: str, duration: str) -> float:
    try:
        asked = CreateReportJob.model_validate({"userId": "U1", name: duration})
    except ValueError:  # no number is that large
        return math.inf
    return asked.export_deadline or asked.output_ttl or 0


_TIMES = {"exportDeadline": (1, "PT2M", 7_200), "outputTtl": (300, "P1D", 604_800)}


def _can_be_accepted(_context: Any, case: schemathesis.Case) -> bool:
    """Leave out ids with control characters among the requests that must be accepted.

    The contract's document bounds an id by its length alone; that these are refused is tested by name.
    """
    user_id = case.body.get("userId") if isinstance(case.body, dict) else None
    if not (is_meant_well(case) and isinstance(user_id, str)):
        return True
    return not {"Cc", "Cs"} & {unicodedata.category(character) for character in user_id}
