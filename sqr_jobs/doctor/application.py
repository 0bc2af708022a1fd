"""Looking at what the host wrote and set: settings, factory, templates, tokens, render child."""

import difflib
import os
import re
import sys
import time

from sqr_jobs.doctor.findings import Note
from sqr_jobs.documents.template import Catalog
from sqr_jobs.errors import ConfigurationError, FactoryFailed
from sqr_jobs.setting_texts import stands_in_quotes
from sqr_jobs.settings import Settings
from sqr_jobs.wiring import System
from sqr_jobs.wiring.inspection import issuer_keys, limits

__all__ = ["factory", "limits_of_an_attempt", "render_child", "settings", "templates", "tokens"]

_PREFIX = "SQR_JOBS_"
_SLOW_START_S = 10.0
_OF_KUBERNETES = re.compile(
    r"SQR_JOBS_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)
"""What Kubernetes sets for a Service whose name begins with `sqr-jobs`."""


def settings(system: System) -> str:
    """Tell the form, and which variables are no setting."""
    form = "embedded" if system.settings.is_embedded else "distributed"
    told = f"{form}, mounted at {system.settings.prefix}"
    unknown = _unknown_variables()
    return Note(f"{told}; no such settings: {', '.join(unknown)}") if unknown else told


def _unknown_variables() -> list[str]:
    """Name the variables that look like settings and are none, each with what was perhaps meant."""
    known = [f"{_PREFIX}{name.upper()}" for name in Settings.model_fields]
    told = []
    for name in sorted({name.upper() for name in os.environ} - set(known)):
        if name.startswith(_PREFIX) and not _OF_KUBERNETES.fullmatch(name):
            meant = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
            told.append(f"{name} (did you mean {meant[0]}?)" if meant else name)
    return told


def factory(system: System) -> str:
    """Tell which one built the service."""
    return f"{system.factory} builds the service"


def templates(system: System) -> str:
    """Tell what is registered."""
    assert isinstance(system.templates, Catalog)
    refs = [str(ref) for ref in system.templates.refs()]
    return f"{', '.join(refs)}; new jobs by default with {refs[-1]}"


def render_child(system: System) -> str:
    """Start one, as a worker does."""
    if system.settings.render == "inline":
        return Note(
            "none: SQR_JOBS_RENDER=inline is for tests and debuggers; a report that hangs blocks its worker"
        )
    producer = system.producer()
    began = time.monotonic()
    try:
        producer.warm()
    except FactoryFailed as error:
        raise ConfigurationError(
            f"the factory fails there: {error.cause.rstrip('.')}. The child is a process of its own; have "
            "the factory build all that it needs, from settings."
        ) from None
    finally:
        producer.close()
    took_s = time.monotonic() - began
    told = f"started and has built the factory in {took_s:.1f} s"
    if took_s <= _SLOW_START_S:
        return told
    return Note(
        f"{told}. Each new child takes that long: import less in the factory's modules, or look at the load"
    )


def tokens(system: System) -> str:
    """Tell who judges them; fetch the issuer's keys, where they are."""
    settings = system.settings
    if system.authenticator is None:
        return "none is judged here: the mount brings its own login, caller=…"
    if settings.jwt_key is not None:
        told = f"judged with SQR_JOBS_JWT_KEY, {' or '.join(settings.jwt_algorithms)}"
        if stands_in_quotes(settings.jwt_key.get_secret_value()):
            return Note(f"{told}; the secret begins and ends with a quote, which is a part of it")
        return told
    if settings.jwt_jwks_url is None:
        return "judged by the factory's own authenticator"
    keys = issuer_keys(settings)
    if not keys.serving:
        raise ConfigurationError(
            f"the issuer's key set has no key for {' or '.join(settings.jwt_algorithms)}. Set "
            "SQR_JOBS_JWT_ALGORITHMS to what the issuer signs with."
        )
    told = f"judged with the issuer's keys for {' and '.join(keys.serving)}"
    to_know = [f"skipped {reason}" for reason in keys.skipped]
    if not settings.jwt_jwks_url.startswith("https://"):
        to_know.append("they are fetched over plain http, where anybody on the way can put in their own")
    if settings.jwt_audience is None:
        to_know.append("SQR_JOBS_JWT_AUDIENCE is not set, so tokens for other services are accepted too")
    return Note("; ".join([told, *to_know])) if to_know else told


def limits_of_an_attempt(system: System) -> str:
    """Tell which hold on this machine."""
    told = limits(system.settings)
    all_hold = system.settings.render == "child" and sys.platform == "linux"
    return told if all_hold else Note(told)
