"""MariaDB, and MySQL, which speaks nearly the same, by PyMySQL."""

import inspect
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.exc import SQLAlchemyError

from sqr_jobs.adapters.sql.dialects.dialect import Dialect, dotted, needing_driver
from sqr_jobs.adapters.sql.dialects.reasons import mysql_reason
from sqr_jobs.adapters.sql.dialects.turns import await_turn, unbound
from sqr_jobs.errors import ConfigurationError

__all__ = ["MySql"]

_LOWEST = {True: (10, 6), False: (8, 0, 17)}
"""By whether it is MariaDB: SKIP LOCKED, and on MySQL a collation that compares bytes without padding."""

# Of the comments MariaDB carries out /*M! … */ alone, and MySQL /*!… … */ alone: one text serves both.
_BOUNDS = (
    "innodb_lock_wait_timeout={seconds}, lock_wait_timeout={seconds}"
    ", sql_mode=CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES')"
    " /*M! , max_statement_time={timeout_s}, idle_transaction_timeout={twice} */"
    " /*!50708 , max_execution_time={timeout_ms} */"
)
_KEEP = (
    "@sqr_jobs_wait=@@innodb_lock_wait_timeout, @sqr_jobs_lock=@@lock_wait_timeout, @sqr_jobs_mode=@@sql_mode"
    " /*M! , @sqr_jobs_time=@@max_statement_time, @sqr_jobs_idle=@@idle_transaction_timeout */"
    " /*!50708 , @sqr_jobs_time=@@max_execution_time */"
)
_RESTORE = (
    "SET innodb_lock_wait_timeout=@sqr_jobs_wait, lock_wait_timeout=@sqr_jobs_lock, sql_mode=@sqr_jobs_mode"
    " /*M! , max_statement_time=@sqr_jobs_time, idle_transaction_timeout=@sqr_jobs_idle */"
    " /*!50708 , max_execution_time=@sqr_jobs_time */"
)
# It changes the row, which a cluster of several writers compares, as it does not a lock alone.
_LOCK_ORG = text("UPDATE sqr_jobs_org_lock SET taken = taken + 1 WHERE service = :service AND org_id = :org")
_NEW_ORG = text(
    "INSERT INTO sqr_jobs_org_lock (service, org_id, taken) VALUES (:service, :org, 0)"
    " ON DUPLICATE KEY UPDATE taken = taken"
)
_NO_SUCH_COLUMN, _NO_SUCH_TABLE = 1054, 1146
_USELESS_SESSION = frozenset(
    {
        1047,  # a node of a Galera cluster that is not ready
        1053,  # shutting down
        1290,  # read_only: a primary that became a replica
        1792,  # the session's transactions are read-only
        1836,  # the whole server is
    }
)
_TURN = "CONCAT('sqr_jobs:', MD5(DATABASE()))"  # the lock's name is the whole server's
_TAKE_TURN, _GIVE_TURN = text(f"SELECT GET_LOCK({_TURN}, 0)"), text(f"SELECT RELEASE_LOCK({_TURN})")
_ODD_TABLES = text(
    "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"
    " AND table_name LIKE 'sqr\\_jobs\\_%' AND engine <> 'InnoDB' ORDER BY table_name"
)
_ODD_COLLATIONS = text(
    "SELECT CONCAT(table_name, '.', column_name) FROM information_schema.columns"
    " WHERE table_schema = DATABASE() AND table_name IN ('sqr_jobs_job', 'sqr_jobs_idempotency')"
    " AND column_name IN ('service', 'org_id', 'user_id', 'job_id', 'key_hash')"
    " AND collation_name NOT IN ('utf8mb4_nopad_bin', 'utf8mb4_0900_bin') ORDER BY 1"
)


