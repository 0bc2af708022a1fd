"""Bearer tokens judged with PyJWT."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import jwt

from sqr_jobs.adapters.signing_keys import SigningKeys
from sqr_jobs.domain.caller import ORG_ID_LENGTH, Caller
from sqr_jobs.errors import Unauthenticated

__all__ = ["JwtAuthenticator"]

_MAX_TOKEN = 16_384
_PARTS = 3
_ACCESS_TOKEN_TYPES = ("at+jwt", "application/at+jwt")
_UNSAID_TYPES = ("jwt", "application/jwt")  # RFC 7519: a JWT, of whatever kind
_RFC9068_CLAIMS = ("iss", "exp", "aud", "sub", "client_id", "iat", "jti")


class JwtAuthenticator:
    """`Authenticator` for signed JWTs (RFC 7519) in an Authorization header (RFC 6750).

    Only the configured algorithms are accepted, and keys come from `keys` alone: `jku`, `x5u` and `jwk`
    headers are never looked at. `exp` and the org claim must be there; issuer and audience where they are
    configured. A token whose `typ` says that it is for something else is refused, and so is one that names a
    member twice. `strict` asks for all that RFC 9068 asks of an access token.
    """

    def __init__(
        self,
        keys: SigningKeys,
        *,
        algorithms: Sequence[str],
        issuer: str | None = None,
        audience: str | None = None,
        leeway_s: int = 0,
        org_claim: str = "org",
        scope_claim: str = "scope",
        strict: bool = False,
    ) -> None:
        self._keys = keys
        self._algorithms = list(algorithms)
        self._issuer = issuer
        self._audience = audience
        self._leeway_s = leeway_s
        self._org_claim = org_claim
        self._scope_claim = scope_claim
        self._type_unsaid = "" if strict else "JWT"
        self._types = _ACCESS_TOKEN_TYPES if strict else (*_ACCESS_TOKEN_TYPES, *_UNSAID_TYPES)
        self._required = ["exp", org_claim, *(_RFC9068_CLAIMS if strict else ())]

    def authenticate(self, headers: Mapping[str, str]) -> Caller:
        """Judge the token and read the caller from its claims."""
        token = self._token(headers.get("authorization", ""))
        try:
            claims = self._claims(token)
        except jwt.PyJWTError as error:
            reason = ascii(str(error).partition(": ")[0])[:200]  # what follows may quote the token
            raise Unauthenticated(f"{type(error).__name__}: {reason}", token_sent=True) from None
        return self._caller(claims)

    def _token(self, header: str) -> str:
        scheme, _, token = header.partition(" ")
        token = token.strip(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("no bearer token was sent", token_sent=False)
        if len(token) > _MAX_TOKEN or not token.isascii():
            raise Unauthenticated("the token is too long or not ASCII", token_sent=True)
        return token

    def _claims(self, token: str) -> dict[str, Any]:
        header = jwt.get_unverified_header(token)
        parts = token.split(".")
        if len(parts) != _PARTS:
            raise jwt.DecodeError("Too many segments")
        _refuse_repeats(parts[0])
        algorithm = header.get("alg")
        if algorithm not in self._algorithms:
            raise jwt.InvalidAlgorithmError("the algorithm is not one of those that are configured")
        if str(header.get("typ", self._type_unsaid)).lower() not in self._types:
            raise jwt.InvalidTokenError("the token's type is not an access token's")
        refusal: jwt.PyJWTError = jwt.InvalidKeyError("no key is known for this token")
        for key in self._keys.candidates(header.get("kid"), algorithm):
            try:
                claims: dict[str, Any] = jwt.decode(
                    token,
                    key,  # type: ignore[arg-type]  # whatever the algorithm prepared
                    algorithms=[algorithm],
                    issuer=self._issuer,
                    audience=self._audience,
                    leeway=self._leeway_s,
                    options={"require": self._required, "verify_aud": self._audience is not None},
                )
            except jwt.InvalidSignatureError as error:
                refusal = error  # the next key may have signed it
            else:
                _refuse_repeats(parts[1])
                return claims
        raise refusal

    def _caller(self, claims: dict[str, Any]) -> Caller:
        org = claims[self._org_claim]
        if not isinstance(org, str) or not 1 <= len(org) <= ORG_ID_LENGTH or not org.isprintable():
            raise Unauthenticated(f"the claim {self._org_claim} names no org", token_sent=True)
        scope = claims.get(self._scope_claim, "")
        scopes = scope.split() if isinstance(scope, str) else scope if isinstance(scope, list) else []
        client = claims.get("client_id") or claims.get("azp") or claims.get("sub") or ""
        return Caller(
            org_id=org,
            client_id=str(client),
            scopes=frozenset(scope for scope in scopes if isinstance(scope, str)),
        )


def _refuse_repeats(part: str) -> None:
    """Refuse a part of a token that names a member twice, of which two readers might take different ones.

    PyJWT takes the last one, as RFC 7519 allows, and has no setting for the other choice that it gives. By
    now PyJWT has read the part: it is base64url, and JSON.
    """
    try:
        json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)), object_pairs_hook=_named_once)
    except RecursionError:  # the hook takes a frame more than PyJWT's own reading
        raise jwt.DecodeError("the token is nested too deeply") from None


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise jwt.DecodeError("the token names a member twice")
    return members
