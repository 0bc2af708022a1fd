"""Two services on one database, each below its own prefix: neither sees, refuses or counts for the other."""

import pytest

from sqr_jobs.errors import ConfigurationError
from tests.http.clients import Client
from tests.http.conftest import Serve
from tests.http.keyed import post_with_key

pytestmark = pytest.mark.both_forms


def _two(serve: Serve, **settings: object) -> tuple[Client, Client]:
    return serve(prefix="/bills", **settings), serve(prefix="/letters", **settings)


def test_the_same_user_has_a_job_in_each(serve: Serve) -> None:
    """Else the second answers 409 with a job that it then answers 404 for, or shows another's."""
    bills, letters = _two(serve)
    mine, theirs = bills.create("U-1"), letters.create("U-1")
    assert (bills.status(mine).status, bills.status(theirs).status) == (200, 404)
    assert (letters.status(theirs).status, letters.status(mine).status) == (200, 404)


def test_each_has_its_own_keys_and_quota(serve: Serve) -> None:
    """Also where limiter and keys have one storage."""
    bills, letters = _two(serve, rate_limit=1)
    assert post_with_key(bills).status == 202
    assert post_with_key(letters, b'{"userId": "U-2"}').status == 202
    assert post_with_key(letters, key="another").status == 429


def test_a_service_of_one_name_may_have_several_prefixes(serve: Serve) -> None:
    """A host that moves its endpoints keeps its jobs by naming the service."""
    old, new = serve(prefix="/v1/reports", service="reports"), serve(prefix="/v2/reports", service="reports")
    assert new.status(old.create("U-1")).status == 200


def test_a_prefix_that_is_too_long_for_a_name_asks_for_one(serve: Serve) -> None:
    """At the start, and not as a database error with each request."""
    with pytest.raises(ConfigurationError, match="SQR_JOBS_SERVICE"):
        serve(prefix=f"/{'x' * 64}")
