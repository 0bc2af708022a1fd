"""Unknown key ids by the thousand: the issuer hears of them once in 30 s, and honest clients of nothing.

The clock is moved. What a rotation, a withdrawn key and an outage mean to one client stands in
`tests/contracts/test_authenticator_keys.py`.
"""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from sqr_jobs.adapters.jwt_authenticator import JwtAuthenticator
from sqr_jobs.adapters.signing_keys import JwksKeys
from sqr_jobs.errors import IdentityUnavailable, Unauthenticated
from tests.contracts.issuers import jwk, rsa_key
from tests.security.forgeries import genuine

_OLD, _NEW = jwk(rsa_key("old"), "old", "RS256"), jwk(rsa_key("new"), "new", "RS256")
_STEP_S = 0.5
_PAUSE_S = 30.0


class _Issuer:
    """A key set with a clock beside it, which notes when it was asked."""

    def __init__(self, *keys: dict[str, str]) -> None:
        self.keys = list(keys)
        self.now = 5_000.0
        self.asked: list[float] = []
        self.is_up = True
        self.authenticator = JwtAuthenticator(
            JwksKeys(self._fetch, now=lambda: self.now), algorithms=["RS256"]
        )

    def _fetch(self) -> object:
        self.asked.append(self.now)
        if not self.is_up:
            raise ConnectionRefusedError
        return {"keys": self.keys}

    @property
    def shortest_pause_s(self) -> float:
        """The shortest time between two questions."""
        return min((later - earlier for earlier, later in itertools.pairwise(self.asked)), default=_PAUSE_S)

    def admits(self, name: str) -> bool:
        """Send a token that a key of this name signed."""
        token = genuine({"kid": name}, key=rsa_key(name), aud=None)
        try:
            return self.authenticator.authenticate({"authorization": f"Bearer {token}"}).org_id == "acme"
        except Unauthenticated:
            return False

    def flood(self, steps: int) -> int:
        """Let time pass with an unknown key id, and an honest token, at each step; count the honest ones."""
        forged = [genuine({"kid": f"CANARY-{n}"}, key=rsa_key("theirs")) for n in range(20)]
        admitted = 0
        for number in range(steps):
            self.now += _STEP_S
            with pytest.raises(Unauthenticated):
                self.authenticator.authenticate({"authorization": f"Bearer {forged[number % 20]}"})
            admitted += self.admits("old")
        return admitted


def test_a_flood_of_unknown_keys_is_one_fetch_in_30_seconds() -> None:
    """Anyone may send any kid, as often as they like: ten minutes of it are twenty questions."""
    issuer = _Issuer(_OLD)
    assert issuer.flood(1_200) == 1_200
    assert issuer.shortest_pause_s >= _PAUSE_S
    assert 19 <= len(issuer.asked) <= 21


def test_a_flood_from_many_threads_at_once_is_one_fetch() -> None:
    """A server's threads meet the unknown key in the same moment."""
    issuer, barrier = _Issuer(_OLD), threading.Barrier(16)
    assert issuer.admits("old")

    def ask(number: int) -> bool:
        barrier.wait(timeout=30)
        return issuer.admits("theirs") or issuer.admits("old") is False

    issuer.now += _PAUSE_S
    with ThreadPoolExecutor(16) as pool:
        assert not any(pool.map(ask, range(16)))
    assert len(issuer.asked) == 2


def test_a_flood_hides_no_rotation() -> None:
    """The fetches that the flood uses up bring the new key too, within the same 30 s."""
    issuer = _Issuer(_OLD)
    issuer.flood(100)
    issuer.keys = [_OLD, _NEW]
    changed_at = issuer.now
    while not issuer.admits("new"):
        issuer.flood(1)
    assert issuer.now - changed_at <= _PAUSE_S
    assert issuer.shortest_pause_s >= _PAUSE_S


def test_a_flood_in_an_outage_locks_nobody_out_and_asks_no_oftener() -> None:
    """The last set serves on; an issuer that comes back is not met by a crowd."""
    issuer = _Issuer(_OLD)
    assert issuer.admits("old")
    issuer.is_up = False
    assert issuer.flood(1_200) == 1_200
    assert issuer.shortest_pause_s >= _PAUSE_S
    issuer.is_up, issuer.keys = True, [_OLD, _NEW]
    issuer.now += _PAUSE_S
    assert issuer.admits("new")


def test_a_flood_before_the_first_set_is_one_question_in_two_seconds() -> None:
    """Without any set no one can be let in, so it is asked for sooner: a restart in an outage must end."""
    issuer = _Issuer(_OLD)
    issuer.is_up = False
    for _ in range(230):  # which ends in the midst of 30 s, as any outage may
        issuer.now += _STEP_S
        with pytest.raises(IdentityUnavailable):
            issuer.admits("theirs")
    assert issuer.shortest_pause_s >= 2
    issuer.is_up = True
    issuer.now += 2
    assert issuer.admits("old")
