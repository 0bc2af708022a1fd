"""What operators and people may ask of a running service: cancel, keep no longer than promised, forget."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psutil
import pytest
from redis import Redis
from sqlalchemy import text, update

from sqr_jobs.adapters.s3_documents import S3DocumentStore
from sqr_jobs.adapters.sql.tables import job, metadata
from tests.acceptance import canaries
from tests.acceptance.client import PREFIX, Client
from tests.acceptance.deployment import Deployment
from tests.acceptance.figures import Measured
from tests.acceptance.fixtures import QUICK, own_places, store_in
from tests.acceptance.lawful import ways
from tests.acceptance.pdf_text import text_of
from tests.servers.ports import wait_until
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer
from tests.servers.s3 import S3Server

_HEARTBEAT_S = 4 * 8 / 30
"""Of the lease in `QUICK`."""
_KEY = "CANARY-KEY-OF-A-CLIENT"


@dataclass(frozen=True, kw_only=True)
class Operation:
    """A running deployment with one worker."""

    deployment: Deployment
    client: Client
    bucket: S3DocumentStore
    redis: RedisServer

    def age(self, job_id: str, *, hours: float) -> None:
        """Let a job have ended so much earlier."""
        ms = round(hours * 3_600_000)
        times = (job.c.completed_at, job.c.document_expires_at, job.c.collect_at)
        with self.deployment.database.begin() as connection:
            earlier = {time.name: time - ms for time in times}
            connection.execute(update(job).where(job.c.job_id == job_id).values(earlier))

    def objects(self) -> dict[str, bytes]:
        """Fetch all that is in the bucket."""
        client, name = self.bucket._client, self.bucket._bucket
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
def operation(
    postgres_server: PostgresServer,
    redis_server: RedisServer,
    s3_server: S3Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Operation]:
    """Run it once; each test has users of its own."""
    with (
        own_places(postgres_server, redis_server, s3_server) as (url, bucket),
        Deployment.distributed(
            tmp_path_factory.mktemp("operators"),
            postgres_url=url,
            redis_url=redis_server.url,
            bucket=bucket,
            **QUICK,
            max_failures=2,
            cancel_route=True,
        ) as deployment,
    ):
        store = store_in(bucket)
        deployment.log_level = "debug"
        deployment.migrate()
        deployment.worker()
        with deployment.fastapi().client() as client:
            yield Operation(deployment=deployment, client=client, bucket=store, redis=redis_server)
        store._client.close()


def _child_of(deployment: Deployment, user_id: str) -> psutil.Process:
    """Wait for the attempt at a user's report, and find the child that makes it."""
    wait_until(lambda: deployment.has_begun(user_id), seconds=30, what=f"the attempt for {user_id}")
    return psutil.Process(deployment.beginnings(user_id)[-1][1])


def test_the_child_of_a_cancelled_job_is_gone_by_the_next_heartbeat(
    operation: Operation, measured: Measured
) -> None:
    """The client hears at once; work that nobody wants any more ends within a heartbeat and two seconds."""
    deployment, client = operation.deployment, operation.client
    # Given a job that is being made, and would be for ever
    job_id = client.accepted("U-WAIT-CANCEL")
    child = _child_of(deployment, "U-WAIT-CANCEL")
    # When it is cancelled
    began = time.monotonic()
    answer = client._http.delete(f"{PREFIX}/{job_id}")
    assert (answer.status_code, answer.json()["errorCode"]) == (200, "CANCELLED")
    # Then its child is gone in time
    wait_until(lambda: not child.is_running(), seconds=10, what="the end of the child")
    took = time.monotonic() - began
    measured("from a cancel to the end of the render child", took)
    assert took <= _HEARTBEAT_S + 2
    assert ways(deployment.history(job_id)) == ["create", "claim", "cancel"]
    # And the same user has a new report from the same worker
    deployment.let_go("U-WAIT-CANCEL")
    again = client.accepted("U-WAIT-CANCEL")
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
    """In a dump of the database, the bucket, Redis and all logs at DEBUG, the org stays and no person."""
    deployment, client = operation.deployment, operation.client
    # Given a document, a job that is being made, one that failed with a text about the person, and a key
    deployment.let_go("U-WAIT-ERASE")
    headers = {"Idempotency-Key": _KEY}
    asked = client._http.post(PREFIX, json={"userId": "U-WAIT-ERASE"}, headers=headers)
    complete = asked.json()["jobId"]
    client.complete(complete)
    client.download(complete)
    deployment.hold("U-WAIT-ERASE")
    failed = client.accepted("U-NODATA-ERASE")
    assert client.end(failed)["errorCode"] == "REPORT_DATA_UNAVAILABLE"
    running = client.accepted("U-WAIT-ERASE")
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
    }
    assert {"the user", "the other user", "the text of an error"} <= set(
        canaries.found_in(operation.rows(), planted)
    )
    assert "BloggsUWAITERASE" in _texts(operation)
    # When both are erased
    receipts = [
        json.loads(deployment.run("erase", "--org", "acme", "--user", user, "--yes"))
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
    places = {
        "the database": operation.rows(),
        "Redis": operation.kept_by_redis(),
        "the bucket": [_texts(operation), *operation.objects()],
        "the logs": canaries.seen_by(deployment.programs),
        "the receipts": [json.dumps(receipts)],
    }
    assert {place: canaries.found_in(lines, planted) for place, lines in places.items()} == {
        place: {} for place in places
    }
    assert any("DEBUG" in line for line in places["the logs"])
    assert any(complete in line for line in places["the logs"])
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
