"""The job queue's contract suite on RabbitMQ; what is said there of Redis alone, `test_broker.py` says."""

from tests.contracts.test_job_queue import (
    test_a_message_holds_the_jobs_id_and_nothing_else,
    test_a_message_whose_work_fails_is_gone_all_the_same,
    test_a_ring_is_one_message_that_waits,
    test_a_worker_is_told_of_each_ring,
    test_workers_that_announce_themselves_are_told_with_their_database,
)

__all__ = [
    "test_a_message_holds_the_jobs_id_and_nothing_else",
    "test_a_message_whose_work_fails_is_gone_all_the_same",
    "test_a_ring_is_one_message_that_waits",
    "test_a_worker_is_told_of_each_ring",
    "test_workers_that_announce_themselves_are_told_with_their_database",
]
