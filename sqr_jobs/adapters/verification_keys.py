"""Which keys may verify a token: their type, purpose and strength (RFC 7517, RFC 7518)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from sqr_jobs.errors import ConfigurationError

__all__ = ["OddKeyError", "PublishedKey", "configured_keys"]

_MIN_RSA_BITS = 2048
_HASH_BYTES: Final = {"HS256": 32, "HS384": 48, "HS512": 64}
_PEM = re.compile(r"-----BEGIN [^-]+-----.*?-----END [^-]+-----", re.DOTALL)
_PRIVATE = re.compile(r"-----BEGIN [^-]*PRIVATE KEY-----")
_CURVES: Final = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
_READS: Final = {"RSA": "RS256", "OKP": "EdDSA"}
"""For each key type, one of its algorithms: PyJWT reads a key for an algorithm."""


def configured_keys(text: str, algorithms: Sequence[str]) -> dict[str, list[object]]:
    """Read `SQR_JOBS_JWT_KEY` as keys by algorithm: a shared secret, or PEM public keys one after the other.

    Raises `ConfigurationError` for a private key, a part that is no public key, a key that is too weak, and
    where no key serves an algorithm.
    """
    if _PRIVATE.search(text):
        raise ConfigurationError(
            "SQR_JOBS_JWT_KEY holds a private key. Set the issuer's public key, which is enough to verify "
            "tokens, and replace the private key: it has left its place."
        )
    by_algorithm = {
        name: [_secret(text, name)] if name in _HASH_BYTES else _public_keys(text, name)
        for name in algorithms
    }
    if not any(by_algorithm.values()):
        raise ConfigurationError(
            f"SQR_JOBS_JWT_KEY holds no key for {', '.join(algorithms)}. Set the issuer's public key, as "
            "PEM text with its BEGIN and END lines, and SQR_JOBS_JWT_ALGORITHMS to what it signs with."
        )
    return by_algorithm


def _secret(text: str, algorithm: str) -> object:
    length, needed = len(text.encode()), _HASH_BYTES[algorithm]
    if length < needed:
        raise ConfigurationError(
            f"SQR_JOBS_JWT_KEY has {length} bytes; {algorithm} needs {needed} or more (RFC 7518, 3.2), or "
            f"tokens can be forged. Make a new secret with the issuer: openssl rand -hex {needed}."
        )
    try:
        return jwt.get_algorithm_by_name(algorithm).prepare_key(text)
    except jwt.InvalidKeyError:
        raise ConfigurationError(
            f"SQR_JOBS_JWT_KEY is a key in PEM or JWK form, which is no shared secret for {algorithm}. Set "
            "the secret itself, or SQR_JOBS_JWT_ALGORITHMS to what the issuer signs with."
        ) from None


def _public_keys(text: str, algorithm: str) -> list[object]:
    """Read the PEM parts of the algorithm's type into key objects: PyJWT would parse PEM at each token."""
    prepared = jwt.get_algorithm_by_name(algorithm)
    keys: list[object] = []
    for number, part in enumerate(_PEM.findall(text), start=1):
        try:
            key = load_pem_public_key(part.encode())
        except (ValueError, UnsupportedAlgorithm):
            raise ConfigurationError(
                f"SQR_JOBS_JWT_KEY: PEM part {number} is not a public key. Set the issuer's public key, with "
                "its BEGIN and END lines; of a certificate: openssl x509 -pubkey -noout."
            ) from None
        if weakness := _weakness(key):
            raise ConfigurationError(
                f"SQR_JOBS_JWT_KEY: PEM part {number} is {weakness}. Have the issuer make a stronger key."
            )
        try:
            keys.append(prepared.prepare_key(key))
        except (TypeError, jwt.InvalidKeyError):
            continue  # an EC key does not serve RS256, nor P-384 ES256; another algorithm takes it
    return keys


def _weakness(key: object) -> str | None:
    """Say what makes a public key too weak, if anything does (RFC 7518, 3.3 and 3.5)."""
    if isinstance(key, RSAPublicKey) and key.key_size < _MIN_RSA_BITS:
        return f"an RSA key of {key.key_size} bits, and {_MIN_RSA_BITS} are needed (RFC 7518, 3.3)"
    return None


class OddKeyError(ValueError):
    """A key of a key set can't be used and should not be there; the text says why, without its values."""


@dataclass(frozen=True, kw_only=True)
class PublishedKey:
    """A public key of an issuer's key set, published to verify signatures."""

    key: object
    kid: str | None
    algorithm: str | None
    """The only algorithm that it serves, where the issuer names one."""
    family: str
    """What the algorithms that it can serve have in common: `RSA`, `OKP`, or the algorithm of its curve."""

    @classmethod
    def read(cls, entry: object) -> "PublishedKey | None":
        """Read an entry of the set; None for one of another purpose or of a type unknown here.

        Raises `OddKeyError` for an entry that is malformed, secret or too weak.
        """
        if not isinstance(entry, dict):
            raise OddKeyError("not an object")
        kty, crv = _text(entry, "kty"), _text(entry, "crv")
        kid, use, algorithm = _text(entry, "kid"), _text(entry, "use"), _text(entry, "alg")
        if not kty:
            raise OddKeyError("no kty")
        if kty == "oct" or "d" in entry:
            raise OddKeyError("a secret or private key, which a key set must not show")
        if use not in (None, "sig") or not _may_verify(entry):
            return None
        reads = _CURVES.get(crv or "") if kty == "EC" else _READS.get(kty)
        if reads is None:
            return None
        key = _read(entry, reads)
        if weakness := _weakness(key):
            raise OddKeyError(weakness)
        return cls(key=key, kid=kid, algorithm=algorithm, family=reads if kty == "EC" else kty)

    def serves(self, algorithm: str) -> bool:
        """Say whether a token of this algorithm may be verified with it (RFC 8725, 3.1)."""
        return self.algorithm in (None, algorithm) and self.family == _family_of(algorithm)


def _family_of(algorithm: str) -> str:
    if algorithm.startswith(("RS", "PS")):
        return "RSA"
    return "OKP" if algorithm == "EdDSA" else algorithm


def _text(entry: Mapping[str, Any], name: str) -> str | None:
    value = entry.get(name)
    if value is None or isinstance(value, str):
        return value
    raise OddKeyError(f"{name} is not a text")


def _may_verify(entry: Mapping[str, Any]) -> bool:
    """Say whether the key's operations, where it names any, allow to verify (RFC 7517, 4.3)."""
    operations = entry.get("key_ops")
    if operations is None:
        return True
    if not isinstance(operations, list):
        raise OddKeyError("key_ops is not a list")
    return "verify" in operations


def _read(entry: dict[str, Any], algorithm: str) -> object:
    try:
        return jwt.PyJWK(entry, algorithm).key
    except Exception as error:  # noqa: BLE001 - no entry may cost the set its other keys
        raise OddKeyError(f"malformed ({type(error).__name__})") from None
