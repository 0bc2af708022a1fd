"""Canaries in every place where an exception, an address or a token could carry them: no log holds one.

All loggers listen at DEBUG, and what is searched is all that a record holds: text, arguments, extra fields,
stacks.
"""

import logging
import threading
import time
import urllib.error
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dramatiq
import jwt
import pytest
from dramatiq.brokers.stub import StubBroker
from limits.storage import storage_from_string

from sqr_jobs import Caller, ReportJobs, Settings, build_report_jobs
from sqr_jobs.actors import ACTOR, QUEUE, declare_actors
from sqr_jobs.adapters.child_producer import ChildProducer
from sqr_jobs.adapters.dramatiq_queue import DramatiqQueue
from sqr_jobs.adapters.jwt_authenticator import JwtAuthenticator
from sqr_jobs.adapters.limits_limiter import limiter_for
from sqr_jobs.adapters.s3_documents import S3DocumentStore
from sqr_jobs.adapters.signing_keys import JwksKeys, StaticKeys
from sqr_jobs.adapters.worker_lifecycle import WorkerLifecycle
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.rate_limit import RateLimit
from sqr_jobs.errors import AttemptFailed, DatabaseUnavailable
from sqr_jobs.leases import LeaseKeeper
from sqr_jobs.maintenance import Maintenance
from sqr_jobs.processing import Processor
from sqr_jobs.web.problems import problem_reply
from sqr_jobs.wiring import system_of
from tests.host.people import People
from tests.host.reports import Report
from tests.servers.ports import wait_until
from tests.unit.fakes import (
    Clock,
    FakeDocuments,
    FakeExecution,
    FakeProducer,
    FakeQueue,
    FakeUpkeep,
    claim_of,
)

CANARY = "CANARY Jo Bloggs https://host/x?X-Amz-Signature=1 Bearer eyJ postgresql://u:hunter2@db"
_WORDS = ("CANARY", "Bloggs", "X-Amz-Signature", "Bearer", "hunter2")
_DATABASE = "postgresql+psycopg://CANARY:hunter2@127.0.0.1:9/CANARY"
_REDIS = "redis://CANARY:hunter2@127.0.0.1:9/0"


class _OddError(Exception):
    """Holds canaries in its arguments and its notes, and in the exceptions before it."""

    def __init__(self) -> None:
        super().__init__(CANARY, {"password": CANARY})
        self.add_note(CANARY)
        self.__cause__ = ValueError(CANARY)


def _relay(_tmp_path: Path) -> None:
    class Broken(FakeUpkeep):
        rounds = 0

        def count_due(self) -> int:
            self.rounds += 1
            raise _OddError

    jobs = Broken()
    maintenance = Maintenance(jobs=jobs, queue=FakeQueue(), relay_interval_s=0.01, reaper_interval_s=0.01)
    maintenance.start()
    wait_until(lambda: jobs.rounds > 2, seconds=10, what="the relay")
    maintenance.stop()


def _lease_keeper(_tmp_path: Path) -> None:
    jobs = FakeExecution()
    renewed = threading.Event()

    def broken(_claim: object) -> bool:
        renewed.set()
        raise _OddError

    jobs.renew = broken  # type: ignore[method-assign]
    keeper = LeaseKeeper(jobs, heartbeat_s=0.01, fence_s=25, limit_s=60)
    with keeper.hold(claim_of(), claimed_at=0):
        assert renewed.wait(10)
        renewed.clear()
        assert renewed.wait(10)  # the record of the first one is written
    keeper.stop()


def _actor(_tmp_path: Path) -> None:
    broker = StubBroker(middleware=[])

    def broken(_job_id: str | None) -> bool:
        raise _OddError

    declare_actors(broker, broken)
    worker = dramatiq.Worker(broker, worker_threads=1, worker_timeout=10)
    broker.enqueue(dramatiq.Message(queue_name=QUEUE, actor_name=ACTOR, args=("x",), kwargs={}, options={}))
    worker.start()
    broker.join(QUEUE, timeout=10_000)
    worker.stop()


def _attempts(_tmp_path: Path) -> None:
    stack = AttemptFailed(JobErrorCode.RENDER_FAILED, CANARY, stack="\nat line 7")
    for making, storing in ((_OddError(), None), (None, _OddError()), (stack, None)):
        jobs, producer, documents = FakeExecution(claim_of()), FakeProducer(), FakeDocuments()
        producer.raises, documents.raises = making, storing
        jobs.raises["fail"] = [DatabaseUnavailable("away")]
        keeper = LeaseKeeper(jobs, heartbeat_s=3600, fence_s=25, limit_s=60, now=Clock())
        Processor(jobs=jobs, producer=producer, documents=documents, leases=keeper, now=Clock()).process()
        keeper.stop()


def _web(_tmp_path: Path) -> None:
    problem_reply(_OddError(), instance="/v1", support=None)


def _worker_start(_tmp_path: Path) -> None:
    def broken() -> Any:
        raise _OddError

    broker: Any = None
    with pytest.raises(SystemExit):
        WorkerLifecycle(broken, threads=1).after_process_boot(broker)


def _render_child(_tmp_path: Path) -> None:
    def factory() -> str:
        return "tests.contracts.wild_host:raises"  # "no such setting", which the search knows too

    producer = ChildProducer(factory=factory, memory_bytes=1 << 28, output_bytes=1 << 20, start_limit_s=60)
    keeper = LeaseKeeper(FakeExecution(), heartbeat_s=3600, fence_s=60, limit_s=60)
    order: Any = None  # it is never sent
    with (
        keeper.hold(claim_of(), claimed_at=time.monotonic()) as lease,
        pytest.raises(AttemptFailed),
    ):
        producer.produce(order, lease)
    keeper.stop()
    producer.close()


