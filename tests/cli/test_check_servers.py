"""`sqr-jobs check` on what runs beside the application, with real servers that are stopped or wrong."""

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import time_machine
from redis import Redis
from sqlalchemy import Engine, create_engine, make_url, text

from sqr_jobs import Settings, Template, build_report_jobs, migrations
from sqr_jobs.cli import main
from sqr_jobs.domain.announcement import Announcement
from sqr_jobs.wiring import System, system_of
from tests.cli.checks import Check
from tests.contracts.sockets import nothing_there
from tests.host.people import People
from tests.host.reports import Report
from tests.servers.postgres import PostgresServer
from tests.servers.proxy import Proxy
from tests.servers.redis import RedisServer

pytestmark = pytest.mark.usefixtures("patient_redis")


@contextmanager
def _service(
    tmp_path: Path, templates: Sequence[Template[Any]] = (Report(),), **settings: Any
) -> Iterator[System]:
    """Give a service as another process has it."""
    system = system_of(
        build_report_jobs(
            Settings(data_dir=tmp_path / "data", **settings), users=People(), templates=templates
        )
    )
    yield system
    system.database.close()


def _migrate(tmp_path: Path, **settings: Any) -> None:
    with _service(tmp_path, **settings) as system:
        migrations.upgrade(system.database.engine)


@pytest.fixture
def distributed(tmp_path: Path, postgres_url: str, redis_url: str) -> dict[str, str]:
    """Give the settings of a migrated distributed service without a bucket."""
    settings = {"database_url": postgres_url, "broker_url": redis_url}
    _migrate(tmp_path, **settings)
    return settings


def test_servers_in_order_are_told_with_what_they_hold(
    check: Check, distributed: dict[str, str], tmp_path: Path
) -> None:
    """A worker that announced itself, on this database."""
    with _service(tmp_path, **distributed) as worker:
        worker.maintenance(is_worker=True).announce()
        worker.queue.ring("a-job")
    checked = check(**distributed)
    assert checked.faults == []
    assert checked.ok("database").startswith("postgresql 1")
    assert checked.ok("broker") == "answers; 1 messages wait"
    assert checked.ok("workers").startswith("1 consuming, on this database: ")
    assert checked.ok("limiter") == "10 in 600 s, shared; the database holds the same ceiling"


def test_no_worker_is_a_fault(check: Check, distributed: dict[str, str]) -> None:
    """Jobs would wait for ever, and nothing else would tell."""
    checked = check(**distributed)
    assert checked.faults == ["workers"]
    assert checked.fault("workers") == "no worker is consuming. Start one: sqr-jobs worker"


def test_a_worker_on_another_database_is_a_fault(
    check: Check, distributed: dict[str, str], tmp_path: Path
) -> None:
    """It answers every doorbell, finds no job, and all look well."""
    other = {**distributed, "database_url": f"sqlite:///{tmp_path}/other.db"}
    _migrate(tmp_path, **other)
    with _service(tmp_path, **other) as worker:
        worker.maintenance(is_worker=True).announce()
    told = check(**distributed).fault("workers")
    assert "use another database than this process. Give web and workers the same" in told


def test_workers_of_another_service_on_the_same_redis_are_a_note(
    check: Check, distributed: dict[str, str], tmp_path: Path
) -> None:
    """They do no harm; one that was meant to be of this service still shows."""
    other = {**distributed, "database_url": f"sqlite:///{tmp_path}/other.db"}
    _migrate(tmp_path, **other)
    with _service(tmp_path, **other) as theirs, _service(tmp_path, **distributed) as ours:
        theirs.relaying_broker.announce("theirs:1", theirs.identity())
        ours.relaying_broker.announce("ours:1", ours.identity())
    told = check(**distributed).note("workers")
    assert told.startswith("1 consuming, on this database: ours:1. ")
    assert told.endswith("theirs:1 use another database")


def test_a_service_whose_tables_are_missing_is_told_what_to_run(
    check: Check, postgres_url: str, redis_url: str
) -> None:
    """The commonest mistake of a first deployment."""
    checked = check(database_url=postgres_url, broker_url=redis_url)
    assert "Run: sqr-jobs db upgrade" in checked.fault("migrations")
    assert checked.ok("database")


