"""What deletes objects and rows whose time is over."""

import logging
import re
from collections.abc import Sequence

import pytest

from sqr_jobs.domain.upkeep import Collectable
from sqr_jobs.errors import ConfigurationError, DatabaseUnavailable, DocumentsUnavailable
from sqr_jobs.maintenance import Maintenance
from sqr_jobs.retention import Retention
from tests.servers.ports import wait_until
from tests.unit.fakes import FakeQueue, FakeUpkeep


class _Jobs:
    """`JobRetention` with jobs of one object each, and so many rows to purge."""

    def __init__(self, *, ended: int = 0, old: int = 0) -> None:
        self.left = [f"job-{number}" for number in range(ended)]
        self.old = old
        self.noted: list[str] = []
        self.put_off: list[str] = []

    def collectable(self, limit: int) -> Sequence[Collectable]:
        return [
            Collectable(job_id=job_id, keys=(f"{job_id}/1.pdf",), since=0, next_at=None)
            for job_id in self.left[:limit]
        ]

    def collected(self, item: Collectable) -> bool:
        if item.job_id not in self.left:
            return False
        self.left.remove(item.job_id)
        self.noted.append(item.job_id)
        return True

    def refused(self, item: Collectable) -> None:
        self.left.remove(item.job_id)
        self.put_off.append(item.job_id)

    def an_hour_later(self) -> None:
        self.left, self.put_off = self.left + self.put_off, []

    def purge(self, limit: int) -> int:
        purged = min(limit, self.old)
        self.old -= purged
        return purged


class _Documents:
    """The deleting half of a `DocumentStore`, out of reach or refusing some objects for ever."""

    def __init__(self, *, refused: Sequence[int] = ()) -> None:
        self.refused = {f"job-{number}/1.pdf" for number in refused}
        self.is_down = False
        self.deleted: list[str] = []
        self.tries = 0

    def delete(self, key: str) -> None:
        self.tries += 1
        if self.is_down or key in self.refused:
            raise DocumentsUnavailable("The bucket refused (AccessDenied).")
        self.deleted.append(key)


def _retention(jobs: _Jobs, documents: _Documents) -> Retention:
    return Retention(jobs=jobs, documents=documents)  # type: ignore[arg-type]


@pytest.mark.parametrize(("ended", "old"), [(0, 0), (1, 0), (0, 1), (100, 100), (250, 333)])
def test_all_that_has_had_its_time_goes_in_one_run(
    ended: int, old: int, caplog: pytest.LogCaptureFixture
) -> None:
    """More than a batch is left after an outage; the log tells how many."""
    jobs, documents = _Jobs(ended=ended, old=old), _Documents()
    with caplog.at_level(logging.INFO, "sqr_jobs.retention"):
        assert _retention(jobs, documents).run() == ended + old
    assert documents.deleted == [f"job-{number}/1.pdf" for number in range(ended)]
    assert (jobs.left, jobs.old) == ([], 0)
    told = [record.getMessage() for record in caplog.records]
    assert told == [f"deleted {old} jobs whose time was over"] * bool(old) + [
        f"deleted {ended} objects whose time was over"
    ] * bool(ended)


def test_a_job_is_noted_only_when_its_objects_are_gone() -> None:
    """The note is what lets the row go, and with the row goes the key."""
    jobs, documents = _Jobs(ended=3), _Documents()
    documents.is_down = True
    with pytest.raises(DocumentsUnavailable):
        _retention(jobs, documents).run()
    assert jobs.noted == []


def test_a_store_that_is_down_is_asked_a_few_times_and_not_for_each_object() -> None:
    """A hundred waits for a dead server would be minutes."""
    documents = _Documents()
    documents.is_down = True
    with pytest.raises(DocumentsUnavailable):
        _retention(_Jobs(ended=500), documents).run()
    assert documents.tries == 5


def test_a_store_that_is_down_keeps_no_row_whose_objects_are_gone() -> None:
    """Rows hold the ids of people; their time is over whatever the store does."""
    jobs, documents = _Jobs(ended=1, old=120), _Documents()
    documents.is_down = True
    with pytest.raises(DocumentsUnavailable):
        _retention(jobs, documents).run()
    assert jobs.old == 0


def test_an_object_that_may_not_be_deleted_holds_up_no_other() -> None:
    """A legal hold on one document must not keep everybody's; the loop tells that something is wrong."""
    jobs, documents = _Jobs(ended=20), _Documents(refused=[0, 7])
    with pytest.raises(DocumentsUnavailable):
        _retention(jobs, documents).run()
    assert (jobs.left, jobs.put_off) == ([], ["job-0", "job-7"])
    assert len(documents.deleted) == 18


def test_any_number_of_objects_that_may_not_be_deleted_holds_up_no_other() -> None:
    """A run ends after five refusals in a row; these must not be the head of the next run again."""
    jobs, documents = _Jobs(ended=300), _Documents(refused=range(120))
    for _ in range(120 // 5):
        with pytest.raises(DocumentsUnavailable):
            _retention(jobs, documents).run()
    assert _retention(jobs, documents).run() == 180
    assert jobs.put_off == [f"job-{number}" for number in range(120)]


def test_rows_that_a_key_of_the_hosts_holds_keep_no_document(caplog: pytest.LogCaptureFixture) -> None:
    """What people put into documents goes in time, and the operator is told what to mend."""

    class Held(_Jobs):
        def purge(self, limit: int) -> int:
            raise ConfigurationError("a foreign key of yours holds one")

    jobs, documents = Held(ended=3), _Documents()
    with pytest.raises(ConfigurationError, match="a foreign key of yours"):
        _retention(jobs, documents).run()
    assert len(documents.deleted) == 3


def test_a_database_that_goes_away_is_told_and_nothing_more_is_deleted() -> None:
    """Deleting without noting it would be done again and again."""

    class Broken(_Jobs):
        def collected(self, item: Collectable) -> bool:
            raise DatabaseUnavailable("away")

    documents = _Documents()
    with pytest.raises(DatabaseUnavailable):
        _retention(Broken(ended=3), documents).run()
    assert len(documents.deleted) == 1


def test_an_outage_of_the_store_is_told_once_and_retention_goes_on_after_it(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour without the bucket is one line at its beginning and one at its end."""
    monkeypatch.setattr("sqr_jobs.maintenance._RETENTION_S", 0.01)
    jobs, documents = _Jobs(ended=2), _Documents()
    documents.is_down = True
    maintenance = Maintenance(
        jobs=FakeUpkeep(),
        queue=FakeQueue(),
        relay_interval_s=10,
        reaper_interval_s=10,
        retention=_retention(jobs, documents),
    )
    with caplog.at_level(logging.INFO, "sqr_jobs"):
        maintenance.start()
        wait_until(lambda: len(jobs.put_off) == 2, seconds=10, what="both refusals")
        documents.is_down = False
        jobs.an_hour_later()
        wait_until(lambda: len(jobs.noted) == 2, seconds=10, what="the collection")
        wait_until(lambda: "goes on" in caplog.text, seconds=10, what="the news")
        maintenance.stop()
    told = [record.getMessage() for record in caplog.records if "the retention" in record.getMessage()]
    waits, goes_on = told
    assert waits == "the retention waits: The bucket refused (AccessDenied)."
    assert re.fullmatch(r"the retention goes on, after \d+ s", goes_on)
