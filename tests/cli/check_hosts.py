"""Factories that are wrong in ways which `sqr-jobs check` tells apart."""

import os
import sys
from collections.abc import Callable, Mapping

from sqr_jobs import (
    Caller,
    DocumentsUnavailable,
    ProducedDocument,
    ReportJobs,
    Settings,
    build_report_jobs,
)
from tests.host.people import People
from tests.host.reports import Report

__all__ = [
    "Store",
    "exits",
    "only_here",
    "own_authenticator",
    "own_store",
    "raises",
    "with_a_class",
    "without_templates",
]


class Store:
    """A document store of the host's own, at `SQR_TEST_STORE_URL`; `SQR_TEST_STORE` says what is wrong."""

    def __init__(self, stored: dict[str, bytes]) -> None:
        self._stored = stored
        self._wrong = os.environ.get("SQR_TEST_STORE")

    def put(self, key: str, document: ProducedDocument, *, until: Callable[[], float]) -> None:
        """Keep the bytes."""
        self._stored[key] = document.file.read()

    def holds(self, key: str, *, size: int) -> bool:
        """Look for them."""
        return self._wrong != "forgets" and len(self._stored.get(key, b"")) == size

    def url(self, key: str, *, filename: str, expires_s: int, origin: str) -> str:
        """Give the address of a server that a test runs."""
        return f"{os.environ['SQR_TEST_STORE_URL']}/{key}?signature=1"

    def delete(self, key: str) -> None:
        """Forget them."""
        if self._wrong == "keeps":
            raise DocumentsUnavailable("The bucket refused (AccessDenied).")
        del self._stored[key]


class _Tokens:
    def authenticate(self, headers: Mapping[str, str]) -> Caller:
        return Caller(org_id="acme")


stored: dict[str, bytes] = {}
"""What the host's own store holds, for the server that serves it."""


def own_store() -> ReportJobs:
    """Bring a document store."""
    return build_report_jobs(Settings(), users=People(), templates=[Report()], documents=Store(stored))


def own_authenticator() -> ReportJobs:
    """Bring an authenticator."""
    return build_report_jobs(Settings(), users=People(), templates=[Report()], authenticator=_Tokens())


def only_here() -> ReportJobs:
    """Build what the render child can't, which has another main module."""
    if sys.modules["__main__"].__spec__ and sys.modules["__main__"].__spec__.name.endswith("documents.child"):
        raise LookupError("no such tenant")
    return build_report_jobs(Settings(), users=People(), templates=[Report()])


def without_templates() -> ReportJobs:
    """Forget them."""
    return build_report_jobs(Settings(), users=People(), templates=[])


def with_a_class() -> ReportJobs:
    """Forget to make an instance."""
    return build_report_jobs(Settings(), users=People(), templates=[Report])  # type: ignore[list-item]


def raises() -> ReportJobs:
    """Read a variable that is not set."""
    raise KeyError("MYAPP_DATABASE_URL")


def exits() -> ReportJobs:
    """End the program, as some applications do."""
    sys.exit("MYAPP_DATABASE_URL is not set")
