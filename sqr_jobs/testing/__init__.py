"""For a host's own tests: jobs without a worker, and the HTTP contract over the host's own mount.

The pytest plugin `sqr_jobs.testing.plugin` gives the fixture `reports`. In a host's `conftest.py`:

    pytest_plugins = ["sqr_jobs.testing.plugin"]

    @pytest.fixture
    def report_jobs_factory():
        return myapp.reports.report_jobs
"""

from sqr_jobs.testing.clients import Answer, Client, client_of
from sqr_jobs.testing.http_contract import HttpContract
from sqr_jobs.testing.reports import ReportsUnderTest

__all__ = ["Answer", "Client", "HttpContract", "ReportsUnderTest", "client_of"]
