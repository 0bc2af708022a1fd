"""Whatever somebody else pushes into Redis, a worker does its own work and nothing more."""

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import select

from sqr_jobs.adapters.sql.tables import audit, job
from tests.acceptance.client import Client
from tests.acceptance.deployment import Deployment
from tests.acceptance.fixtures import ClientOf
from tests.acceptance.program import Program
from tests.servers.ports import wait_until

_OPTIONS = {
    "on_failure": "os.system",
    "on_success": "sqr_jobs_process",
    "pipe_target": {"actor_name": "sqr_jobs_process", "args": []},
    "retries": -1,
    "max_retries": 1_000_000,
    "time_limit": 1,
    "max_age": -1,
    "traceback": "x",
}
"""What Dramatiq's own middlewares would act upon."""


class _Bomb:
    """Unpickled, it would leave a file behind."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self._path,)


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    """Give what somebody with access to the broker has."""
    with Redis.from_url(redis_url) as client:
        yield client


def test_hostile_messages_change_nothing_and_the_worker_goes_on(
    distributed: Deployment, client_of: ClientOf, redis: Redis, tmp_path: Path
) -> None:
    """The broker is not trusted: a message can ring, and do nothing else."""
    # Given a worker with one thread, so that whatever stops it stops everything
    distributed.configure(worker_threads=1)
    worker = distributed.worker()
    web = distributed.fastapi()
    ours, theirs = client_of(web), client_of(web, "others")
    done = theirs.accepted("U-THEIRS")
    theirs.complete(done)
    served = theirs.download(done).content
    crater, waiting = tmp_path / "crater", "hostile-0"
    hostile = {
        "garbage": b"\x00\xff\xfe garbage \x80",
        "nothing": b"",
        "a pickle": pickle.dumps(_Bomb(crater)),
        "no object": b"[1, 2, 3]",
        "null": b"null",
        "too deep": b"[" * 200_000,
        "too large": _message([("x" * 10_485_760)]),
        "an unknown actor": _message([done], actor_name="os.system"),
        "an unknown queue": _message([done], queue_name="elsewhere"),
        "a job that has ended": _message([done]),
        "no job": _message(["00000000-0000-4000-8000-000000000000"]),
        "a statement": _message(["'; DROP TABLE sqr_jobs_job; --"]),
        "no string": _message([{"job": [done]}]),
        "a NUL": _message(["\x00"]),
        "a surrogate": _message(["\ud800"]),
        "too many arguments": _message([done, done, done]),
        "keywords": _message([], kwargs={"job_id": done, "shell": True}),
        "no arguments": _message(None),
        "no options": _message([done], options=None),
        "no message id in its options": _message([done], options={}),
        "a late hour": _message([done], options={"redis_message_id": "late", "eta": 99_999_999_999_999}),
        "a missing field": json.dumps({"queue_name": "sqr_jobs"}).encode(),
        "fields of wrong types": _message({"0": done}, queue_name=7, actor_name=None, kwargs=[], options=[]),
        "arguments that are a text": _message(done),
        "an id of a wrong type": _message([done], message_id={"$ne": None}),
        "a redis id of a wrong type": _message([done], options={"redis_message_id": [waiting]}),
        "another message's redis id": _message([done], options={"redis_message_id": waiting}),
        "options of Dramatiq's": _message([done], options={**_OPTIONS, "redis_message_id": "hostile"}),
        "numbers that are none": b'{"message_timestamp": NaN, "args": [Infinity], "options": {}}',
        "a field twice": _message([done])[:-1] + b', "actor_name": "os.system"}',
    }
    before, queue = _rows(distributed), distributed.queue_key
    # When each of these arrives
    stopped = []
    for number, (what, data) in enumerate(hostile.items()):
        _push(redis, queue, f"hostile-{number}", data)
        wait_until(lambda: redis.llen(queue) == 0, seconds=15, what=f"the fetching of {what}")
        if not _serves(ours, worker, f"U-AFTER-{number}"):
            stopped.append(what)
            worker.kill()
            redis.flushall()  # it would stop the next one too
            worker = distributed.worker()
    # Then the worker goes on after each, and nothing has changed
    assert stopped == []
    after = _rows(distributed)
    assert {key: row for key, row in after.items() if key in before} == before
    assert theirs.download(done).content == served
    assert not crater.exists()


def test_ids_without_messages_do_not_stop_a_worker(
    distributed: Deployment, client_of: ClientOf, redis: Redis
) -> None:
    """Whoever evicts keys from a full Redis may take the messages and leave the queue."""
    distributed.configure(worker_threads=1)
    worker = distributed.worker()
    client = client_of(distributed.fastapi())
    client.complete(client.accepted("U-BEFORE"))
    redis.rpush(distributed.queue_key, *[f"nothing-{number}" for number in range(50)])
    assert _serves(client, worker, "U1")


def test_a_message_that_names_another_orgs_waiting_job_only_rings(
    distributed: Deployment, client_of: ClientOf, redis: Redis
) -> None:
    """It is then made for the org that asked for it, as it would have been anyway (I10)."""
    web = distributed.fastapi()
    ours, theirs = client_of(web), client_of(web, "others")
    job_id = theirs.accepted("U1")
    redis.flushall()
    _push(redis, distributed.queue_key, "hostile", _message([job_id]))
    distributed.worker()
    theirs.complete(job_id)
    assert ours.look(job_id).status_code == 404


def test_messages_on_the_queues_beside_ours_are_nobodys_work(
    distributed: Deployment, client_of: ClientOf, redis: Redis
) -> None:
    """Dramatiq has a queue for delays and one for dead messages; what is put there runs no job."""
    distributed.configure(worker_threads=1)
    worker = distributed.worker()
    web = distributed.fastapi()
    ours, theirs = client_of(web), client_of(web, "others")
    done = theirs.accepted("U-THEIRS")
    theirs.complete(done)
    before = _rows(distributed)
    for beside in (".DQ", ".XQ"):
        name = f"{distributed.queue_key}{beside}"
        redis.delete(name)  # the dead ones' is a sorted set
        for number, data in enumerate(
            (pickle.dumps(beside), _message([done], queue_name=f"sqr_jobs{beside}"))
        ):
            redis.hset(f"{name}.msgs", f"hostile-{number}", data)
            redis.rpush(name, f"hostile-{number}")
    assert _serves(ours, worker, "U1")
    assert _serves(ours, worker, "U2")
    after = _rows(distributed)
    assert {key: row for key, row in after.items() if key in before} == before


def test_a_key_of_another_type_under_the_queues_name_does_not_end_the_worker(
    distributed: Deployment, client_of: ClientOf, redis: Redis
) -> None:
    """Another program's key in a shared Redis costs jobs a moment: the worker then looks for them itself."""
    worker = distributed.worker()
    client = client_of(distributed.fastapi())
    client.complete(client.accepted("U1"))
    wait_until(lambda: redis.set(distributed.queue_key, "not a list"), seconds=1, what="the key")
    client.complete(client.accepted("U2"))
    assert redis.get(distributed.queue_key) == b"not a list"
    wait_until(lambda: "(ResponseError WRONGTYPE)" in worker.said(), seconds=15, what="the line in the log")
    redis.delete(distributed.queue_key)
    client.complete(client.accepted("U3"))
    assert worker.is_alive()


def _message(arguments: Any, **fields: Any) -> bytes:
    message = {
        "queue_name": "sqr_jobs",
        "actor_name": "sqr_jobs_process",
        "args": arguments,
        "kwargs": {},
        "options": {"redis_message_id": "hostile"},
        "message_id": "hostile",
        "message_timestamp": 0,
    }
    return json.dumps({**message, **fields}).encode()


def _push(redis: Redis, queue: str, message_id: str, data: bytes) -> None:
    redis.hset(f"{queue}.msgs", message_id, data)
    redis.rpush(queue, message_id)


def _serves(client: Client, worker: Program, user_id: str) -> bool:
    try:
        client.complete(client.accepted(user_id), seconds=10)
    except TimeoutError:
        return False
    return worker.is_alive()


def _rows(deployment: Deployment) -> dict[tuple[str, object], Any]:
    with deployment.database.read() as connection:
        jobs = connection.execute(select(job)).all()
        events = connection.execute(select(audit)).all()
    return {("job", row.job_id): tuple(row) for row in jobs} | {
        ("event", row.audit_id): tuple(row) for row in events
    }
