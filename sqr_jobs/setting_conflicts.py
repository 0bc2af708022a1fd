"""Settings that contradict each other, with a sentence for each."""

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from sqr_jobs.settings import Settings

__all__ = ["SERVICE_LENGTH", "conflicts"]

_ALGORITHMS = frozenset(
    {"EdDSA", *(f"{family}{bits}" for family in ("ES", "HS", "PS", "RS") for bits in (256, 384, 512))}
)

_KEYS_KEPT_S = 86_400
_LINK_KEY = 32
SERVICE_LENGTH = 64
"""Characters that the name of a service may have."""


def conflicts(settings: "Settings") -> list[str]:
    """Say what does not fit together, and what to do; never a value, which may be a secret."""
    return [*_token_faults(settings), *_server_faults(settings)]


def _token_faults(settings: "Settings") -> list[str]:
    faults = []
    if settings.jwt_key and settings.jwt_jwks_url:
        faults.append("Set SQR_JOBS_JWT_KEY or SQR_JOBS_JWT_JWKS_URL, not both.")
    if settings.jwt_key and not settings.jwt_key.get_secret_value().startswith("-----BEGIN"):
        if not all(name.startswith("HS") for name in settings.jwt_algorithms):
            faults.append(
                "SQR_JOBS_JWT_KEY is not a PEM public key. Set the key that starts with -----BEGIN, or, "
                "for a shared secret, SQR_JOBS_JWT_ALGORITHMS=HS256."
            )
    elif any(name.startswith("HS") for name in settings.jwt_algorithms):
        if settings.jwt_key or settings.jwt_jwks_url:
            faults.append(
                "SQR_JOBS_JWT_ALGORITHMS names an HS algorithm beside public keys, which would let "
                "anyone sign with the public key. Name only the issuer's own, such as RS256."
            )
        else:
            faults.append(
                "SQR_JOBS_JWT_ALGORITHMS names an HS algorithm and SQR_JOBS_JWT_KEY is not set. Set it "
                "to the shared secret."
            )
    unknown = sorted(set(settings.jwt_algorithms) - _ALGORITHMS)
    if unknown or not settings.jwt_algorithms:
        faults.append(
            f"SQR_JOBS_JWT_ALGORITHMS names {', '.join(unknown) or 'nothing'}. Name the issuer's own, of "
            f"{', '.join(sorted(_ALGORITHMS))}."
        )
    if settings.jwt_jwks_url and not settings.jwt_jwks_url.startswith(("https://", "http://")):
        faults.append("SQR_JOBS_JWT_JWKS_URL must be an http(s) address.")
    if settings.jwt_strict and not (settings.jwt_issuer and settings.jwt_audience):
        faults.append("SQR_JOBS_JWT_STRICT needs SQR_JOBS_JWT_ISSUER and SQR_JOBS_JWT_AUDIENCE.")
    return faults


def _server_faults(settings: "Settings") -> list[str]:
    faults = []
    if len(settings.service_name) > SERVICE_LENGTH:
        faults.append(
            f"SQR_JOBS_PREFIX has more than {SERVICE_LENGTH} characters, so it can't name the service. "
            "Set SQR_JOBS_SERVICE to a shorter name."
        )
    if settings.link_key and len(settings.link_key.get_secret_value()) < _LINK_KEY:
        faults.append(
            f"SQR_JOBS_LINK_KEY must have {_LINK_KEY} characters or more, or links can be forged. Make "
            "one: openssl rand -hex 32. Or leave it out."
        )
    for name in ("deadline_s", "document_lifetime_s"):
        if getattr(settings, name) > getattr(settings, f"max_{name}"):
            variable = f"SQR_JOBS_{name.upper()}"
            faults.append(f"{variable} is more than SQR_JOBS_MAX_{name.upper()}. Raise that, or lower this.")
    if settings.job_lifetime_s < max(settings.rate_window_s, _KEYS_KEPT_S):
        faults.append(
            "SQR_JOBS_JOB_LIFETIME_S is less than a day, for which idempotency keys are kept, or than "
            "SQR_JOBS_RATE_WINDOW_S, in which jobs are counted. Raise it."
        )
    if bool(settings.s3_access_key_id) != bool(settings.s3_secret_access_key):
        faults.append("Set both SQR_JOBS_S3_ACCESS_KEY_ID and SQR_JOBS_S3_SECRET_ACCESS_KEY, or neither.")
    if settings.public_url and not _is_public_url(settings.public_url):
        faults.append(
            "SQR_JOBS_PUBLIC_URL must be an http(s) address with a host and without a query, such as "
            "https://api.example.com/reports."
        )
    schemes = ("redis://", "rediss://", "amqp://", "amqps://")
    if settings.broker_url and not settings.broker_url.get_secret_value().startswith(schemes):
        faults.append(
            "SQR_JOBS_BROKER_URL does not start with redis://, rediss://, amqp:// or amqps://. Set such "
            "an address, or leave it out to run the worker inside the web process."
        )
    return faults


def _is_public_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.query or parts.fragment)