def test_a_database_that_is_stopped_is_a_fault_and_so_is_what_lives_in_it(
    check: Check, redis_url: str, tmp_path: Path
) -> None:
    """One cause, told where it is; the other lines point to it. The rest is looked at all the same."""
    with PostgresServer() as server:
        settings = {"database_url": server.create_database(), "broker_url": redis_url}
        _migrate(tmp_path, **settings)
        with _service(tmp_path, **settings) as worker:
            worker.maintenance(is_worker=True).announce()
        server.stop()
        checked = check(database_timeout_s=1, **settings)
    assert checked.faults == ["database", "migrations", "clock", "workers", "limiter"]
    assert checked.fault("database").endswith("is SQR_JOBS_DATABASE_URL, or the factory's engine, right?")
    assert checked.fault("migrations").endswith("See the line on the database.")
    assert checked.fault("workers").endswith("See the lines on the broker and the database.")
    assert checked.fault("limiter").endswith("See the line on the database.")
    assert checked.ok("broker")


@pytest.mark.parametrize(
    ("wrong", "cause", "place"),
    [
        ({"password": "canary"}, "the password was rejected, SQLSTATE 28P01", "127.0.0.1:{port}/{name}"),
        ({"database": "nowhere"}, "no such database, SQLSTATE 3D000", "127.0.0.1:{port}/nowhere"),
        ({"port": 9}, "connection refused", "127.0.0.1:9/{name}"),
        ({"host": "a.invalid"}, "unknown host", "a.invalid:{port}/{name}"),
        (
            {"query": {"sslmode": "require"}},
            "TLS is demanded, and the server does not offer it",
            "127.0.0.1:{port}/{name}",
        ),
    ],
    ids=["password", "database", "port", "host", "TLS"],
)
def test_a_wrong_database_url_is_a_fault_with_its_cause_and_its_address(
    check: Check, postgres_url: str, wrong: dict[str, Any], cause: str, place: str
) -> None:
    """One sentence for five causes sends people to the wrong place; a password that is printed is changed."""
    right = make_url(postgres_url)
    url = right.set(**wrong).render_as_string(hide_password=False)
    checked = check(database_url=url, database_timeout_s=1)
    told = checked.fault("database")
    assert told.startswith(place.format(port=right.port, name=right.database) + ": ")
    assert f"({cause})" in told
    assert told.endswith("or the factory's engine, right?")
    assert "canary" not in str(checked.lines)
    assert str(right.password) not in str(checked.lines)


def test_one_file_for_several_machines_is_a_note(check: Check, redis_url: str, tmp_path: Path) -> None:
    """With a broker, workers may run anywhere; a SQLite file lies in one place."""
    settings = {"database_url": f"sqlite:///{tmp_path}/jobs.db", "broker_url": redis_url}
    told = check(**settings).note("database")
    assert told.startswith("sqlite 3.")
    assert "must run on this machine" in told
    assert "SQR_JOBS_DATABASE_URL=postgresql+psycopg://" in told


def test_a_broker_that_is_stopped_is_a_fault(check: Check, postgres_url: str, tmp_path: Path) -> None:
    """Jobs are stored and wait; whoever deploys should know before the clients do."""
    with RedisServer() as server:
        settings = {"database_url": postgres_url, "broker_url": server.url}
        _migrate(tmp_path, **settings)
        server.stop()
        checked = check(**settings)
    assert checked.faults == ["broker", "workers", "limiter"]
    assert "is SQR_JOBS_BROKER_URL right? Until it answers, jobs are stored and wait." in checked.fault(
        "broker"
    )
    assert checked.fault("workers").endswith("See the lines on the broker and the database.")


@pytest.fixture
def admin(postgres_url: str) -> Iterator[Engine]:
    """Give the database's owner, who makes roles."""
    engine = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


@pytest.fixture
def role(admin: Engine) -> Iterator[tuple[str, str]]:
    """Give a role without any right, by its name and its URL; it goes after the test."""
    name = f"sqr_jobs_test_{secrets.token_hex(4)}"
    with admin.connect() as connection:
        connection.execute(text(f"CREATE ROLE {name} LOGIN PASSWORD 'canary'"))
    yield name, admin.url.set(username=name, password="canary").render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f"DROP OWNED BY {name}"))
        connection.execute(text(f"DROP ROLE {name}"))


