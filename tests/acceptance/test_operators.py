"""What operators and people may ask of a running service: cancel, keep no longer than promised, forget."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

import psutil
import pytest
from redis import Redis
from sqlalchemy import text, update
from sqlalchemy.exc import DBAPIError

from sqr_jobs.adapters.s3_documents import S3DocumentStore
from sqr_jobs.adapters.sql.tables import job, metadata
from tests.acceptance import canaries, talkative_host
from tests.acceptance.client import PREFIX, Client
from tests.acceptance.deployment import Deployment
from tests.acceptance.figures import Measured
from tests.acceptance.fixtures import QUICK, own_places, store_in
from tests.acceptance.lawful import ways
from tests.acceptance.pdf_text import text_of
from tests.servers.ports import wait_until
from tests.servers.postgres import PostgresServer
from tests.servers.process import RunningServer
from tests.servers.redis import RedisServer
from tests.servers.s3 import S3Server

_LEASE_S = 8
"""Longer than in `QUICK`: an attempt that nobody stops must outlive the time in which a cancel has to."""
_HEARTBEAT_S = _LEASE_S * 8 / 30
_KEY = "CANARY-KEY-OF-A-CLIENT"
_MARK = "a-text-that-the-database-refused"


@dataclass(frozen=True, kw_only=True)
class Operation:
    """A running deployment with one worker."""

    deployment: Deployment
    client: Client
    bucket: S3DocumentStore
    redis: RedisServer
    servers: dict[str, RunningServer]
    """Each server by its name; none serves other tests, so its log is this deployment's."""

    def age(self, job_id: str, *, hours: float) -> None:
        """Let a job have ended so much earlier."""
        ms = round(hours * 3_600_000)
        times = (job.c.completed_at, job.c.document_expires_at, job.c.collect_at)
        with self.deployment.database.begin() as connection:
            earlier = {time.name: time - ms for time in times}
            connection.execute(update(job).where(job.c.job_id == job_id).values(earlier))

    def objects(self) -> dict[str, bytes]:
        """Fetch all that is in the bucket."""
        client, name = self.bucket._connection.client, self.bucket._bucket
        listed = client.list_objects_v2(Bucket=name).get("Contents", [])
        return {
            found["Key"]: client.get_object(Bucket=name, Key=found["Key"])["Body"].read() for found in listed
        }

    def rows(self) -> list[str]:
        """Dump every table as text."""
        with self.deployment.database.read() as connection:
            return [
                str(row)
                for table in metadata.sorted_tables
                for row in connection.execute(text(f"SELECT t::text FROM {table.name} t")).scalars()
            ]

    def kept_by_redis(self) -> list[str]:
        """Dump every key with its value."""
        read = {
            "string": lambda client, key: client.get(key),
            "hash": lambda client, key: client.hgetall(key),
            "list": lambda client, key: client.lrange(key, 0, -1),
            "set": lambda client, key: client.smembers(key),
            "zset": lambda client, key: client.zrange(key, 0, -1, withscores=True),
            "none": lambda client, key: None,  # ended since it was listed
        }
        with Redis.from_url(self.redis.url) as client:
            return [
                f"{key!r} {read[client.type(key).decode()](client, key)!r}" for key in client.scan_iter("*")
            ]


@pytest.fixture(scope="module")
def operation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operation]:
    """Run it once, on servers of its own; each test has users of its own."""
    with (
        PostgresServer() as postgres,
        RedisServer(appendonly=True) as redis,
        S3Server() as s3,
        own_places(postgres, redis, s3) as (url, bucket),
        Deployment.distributed(
            tmp_path_factory.mktemp("operators"),
            postgres_url=url,
            redis_url=redis.url,
            bucket=bucket,
            **(QUICK | {"lease_s": _LEASE_S}),
            max_failures=2,
            cancel_route=True,
        ) as deployment,
    ):
        store = store_in(bucket)
        deployment.log_level = "debug"
        deployment.migrate()
        deployment.worker()
        servers: dict[str, RunningServer] = {"PostgreSQL": postgres, "Valkey": redis, "the S3 server": s3}
        with deployment.fastapi().client() as client:
            yield Operation(deployment=deployment, client=client, bucket=store, redis=redis, servers=servers)
        store._connection.client.close()


