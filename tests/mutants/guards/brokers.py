"""The guards of rings, the relay and the rate limiter."""

from tests.mutants.guards.guard import Guard

__all__ = ["BROKERS"]

_SHELTER = "tests/contracts/test_sheltered_documents.py"

BROKERS = (
    Guard(
        name="the relay rings for what waits",
        file="sqr_jobs/maintenance.py",
        code="        missing = min(due - self._queue.waiting(), _BATCH)\n",
        without="        missing = 0\n",
        tests=("tests/unit/test_maintenance.py",),
    ),
    Guard(
        name="the relay rings no more than is missing",
        file="sqr_jobs/maintenance.py",
        code="        missing = min(due - self._queue.waiting(), _BATCH)\n",
        without="        missing = min(due, _BATCH)\n",
        tests=("tests/unit/test_maintenance.py",),
    ),
    Guard(
        name="a broker that fails is left alone",
        file="sqr_jobs/adapters/dramatiq_queue.py",
        code="            self._breaker.trip()\n            raise\n",
        without="            raise\n",
        tests=("tests/contracts/test_ringing_in_time.py",),
    ),
    Guard(
        name="a message for another hour is refused",
        file="sqr_jobs/adapters/honest_message.py",
        code='        and "eta" not in message.options\n',
        without="",
        tests=("tests/unit/test_honest_message.py",),
    ),
    Guard(
        name="an id that no job can have is not looked up",
        file="sqr_jobs/actors.py",
        code=" and len(job_id) <= _JOB_ID",
        without="",
        tests=("tests/unit/test_honest_message.py",),
    ),
    Guard(
        name="a session that Redis refuses is closed",
        file="sqr_jobs/adapters/redis_connections.py",
        code="                self.is_refused = True\n",
        without="",
        tests=("tests/contracts/test_broker_failover.py",),
    ),
    Guard(
        name="an address of Redis lifts no bound",
        file="sqr_jobs/adapters/redis_connections.py",
        code='        "socket_timeout": timeout_s,\n',
        without='        "socket_timeout": options.get("socket_timeout", timeout_s),\n',
        tests=("tests/contracts/test_ringing_in_time.py",),
    ),
    Guard(
        name="replies of Redis are read as bytes",
        file="sqr_jobs/adapters/redis_connections.py",
        code="    if found := [name for name in _CHANGES_REPLIES if name in names]:\n",
        without="    if found := []:\n",
        tests=("tests/unit/test_wiring.py",),
    ),
    Guard(
        name="services on one Redis keep apart",
        file="sqr_jobs/adapters/redis_broker.py",
        code='        return f"sqr_jobs:{self._identity()}"\n',
        without='        return "sqr_jobs:all"\n',
        tests=("tests/contracts/test_shared_redis.py",),
    ),
    Guard(
        name="jobs do not wait for a broker that fails",
        file="sqr_jobs/maintenance.py",
        code="            self._ring_own(self._own, due)\n            raise",
        without="            raise",
        tests=("tests/unit/test_maintenance.py",),
    ),
    Guard(
        name="jobs do not wait for messages that can't be fetched",
        file="sqr_jobs/maintenance.py",
        code="self._own is not None and self._own.is_cut_off",
        without="False",
        tests=("tests/unit/test_maintenance.py",),
    ),
    Guard(
        name="a worker without a broker makes no more attempts than it has threads",
        file="sqr_jobs/adapters/worker_lifecycle.py",
        code="        with self._slots:\n",
        without="        if True:\n",
        tests=("tests/unit/test_own_rings.py",),
    ),
    Guard(
        name="rings of its own find room among a worker's threads",
        file="sqr_jobs/adapters/own_rings.py",
        code=" or self._taken >= self._room",
        without="",
        tests=("tests/unit/test_own_rings.py",),
    ),
    Guard(
        name="a worker that drains is no longer announced",
        file="sqr_jobs/maintenance.py",
        code="                self._at_end()",
        without="                pass",
        tests=("tests/unit/test_maintenance.py",),
    ),
    Guard(
        name="after a breaker's time, one call is a probe",
        file="sqr_jobs/adapters/circuit_breaker.py",
        code="            self._probe_at = self._now() + self._open_s\n            return True\n",
        without="            return True\n",
        tests=(_SHELTER,),
    ),
)
