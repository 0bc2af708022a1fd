"""`sqr-jobs check`: what must hold before a service can be trusted, one line each."""

import hashlib
import io
import secrets
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqr_jobs.documents.template import Catalog
from sqr_jobs.errors import ConfigurationError, SqrJobsError, Unavailable
from sqr_jobs.ports import LocalDocuments, ProducedDocument
from sqr_jobs.wiring import System

__all__ = ["Finding", "examine"]

_URL_LIFETIME_S = 300


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the check."""

    what: str
    is_fault: bool
    told: str
    """What was found and, of a fault, what to do."""


def examine(system: System) -> Iterator[Finding]:
    """Look at each part in turn; a part that fails does not keep the others from being looked at."""
    for what, look in (
        ("settings", _settings),
        ("templates", _templates),
        ("render child", _render_child),
        ("database", _database),
        ("migrations", _migrations),
        ("broker", _broker),
        ("workers", _workers),
        ("limiter", _limiter),
        ("documents", _documents),
        ("credentials", _credentials),
        ("limits", _limits),
    ):
        yield _look(what, look, system)


def _look(what: str, look: Callable[[System], str], system: System) -> Finding:
    try:
        return Finding(what=what, is_fault=False, told=look(system))
    except Unavailable as error:
        return Finding(what=what, is_fault=True, told=f"{error} {_ADVICE.get(what, '')}".rstrip())
    except SqrJobsError as error:
        return Finding(what=what, is_fault=True, told=str(error))
    except Exception as error:  # noqa: BLE001 - a check that broke is a fault like any other
        return Finding(what=what, is_fault=True, told=f"{type(error).__name__}: {error}")


_ADVICE = {
    "database": "Is it running, and is SQR_JOBS_DATABASE_URL right?",
    "migrations": "See the line on the database.",
    "broker": "Is it running, and is SQR_JOBS_BROKER_URL right? Until it answers, jobs are stored and wait.",
    "workers": "See the line on the broker.",
    "documents": "Are SQR_JOBS_S3_ENDPOINT_URL, the bucket's name and its credentials right?",
}


def _settings(system: System) -> str:
    settings = system.settings
    if system.endpoints.needs_caller:
        tokens = "the host's own login (no SQR_JOBS_JWT_KEY or SQR_JOBS_JWT_JWKS_URL)"
    else:
        tokens = "tokens judged here"
    form = "embedded" if settings.is_embedded else "distributed"
    return f"{form}, mounted at {settings.prefix}, {tokens}"


def _templates(system: System) -> str:
    assert isinstance(system.templates, Catalog)
    refs = [str(ref) for ref in system.templates.refs()]
    return f"{', '.join(refs)}; new jobs by default with {refs[-1]}"


def _render_child(system: System) -> str:
    if system.settings.render == "inline":
        return (
            "none: SQR_JOBS_RENDER=inline is for tests and debuggers; a report that hangs blocks its worker"
        )
    producer = system.producer()
    try:
        producer.warm()
    finally:
        producer.close()
    return "started and has built the factory"


def _database(system: System) -> str:
    with system.database.read() as connection:
        version = ".".join(str(part) for part in connection.dialect.server_version_info or ())
        return f"{connection.dialect.name} {version}"


def _migrations(system: System) -> str:
    from sqr_jobs import migrations  # noqa: PLC0415 - alembic

    current, needed = migrations.current(system.database.engine), migrations.head()
    if current != needed:
        raise ConfigurationError(
            f"the database is at {current or 'nothing'}, {needed} is needed. Run: sqr-jobs db upgrade"
        )
    return f"at {needed}"


def _broker(system: System) -> str:
    if system.settings.is_embedded:
        return "in memory, inside the web process"
    return f"answers; {system.queue.waiting()} messages wait"


def _workers(system: System) -> str:
    if system.settings.is_embedded:
        return "embedded: the web process starts one with its first request"
    workers = system.queue.workers()
    if not workers:
        raise ConfigurationError("no worker is consuming. Start one: sqr-jobs worker")
    here = system.maintenance().database_identity()
    elsewhere = sorted(name for name, database in workers.items() if database != here)
    if elsewhere:
        raise ConfigurationError(
            f"{', '.join(elsewhere)} use another database than this process. Give web and workers the same "
            "SQR_JOBS_DATABASE_URL."
        )
    return f"{len(workers)} consuming, on this database: {', '.join(sorted(workers))}"


def _limiter(system: System) -> str:
    quota = system.limiter.hit(f"sqr-jobs-check-{secrets.token_hex(8)}", system.default_rate_limit)
    if not system.limiter_answers():
        raise ConfigurationError(
            "its storage does not answer; each process counts for itself meanwhile, and the database holds "
            "the ceiling. Is it running, and is SQR_JOBS_LIMITER_URL (by default the broker's) right?"
        )
    where = "in this process's memory" if system.settings.is_embedded else "shared"
    return f"{quota.limit} in {quota.window_s} s, {where}; the database holds the same ceiling"


def _documents(system: System) -> str:
    """Write, sign, fetch as a stranger, and delete."""
    content = b"%PDF-1.4 sqr-jobs check " + secrets.token_bytes(16)
    digest = hashlib.sha256(content).hexdigest()
    key = f"sqr-jobs-check/0-{secrets.token_hex(8)}.pdf"
    file = io.BytesIO(content)
    document = ProducedDocument(file=file, size=len(content), sha256=digest, release=file.close)
    store = system.documents
    store.put(key, document, until=lambda: 30.0)
    try:
        if not store.holds(key, size=len(content)):
            raise ConfigurationError("what was written is not there. Is the bucket the right one?")
        url = store.url(key, filename="check.pdf", expires_s=_URL_LIFETIME_S, origin="")
        if system.settings.s3_bucket is None:
            return _as_local(store, url)
        if _fetch(url) != content:
            raise ConfigurationError(
                "the signed URL gave other bytes. Is something between here and the bucket?"
            )
        if _fetch(url.split("?")[0]) is not None:
            raise ConfigurationError("the object can be read without a signature. Make the bucket private.")
        bucket = system.settings.s3_bucket
        return f"written, signed, fetched as a stranger, refused unsigned: bucket {bucket}"
    finally:
        store.delete(key)


def _as_local(store: object, url: str) -> str:
    from urllib.parse import parse_qsl, urlsplit  # noqa: PLC0415

    opened: LocalDocuments = store  # type: ignore[assignment]  # without a bucket it is the local store
    opened.open_link(dict(parse_qsl(urlsplit(url).query)))
    return "written, signed and opened in the local folder"


def _fetch(url: str) -> bytes | None:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own store's address
            return bytes(answer.read())
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return None


def _credentials(system: System) -> str:
    if system.settings.s3_bucket is None:
        return "none needed: links are signed with a key of our own"
    left_s = system.credentials_left_s()
    if left_s is None:
        return "they do not expire"
    if left_s < _URL_LIFETIME_S:
        raise ConfigurationError(
            f"the bucket's credentials expire in {left_s:.0f} s, and the URLs signed with them too. Use "
            "credentials that live longer than 300 s, such as an IAM user's."
        )
    return f"temporary, {left_s:.0f} s left; a URL signed in their last 300 s lives shorter"


def _limits(system: System) -> str:
    settings = system.settings
    if settings.render == "inline":
        return "none hold inline"
    memory = (
        f"{settings.memory_limit_mb} MB of memory" if sys.platform == "linux" else "NO limit of memory here"
    )
    return f"{settings.attempt_limit_s:g} s, {memory}, {settings.output_limit_mb} MB of output per attempt"
