"""Which messages of a broker are taken for rings."""

import json
from typing import Any

import dramatiq
import pytest
from dramatiq.brokers.stub import StubBroker

from sqr_jobs.actors import ACTOR, QUEUE, declare_actors
from sqr_jobs.adapters.honest_message import honest_message

_OWN = "redis_message_id"


def _read(**fields: Any) -> dramatiq.Message[Any]:
    sent = {
        "queue_name": QUEUE,
        "actor_name": ACTOR,
        "args": ["job"],
        "kwargs": {"shell": True},
        "options": {_OWN: "1", "retries": 9},
        "message_id": "m",
        "message_timestamp": 0,
        **fields,
    }
    return honest_message(json.dumps(sent).encode(), queue_name=QUEUE, actors={ACTOR}, own_option=_OWN)


def test_a_ring_is_read_without_what_a_ring_does_not_have() -> None:
    """Dramatiq acts upon options, and an actor upon keywords."""
    message = _read()
    assert (message.args, message.kwargs, message.options) == (("job",), {}, {_OWN: "1"})


@pytest.mark.parametrize(
    "fields",
    [
        {"options": {_OWN: "1", "eta": 99_999_999_999_999}},
        {"options": {_OWN: 1}},
        {"options": {}},
        {"queue_name": "elsewhere"},
        {"actor_name": "os.system"},
        {"message_id": {"$ne": None}},
    ],
    ids=str,
)
def test_a_message_that_is_no_ring_for_now_is_refused(fields: dict[str, Any]) -> None:
    """It would hold a thread until its hour, or end the consumer."""
    with pytest.raises((ValueError, KeyError)):
        _read(**fields)


@pytest.mark.parametrize("job_id", ["x" * 37, {"job": "x"}, 7, None], ids=str)
def test_a_ring_with_no_id_of_a_job_rings_for_the_oldest(job_id: object) -> None:
    """What the database is asked for has a bound: a message may hold megabytes."""
    broker, processed = StubBroker(middleware=[]), []
    declare_actors(broker, lambda named: processed.append(named) or True)
    actor = broker.get_actor(ACTOR)
    actor(job_id)
    actor("x" * 36)
    assert processed == [None, "x" * 36]
    broker.close()
