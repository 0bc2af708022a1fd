"""The order in which the parts are looked at, and how what is met becomes a line."""

import contextlib
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from sqr_jobs.doctor import application, documents, guard, servers
from sqr_jobs.doctor.clock import clock
from sqr_jobs.doctor.findings import Finding, Note, Verdict
from sqr_jobs.errors import ConfigurationError, SqrJobsError, Unavailable
from sqr_jobs.factory import load_factory
from sqr_jobs.settings import Settings
from sqr_jobs.wiring import System, inspection, system_of

__all__ = ["examine"]

_LOOKS: tuple[tuple[str, Callable[[System], str]], ...] = (
    ("settings", application.settings),
    ("factory", application.factory),
    ("templates", application.templates),
    ("render child", application.render_child),
    ("guard", guard.layout_guard),
    ("tokens", application.tokens),
    ("database", servers.database),
    ("migrations", servers.migrations),
    ("clock", clock),
    ("broker", servers.broker),
    ("workers", servers.workers),
    ("limiter", servers.limiter),
    ("documents", documents.documents),
    ("credentials", documents.credentials),
    ("limits", application.limits_of_an_attempt),
)

_ADVICE = {
    "tokens": "Is SQR_JOBS_JWT_JWKS_URL right, and may this machine reach it? Until then, requests are 503.",
    "database": "Is it running, and is SQR_JOBS_DATABASE_URL, or the factory's engine, right?",
    "migrations": "See the line on the database.",
    "clock": "See the line on the database.",
    "broker": "Is it running, and is SQR_JOBS_BROKER_URL right? Until it answers, jobs are stored and wait.",
    "workers": "See the lines on the broker and the database.",
    "limiter": "Is it running, and is SQR_JOBS_LIMITER_URL (by default the broker's) right? Until then, "
    "each process counts for itself, and the database holds the ceiling.",
    "credentials": "See the line on the documents.",
}

_ADDRESSES: dict[str, Callable[[System], str]] = {
    "database": inspection.database_address,
    "broker": inspection.broker_address,
    "limiter": inspection.limiter_address,
}


def examine(factory: str | None) -> Iterator[Finding]:
    """Build the service and look at each of its parts; what fails does not keep the others from a look.

    `factory` is an import path, by default that of `SQR_JOBS_FACTORY`. Where no service can be built there
    is nothing more to look at.
    """
    built = _built(factory)
    if isinstance(built, Finding):
        yield built
        return
    try:
        for what, look in _LOOKS:
            yield _look(what, look, built)
    finally:
        with contextlib.suppress(SqrJobsError):
            built.database.close()


def _built(path: str | None) -> System | Finding:
    try:
        path = path or Settings().factory
        if path is None:
            return _fault(
                "factory", "none is named. Set SQR_JOBS_FACTORY=myapp.reports:report_jobs, or pass --factory."
            )
        system = system_of(load_factory(path)())
    except ConfigurationError as error:
        return _fault("settings" if _is_of_the_settings(error) else "factory", str(error))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the host's modules raise
        module, _, function = str(path).partition(":")
        return _fault(
            "factory",
            f"{path} raised {type(error).__name__}: {error}{_place(error)}. Mend that first. It is raised "
            f'with its stack by: python -c "import {module}; {module}.{function}()"',
        )
    system.factory = path
    return system


def _look(what: str, look: Callable[[System], str], system: System) -> Finding:
    try:
        told = look(system)
    except Unavailable as error:
        address = f"{_ADDRESSES[what](system)}: " if what in _ADDRESSES else ""
        return _fault(what, f"{address}{str(error).removesuffix('.')}. {_ADVICE.get(what, '')}".rstrip())
    except SqrJobsError as error:
        return _fault(what, str(error))
    except Exception as error:  # noqa: BLE001 - a check that broke is a fault like any other
        return _fault(what, f"{type(error).__name__}: {error}. Nobody foresaw this: please report it.")
    return Finding(what=what, verdict=Verdict.NOTE if isinstance(told, Note) else Verdict.OK, told=told)


def _fault(what: str, told: str) -> Finding:
    return Finding(what=what, verdict=Verdict.FAULT, told=" ".join(told.split()))


def _is_of_the_settings(error: ConfigurationError) -> bool:
    """Say whether the variables alone are refused in the same words."""
    try:
        Settings()
    except ConfigurationError as same:
        return str(same) == str(error)
    return False


def _place(error: BaseException) -> str:
    """Point into the host's code, of which the innermost frames are seldom a part."""
    frames = traceback.extract_tb(error.__traceback__)
    here = str(Path.cwd())
    own = [
        frame for frame in frames if frame.filename.startswith(here) and "site-packages" not in frame.filename
    ]
    for frame in (own or frames)[-1:]:
        return f" ({frame.filename}:{frame.lineno} in {frame.name})"
    return ""