def _child_of(deployment: Deployment, user_id: str) -> psutil.Process:
    """Wait for the attempt at a user's report, and find the child that makes it."""
    wait_until(lambda: deployment.has_begun(user_id), seconds=30, what=f"the attempt for {user_id}")
    return psutil.Process(deployment.beginnings(user_id)[-1][1])


def _by_the_client(operation: Operation, job_id: str) -> None:
    answer = operation.client._http.delete(f"{PREFIX}/{job_id}")
    assert (answer.status_code, answer.json()["errorCode"]) == (200, "CANCELLED")


def _by_an_operator(operation: Operation, job_id: str) -> None:
    assert operation.deployment.run("cancel", job_id) == f"{job_id} is CANCELLED\n"


@pytest.mark.parametrize(
    ("user", "cancel"),
    [("U-WAIT-DELETE", _by_the_client), ("U-WAIT-CANCEL", _by_an_operator)],
    ids=["DELETE", "sqr-jobs cancel"],
)
def test_the_child_of_a_cancelled_job_is_gone_by_the_next_heartbeat(
    operation: Operation, measured: Measured, user: str, cancel: Callable[[Operation, str], None]
) -> None:
    """Whoever asks hears at once; work that nobody wants any more ends within a heartbeat and two seconds."""
    deployment, client = operation.deployment, operation.client
    # Given a job that is being made, and would be for ever
    job_id = client.accepted(user)
    child = _child_of(deployment, user)
    # When it is cancelled
    cancel(operation, job_id)
    # Then its child is gone in time, from the moment on that the database has for it
    wait_until(lambda: not child.is_running(), seconds=10, what="the end of the child")
    took = time.time() - deployment.history(job_id)[-1].at / 1000
    measured(f"from a cancel of {user} to the end of the render child", took)
    assert took <= _HEARTBEAT_S + 2
    assert ways(deployment.history(job_id)) == ["create", "claim", "cancel"]
    assert client.status(job_id)["errorCode"] == "CANCELLED"
    # And the same user has a new report from the same worker
    deployment.let_go(user)
    again = client.accepted(user)
    assert client.complete(again)["attempts"] == 1
    assert client.status(job_id)["errorCode"] == "CANCELLED"
    assert not [key for key in operation.objects() if job_id in key]


def test_a_document_lives_as_long_as_was_promised_and_its_row_follows_it(operation: Operation) -> None:
    """410 first, then the object, later the row: by `sqr-jobs maintain --once` or by any worker."""
    deployment, client = operation.deployment, operation.client
    job_id, other = client.accepted("U-1"), client.accepted("U-2")
    for made in (job_id, other):
        client.complete(made)
        client.download(made)

    def kept(made: str) -> bool:
        return any(key.startswith(made) for key in operation.objects())

    # When its day is over, no URL is given, and the object is still there for one that was
    operation.age(job_id, hours=24)
    answer = client.ask_url(job_id)
    assert (answer.status_code, answer.json()["code"]) == (410, "DOCUMENT_EXPIRED")
    deployment.run("maintain", "--once")
    assert kept(job_id)
    # An hour later it is gone, and nobody else's
    operation.age(job_id, hours=1)
    deployment.run("maintain", "--once")
    assert not kept(job_id)
    assert client.ask_url(job_id).status_code == 410
    assert client.status(job_id)["status"] == "COMPLETE"
    # A month later the job is
    operation.age(job_id, hours=30 * 24)
    deployment.run("maintain", "--once")
    assert client.look(job_id).status_code == 404
    assert deployment.history(job_id) == []
    assert kept(other)
    client.download(other)


