"""The mounted endpoints, held to the contract that clients rely on."""

import pytest
from sqr_jobs.testing import HttpContract, client_of

from myapp.main import create_app


class TestMount(HttpContract):
    known_user, forbidden_user, unknown_user = "US1", "US2", "US404"

    @pytest.fixture
    def client(self, reports):
        return client_of(create_app())
