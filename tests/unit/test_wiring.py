"""What a host passes to build_report_jobs, held against the settings."""

import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from dramatiq import Middleware
from pydantic import SecretStr
from sqlalchemy import create_engine

from sqr_jobs import Caller, ConfigurationError, RateLimit, Settings, adapters, build_report_jobs, migrations
from sqr_jobs.adapters.limits_limiter import LimitsRateLimiter, ShelteredRateLimiter
from sqr_jobs.adapters.local_documents import LocalDocumentStore
from sqr_jobs.adapters.own_rings import OwnRings
from sqr_jobs.local_paths import private_folder
from sqr_jobs.wiring import mount, system_of
from sqr_jobs.wiring.parts import limiter_for, ringing_broker_for, working_broker_for
from tests.contracts.document_stores import produced
from tests.host.people import People
from tests.host.reports import Report


def test_a_broker_without_a_shared_database_is_refused() -> None:
    """Workers on other machines would look into an empty file of their own."""
    with pytest.raises(ConfigurationError, match=r"SQR_JOBS_DATABASE_URL=.*engine="):
        build_report_jobs(Settings(broker_url="redis://host"), users=People(), templates=[Report()])


def test_the_hosts_engine_is_a_shared_database() -> None:
    """A host that has an engine names its database once."""
    engine = create_engine("postgresql+psycopg://me@host/name")
    assert build_report_jobs(
        Settings(broker_url="redis://host"), users=People(), templates=[Report()], engine=engine
    )
    engine.dispose()


class _Shelf:
    def put(self, key: str) -> None:
        """Take no document."""


class _Waiting:
    async def authenticate(self, headers: object) -> Caller:
        return Caller(org_id="acme")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"users": People}, r"users= got the class People\. Pass an instance: People\("),
        ({"users": object()}, r"users=: object\.find is no method"),
        ({"documents": _Shelf}, r"documents= got the class _Shelf"),
        (
            {"documents": _Shelf()},
            r"documents=: _Shelf\.put takes other .* than \(key, document, \*, until\)",
        ),
        ({"authenticator": _Waiting}, r"authenticator= got the class _Waiting"),
        ({"authenticator": _Waiting()}, r"_Waiting\.authenticate is async"),
        ({"choose_template": Report()}, r"choose_template= needs a function that takes \(caller, user\)"),
        ({"choose_rate_limit": lambda: None}, r"choose_rate_limit= needs a function that takes \(caller\)"),
    ],
)
def test_a_part_that_can_t_be_called_as_it_will_be_is_refused(given: dict[str, Any], words: str) -> None:
    """A class instead of an instance would answer each request with 500."""
    parts = {"users": People(), "templates": [Report()], **given}
    with pytest.raises(ConfigurationError, match=words):
        build_report_jobs(Settings(), **parts)


def test_a_database_that_is_named_twice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator's variable would be ignored in silence: jobs stand where nobody looks for them."""
    monkeypatch.setenv("SQR_JOBS_DATABASE_URL", "postgresql+psycopg://me@host/name")
    engine = create_engine("sqlite://")
    with pytest.raises(ConfigurationError, match=r"^SQR_JOBS_DATABASE_URL is set.*engine=….*Unset"):
        build_report_jobs(users=People(), templates=[Report()], engine=engine)
    engine.dispose()


