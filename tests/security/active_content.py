"""What in a PDF can act, fetch or carry something along."""

import io
from typing import Any

import pikepdf

__all__ = ["active_content", "everything_in"]

_ACTING = frozenset({
    "/AA", "/AcroForm", "/EF", "/EmbeddedFile", "/EmbeddedFiles", "/GoToE", "/GoToR", "/ImportData", "/JS",
    "/JavaScript", "/Launch", "/Movie", "/OpenAction", "/RichMedia", "/Sound", "/SubmitForm", "/URI", "/XFA",
})  # fmt: skip


def active_content(document: bytes) -> set[str]:
    """Find keys and names that act, in every object, wherever they stand in it."""
    with pikepdf.open(io.BytesIO(document)) as pdf:
        return set().union(*(_acting(item, depth=0) for item in [*pdf.objects, pdf.trailer]))


def everything_in(document: bytes) -> bytes:
    """Give the file's bytes, with those of each stream unpacked."""
    with pikepdf.open(io.BytesIO(document)) as pdf:
        streams = [item.read_bytes() for item in pdf.objects if isinstance(item, pikepdf.Stream)]
    return b"\n".join([document, *streams])


def _acting(item: Any, *, depth: int) -> set[str]:
    if depth and getattr(item, "is_indirect", False):
        return set()  # it has its own turn
    if isinstance(item, pikepdf.Name):
        return {str(item)} & _ACTING
    if isinstance(item, pikepdf.Array):
        return set().union(*(_acting(part, depth=depth + 1) for part in item))
    if isinstance(item, pikepdf.Stream | pikepdf.Dictionary):
        found = set(item.keys()) & _ACTING
        return found.union(*(_acting(part, depth=depth + 1) for _, part in item.items()))
    return set()
