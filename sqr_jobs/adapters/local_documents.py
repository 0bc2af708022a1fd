"""Documents in a local folder, served through signed, expiring links."""

import base64
import contextlib
import functools
import hashlib
import hmac
import json
import math
import os
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from sqr_jobs.adapters.remembered import Remembered
from sqr_jobs.errors import DocumentsUnavailable, LinkRefused
from sqr_jobs.local_paths import private_folder
from sqr_jobs.ports import ProducedDocument

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

__all__ = ["LocalDocumentStore"]

_KEY = re.compile(r"[0-9a-z-]{1,64}/[0-9]{1,9}-[0-9a-f]{1,64}\.pdf")
_PIECE = 1_048_576
_FIELDS = ("key", "filename", "expires", "signature")
_SETTLED_NS = 2_000_000_000


class LocalDocumentStore:
    """`DocumentStore`, `VerifyingDocuments` and `LocalDocuments` on a folder, whose path is resolved once.

    Several processes may share it. Files appear whole or not at all. A link names its key, its file name
    with the document's SHA-256 (sealed) and its end, and is signed over all three with HMAC-SHA-256. Keys
    that are not of this library's own shape are refused before the file system sees them. `link_key` is asked
    once, when a link is first made or checked; `now` gives epoch seconds.
    """

    def __init__(
        self,
        folder: Path,
        *,
        link_key: Callable[[], bytes],
        files_path: str,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder.resolve()
        self._digests: Remembered[str] = Remembered()
        self._verified: Remembered[str] = Remembered()
        self._read_link_key = link_key
        self._files_path = files_path
        self._has_folder = False
        self._now = now

    def put(self, key: str, document: ProducedDocument, *, until: Callable[[], float]) -> None:
        """Copy the bytes while there is time, check them, and give them their name in one step."""
        target = self._path(key)
        try:
            unfinished = _unfinished(target)
            try:
                handle = self._create(unfinished)
                with os.fdopen(handle, "w+b") as part:
                    while piece := document.file.read(_PIECE):
                        part.write(piece)
                        _check_time(until)
                    part.flush()
                    os.fsync(part.fileno())
                    part.seek(0)
                    digest = hashlib.file_digest(part, "sha256").hexdigest()
                if digest != document.sha256:
                    raise DocumentsUnavailable("The document changed while it was stored.")
                _check_time(until)
                unfinished.replace(target)
                _keep_names(target.parent, target.parent.parent)
                self._verified.put(key, None, digest)
            finally:
                unfinished.unlink(missing_ok=True)
        except OSError as error:
            raise DocumentsUnavailable(_reason(error)) from None

    def _create(self, path: Path) -> int:
        """Create a file in its job's folder, and that again where `delete` removed it as empty meanwhile."""
        try:
            return self._create_once(path)
        except FileNotFoundError:
            self._has_folder = False
            return self._create_once(path)

    def _create_once(self, path: Path) -> int:
        if not self._has_folder:  # closing it to others reads all its names: many, in a folder of years
            private_folder(self._folder)
            self._has_folder = True
        path.parent.mkdir(exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)

    def holds(self, key: str, *, size: int) -> bool:
        """Look for the file and its size."""
        try:
            return self._path(key).stat().st_size == size
        except FileNotFoundError:
            return False
        except OSError as error:
            raise DocumentsUnavailable(_reason(error)) from None

    def holds_unchanged(self, key: str, *, size: int, sha256: str) -> bool:
        """Compare the size, and the hash of the file as it is now."""
        if not self.holds(key, size=size) or self._digest(self._path(key)) != sha256:
            return False
        self._verified.put(key, None, sha256)
        return True

    def url(self, key: str, *, filename: str, expires_s: int, origin: str) -> str:
        """Sign a link to this service's own file route.

        It opens the bytes that `holds_unchanged` has compared, else those that are there now, and no others.
        """
        expires = math.floor(self._now()) + expires_s
        digest = self._verified.get(key, None) or self._digest(self._path(key)) or ""
        # Names of people stay out of the addresses, which web servers log. A name has no slash.
        sealed = self._seal.encrypt(f"{digest}/{filename}".encode()).decode()
        query = {"key": key, "filename": sealed, "expires": str(expires)}
        query["signature"] = self._sign(query)
        return f"{origin}{self._files_path}?{urlencode(query)}"

    def open_link(self, query: Mapping[str, str]) -> tuple[Path, str]:
        """Check the signature over every field, the time, and that the file was not changed since.

        Nothing but these fields is accepted.
        """
        if set(query) != set(_FIELDS):
            raise LinkRefused
        signature = query["signature"].encode("utf-8", "replace")
        if not hmac.compare_digest(self._sign(query).encode(), signature):
            raise LinkRefused
        if int(query["expires"]) <= self._now():  # ours, or the signature would not hold
            raise LinkRefused
        path = self._path(query["key"])
        if not path.is_file():
            raise LinkRefused
        digest, _, filename = self._seal.decrypt(query["filename"]).decode().rpartition("/")
        if digest and self._digest(path) != digest:
            raise LinkRefused
        return path, filename

    def delete(self, key: str) -> None:
        """Remove the file, and what a process that died left of it, and the folder once that is empty."""
        path = self._path(key)
        try:
            _unfinished(path).unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                path.parent.rmdir()
        except OSError as error:
            raise DocumentsUnavailable(_reason(error)) from None

    def _digest(self, path: Path) -> str | None:
        """Hash a file, once for each time that it was changed; None where there is none."""
        try:
            with path.open("rb") as file:
                seen = os.fstat(file.fileno())
                version = (seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)
                digest = self._digests.get(str(path), version)
                if digest is None:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                    # Stamps move in steps of milliseconds: a second change could leave the same one.
                    if time.time_ns() - seen.st_ctime_ns > _SETTLED_NS:
                        self._digests.put(str(path), version, digest)
                return digest
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DocumentsUnavailable(_reason(error)) from None

    def _sign(self, query: Mapping[str, str]) -> str:
        signed = json.dumps(["GET", *(query[field] for field in _FIELDS[:-1])])
        return hmac.new(self._link_key, signed.encode(), hashlib.sha256).hexdigest()

    @functools.cached_property
    def _link_key(self) -> bytes:
        return self._read_link_key()

    @functools.cached_property
    def _seal(self) -> "Fernet":
        from cryptography.fernet import Fernet  # noqa: PLC0415 - only where links are made or opened

        key = hashlib.sha256(b"file name\n" + self._link_key).digest()
        return Fernet(base64.urlsafe_b64encode(key))

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise LinkRefused
        return self._folder / key


def _check_time(until: Callable[[], float]) -> None:
    if until() <= 0:
        raise DocumentsUnavailable("The attempt's time ran out while its document was stored.")


def _keep_names(*folders: Path) -> None:
    """Let what was named in these folders survive a power cut, as its bytes do."""
    if os.name == "nt":  # which opens no folder
        return
    for folder in folders:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _unfinished(target: Path) -> Path:
    """Name the file that becomes a document; the key tells it, so what is left of it can be deleted."""
    return target.with_name(f".{target.name}")


def _reason(error: OSError) -> str:
    """Say what failed without the path, which names the job."""
    return (
        f"The document folder failed ({os.strerror(error.errno) if error.errno else type(error).__name__})."
    )