def test_nothing_holds_a_person_who_was_erased(operation: Operation) -> None:
    """In the database, the bucket, Redis, all programs' logs at DEBUG and all servers', no person is left."""
    deployment, client = operation.deployment, operation.client
    # Given a document, a job that is being made, one that failed with a text about the person, and a key;
    # asked for through both frameworks, and by several at once, of whom the database lets one through
    deployment.let_go("U-WAIT-ERASE")
    headers = {"Idempotency-Key": _KEY}
    asked = client._http.post(PREFIX, json={"userId": "U-WAIT-ERASE"}, headers=headers)
    complete = asked.json()["jobId"]
    client.complete(complete)
    deployment.hold("U-WAIT-ERASE")
    with ExitStack() as ends:
        other = ends.enter_context(deployment.flask().client())
        other.download(complete)
        failed = other.accepted("U-NODATA-ERASE")
        assert other.end(failed)["errorCode"] == "REPORT_DATA_UNAVAILABLE"
        several = ends.enter_context(ThreadPoolExecutor(8))
        answers = list(several.map(lambda number: (client, other)[number % 2].ask("U-WAIT-ERASE"), range(8)))
    assert sorted(answer.status_code for answer in answers) == [202, *[409] * 7]
    running = answers[0].json()["jobId"]
    wait_until(lambda: deployment.has_begun("U-WAIT-ERASE", times=2), seconds=30, what="the attempt")
    child = psutil.Process(deployment.beginnings("U-WAIT-ERASE")[-1][1])
    bystander = client.accepted("U-BYSTANDER")
    client.complete(bystander)
    planted = {
        "the user": "U-WAIT-ERASE",
        "the other user": "U-NODATA-ERASE",
        "the name": "BloggsUWAITERASE",
        "the text of an error": "no data on",
        "the client's key": _KEY,
        "the key as it is stored": hashlib.sha256(_KEY.encode()).hexdigest(),
    }
    # Each of which is where it must be until then, and would be found; the key itself is stored nowhere
    assert set(canaries.found_in(operation.rows(), planted)) == {
        "the user",
        "the other user",
        "the text of an error",
        "the key as it is stored",
    }
    assert set(canaries.found_in([_texts(operation)], planted)) == {"the name"}
    # When both are erased
    printed = len(deployment.printed)
    factory = f"--factory={talkative_host.FACTORY}"
    receipts = [
        json.loads(deployment.run("erase", factory, "--org", "acme", "--user", user, "--yes"))
        for user in ("U-WAIT-ERASE", "U-NODATA-ERASE")
    ]
    # Then the receipts tell how much that was, and the child that was at it is gone
    assert [receipt["jobs"] for receipt in receipts] == [2, 1]
    assert [receipt["cancelled"] for receipt in receipts] == [1, 0]
    assert [receipt["causes"] for receipt in receipts] == [0, 2]
    assert [receipt["idempotencyKeys"] for receipt in receipts] == [1, 0]
    assert set(receipts[0]["jobIds"]) == {complete, running}
    wait_until(lambda: not child.is_running(), seconds=_HEARTBEAT_S + 2, what="the end of the child")
    # And nothing holds what was planted
    with pytest.raises(DBAPIError), deployment.database.engine.connect() as connection:
        connection.exec_driver_sql(f"SELECT '{_MARK}'::integer")
    places = {
        "the database": operation.rows(),
        "Redis": operation.kept_by_redis(),
        "the bucket": [_texts(operation), *operation.objects()],
        "the logs": canaries.seen_by(deployment.programs),
        "what erase printed": deployment.printed[printed:],
        **{f"the log of {name}": [server.said()] for name, server in operation.servers.items()},
    }
    assert {place: canaries.found_in(lines, planted) for place, lines in places.items()} == {
        place: {} for place in places
    }
    # Where each of these logs is one that could have told
    must_say = {
        "the logs": ("DEBUG", complete, "gunicorn: ", "uvicorn: ", "worker: "),
        "what erase printed": ("DEBUG", "erased a person", "erasedAt"),
        "the log of PostgreSQL": (_MARK,),
        "the log of Valkey": ("Ready to accept connections",),
        "the log of the S3 server": ("Starting s3 server",),
    }
    assert {
        place: [what for what in sayings if not any(what in line for line in places[place])]
        for place, sayings in must_say.items()
    } == {place: [] for place in must_say}
    # And who was not erased is still there, as is the org
    assert any("acme" in line for line in places["the database"])
    assert any("U-BYSTANDER" in line for line in places["the database"])
    client.download(bystander)
    for job_id in (complete, failed, running):
        assert client.look(job_id).status_code == 404
        assert not [key for key in operation.objects() if key.startswith(job_id)]


def _texts(operation: Operation) -> str:
    """Read every document in the bucket, its properties too."""
    return "\n".join(
        text_of(document) + document.decode("latin-1") for document in operation.objects().values()
    )