def test_a_document_store_that_is_named_twice_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Likewise: documents would not be in the bucket whose retention somebody has configured."""
    monkeypatch.setenv("SQR_JOBS_S3_BUCKET", "reports")
    store = LocalDocumentStore(tmp_path, link_key=lambda: b"x" * 32, files_path="/files")
    with pytest.raises(ConfigurationError, match=r"^SQR_JOBS_S3_BUCKET is set.*documents=….*Unset"):
        build_report_jobs(users=People(), templates=[Report()], documents=store)


@pytest.mark.parametrize(
    ("client", "url", "extra"),
    [
        ("redis", "redis://host", "redis"),
        ("pika", "amqp://host", "rabbitmq"),
        ("pika", "amqps://host", "rabbitmq"),
    ],
)
def test_a_broker_whose_client_is_missing_says_which_extra_to_install(
    client: str, url: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Extras are for what a service uses; each form of the address needs its own."""
    monkeypatch.delitem(sys.modules, f"sqr_jobs.adapters.{extra}_broker", raising=False)
    monkeypatch.delattr(adapters, f"{extra}_broker", raising=False)
    monkeypatch.setitem(sys.modules, client, None)
    rings = OwnRings(queue_name="q", actor_name="a", room=1)
    for make in (
        lambda: ringing_broker_for(url, str),
        lambda: working_broker_for(url, str, threads=1, lifecycle=Middleware(), rings=rings),
    ):
        with pytest.raises(ConfigurationError, match=rf"pip install 'sqr-jobs\[{extra}\]'"):
            make()


@pytest.mark.parametrize("variable", ["broker_url", "limiter_url"])
@pytest.mark.parametrize(
    "query", ["decode_responses=True", "encoding=latin-1", "encoding_errors=ignore", "no_such_option=1"]
)
def test_an_address_of_redis_that_can_t_serve_is_refused_at_the_start(variable: str, query: str) -> None:
    """Each message would be unreadable, or each command fail, while every request is accepted."""
    addresses = {"broker_url": "redis://host", variable: f"redis://:canary@host/0?{query}"}
    engine = create_engine("postgresql+psycopg://me@host/name")
    settings = Settings(jwt_key="x" * 40, jwt_algorithms="HS256", **addresses)
    reports = build_report_jobs(settings, users=People(), templates=[Report()], engine=engine)
    with pytest.raises(ConfigurationError, match=f"SQR_JOBS_{variable.upper()}") as caught:
        mount(reports, has_own_login=True)
    assert "canary" not in str(caught.value)
    engine.dispose()


@pytest.mark.parametrize("url", ["amqp://host", "amqps://host"])
def test_requests_are_counted_in_memory_beside_rabbitmq(url: str) -> None:
    """It has no place to count in; the ceiling in the database holds for all processes together."""
    settings = Settings(broker_url=url, database_url="postgresql+psycopg://me@host/name")
    assert isinstance(limiter_for(settings, str), LimitsRateLimiter)
    shared = Settings(
        broker_url=url, limiter_url="redis://host", database_url="postgresql+psycopg://me@host/name"
    )
    assert isinstance(limiter_for(shared, str), ShelteredRateLimiter)


@pytest.mark.parametrize("kept_s", [0, -1.0, float("nan"), float("inf"), 604_801])
def test_a_template_that_keeps_its_documents_for_no_time_or_too_long_is_refused(kept_s: float) -> None:
    """At the start: a document that expires as it is made is of no use, and the bound is the settings'."""

    class Kept(Report, name="kept", version="v1"):
        document_lifetime_s = kept_s

    with pytest.raises(ConfigurationError, match="kept v1 has a document_lifetime_s"):
        build_report_jobs(Settings(), users=People(), templates=[Report(), Kept()])


def test_a_template_s_own_lifetime_goes_before_the_settings() -> None:
    """Unless a request names one, as the endpoints' suite shows."""

    class Kept(Report, name="kept", version="v1"):
        document_lifetime_s = 604_800

    made = build_report_jobs(Settings(), users=People(), templates=[Kept()])
    chosen = made.templates.choose(Caller(org_id="acme"), People().find("U1"))  # type: ignore[arg-type]
    assert made.templates.document_lifetime_s(chosen) == 604_800


