"""From an unfinished PDF to the file that is stored: small steps on one open document, one save."""

import functools
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Any, BinaryIO, cast

import pikepdf

__all__ = ["About", "finish"]


@dataclass(frozen=True, kw_only=True)
class About:
    """What the document says of itself."""

    title: str
    author: str
    subject: str
    language: str
    """BCP 47."""
    created_at: datetime
    """UTC; the job's creation, so that every attempt gives the same bytes."""
    identifier: str = ""
    """Names the job, by which the worker knows the document; by default none."""


def finish(unfinished: bytes, output: BinaryIO, about: About) -> None:
    """Take the steps and save to `output`, with object streams and an id that follows from the content."""
    with pikepdf.open(io.BytesIO(unfinished)) as pdf:
        for step in _STEPS:
            step(pdf, about)
        kept = _ErrorKeeper(output)
        pdf.save(
            cast("BinaryIO", kept),
            object_stream_mode=pikepdf.ObjectStreamMode.generate,
            compress_streams=True,
            deterministic_id=True,
        )
        kept.settle()
    if kept.error is not None:
        raise kept.error


_BLOCK = 65_536


class _ErrorKeeper(io.RawIOBase):
    """Keeps the first error of writing and drops what comes after.

    qpdf must not meet it: a write that fails while it cleans up ends the process. It writes hundreds of small
    pieces, which are put together.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._pieces: list[bytes] = []
        self._waiting = 0
        self.error: OSError | None = None

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._pieces.append(bytes(data))
        self._waiting += len(data)
        if self._waiting >= _BLOCK:
            self.settle()
        return len(data)

    def settle(self) -> None:
        """Write what waits."""
        if self.error is None and self._pieces:
            try:
                self._file.write(b"".join(self._pieces))
                self._file.flush()
            except OSError as error:
                self.error = error
        self._pieces.clear()
        self._waiting = 0

    def read(self, size: int = -1) -> bytes:
        self.settle()
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        self.settle()
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell() + self._waiting


def _name_single_filters(pdf: pikepdf.Pdf, _about: About) -> None:
    """Write `/Filter [/FlateDecode]` as a name: qpdf would deflate anew each stream that has an array."""
    for item in pdf.objects:
        if isinstance(item, pikepdf.Stream):
            filters = item.get("/Filter")
            if isinstance(filters, pikepdf.Array) and len(filters) == 1:
                item["/Filter"] = filters[0]


def _describe(pdf: pikepdf.Pdf, about: About) -> None:
    """Write title, author, subject, language and dates, in Info and XMP alike."""
    producer = _producer()
    stamp = about.created_at.strftime("D:%Y%m%d%H%M%S+00'00'")
    for key in list(pdf.docinfo.keys()):
        del pdf.docinfo[key]
    entries = {"/Title": about.title, "/Author": about.author, "/Subject": about.subject}
    for name, text in {**entries, "/Producer": producer, "/Creator": producer}.items():
        if text:
            pdf.docinfo[name] = text
    pdf.docinfo["/CreationDate"] = pdf.docinfo["/ModDate"] = pikepdf.String(stamp)
    iso = about.created_at.strftime("%Y-%m-%dT%H:%M:%S+00:00")
    with pdf.open_metadata(set_pikepdf_as_editor=False, update_docinfo=False) as xmp:
        xmp["dc:title"] = about.title
        if about.author:
            xmp["dc:creator"] = [about.author]
        if about.subject:
            xmp["dc:description"] = about.subject
        xmp["dc:language"] = {about.language}
        xmp["dc:format"] = "application/pdf"
        xmp["pdf:Producer"] = xmp["xmp:CreatorTool"] = producer
        if about.identifier:
            xmp["xmpMM:DocumentID"] = about.identifier
        xmp["xmp:CreateDate"] = xmp["xmp:ModifyDate"] = iso
    pdf.Root["/Lang"] = pikepdf.String(about.language)
    pdf.Root["/ViewerPreferences"] = pikepdf.Dictionary(DisplayDocTitle=True)


@functools.cache
def _producer() -> str:
    return f"sqr-jobs {version('sqr-jobs')}"


def _drop_empty_transitions(pdf: pikepdf.Pdf, _about: About) -> None:
    """Remove the empty `/Trans` that ReportLab writes on every page."""
    for page in pdf.pages:
        if "/Trans" in page and not page["/Trans"].keys():
            del page["/Trans"]


_STEPS: tuple[Callable[[pikepdf.Pdf, About], None], ...] = (
    _name_single_filters,
    _drop_empty_transitions,
    _describe,
)
