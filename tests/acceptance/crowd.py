"""Many people of many orgs who want their reports at the same time."""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from tests.acceptance.client import Client, Downloaded
from tests.acceptance.deployment import Web
from tests.acceptance.pdf_text import text_of
from tests.host.people import person

__all__ = ["Fetched", "fetch_all", "names_in"]


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """One report from its request to its bytes."""

    org: str
    user_id: str
    token: str
    job: dict[str, Any]
    downloaded: Downloaded

    @property
    def name(self) -> str:
        """The name of the person whom it is about."""
        user = person(self.user_id)
        return f"{user.given_name} {user.family_name}"


def fetch_all(webs: Sequence[Web], *, orgs: int, users: int, seconds: float = 120) -> list[Fetched]:
    """Ask for every user of every org at once, a thread each, and fetch what comes.

    Where there are several web servers, each report is asked for at one and polled at the next, because any
    of them may answer for any job.
    """
    with ExitStack() as clients, ThreadPoolExecutor(max_workers=orgs * users) as threads:
        futures = []
        for org in (f"org-{number}" for number in range(orgs)):
            at = [clients.enter_context(web.client(org)) for web in webs]
            for number in range(users):
                asks, polls = at[number % len(at)], at[(number + 1) % len(at)]
                futures.append(threads.submit(_fetch, asks, polls, f"U{org[4:]}-{number}", seconds))
        return [future.result() for future in futures]


def _fetch(asks: Client, polls: Client, user_id: str, seconds: float) -> Fetched:
    job_id = asks.accepted(user_id)
    job = polls.complete(job_id, seconds=seconds)
    downloaded = polls.download(job_id)
    return Fetched(org=asks.org, user_id=user_id, token=asks.token, job=job, downloaded=downloaded)


def names_in(document: bytes) -> set[str]:
    """Find the people whom a document names."""
    return set(re.findall(r"Jo Bloggs\w+", text_of(document)))
