"""Requests that go on while a broker is away, and how long each took (I16)."""

import time

from tests.acceptance.deployment import Deployment
from tests.acceptance.fixtures import ClientOf
from tests.servers.ports import wait_until

__all__ = ["p99", "post_for"]


def post_for(client_of: ClientOf, deployment: Deployment, *, seconds: float) -> tuple[list[float], list[str]]:
    """Ask for reports, one after the other, through a server that began before and one that begins now."""
    clients = [client_of(deployment.webs[0]), client_of(deployment.flask())]
    took: list[float] = []
    jobs: list[str] = []

    def time_is_up() -> bool:
        sent = time.monotonic()
        jobs.append(clients[len(jobs) % 2].accepted(f"U-DURING-{len(jobs)}"))
        took.append(time.monotonic() - sent)
        return sent - began >= seconds and len(jobs) >= 300

    began = time.monotonic()
    wait_until(time_is_up, seconds=60, what="three hundred requests")
    return took, jobs


def p99(took: list[float]) -> float:
    """Tell what one in a hundred took longer than."""
    return sorted(took)[round(len(took) * 0.99) - 1]
