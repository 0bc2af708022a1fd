"""Bearer tokens judged with PyJWT, by a static key or the issuer's key set."""

from collections.abc import Mapping
from typing import Any

import jwt

from sqr_jobs.domain.caller import Caller
from sqr_jobs.errors import IdentityUnavailable, Unauthenticated

__all__ = ["JwtAuthenticator"]

_MAX_TOKEN = 16_384
_MAX_ORG = 255


class JwtAuthenticator:
    """`Authenticator` for signed JWTs (RFC 7519) in an Authorization header (RFC 6750).

    Only the configured algorithms are accepted, and keys come from the configuration alone: `jku`, `x5u`
    and `jwk` headers are never looked at. `exp` and the org claim must be there; issuer and audience where
    they are configured.
    """

    def __init__(
        self,
        *,
        key: str | None = None,
        jwks_url: str | None = None,
        algorithms: tuple[str, ...],
        issuer: str | None = None,
        audience: str | None = None,
        leeway_s: int = 0,
        org_claim: str = "org",
    ) -> None:
        self._key: Any = key
        self._jwks = jwt.PyJWKClient(jwks_url, cache_keys=True, lifespan=300, timeout=2) if jwks_url else None
        self._algorithms = list(algorithms)
        self._issuer = issuer
        self._audience = audience
        self._leeway_s = leeway_s
        self._org_claim = org_claim
        self._required = ["exp", org_claim]
        if key and not all(name.startswith("HS") for name in algorithms):
            # A key object, because PyJWT parses PEM text anew at each token.
            self._key = jwt.get_algorithm_by_name(algorithms[0]).prepare_key(key)

    def authenticate(self, headers: Mapping[str, str]) -> Caller:
        """Judge the token and read the caller from its claims."""
        token = self._token(headers.get("authorization", ""))
        try:
            claims = jwt.decode(
                token,
                self._signing_key(token),
                algorithms=self._algorithms,
                issuer=self._issuer,
                audience=self._audience,
                leeway=self._leeway_s,
                options={"require": self._required, "verify_aud": self._audience is not None},
            )
        except jwt.PyJWTError as error:
            reason = ascii(str(error))[:200]  # it may quote the token's own header
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

    def _signing_key(self, token: str) -> Any:
        if self._jwks is None:
            return self._key
        try:
            return self._jwks.get_signing_key_from_jwt(token)
        except jwt.PyJWKClientConnectionError as error:
            raise IdentityUnavailable(
                f"The issuer's keys are out of reach ({type(error).__name__})."
            ) from None

    def _caller(self, claims: dict[str, Any]) -> Caller:
        org = claims[self._org_claim]
        if not isinstance(org, str) or not 1 <= len(org) <= _MAX_ORG or not org.isprintable():
            raise Unauthenticated(f"the claim {self._org_claim} names no org", token_sent=True)
        scope = claims.get("scope", "")
        scopes = scope.split() if isinstance(scope, str) else []
        client = claims.get("client_id") or claims.get("azp") or claims.get("sub") or ""
        return Caller(org_id=org, client_id=str(client), scopes=frozenset(scopes))
