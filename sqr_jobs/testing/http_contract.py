"""The HTTP contract as a test class: a host subclasses it with its own application."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from sqr_jobs.testing.clients import Answer, Client
from sqr_jobs.testing.reports import ReportsUnderTest

__all__ = ["HttpContract"]


class HttpContract:
    """Subclass it, give the `client` fixture and the user ids, and pytest holds the mount to the contract.

        class TestReports(HttpContract):
            known_user, forbidden_user, unknown_user = "US1", "US2", "US404"

            @pytest.fixture
            def client(self, reports):
                return client_of(create_app())

    `headers` says who asks, where the host has its own login. Needs the plugin's `reports` fixture.
    """

    prefix = "/v1/document/api"
    """Where the endpoints are mounted."""
    known_user: str
    """A user that `test-org` and `org-a` may have a report on, whose template renders."""
    forbidden_user: str | None = None
    """A user that exists and that `test-org` may have no report on; None where there is none."""
    unknown_user = "no-such-user"
    """An id that nobody has."""
    scope = ""
    """The scopes that the service asks for, with blanks between them."""

    def headers(self, org: str) -> Mapping[str, str]:
        """Return the headers by which a client of this org is known."""
        return ReportsUnderTest.bearer(org, scope=self.scope)

    def test_without_a_token_nothing_is_told(self, client: Client) -> None:
        """Contract, "Common to all three"."""
        for method, path in (("POST", ""), ("GET", "/some-id"), ("GET", "/some-id/url")):
            answer = client(method, self.prefix + path, {"Content-Type": "application/json"}, b"{}")
            assert answer.status in (401, 403)
            assert answer.status != 401 or answer.headers["www-authenticate"].startswith("Bearer")  # noqa: PLR2004

    def test_a_report_is_asked_for_polled_and_downloaded(
        self, client: Client, reports: ReportsUnderTest
    ) -> None:
        """The main job."""
        created = self._create(client, self.known_user)
        assert (created.status, created.json["status"]) == (202, "PENDING")
        path = created.headers["location"]
        assert self._get(client, path).json["status"] == "PENDING"
        early = self._get(client, f"{path}/url")
        assert (early.status, early.json["code"]) == (422, "JOB_NOT_COMPLETE")
        reports.run_pending()
        job = self._get(client, path).json
        assert job["status"] == "COMPLETE", job
        download = self._get(client, f"{path}/url").json
        assert download["expiresInSeconds"] == 300  # noqa: PLR2004 - the contract's
        link = urlsplit(download["url"])
        document = client("GET", f"{link.path}?{link.query}", {}, None)
        assert hashlib.sha256(document.body).hexdigest() == job["sha256"]
        assert len(document.body) == job["sizeBytes"]

    def test_one_job_per_user_is_active(self, client: Client) -> None:
        """Contract, POST 7."""
        first, second = (self._create(client, self.known_user) for _ in range(2))
        assert (second.status, second.json["code"]) == (409, "JOB_ALREADY_ACTIVE")
        assert second.json["jobId"] == first.json["jobId"]

    def test_another_orgs_job_is_an_unknown_job(self, client: Client) -> None:
        """Contract, GET."""
        path = self._create(client, self.known_user, org="org-a").headers["location"]
        for suffix in ("", "/url"):
            answer = self._get(client, path + suffix, org="org-b")
            assert (answer.status, answer.json["code"]) == (404, "JOB_NOT_FOUND")

    def test_users_are_asked_for_at_the_host(self, client: Client) -> None:
        """Contract, POST 6."""
        answer = self._create(client, self.unknown_user)
        assert (answer.status, answer.json["code"]) == (404, "USER_NOT_FOUND")
        if self.forbidden_user is not None:
            answer = self._create(client, self.forbidden_user)
            assert (answer.status, answer.json["code"]) == (403, "USER_NOT_PERMITTED")

    def test_faults_are_problems_that_say_what_to_do(self, client: Client) -> None:
        """Contract, POST 2 and 5."""
        answer = self._create(client, self.known_user, more={"colour": "red"})
        assert (answer.status, answer.json["code"]) == (400, "REQUEST_INVALID")
        assert answer.headers["content-type"].startswith("application/problem+json")
        assert "colour" in answer.json["detail"]
        text = {**self.headers("test-org"), "Content-Type": "text/plain"}
        assert client("POST", self.prefix, text, b"{}").status == 415  # noqa: PLR2004

    def _create(
        self, client: Client, user_id: str, *, org: str = "test-org", more: dict[str, Any] | None = None
    ) -> Answer:
        headers = {**self.headers(org), "Content-Type": "application/json"}
        return client("POST", self.prefix, headers, json.dumps({"userId": user_id, **(more or {})}).encode())

    def _get(self, client: Client, path: str, *, org: str = "test-org") -> Answer:
        return client("GET", path, self.headers(org), None)