class MySql(Dialect):
    """READ COMMITTED; the org's lock is a row of its own (docs/decisions/0013-mariadb.md)."""

    names = frozenset({"mysql", "mariadb"})
    url = "mariadb+pymysql://"
    drivers = dict.fromkeys(("mysql", "mariadb", "mysql+pymysql", "mariadb+pymysql"), "mysql+pymysql")
    port = 3306
    needed_rights = (
        "Its user needs SELECT, INSERT, UPDATE and DELETE on the tables sqr_jobs_*, and a server that takes "
        "writes: docs/howto/mariadb.md."
    )
    commits_each_step = True

    def make_engine(self, url: URL, *, timeout_s: float, pool_size: int) -> Engine:
        """Make an engine with every timeout of the server and of the client."""
        with needing_driver("MariaDB and MySQL", extra="mysql"):
            engine = create_engine(
                url.update_query_dict({"charset": "utf8mb4"}),
                pool_size=pool_size,
                pool_pre_ping=True,
                isolation_level="READ COMMITTED",
                pool_timeout=timeout_s,
                hide_parameters=True,  # they hold ids and the causes of failures
                connect_args=_patient(url, timeout_s),
            )
        _refuse_unknown_options(engine)
        bounds = f"SET {_bounds(math.ceil(timeout_s * 1000))}"

        @event.listens_for(engine, "connect")
        def _prepare(connection: Any, _record: Any) -> None:
            cursor = connection.cursor()
            cursor.execute(bounds)
            cursor.close()

        return engine

    @contextmanager
    def reading(self, connection: Connection, timeout_ms: int | None) -> Iterator[None]:
        """Bound a host's session, and leave it as it was: there is nothing that a transaction could own."""
        if timeout_ms is None:
            yield
            return
        connection.exec_driver_sql(f"SET {_KEEP}, {_bounds(timeout_ms)}")
        try:
            yield
        finally:
            with suppress(SQLAlchemyError):  # of a connection that is gone
                connection.exec_driver_sql(_RESTORE)

    def lock_org(self, connection: Connection, service: str, org_id: str) -> bool:
        """Change the org's row, which locks it; GET_LOCK would not end with the transaction."""
        return connection.execute(_LOCK_ORG, {"service": service, "org": org_id}).rowcount > 0

    def add_org(self, connection: Connection, service: str, org_id: str) -> None:
        """Make the org's row for good.

        One that a rollback took would leave those who wait for it with a lock on the gap, in which nobody
        else could make theirs.
        """
        connection.execute(_NEW_ORG, {"service": service, "org": org_id})

    def enter(self, connection: Connection) -> None:
        """Look at the isolation level, and that there is a transaction at all."""
        super().enter(connection)
        if connection.exec_driver_sql("SELECT @@autocommit").scalar_one():
            raise ConfigurationError(
                "reports.create(connection=…) needs a transaction, and this connection commits each "
                'statement. Use one with execution_options(isolation_level="READ COMMITTED").'
            )

    def lacks_tables(self, error: BaseException) -> bool:
        """Read it from the number."""
        return bool(error.args) and error.args[0] in (_NO_SUCH_COLUMN, _NO_SUCH_TABLE)

    def reason(self, error: BaseException) -> str | None:
        """Read it from the number."""
        return mysql_reason(error) if type(error).__module__.startswith("pymysql") else None

    def ends_session(self, error: BaseException) -> bool:
        """Read it from the number."""
        return bool(error.args) and error.args[0] in _USELESS_SESSION

    def told(self, connection: Connection) -> str:
        """Say which of the two it is, whatever the URL says."""
        version = connection.dialect.server_version_info or ()
        return f"{'mariadb' if _is_mariadb(connection) else 'mysql'} {dotted(version)}"

    def check_server(self, connection: Connection) -> None:
        """Refuse a server without SKIP LOCKED."""
        lowest = _LOWEST[_is_mariadb(connection)]
        if (connection.dialect.server_version_info or ()) < lowest:
            raise ConfigurationError(
                f"{self.told(connection)} is too old. Use {dotted(lowest)} or later, or another database."
            )

    def check(self, connection: Connection) -> None:
        """Refuse tables without transactions, and ids that are folded."""
        super().check(connection)
        odd = connection.execute(_ODD_TABLES).scalars().all()
        if odd:
            raise ConfigurationError(
                f"{', '.join(odd)} can't be rolled back. Run: ALTER TABLE {odd[0]} ENGINE=InnoDB"
            )
        folded = connection.execute(_ODD_COLLATIONS).scalars().all()
        if folded:
            raise ConfigurationError(
                f"{', '.join(folded)} have a collation that takes different ids for one, so an "
                "organisation could see another's jobs. Give their tables back the one that "
                "`sqr-jobs db upgrade` had given: utf8mb4_nopad_bin on MariaDB, utf8mb4_0900_bin on MySQL"
            )

    @contextmanager
    def migrating(self, connection: Connection) -> Iterator[None]:
        """Take lock and time for the session: each statement commits, so no transaction could own them."""
        await_turn(lambda: bool(connection.scalar(_TAKE_TURN)))
        connection.exec_driver_sql(
            "SET @sqr_jobs_unbound=1 /*M! , @sqr_jobs_was=@@max_statement_time, max_statement_time=0 */"
        )
        connection.commit()
        try:
            with unbound(connection, "_read_timeout"):  # PyMySQL has no public way
                yield
        except BaseException:
            with suppress(SQLAlchemyError):  # if the connection broke, lock and settings went with it
                _give_turn(connection)
            raise
        _give_turn(connection)


def _give_turn(connection: Connection) -> None:
    connection.rollback()
    connection.execute(_GIVE_TURN)
    connection.exec_driver_sql("SET @sqr_jobs_unbound=0 /*M! , max_statement_time=@sqr_jobs_was */")
    connection.commit()


def _is_mariadb(connection: Connection) -> bool:
    return bool(getattr(connection.dialect, "is_mariadb", False))


def _bounds(timeout_ms: int) -> str:
    seconds = math.ceil(timeout_ms / 1000)
    return _BOUNDS.format(
        seconds=seconds, twice=2 * seconds, timeout_s=timeout_ms / 1000, timeout_ms=timeout_ms
    )


def _patient(url: URL, timeout_s: float) -> dict[str, Any]:
    """Let no wait of the client last for ever; what the URL says wins."""
    patience = {"connect_timeout": timeout_s, "read_timeout": timeout_s + 1, "write_timeout": timeout_s + 1}
    return {name: value for name, value in patience.items() if name not in url.query}


def _refuse_unknown_options(engine: Engine) -> None:
    """Say at the start what the driver would raise a TypeError about at each connection."""
    driver: Any = engine.dialect.loaded_dbapi
    known = inspect.signature(driver.Connection).parameters
    given = engine.dialect.create_connect_args(engine.url)[1]
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ConfigurationError(
            f"SQR_JOBS_DATABASE_URL has the option {unknown[0]}, which PyMySQL does not know. Take it out."
        )
