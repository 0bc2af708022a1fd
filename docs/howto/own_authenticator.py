"""Opaque API tokens judged by the library's own endpoints."""

from collections.abc import Mapping
from hashlib import sha256

from sqr_jobs import Caller, ReportJobs, Settings, Unauthenticated, build_report_jobs

from myapp.people import make_engine
from myapp.reports import ScreeningReport, Users

TOKENS = {sha256(b"token-of-acme").hexdigest(): "acme"}
"""Stands for a table of yours: the hash of each token, and whose it is."""


class ApiTokens:
    """Turns a request's headers into the caller."""

    def authenticate(self, headers: Mapping[str, str]) -> Caller:
        """Look the bearer token up; header names are lower case."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("no bearer token was sent", token_sent=False)
        org = TOKENS.get(sha256(token.encode("utf-8", "replace")).hexdigest())
        if org is None:
            raise Unauthenticated("the token is not in the table", token_sent=True)
        return Caller(org_id=org)


def report_jobs() -> ReportJobs:
    """Build the service with it."""
    engine = make_engine()
    return build_report_jobs(
        Settings(),
        users=Users(engine),
        templates=[ScreeningReport(engine)],
        engine=engine,
        authenticator=ApiTokens(),
    )
