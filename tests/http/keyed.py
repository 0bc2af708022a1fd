"""A creation under an `Idempotency-Key`, and what it left behind."""

from sqlalchemy import func, select

from sqr_jobs.adapters.sql.tables import job
from tests.host.tokens import bearer
from tests.http.clients import JSON, Client, Reply

__all__ = ["BODY", "count_jobs", "post_with_key", "quota_left"]

BODY = b'{"userId": "U-1"}'


def post_with_key(client: Client, content: bytes = BODY, *, key: str = "order-1", org: str = "acme") -> Reply:
    """Create a job under a key."""
    headers = {**bearer(org), **JSON, "Idempotency-Key": key}
    return client.request("POST", client.path, headers=headers, content=content)


def count_jobs(client: Client) -> int:
    """Count the jobs that are stored."""
    with client.system.database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(job)).scalar_one())


def quota_left(reply: Reply) -> str:
    """Read what an answer says is left of the quota."""
    return reply.headers["ratelimit"].split(";")[1]
