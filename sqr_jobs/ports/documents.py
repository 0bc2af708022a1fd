"""Making documents, and keeping their bytes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, runtime_checkable

from sqr_jobs.domain.glyphs import MissingGlyphs
from sqr_jobs.domain.job import Document, TemplateRef

if TYPE_CHECKING:
    from sqr_jobs.leases import Lease

__all__ = [
    "DocumentLinks",
    "DocumentProducer",
    "DocumentStore",
    "LocalDocuments",
    "ProducedDocument",
    "RenderOrder",
    "VerifyingDocuments",
]


@dataclass(frozen=True, kw_only=True)
class RenderOrder:
    """What an attempt asks the producer to make."""

    job_id: str
    org_id: str
    user_id: str
    template: TemplateRef
    created_at: int
    """Epoch milliseconds; the document's date."""


@dataclass(frozen=True, kw_only=True)
class ProducedDocument:
    """The finished bytes, before they are stored."""

    file: BinaryIO = field(repr=False)
    """Positioned at its start; it has no name on disk, so nothing is left behind when the process dies."""
    size: int
    """Bytes."""
    sha256: str
    """64 hexadecimal digits."""
    release: Callable[[], None] = field(repr=False)
    """Must be called when the bytes are no longer needed; the worker does, a store need not."""
    discard: Callable[[], None] | None = field(default=None, repr=False)
    """Called instead of `release` where an abandoned upload may still read the file.

    The file must not be written again then. None where `release` gives it to nobody else.
    """
    missing_glyphs: MissingGlyphs | None = None
    """Characters that were drawn without a glyph; None where each had one."""


class DocumentProducer(Protocol):
    """Loads, lays out and finishes one document at a time per calling thread."""

    def produce(self, order: RenderOrder, lease: "Lease") -> ProducedDocument:
        """Make the document, or end the attempt at the lease's own end.

        Raises `AttemptFailed`, `AttemptAborted` or `LeaseLost`; TEMPLATE_NOT_FOUND stands for a template
        that this process does not know.
        """
        ...

    def warm(self) -> None:
        """Prepare what the first order would wait for. Raises `ConfigurationError`."""
        ...

    def close(self) -> None:
        """End the idle render children."""
        ...


class DocumentStore(Protocol):
    """Holds bytes under keys. Every method raises `DocumentsUnavailable`, and is called from any thread.

    A key is a path of two parts, `{job id}/{attempt}-{random}.pdf`. No other attempt has it; what is put
    under it again replaces what was there.
    """

    def put(self, key: str, document: ProducedDocument, *, until: Callable[[], float]) -> None:
        """Store the bytes, whole or not at all, and have their SHA-256 checked where they arrive.

        `until` tells the seconds that are left; the upload ends, with `DocumentsUnavailable`, when there are
        none. The attempt is then tried again, under another key.
        """
        ...

    def holds(self, key: str, *, size: int) -> bool:
        """Say whether an object of this size (bytes) is there; asked before each URL is issued.

        A store that implements `VerifyingDocuments` is asked for `holds_unchanged` instead.
        """
        ...

    def url(self, key: str, *, filename: str, expires_s: int, origin: str) -> str:
        """Sign a fresh URL, for GET only, that the server refuses once expired or changed.

        A GET answers the very bytes, as `application/pdf` and with the `content_disposition` of `filename`.
        `origin` is the address at which the endpoints are mounted, for stores that have none of their own.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""
        ...


@runtime_checkable
class VerifyingDocuments(Protocol):
    """Optional second protocol of a document store that can detect changed bytes, not only a changed size."""

    def holds_unchanged(self, key: str, *, size: int, sha256: str) -> bool:
        """Say whether the object has this size (bytes) and this SHA-256 (64 hexadecimal digits).

        Called instead of `holds` before each URL is issued. False becomes 410 `DOCUMENT_GONE`. Raises
        `DocumentsUnavailable`.
        """
        ...


class DocumentLinks(Protocol):
    """Issues URLs of stored documents for requests. Every method raises `DocumentsUnavailable`."""

    def holds(self, document: Document) -> bool:
        """Say whether the document is there, unchanged as far as its store can see."""
        ...

    def url(self, document: Document, *, filename: str, expires_s: int, origin: str) -> str:
        """Sign a fresh URL, as `DocumentStore.url` does."""
        ...


@runtime_checkable
class LocalDocuments(Protocol):
    """What a document store has besides, whose URLs lead to the endpoints themselves.

    Such a URL is `{origin}/files/document` with a query of the store's own.
    """

    def open_link(self, query: Mapping[str, str]) -> tuple[Path, str]:
        """Check a signed link's query; return the file to send, and the name to save it under.

        Raises `LinkRefused`.
        """
        ...
