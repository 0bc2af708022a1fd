"""A real RabbitMQ: what it pushes, confirms and counts can't be told from a fake."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import pika
import pika.exceptions

from tests.servers.ports import free_port
from tests.servers.process import RunningServer, ServerIsExternal, ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PERMISSIONS", "RabbitmqServer"]

_VARIABLE = "SQR_JOBS_TEST_AMQP_URL"
_DEBIAN = "/usr/lib/rabbitmq/bin"
_USER, _VHOST = "reports", "re/ports"
PERMISSIONS = {"configure": "^sqr_jobs", "write": r"^(amq\.default|sqr_jobs.*)$", "read": "^sqr_jobs"}
"""What docs/howto/rabbitmq.md has an operator give, and no more."""


class RabbitmqServer(RunningServer):
    """A RabbitMQ of our own, if the program is installed, or an external one by its URL.

    Its user may touch the library's own queues only, so that each test also shows that this is enough.
    """

    def __init__(self, *, external_url: str | None = None) -> None:
        self._external_url = external_url
        self._url = external_url or ""
        self._process: ServerProcess | None = None

    @classmethod
    def from_environment(cls) -> Self:
        """Return the server that SQR_JOBS_TEST_AMQP_URL names, or one of our own."""
        return cls(external_url=os.environ.get(_VARIABLE))

    @property
    def url(self) -> str:
        """The URL of a virtual host; the same after a restart."""
        return self._url

    def start(self) -> None:
        """Start the server and return when it answers; leave one that answers alone.

        Raises:
            FileNotFoundError: RabbitMQ isn't installed; the message says how to.
            ServerDidNotStart: our own server failed to.
            pika.exceptions.AMQPError: the external server doesn't answer.

        """
        if self._external_url is not None:
            with self.channel():
                return
        self._own_process().start(answers=self._answers)

    def kill(self) -> None:
        """Kill every process of the server at one blow; durable queues stay, the messages in them don't."""
        self._own_process().kill()

    def close(self) -> None:
        """Kill our own server and delete its data; leave an external one alone."""
        if self._process is not None:
            self._process.kill()  # an orderly end would leave epmd behind
            self._process.close()
            self._process = None

    @contextlib.contextmanager
    def channel(self) -> Iterator[Any]:
        """Give a channel, as somebody else who may use this virtual host has one."""
        connection = pika.BlockingConnection(pika.URLParameters(self.url))
        try:
            yield connection.channel()
        finally:
            if connection.is_open:
                connection.close()

    def delete_queues(self) -> None:
        """Delete the library's queues, as if the broker had lost its data."""
        with self.channel() as channel:
            for name in ("sqr_jobs", "sqr_jobs.workers"):
                channel.queue_delete(name)

    def _own_process(self) -> ServerProcess:
        if self._external_url is not None:
            raise ServerIsExternal(_VARIABLE)
        if self._process is None:
            self._process = self._install()
        return self._process

    def _install(self) -> ServerProcess:
        program = _program()
        folder = Path(tempfile.mkdtemp(prefix="sqr-jobs-rabbitmq-"))
        port, password = free_port(), secrets.token_urlsafe(16) + "/@;%"
        self._url = f"amqp://{_USER}:{quote(password, safe='')}@127.0.0.1:{port}/{quote(_VHOST, safe='')}"
        account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        files = {
            "definitions.json": json.dumps(_definitions(password)),
            "plugins": "[].",
            "rabbitmq.conf": "\n".join(
                [
                    f"listeners.tcp.1 = 127.0.0.1:{port}",
                    f"load_definitions = {folder}/definitions.json",
                    "log.console = true",
                    "log.console.level = warning",
                    "log.file = false",
                    "",
                ]
            ),
        }
        for name, text in files.items():
            (folder / name).write_text(text)
        if account is not None:
            for path in (folder, *folder.iterdir()):
                os.chown(path, account.pw_uid, account.pw_gid)
        return ServerProcess(_command(program, folder), folder=folder, account=account)

    def _answers(self) -> bool:
        try:
            with self.channel():
                return True
        except (pika.exceptions.AMQPError, OSError):
            return False


def _definitions(password: str) -> dict[str, Any]:
    return {
        "vhosts": [{"name": _VHOST}],
        "users": [{"name": _USER, "password": password, "tags": ""}],
        "permissions": [{"user": _USER, "vhost": _VHOST, **PERMISSIONS}],
    }


def _command(program: str, folder: Path) -> list[str]:
    """Run one node with nothing of the machine's configuration, and with a name service of its own.

    Erlang would start that service, epmd, as a daemon that outlives everybody; in the foreground it is a
    child of the server and ends with it. NOTIFY_SOCKET has the script become the server, not its parent.
    """
    settings = {
        "RABBITMQ_NODENAME": "sqr-jobs@localhost",
        "RABBITMQ_CONFIG_FILE": folder / "rabbitmq.conf",
        "RABBITMQ_ADVANCED_CONFIG_FILE": "/dev/null",
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_ENABLED_PLUGINS_FILE": folder / "plugins",
        "RABBITMQ_MNESIA_BASE": folder,
        "RABBITMQ_LOG_BASE": folder,
        "RABBITMQ_DIST_PORT": free_port(),
        "ERL_EPMD_PORT": free_port(),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "NOTIFY_SOCKET": "/dev/null",
    }
    variables = [f"{name}={value}" for name, value in settings.items()]
    return ["/usr/bin/env", *variables, "/bin/sh", "-c", 'epmd & exec "$0"', program]


def _program() -> str:
    """Return the path of the server's own script: Debian's on PATH wants to be root, or its own user."""
    found = shutil.which(
        "rabbitmq-server", path=os.pathsep.join([_DEBIAN, os.environ.get("PATH", os.defpath)])
    )
    if found is None:
        raise FileNotFoundError(
            "RabbitMQ is not here. Install it (apt-get install rabbitmq-server; `nox -s rabbitmq` does it as "
            f"root), or name a virtual host of another in {_VARIABLE}."
        )
    return found