_READ = "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"
_WRITE = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}"
_COUNT = "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}"


@pytest.mark.parametrize(
    "granted",
    [
        ([_READ], "SQLSTATE 42501: permission denied for table sqr_jobs_idempotency"),
        ([_WRITE], "SQLSTATE 42501: permission denied for sequence sqr_jobs_audit_audit_id_seq"),
        (
            [_WRITE, _COUNT, "ALTER ROLE {role} SET default_transaction_read_only = on"],
            "SQLSTATE 25006: the session is read-only",
        ),
        ([_WRITE, _COUNT], None),
    ],
    ids=["may only read", "may not number audit rows", "read-only by default", "may write"],
)
def test_a_role_that_can_t_store_a_job_is_a_fault(
    check: Check,
    distributed: dict[str, str],
    admin: Engine,
    role: tuple[str, str],
    granted: tuple[list[str], str | None],
) -> None:
    """Every request would be 503; what the check writes is rolled back, and no worker ever sees it."""
    (name, url), (grants, cause) = role, granted
    with admin.connect() as connection:
        for grant in grants:
            connection.execute(text(grant.format(role=name)))
    checked = check(**{**distributed, "database_url": url})
    if cause is None:
        assert checked.ok("database").startswith("postgresql 1")
    else:
        told = checked.fault("database")
        assert cause in told
        assert "Its role needs SELECT, INSERT, UPDATE and DELETE on the tables sqr_jobs_*" in told
        assert "canary" not in told
    with admin.connect() as connection:
        for table in ("sqr_jobs_job", "sqr_jobs_audit", "sqr_jobs_idempotency"):
            assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == 0


