"""What is kept, for how long: objects whose time is over are deleted, later the rows."""

import logging

from sqr_jobs.ports import DocumentStore, JobRetention

__all__ = ["Retention"]

_logger = logging.getLogger("sqr_jobs.retention")

_BATCH = 100


class Retention:
    """Deletes by key, never by listing the bucket: what the database does not know of, it leaves alone.

    A database that was restored from yesterday's backup therefore costs no document. Any number of copies
    may run: deleting twice is no harm.
    """

    def __init__(self, *, jobs: JobRetention, documents: DocumentStore) -> None:
        self._jobs = jobs
        self._documents = documents

    def run(self) -> int:
        """Collect objects, then purge rows, until there are none; how many of both.

        Raises `DatabaseUnavailable` or `DocumentsUnavailable`; what was deleted by then stays deleted.
        """
        return self._collect() + self._purge()

    def _collect(self) -> int:
        total = 0
        while items := self._jobs.collectable(_BATCH):
            for item in items:
                for key in item.keys:
                    self._documents.delete(key)
                self._jobs.collected(item)
                total += len(item.keys)
        if total:
            _logger.info("deleted %s objects whose time was over", total)
        return total

    def _purge(self) -> int:
        total = 0
        while purged := self._jobs.purge(_BATCH):
            total += purged
        if total:
            _logger.info("deleted %s jobs whose time was over", total)
        return total
