"""The application's own rules about reports."""

import pytest
from sqlalchemy.orm import Session
from sqr_jobs import JobErrorCode, RequestRefused

from myapp.people import Person, make_engine


def change(user_id, **values):
    with Session(make_engine()) as session, session.begin():
        person = session.get_one(Person, user_id)
        for name, value in values.items():
            setattr(person, name, value)


def test_consent_withdrawn_closes_the_download(reports):
    job = reports.create("US1")
    reports.run_pending()
    change("US1", orgs=[])
    with pytest.raises(RequestRefused) as refusal:
        reports.jobs.download_url(reports.caller(), job.job_id)
    assert refusal.value.code == "USER_NOT_PERMITTED"


def test_wrong_data_fails_the_report_and_the_history_says_why(reports):
    job = reports.create("US1")
    change("US1", checks=[404])
    assert reports.run_pending() == 1
    assert reports.status(job).error_code is JobErrorCode.REPORT_DATA_INVALID
    assert "Input should be a valid string" in reports.history(job)[-1].cause


def test_a_report_that_nobody_makes_fails_at_its_deadline(reports):
    job = reports.create("US1")
    reports.pass_time(301)
    assert reports.status(job).error_code is JobErrorCode.DEADLINE_EXCEEDED
