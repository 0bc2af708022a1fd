"""What is kept, for how long: objects whose time is over are deleted, later the rows."""

import logging

from sqr_jobs.domain.upkeep import Collectable
from sqr_jobs.errors import ConfigurationError, DocumentsUnavailable, Unavailable
from sqr_jobs.ports import DocumentStore, JobRetention

__all__ = ["Retention"]

_logger = logging.getLogger("sqr_jobs.retention")

_BATCH = 100
_REFUSALS = 5
"""In a row: then it is the store that is out of reach, and no single object that can't be deleted."""


class Retention:
    """Deletes by key, never by listing the bucket: what the database does not know of, it leaves alone.

    A database that was restored from yesterday's backup therefore costs no document. Any number of copies
    may run: deleting twice is no harm. What can't be deleted is tried again an hour later.
    """

    def __init__(self, *, jobs: JobRetention, documents: DocumentStore) -> None:
        self._jobs = jobs
        self._documents = documents

    def run(self) -> int:
        """Purge rows and collect objects, until there are none; how many of both.

        What stops the one does not stop the other. Raises `DatabaseUnavailable`, `DocumentsUnavailable` or,
        where a foreign key of the host's holds a row, `ConfigurationError`; what was deleted stays deleted.
        """
        total, failure = 0, None
        for duty in (self._purge, self._collect):
            try:
                total += duty()
            except (Unavailable, ConfigurationError) as error:
                failure = failure or error
        if failure is not None:
            raise failure
        return total

    def _collect(self) -> int:
        total, in_a_row, refusal = 0, 0, None
        while in_a_row < _REFUSALS and (items := self._jobs.collectable(_BATCH)):
            for item in items:
                try:
                    total += self._delete(item)
                    in_a_row = 0
                except DocumentsUnavailable as error:
                    refusal, in_a_row = error, in_a_row + 1
                    self._jobs.refused(item)
                    if in_a_row == _REFUSALS:
                        break
        if total:
            _logger.info("deleted %s objects whose time was over", total)
        if refusal is not None:
            raise refusal
        return total

    def _delete(self, item: Collectable) -> int:
        for key in item.keys:
            self._documents.delete(key)
        self._jobs.collected(item)
        return len(item.keys)

    def _purge(self) -> int:
        total = 0
        while purged := self._jobs.purge(_BATCH):
            total += purged
        if total:
            _logger.info("deleted %s jobs whose time was over", total)
        return total