def _database(tmp_path: Path) -> None:
    system = _system(tmp_path, database_url=_DATABASE, database_timeout_s=1)
    problem_reply(_caught(lambda: system.intake.find("acme", "x")), instance="/v1", support=None)


def _broker(tmp_path: Path) -> None:
    system = _system(tmp_path, database_url=_DATABASE, broker_url=_REDIS, factory="a:b")
    queue: Any = system.queue
    assert isinstance(queue, DramatiqQueue)
    ReportJobs(_only(queue=queue))._ring(claim_of().job)
    _caught(queue.waiting)


def _limiter(_tmp_path: Path) -> None:
    limiter_for(_REDIS).hit("acme", RateLimit(requests=10, window_s=600))
    assert storage_from_string("memory://")


def _bucket(_tmp_path: Path) -> None:
    store = S3DocumentStore(
        "canary-bucket",
        endpoint_url="http://127.0.0.1:9",
        access_key_id="CANARY",
        secret_access_key="hunter2",
    )
    jobs, producer = FakeExecution(claim_of()), FakeProducer()
    keeper = LeaseKeeper(jobs, heartbeat_s=3600, fence_s=25, limit_s=60)
    Processor(jobs=jobs, producer=producer, documents=store, leases=keeper).process()
    keeper.stop()
    store.url("a/1-b.pdf", filename="SQR_J_Bloggs_ABCD.pdf", expires_s=300, origin="")


def _issuer(_tmp_path: Path) -> None:
    def fetch() -> object:
        raise urllib.error.URLError(OSError(CANARY))

    _caught(lambda: JwksKeys(fetch).candidates("CANARY", "RS256"))


def _tokens(_tmp_path: Path) -> None:
    judge = JwtAuthenticator(StaticKeys("k" * 40, ["HS256"]), algorithms=["HS256"], issuer="i", audience="a")
    good = {"exp": 4_000_000_000, "iss": "i", "aud": "a"}
    headers: list[dict[str, Any]] = [{}, {"crit": ["CANARY"]}, {"kid": "CANARY"}, {"typ": "CANARY"}]
    claims: list[dict[str, Any]] = [
        {**good, "org": {"name": "CANARY"}},
        {**good, "iss": "CANARY"},
        {**good, "aud": "CANARY"},
        {**good, "exp": "CANARY"},
        {**good, "nbf": "CANARY"},
        {"CANARY": "CANARY"},
    ]
    signed = [jwt.encode(claim, "k" * 40, "HS256", headers=header) for claim in claims for header in headers]
    forged = [f"{token[:-4]}CANA" for token in signed]
    for token in [*signed, *forged, "CANARY", "CANARY.CANARY.CANARY", "CANARY" * 5_000, "CANÄRY"]:
        error = _caught(lambda token=token: judge.authenticate({"authorization": f"Bearer {token}"}))
        problem_reply(error, instance="/v1", support=None)


def _host(tmp_path: Path) -> None:
    class Broken(People):
        def find(self, user_id: str) -> Any:
            raise _OddError

    system = system_of(build_report_jobs(Settings(data_dir=tmp_path), users=Broken(), templates=[Report()]))
    error = _caught(lambda: system.reports.create(Caller(org_id="acme"), user_id="U1"))
    problem_reply(error, instance="/v1", support=None)


_PLACES: dict[str, Callable[[Path], None]] = {
    "relay": _relay,
    "lease keeper": _lease_keeper,
    "actor": _actor,
    "attempts": _attempts,
    "endpoint": _web,
    "start of a worker": _worker_start,
    "render child": _render_child,
    "database": _database,
    "broker": _broker,
    "limiter": _limiter,
    "bucket": _bucket,
    "issuer": _issuer,
    "tokens": _tokens,
    "host's people": _host,
}


@pytest.fixture
def records() -> Iterator[list[logging.LogRecord]]:
    """Collect what every logger says, at DEBUG."""
    said: list[logging.LogRecord] = []
    listener = logging.Handler(logging.DEBUG)
    listener.emit = said.append  # type: ignore[method-assign]
    root = logging.getLogger()
    level = root.level
    root.addHandler(listener)
    root.setLevel(logging.DEBUG)
    yield said
    root.removeHandler(listener)
    root.setLevel(level)


@pytest.mark.parametrize("place", _PLACES)
def test_no_record_holds_a_canary(place: str, records: list[logging.LogRecord], tmp_path: Path) -> None:
    """Logs are kept longer, and read by more people, than anything else (I15)."""
    _PLACES[place](tmp_path)
    formatter = logging.Formatter()
    ours = [record for record in records if record.name.startswith("sqr_jobs")]
    assert ours, "nothing was logged, so nothing was shown"
    for record in records:
        said = f"{formatter.format(record)} {vars(record)}"
        for word in (*_WORDS, "no such setting"):
            assert word not in said, (record.name, word)


def _system(tmp_path: Path, **settings: Any) -> Any:
    return system_of(
        build_report_jobs(Settings(data_dir=tmp_path, **settings), users=People(), templates=[Report()])
    )


def _only(**parts: Any) -> Any:
    return type("Parts", (), parts)()


def _caught(what: Callable[[], object]) -> Exception:
    with pytest.raises(Exception) as caught:
        what()
    return caught.value