@pytest.mark.parametrize(
    ("factory", "words"),
    [
        ("tests.host.reports:no_such_function", "has no function no_such_function"),
        ("tests.host.no_such_module:report_jobs", "there is no module tests.host.no_such_module"),
    ],
)
def test_a_wrong_factory_stops_the_embedded_worker_at_its_start(
    factory: str, words: str, tmp_path: Path
) -> None:
    """Else the web process serves, accepts, and each job waits for its deadline."""
    wrong = Settings(factory=factory, render="child", data_dir=tmp_path)
    made = build_report_jobs(wrong, users=People(), templates=[Report()])
    with pytest.raises(ConfigurationError, match=words):
        made.start()


def test_a_quota_whose_window_outlives_the_jobs_is_refused() -> None:
    """I12: the ceiling counts rows, and those are deleted by then."""
    made = build_report_jobs(
        Settings(job_lifetime_s=86_400),
        users=People(),
        templates=[Report()],
        choose_rate_limit=lambda caller: RateLimit(requests=5, window_s=int(caller.client_id)),
    )
    assert made.parts.rate_limit(Caller(org_id="acme", client_id="86400")).window_s == 86_400
    with pytest.raises(ConfigurationError, match="SQR_JOBS_JOB_LIFETIME_S"):
        made.parts.rate_limit(Caller(org_id="acme", client_id="86401"))


def test_what_a_service_keeps_stays_in_the_folder_of_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that changed its working folder answered 410, and began another database."""
    start, later = tmp_path / "start", tmp_path / "later"
    for folder in (start, later):
        folder.mkdir()
    monkeypatch.chdir(start)
    engine = create_engine("sqlite:///host.db")
    files = Settings(data_dir=Path("data"), work_dir=Path("work"), database_url=SecretStr("sqlite:///url.db"))
    settings = [Settings(), Settings(data_dir=Path("data")), files]
    services = [build_report_jobs(each, users=People(), templates=[Report()]) for each in settings]
    services.append(build_report_jobs(Settings(), users=People(), templates=[Report()], engine=engine))
    monkeypatch.chdir(later)
    for number, service in enumerate(services):
        system = system_of(service)
        migrations.upgrade(system.database.engine)
        system.documents.put(f"job/{number}-a.pdf", produced(), until=lambda: 5.0)
        system.documents.url(f"job/{number}-a.pdf", filename="a", expires_s=5, origin="")
        system.database.close()
    engine.dispose()
    assert files.work_dir == start / "work"
    assert list(later.iterdir()) == []
    assert {path.name for path in start.iterdir()} == {"data", "sqr-jobs-data", "host.db", "url.db"}
    assert (start / "data" / "jobs.db").is_file()


def test_the_data_folder_is_its_owners_alone(tmp_path: Path) -> None:
    """It holds ids, the causes of failures, documents and a key; no umask may open it."""
    before = os.umask(0)
    try:
        service = build_report_jobs(
            Settings(data_dir=tmp_path / "data"), users=People(), templates=[Report()]
        )
        system = system_of(service)
        migrations.upgrade(system.database.engine)
        system.documents.put("job/1-a.pdf", produced(), until=lambda: 5.0)
        system.documents.url("job/1-a.pdf", filename="a", expires_s=5, origin="")
        assert {path.name for path in tmp_path.rglob("*")} > {"jobs.db", "jobs.db-wal", "link-key", "1-a.pdf"}
        for path in (tmp_path / "data", tmp_path / "data" / "documents"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o700
        for path in tmp_path.rglob("*.*"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        system.database.close()
    finally:
        os.umask(before)


@pytest.mark.parametrize(
    ("mode", "beside", "becomes"),
    [(0o755, "documents", 0o700), (0o775, "documents", 0o770), (0o755, "the-hosts-own", 0o755)],
)
def test_a_data_folder_of_an_earlier_version_is_closed_unless_it_is_shared(
    mode: int, beside: str, becomes: int, tmp_path: Path
) -> None:
    """A host may have named a folder in which others read files of the host's."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / beside).mkdir()
    folder.chmod(mode)
    private_folder(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == becomes
