"""A PostgreSQL connection that does not wait for ever.

The server's own timeouts can't help against a server that does not answer at all, and the network notices
only what is not acknowledged. So each wait of the client has an end too.
"""

from typing import Any

import psycopg
from sqlalchemy import Engine, event

__all__ = ["bound_waits"]


def bound_waits(engine: Engine, timeout_s: float) -> None:
    """Let every wait on this engine's connections end after `timeout_s`, with the connection closed."""

    class PatientConnection(psycopg.Connection[Any]):
        """Waits for each answer, but not for ever."""

        patience_s: float | None = timeout_s
        """None while a migration runs."""

        def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
            try:
                return super().wait(gen, interval, self.patience_s if timeout is None else timeout)
            except psycopg.errors._WaitTimeout:  # noqa: SLF001 - named in the docstring of `wait`
                if timeout is not None:
                    raise
                self.pgconn.finish()
                raise psycopg.OperationalError("the server did not answer in time") from None

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _record: Any, arguments: Any, keywords: Any) -> psycopg.Connection[Any]:
        return PatientConnection.connect(*arguments, **keywords)
