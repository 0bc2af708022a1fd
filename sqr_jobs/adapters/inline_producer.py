"""Documents made in the calling thread, for tests and debuggers: nothing can be killed here."""

import hashlib
import tempfile

from sqr_jobs.documents.production import make_document
from sqr_jobs.documents.template import Catalog
from sqr_jobs.leases import Lease
from sqr_jobs.ports import ProducedDocument, RenderOrder

__all__ = ["InlineProducer"]


class InlineProducer:
    """`DocumentProducer` without a child. Limits of time and memory do not hold."""

    def __init__(self, catalog: Catalog, *, output_bytes: int) -> None:
        self._catalog = catalog
        self._output_bytes = output_bytes

    def produce(self, order: RenderOrder, lease: Lease) -> ProducedDocument:
        """Make the document, then look at the lease."""
        file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by release
        try:
            made = make_document(self._catalog, order, file, max_bytes=self._output_bytes)
            lease.check()
        except BaseException:
            file.close()
            raise
        file.seek(0)
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        return ProducedDocument(
            file=file,
            size=made.size,
            sha256=sha256,
            release=file.close,
            missing_glyphs=made.missing_glyphs,
        )

    def warm(self) -> None:
        """Do nothing: there are no children."""

    def close(self) -> None:
        """Do nothing: there are no children."""