def test_a_role_that_may_not_create_tables_is_told_so_by_check_and_upgrade(
    check: Check, redis_url: str, role: tuple[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    """Each used to advise the other command."""
    _, url = role
    cause = (
        "the role may not create tables in schema public. As its owner, run: GRANT CREATE ON SCHEMA public"
    )
    told = check(database_url=url, broker_url=redis_url).fault("migrations")
    assert cause in told
    assert "sqr-jobs db upgrade" not in told
    assert main(["db", "upgrade"]) == 1
    upgraded = capfd.readouterr().err
    assert cause in upgraded
    assert "sqr-jobs check" not in upgraded


def test_a_file_that_can_t_be_written_is_a_fault(check: Check, tmp_path: Path) -> None:
    """As on a volume that is mounted read-only."""
    _migrate(tmp_path, database_url=f"sqlite:///{tmp_path}/jobs.db")
    told = check(database_url=f"sqlite:///file:{tmp_path}/jobs.db?mode=ro&uri=true").fault("database")
    assert "SQLITE_READONLY: the file or its folder can't be written" in told
    assert "This process must be able to write the file and its folder" in told


def _restricted(client: Redis) -> str:
    """Allow what is announced and counted, and of messages the lists alone."""
    keys = ["sqr_jobs:announced*", "sqr_jobs:moving*"]
    client.acl_setuser("canary", enabled=True, passwords=["+secret"], keys=keys, commands=["+@all"])
    return "canary:secret@"


def _full(client: Redis) -> str:
    client.config_set("maxmemory", 1)
    return ""


@pytest.mark.parametrize(
    ("spoil", "query", "cause"),
    [
        (_full, "", "A message can't be sent (OOM: the memory is full, and maxmemory-policy is noeviction)"),
        (_restricted, "", "(NOPERM: the user's ACL refuses a key)"),
        (lambda _client: "", "?decode_responses=True", "decode_responses"),
    ],
    ids=["full", "an ACL without a key", "decoded replies"],
)
def test_a_redis_that_carries_no_message_is_a_fault(
    check: Check, distributed: dict[str, str], spoil: Callable[[Redis], str], query: str, cause: str
) -> None:
    """It answers every question that a look alone would ask; jobs would be accepted and wait for ever."""
    with RedisServer() as server, Redis.from_url(server.url) as client:
        login = spoil(client)
        url = server.url.replace("redis://", f"redis://{login}") + query
        checked = check(**{**distributed, "broker_url": url})
    told = str(checked.lines)
    assert cause in told
    assert {"broker", "settings"} & set(checked.faults)
    assert "secret" not in told


def test_a_redis_cluster_is_a_fault(check: Check, distributed: dict[str, str]) -> None:
    """A ring touches two keys at once, which a cluster keeps on different nodes."""
    with RedisServer(cluster=True) as server:
        told = check(**{**distributed, "broker_url": server.url}).fault("broker")
    assert "(CROSSSLOT: the server runs in cluster mode, which is not supported)" in told


def test_a_check_leaves_nothing_in_redis(check: Check, distributed: dict[str, str], redis_url: str) -> None:
    """Each consumer that falls silent costs the server a scan of its keys, for ever."""
    check(**distributed)
    with Redis.from_url(redis_url) as client:
        left = [str(key) for key in client.keys("*") if b"sqr-jobs-check" not in key]
    assert left == []


def test_a_broker_that_is_far_away_is_a_note(
    check: Check, distributed: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rings fail, the relay's do not, and jobs end within two seconds: nothing is wrong."""
    monkeypatch.undo()  # a request's own patience
    with _service(tmp_path, **distributed) as worker:
        worker.maintenance(is_worker=True).announce()
    parsed = make_url(distributed["broker_url"])
    with Proxy(parsed.port or 6379) as proxy:
        proxy.delay_s = 0.13
        checked = check(**{**distributed, "broker_url": f"redis://127.0.0.1:{proxy.port}/0"})
    assert checked.faults == []
    assert "the relay rings instead, up to a second later" in checked.note("broker")
    assert "each process counts for itself" in checked.note("limiter")
    assert checked.ok("workers").startswith("1 consuming")


class _Next(Report, name="report", version="v99", language="en"):
    """The application's next version."""


def test_templates_that_no_worker_knows_are_a_fault(
    check: Check, distributed: dict[str, str], tmp_path: Path
) -> None:
    """The web processes were deployed first: each job of theirs loops until its deadline."""
    with _service(tmp_path, templates=[_Next()], **distributed) as worker:
        worker.maintenance(is_worker=True).announce()
        told = check(**distributed).fault("workers")
        assert "no worker knows report v1" in told
        knows = Announcement(database=worker.identity(), templates=("report v1",))
        worker.queue.announce("other:1", knows)
        told = check(**distributed).note("workers")
    assert told.startswith("2 consuming, on this database: ")
    assert "do not know report v1: they leave its jobs to the others" in told


def test_a_limiter_out_of_reach_is_a_fault(check: Check, distributed: dict[str, str]) -> None:
    """The library goes on without it, each process for itself."""
    with nothing_there() as port:
        checked = check(limiter_url=f"redis://:canary@127.0.0.1:{port}/0", **distributed)
    told = checked.fault("limiter")
    assert told.startswith(f"127.0.0.1:{port}/0: connection refused. ")
    assert "is SQR_JOBS_LIMITER_URL (by default the broker's) right?" in told
    assert "canary" not in told


def test_a_limiter_in_memory_beside_a_broker_is_a_note(check: Check, distributed: dict[str, str]) -> None:
    """Several processes let more through than one would, until the database says no."""
    told = check(limiter_url="memory://", **distributed).note("limiter")
    assert "each process counts for itself; the database holds the same ceiling" in told
    assert "Set SQR_JOBS_LIMITER_URL=redis://" in told


def test_nobody_who_makes_reports_is_a_note(check: Check) -> None:
    """Tests want it so; a deployment that set it by mistake learns why jobs wait."""
    told = check(embedded_worker=False).note("workers")
    assert told == "none: SQR_JOBS_EMBEDDED_WORKER is false, so jobs wait until somebody runs them"


@pytest.mark.parametrize(
    ("off_s", "verdict", "words"),
    [
        (0, "ok", "agrees with the database's"),
        (30, "note", "s ahead of the database's; tokens and links expire by this one"),
        (1_200, "fault", "s ahead of the database's. Tokens and links expire too early"),
        (-1_200, "fault", "s behind the database's. Tokens and links expire too early"),
    ],
)
def test_a_clock_that_differs_from_the_databases_is_told(
    check: Check, off_s: int, verdict: str, words: str
) -> None:
    """Twenty minutes off, the bucket refuses each signature, and credentials seem to be to blame."""
    with time_machine.travel(time.time() + off_s):
        checked = check()
    assert words in getattr(checked, verdict)("clock")
