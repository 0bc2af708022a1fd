"""Looking at the document store: write, sign, fetch as a stranger, delete."""

import contextlib
import hashlib
import io
import math
import secrets
import urllib.error
import urllib.request
from urllib.parse import parse_qsl, urlsplit

from sqr_jobs.doctor.findings import Note
from sqr_jobs.errors import ConfigurationError, DocumentsUnavailable
from sqr_jobs.ports import DocumentStore, LocalDocuments, ProducedDocument
from sqr_jobs.wiring import System
from sqr_jobs.wiring.inspection import credentials_left_s, documents_lie_in

__all__ = ["credentials", "documents"]

_URL_LIFETIME_S = 300
_TIMEOUT_S = 10


_ADVICE = {
    "a bucket": "Are SQR_JOBS_S3_ENDPOINT_URL, the bucket's name and its credentials right?",
    "a folder": "Is SQR_JOBS_DATA_DIR a folder that this process may write?",
    "the host's own store": "Look at the store that the factory passes.",
}


def documents(system: System) -> str:
    """Do with an object what is done with each document, as worker, web process and client."""
    kind = documents_lie_in(system)
    try:
        done = _try_out(system.documents)
    except DocumentsUnavailable as error:
        raise ConfigurationError(f"{error} {_ADVICE[kind]}") from None
    if kind == "a folder" and not system.settings.is_embedded:
        folder = system.settings.data_dir.resolve()
        return Note(
            f"{done} in {folder}, which web and workers must share, on one machine or one volume; else set "
            "SQR_JOBS_S3_BUCKET"
        )
    where = {"a bucket": f"bucket {system.settings.s3_bucket}", "a folder": "the local folder"}
    return f"{done} in {where.get(kind, kind)}"


def _try_out(store: DocumentStore) -> str:
    content = b"%PDF-1.4 sqr-jobs check " + secrets.token_bytes(16)
    digest = hashlib.sha256(content).hexdigest()
    key = f"sqr-jobs-check/0-{secrets.token_hex(8)}.pdf"
    file = io.BytesIO(content)
    document = ProducedDocument(file=file, size=len(content), sha256=digest, release=file.close)
    store.put(key, document, until=lambda: 30.0)
    try:
        read_by = _read(store, key, content)
    except BaseException:
        with contextlib.suppress(Exception):  # what was met first counts
            store.delete(key)
        raise
    try:
        store.delete(key)
    except DocumentsUnavailable as error:
        raise ConfigurationError(
            f"what was written can't be deleted: {error} Allow this process to delete (s3:DeleteObject), and "
            f"delete {key} by hand."
        ) from None
    return f"written, {read_by} and deleted"


def _read(store: DocumentStore, key: str, content: bytes) -> str:
    if not store.holds(key, size=len(content)):
        raise ConfigurationError("what was written is not there. Is the bucket or folder the right one?")
    url = store.url(key, filename="check.pdf", expires_s=_URL_LIFETIME_S, origin="")
    if isinstance(store, LocalDocuments):
        store.open_link(dict(parse_qsl(urlsplit(url).query)))
        return "signed, opened"
    if _fetch(url) != content:
        raise ConfigurationError("the signed URL gave other bytes. Is something between here and the store?")
    unsigned = url.partition("?")[0]
    if unsigned != url and _is_readable(unsigned, content):
        raise ConfigurationError("the object can be read without a signature. Make the bucket private.")
    return "signed, fetched as a stranger, refused unsigned"


def _is_readable(url: str, content: bytes) -> bool:
    try:
        return _fetch(url) == content
    except ConfigurationError:
        return False


def _fetch(url: str) -> bytes:
    """Fetch as somebody who has nothing but the URL."""
    host = urlsplit(url).netloc
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - our own store's address
            return bytes(answer.read())
    except urllib.error.HTTPError as refusal:
        refusal.close()
        raise ConfigurationError(
            f"{host} refused the signed URL (HTTP {refusal.code}). Is this machine's clock right, and do the "
            "credentials allow reading (s3:GetObject)?"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise ConfigurationError(
            f"the signed URL leads to {host}, which did not answer ({type(reason).__name__}). Set "
            "SQR_JOBS_S3_ENDPOINT_URL to an address that clients can reach."
        ) from None


def credentials(system: System) -> str:
    """Tell whether the bucket's credentials outlive the URLs that are signed with them."""
    match documents_lie_in(system):
        case "a folder":
            return "none needed: links are signed with a key of our own"
        case "the host's own store":
            return "the host's own store has its own"
    left_s = credentials_left_s(system)
    if left_s == math.inf:
        return "they do not expire"
    advice = "Use credentials that live longer than 300 s, such as an IAM user's"
    if left_s is None:
        return Note(f"temporary, and nothing tells until when; a URL dies with them. {advice}")
    if left_s < _URL_LIFETIME_S:
        raise ConfigurationError(
            f"the bucket's credentials expire in {left_s:.0f} s, and the URLs signed with them too. {advice}."
        )
    return Note(f"temporary, {left_s:.0f} s left; a URL signed in their last 300 s lives shorter")
