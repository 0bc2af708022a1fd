"""Jobs in every state that a job can be in, and what each route owes to whom."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqr_jobs.domain.states import JobState
from sqr_jobs.wiring.upkeep import operations_of
from tests.http.clients import Client, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["NEEDED", "OWED", "ROUTES", "SCOPES", "STATES", "Route", "bring_into", "unscoped"]

CREATE, READ = "reports:create", "reports:read"
SCOPES = {"none": "", "create": CREATE, "read": READ, "both": f"{CREATE} {READ}"}
"""What a token may say that its bearer may do."""


@dataclass(frozen=True, kw_only=True)
class Route:
    """One of the endpoints, as someone asks it about a job."""

    method: str
    path: str = ""
    """Below the prefix; `{id}` stands for the job's."""

    def ask(self, client: Client, job_id: str, user_id: str, headers: dict[str, str]) -> Reply:
        """Send the request; a creation is asked for on the job's person."""
        body = {"userId": user_id} if self.method == "POST" else None
        path = client.path + self.path.replace("{id}", job_id)
        return client.request(self.method, path, headers=headers, json=body)


ROUTES = {
    "status": Route(method="GET", path="/{id}"),
    "url": Route(method="GET", path="/{id}/url"),
    "cancel": Route(method="DELETE", path="/{id}"),
    "create": Route(method="POST"),
}
"""In the order of asking: those that change something come last."""
NEEDED = {"status": READ, "url": READ, "cancel": CREATE, "create": CREATE}

_FOUND, _ENDED = "200", "409 JOB_ALREADY_ENDED"
_AGAIN, _ACTIVE = "202", "409 JOB_ALREADY_ACTIVE"
_WAIT, _FAILED = "422 JOB_NOT_COMPLETE", "422 JOB_FAILED"
_NOTHING = "404 JOB_NOT_FOUND"

OWED: dict[str, dict[str, str]] = {
    "QUEUED": {"status": _FOUND, "url": _WAIT, "cancel": _FOUND, "create": _ACTIVE},
    "RUNNING": {"status": _FOUND, "url": _WAIT, "cancel": _FOUND, "create": _ACTIVE},
    "RETRY_WAIT": {"status": _FOUND, "url": _WAIT, "cancel": _FOUND, "create": _ACTIVE},
    "COMPLETE": {"status": _FOUND, "url": _FOUND, "cancel": _ENDED, "create": _AGAIN},
    "FAILED": {"status": _FOUND, "url": _FAILED, "cancel": _ENDED, "create": _AGAIN},
    "CANCELLED": {"status": _FOUND, "url": _FAILED, "cancel": _FOUND, "create": _AGAIN},
    "expired": {"status": _FOUND, "url": "410 DOCUMENT_EXPIRED", "cancel": _ENDED, "create": _AGAIN},
    "erased": {"status": _NOTHING, "url": _NOTHING, "cancel": _NOTHING, "create": _AGAIN},
}
"""What the job's own org is owed by each route, with the scope for it. Written by hand, from the contract."""
STATES = tuple(OWED)

_PEOPLE = {"RETRY_WAIT": "U-NODATA", "FAILED": "U-RAISE"}


def bring_into(client: Client, state: str, *, org: str) -> tuple[str, str]:
    """Make a job of an org that is in this state; return its id and its person's."""
    user_id = _PEOPLE.get(state, "U-1")
    reply = client.post({"userId": user_id}, org=org, scope=SCOPES["both"])
    assert reply.status == 202, reply.body
    job_id = str(reply.json()["jobId"])
    steps: dict[str, Callable[[], object]] = {
        "QUEUED": lambda: None,
        "RUNNING": lambda: client.system.service().processor._jobs.claim(job_id),
        "CANCELLED": lambda: operations_of(client.system).cancel(job_id),
        "expired": lambda: (client.work(job_id), client.move_clock(86_400_000)),
        "erased": lambda: (client.work(job_id), operations_of(client.system).erase(org, user_id)),
    }
    steps.get(state, lambda: client.work(job_id))()
    found = client.system.intake.find(org, job_id)
    if state == "erased":
        assert found is None
        return job_id, user_id
    assert found is not None
    assert found.state is (JobState.COMPLETE if state == "expired" else JobState(state))
    assert found.document_expired is (state == "expired")
    return job_id, user_id


def unscoped(reply: Reply) -> bool:
    """Tell whether a request was refused for its scope alone."""
    return (reply.status, reply.code) == (403, "INSUFFICIENT_SCOPE")
