"""Where the keys that judge tokens come from: the settings, or the issuer's key set."""

import http.client
import logging
import re
import threading
import time
import urllib.error
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import jwt

from sqr_jobs.errors import ConfigurationError, IdentityUnavailable
from sqr_jobs.forks import Forkable, mind_forks
from sqr_jobs.logs import Outage

__all__ = ["JwksKeys", "SigningKeys", "StaticKeys"]

_logger = logging.getLogger("sqr_jobs.identity")

_PEM = re.compile(r"-----BEGIN [^-]+-----.*?-----END [^-]+-----", re.DOTALL)
_FRESH_S = 300.0
_ONE_FETCH_IN_S = 30.0
_EMPTY_AGAIN_S = 2.0
_STALE_S = 24 * 3_600.0
_FETCH_FAULTS = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    RecursionError,
    http.client.HTTPException,
    jwt.PyJWTError,
)


class SigningKeys(Protocol):
    """Finds the keys that may have signed a token."""

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[jwt.PyJWK | object]:
        """Return the keys for a token's header; none for an unknown key. Raises `IdentityUnavailable`."""
        ...


class StaticKeys:
    """Keys from the settings: one shared secret, or PEM public keys one after the other (rotation)."""

    def __init__(self, text: str, algorithms: Sequence[str]) -> None:
        self._by_algorithm: dict[str, list[object]] = {}
        for algorithm in algorithms:
            prepared = jwt.get_algorithm_by_name(algorithm)
            keys: list[object] = []
            for part in [text] if algorithm.startswith("HS") else _PEM.findall(text):
                try:
                    # A key object, because PyJWT parses PEM text anew at each token.
                    key: object = prepared.prepare_key(part)
                    if not hasattr(key, "private_bytes"):  # which nobody should have put there
                        keys.append(key)
                except (TypeError, ValueError, AttributeError, jwt.InvalidKeyError):
                    continue  # an EC key does not serve RS256; another algorithm takes it
            self._by_algorithm[algorithm] = keys
        if not any(self._by_algorithm.values()):
            raise ConfigurationError(
                f"SQR_JOBS_JWT_KEY holds no key for {', '.join(algorithms)}. Set the issuer's public key, as "
                "PEM text with its BEGIN and END lines, and SQR_JOBS_JWT_ALGORITHMS to what it signs with."
            )

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
        self._keys: list[dict[str, Any]] = []
        self._made: dict[tuple[int, str], jwt.PyJWK | None] = {}
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._lock = threading.Lock()
        self._outage = Outage(now)
        mind_forks(self)

    def after_fork_in_child(self) -> None:
        """Forget a fetch that was under way: it ends in the parent alone."""
        self._lock = threading.Lock()

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[jwt.PyJWK]:
        """Return the key of this id; for a token without one, the set's only key for the algorithm."""
        if self._now() - self._fetched_at >= _FRESH_S:
            self._refresh()
        found = self._find(kid, algorithm)
        if not found and self._refresh():
            found = self._find(kid, algorithm)
        if not self._keys or self._now() - self._fetched_at > _STALE_S:
            raise IdentityUnavailable("The issuer's keys could not be fetched.")
        return found

    def serving(self, algorithms: Sequence[str]) -> Sequence[str]:
        """Fetch the set, and name those of the algorithms for which it has a key.

        Raises `IdentityUnavailable`, which says what the fetch met.
        """
        try:
            self._keys, self._made = self._read(), {}
        except _FETCH_FAULTS as error:
            raise IdentityUnavailable(f"The issuer's keys could not be fetched ({_why(error)}).") from None
        return [name for name in algorithms if any(self._make(key, name) for key in self._keys)]

    def _find(self, kid: str | None, algorithm: str) -> list[jwt.PyJWK]:
        named = [key for key in self._keys if kid is None or key.get("kid") == kid]
        serving = [made for key in named if (made := self._make(key, algorithm))]
        return serving if kid is not None or len(serving) == 1 else []

    def _make(self, key: dict[str, Any], algorithm: str) -> jwt.PyJWK | None:
        """Make the key for an algorithm; one that names none serves each of its type."""
        if key.get("alg") not in (None, algorithm) or key.get("use") not in (None, "sig"):
            return None
        made = self._made
        if (id(key), algorithm) not in made:
            try:
                made[id(key), algorithm] = jwt.PyJWK.from_dict(key, algorithm)
            except (jwt.PyJWTError, ValueError, TypeError, KeyError):
                made[id(key), algorithm] = None  # a key of another type
        return made[id(key), algorithm]

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
            self._keys, self._made = self._read(), {}
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

    def _read(self) -> list[dict[str, Any]]:
        document = self._fetch()
        if not isinstance(document, dict):
            raise TypeError("not a key set")
        jwt.PyJWKSet.from_dict(document)  # raises where no key of it can be used
        return [key for key in document["keys"] if isinstance(key, dict)]


def _why(error: BaseException) -> str:
    """Name what a fetch met, without the address."""
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code}"
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, BaseException):
        error = error.reason
    return type(error).__name__
