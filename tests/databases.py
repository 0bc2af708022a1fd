"""Which databases a run of the tests is about, and how a host makes an engine for each."""

import os

from sqlalchemy import Connection, Engine, create_engine, make_url

__all__ = ["DATABASES", "SERVERS", "cut", "host_engine_for"]

DATABASES = tuple(os.environ.get("SQR_TEST_DATABASES", "sqlite,postgresql").split(","))
"""Of `sqlite`, `postgresql` and `mariadb`; SQR_TEST_DATABASES says which, separated by commas.

MariaDB comes by no wheel, so it has a session of its own: `nox -s mariadb`.
"""

SERVERS = tuple(name for name in DATABASES if name != "sqlite")
"""Those with connections that can be cut, pools of the host's, and transactions that the host isolates."""

_CUT = {
    "postgresql": ("SELECT pg_backend_pid()", "SELECT pg_terminate_backend({})"),
    "mysql": ("SELECT connection_id()", "KILL CONNECTION {}"),
}


def cut(connection: Connection) -> None:
    """Let the server end a connection, which learns of it by its next statement."""
    own, terminate = _CUT[connection.dialect.name]
    number = connection.exec_driver_sql(own).scalar_one()
    with connection.engine.connect() as other:
        other.exec_driver_sql(terminate.format(number))


def host_engine_for(url: str) -> Engine:
    """Make an engine as a host does that creates jobs in transactions of its own."""
    # READ COMMITTED is not what MariaDB has by default: docs/howto/mariadb.md.
    options = {"isolation_level": "READ COMMITTED"} if make_url(url).get_backend_name() == "mysql" else {}
    return create_engine(url, **options)
