"""Bearer tokens judged with PyJWT."""

from collections.abc import Mapping, Sequence
from typing import Any

import jwt

from sqr_jobs.adapters.signing_keys import SigningKeys
from sqr_jobs.domain.caller import ORG_ID_LENGTH, Caller
from sqr_jobs.errors import Unauthenticated

__all__ = ["JwtAuthenticator"]

_MAX_TOKEN = 16_384
_ACCESS_TOKEN_TYPES = ("at+jwt", "application/at+jwt")
_RFC9068_CLAIMS = ("iss", "exp", "aud", "sub", "client_id", "iat", "jti")


class JwtAuthenticator:
    """`Authenticator` for signed JWTs (RFC 7519) in an Authorization header (RFC 6750).

    Only the configured algorithms are accepted, and keys come from `keys` alone: `jku`, `x5u` and `jwk`
    headers are never looked at. `exp` and the org claim must be there; issuer and audience where they are
    configured. `strict` asks for all that RFC 9068 asks of an access token.
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
        self._strict = strict
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
        algorithm = header.get("alg")
        if algorithm not in self._algorithms:
            raise jwt.InvalidAlgorithmError("the algorithm is not one of those that are configured")
        if self._strict and str(header.get("typ", "")).lower() not in _ACCESS_TOKEN_TYPES:
            raise jwt.InvalidTokenError("the token's type is not at+jwt")
        refusal: jwt.PyJWTError = jwt.InvalidKeyError("no key is known for this token")
        for key in self._keys.candidates(header.get("kid"), algorithm):
            try:
                return jwt.decode(
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
