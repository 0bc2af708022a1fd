"""Two people in a database of their own, for every test."""

import pytest

from myapp.people import Person, add_people, make_engine
from myapp.reports import report_jobs

pytest_plugins = ["sqr_jobs.testing.plugin"]


@pytest.fixture
def report_jobs_factory(monkeypatch, tmp_path):
    monkeypatch.setenv("MYAPP_DATABASE_URL", f"sqlite:///{tmp_path}/test.db")
    for user_id, orgs in {"US1": ["test-org", "org-a"], "US2": []}.items():
        add_people(
            make_engine(),
            Person(id=user_id, given_name="Jo", family_name="Bloggs", checks=["Identity: passed"], orgs=orgs),
        )
    return report_jobs
