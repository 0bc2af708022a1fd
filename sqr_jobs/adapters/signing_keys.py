"""Where the keys that judge tokens come from: the settings, or the issuer's key set."""

import http.client
import logging
import threading
import time
import urllib.error
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqr_jobs.adapters.verification_keys import OddKeyError, PublishedKey, configured_keys
from sqr_jobs.errors import IdentityUnavailable
from sqr_jobs.forks import Forkable, mind_forks
from sqr_jobs.logs import Outage

__all__ = ["JwksKeys", "KeySetReport", "SigningKeys", "StaticKeys"]

_logger = logging.getLogger("sqr_jobs.identity")

_FRESH_S = 300.0
_ONE_FETCH_IN_S = 30.0
_EMPTY_AGAIN_S = 2.0
_NAMED = 5
_STALE_S = 24 * 3_600.0
_FETCH_FAULTS = (
    OSError,
    ValueError,
    TypeError,
    RecursionError,
    http.client.HTTPException,
)


class _UnusableSetError(ValueError):
    """What was fetched is no key set, or none of its keys can verify a token."""


@dataclass(frozen=True, kw_only=True)
class KeySetReport:
    """What a key set is good for."""

    serving: Sequence[str]
    """The algorithms for which it has a key."""
    skipped: Sequence[str]
    """Why keys of it were skipped, one text per key."""


class SigningKeys(Protocol):
    """Finds the keys that may have signed a token."""

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[object]:
        """Return the keys for a token's header; none for an unknown key. Raises `IdentityUnavailable`."""
        ...


class StaticKeys:
    """Keys from the settings: one shared secret, or PEM public keys one after the other (rotation).

    Raises `ConfigurationError` for what can't verify tokens safely.
    """

    def __init__(self, text: str, algorithms: Sequence[str]) -> None:
        self._by_algorithm = configured_keys(text, algorithms)

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[object]:  # noqa: ARG002 - it has few
        """Return every key that serves the algorithm."""
        return self._by_algorithm.get(algorithm, [])


class JwksKeys(Forkable):
    """The issuer's key set (RFC 7517), cached.

    A set is fresh for 5 minutes. A key that it does not name has it fetched anew, but at most once in 30 s
    whatever is asked for, so unknown keys can't be turned into load on the issuer. While the issuer is out of
    reach the last set serves on, for a day. `fetch` returns the parsed document and is never called twice
    at a time.
    """

    def __init__(self, fetch: Callable[[], object], *, now: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._now = now
        self._keys: Sequence[PublishedKey] = ()
        self._skipped: Sequence[str] = ()
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._lock = threading.Lock()
        self._outage = Outage(now)
        mind_forks(self)

    def after_fork_in_child(self) -> None:
        """Forget a fetch that was under way: it ends in the parent alone."""
        self._lock = threading.Lock()

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[object]:
        """Return the key of this id; for a token without one, the set's only key for the algorithm."""
        if self._now() - self._fetched_at >= _FRESH_S:
            self._refresh()
        found = self._find(kid, algorithm)
        if not found and self._refresh():
            found = self._find(kid, algorithm)
        if not self._keys or self._now() - self._fetched_at > _STALE_S:
            raise IdentityUnavailable("The issuer's keys could not be fetched.")
        return found

    def inspect(self, algorithms: Sequence[str]) -> KeySetReport:
        """Fetch the set and say what it serves.

        Raises `IdentityUnavailable`, which says what the fetch met.
        """
        try:
            self._take(self._fetch())
        except _FETCH_FAULTS as error:
            raise IdentityUnavailable(f"The issuer's keys could not be fetched ({_why(error)}).") from None
        serving = [name for name in algorithms if any(key.serves(name) for key in self._keys)]
        return KeySetReport(serving=serving, skipped=self._skipped)

    def _find(self, kid: str | None, algorithm: str) -> list[object]:
        serving = [key.key for key in self._keys if (kid is None or key.kid == kid) and key.serves(algorithm)]
        return serving if kid is not None or len(serving) == 1 else []

    def _refresh(self) -> bool:
        """Fetch, unless someone did lately or is at it; whether there is a new set."""
        # Only those who have no key at all wait for a fetch that is under way.
        if not self._lock.acquire(blocking=not self._keys):
            return False
        try:
            pause_s = _ONE_FETCH_IN_S if self._keys else _EMPTY_AGAIN_S
            if self._now() - self._tried_at < pause_s:
                return False
            self._tried_at = self._now()
            self._take(self._fetch())
        except _FETCH_FAULTS as error:
            self._tried_at = self._now()  # from the end of a fetch that took its time
            why = _why(error)
            if self._outage.is_news(why):
                _logger.warning("the issuer's keys could not be fetched (%s)", why)
            return False
        else:
            self._fetched_at = self._tried_at
            if (lasted_s := self._outage.over()) is not None:
                _logger.info("the issuer's keys are fetched again, after %.0f s", lasted_s)
            return True
        finally:
            self._lock.release()

    def _take(self, document: object) -> None:
        """Keep the set's keys. An odd one is skipped, alone, and logged when it is first seen."""
        keys, skipped = _read(document)
        if skipped and skipped != self._skipped:
            _logger.warning("the issuer's key set: skipped %s", "; ".join(skipped))
        self._skipped = skipped
        if not keys:
            raise _UnusableSetError("no key of the set can be used")
        self._keys = keys


def _read(document: object) -> tuple[list[PublishedKey], list[str]]:
    """Split a key set into the keys that can verify, and the reasons why others were skipped."""
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise _UnusableSetError("not a key set")
    keys, skipped = [], []
    for number, entry in enumerate(entries, start=1):
        try:
            key = PublishedKey.read(entry)
        except OddKeyError as error:
            skipped.append(f"key {number}: {error}")
        else:
            keys += [key] if key else []
    if len(skipped) > _NAMED:
        skipped[_NAMED:] = [f"{len(skipped) - _NAMED} more"]
    return keys, skipped


def _why(error: BaseException) -> str:
    """Name what a fetch met, without the address."""
    if isinstance(error, _UnusableSetError):
        return str(error)
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code}"
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, BaseException):
        error = error.reason
    return type(error).__name__
