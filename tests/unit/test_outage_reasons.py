"""Why a server refused and where it is, in words that are safe to show."""

import sqlite3

import pika.exceptions
import psycopg
import pytest
import redis
from redis.exceptions import NoPermissionError
from sqlalchemy import make_url

from sqr_jobs.adapters.broker_outages import broker_address, broker_reason
from sqr_jobs.adapters.sql.dialects import dialect_named, reason_of

_HBA = 'FATAL:  no pg_hba.conf entry for host "10.0.0.9", user "canary", database "canary", '


# Its driver is in the MariaDB session alone; the number and the text are all that is read.
_MySqlError = type("OperationalError", (Exception,), {"__module__": "pymysql.err"})
_MYSQL_HOST = "Can't connect to MySQL server on 'canary'"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (psycopg.OperationalError(f"{_HBA}no encryption"), "refused without TLS"),
        (psycopg.OperationalError(f"{_HBA}SSL encryption"), "this client is refused"),
        (psycopg.OperationalError('FATAL:  role "canary" does not exist'), "the role can't log in"),
        (psycopg.OperationalError("the server did not answer in time"), "timed out"),
        (psycopg.OperationalError("canary"), "OperationalError"),
        (psycopg.errors.UniqueViolation("canary"), "UniqueViolation, SQLSTATE 23505"),
        (psycopg.errors.QueryCanceled("canary"), "QueryCanceled, SQLSTATE 57014"),
        (_MySqlError(1045, "Access denied for user 'canary'"), "rejected, error 1045"),
        (_MySqlError(1049, "Unknown database 'canary'"), "no such database, error 1049"),
        (_MySqlError(2003, f"{_MYSQL_HOST} ([Errno 111] Connection refused)"), "refused, error"),
        (_MySqlError(2003, f"{_MYSQL_HOST} ([Errno -2] Name or service)"), "no connection"),
        (_MySqlError(2003, f"{_MYSQL_HOST} (Name or service not known)"), "unknown host"),
        (_MySqlError(3159, "insecure transport canary"), "refused without TLS, error 3159"),
        (
            _MySqlError(1142, "INSERT command denied to user 'canary'@'canary' for table `a`.`b`"),
            "INSERT is denied for the table b, error 1142",
        ),
        (_MySqlError(1290, "--read-only canary"), "the server is read-only, error 1290"),
        (sqlite3.OperationalError("canary"), "OperationalError"),
        (None, "unknown"),
    ],
    ids=str,
)
def test_a_database_s_reason_is_known_by_its_code_and_names_nobody(
    error: BaseException | None, reason: str
) -> None:
    """Logs hold it; a driver's own text names hosts, users and values."""
    told = reason_of(error)
    assert reason in told
    assert "canary" not in told


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (redis.AuthenticationError("invalid pair canary"), "the password was rejected"),
        (NoPermissionError("canary has no permissions to run the 'blmove' command"), "NOPERM"),
        (redis.exceptions.OutOfMemoryError("Command # 1 (SET canary)"), "OOM: the memory is full"),
        (redis.ResponseError("unknown command 'BLMOVE', with args: 'canary'"), "no command BLMOVE"),
        (redis.ConnectionError("Connection closed by server."), "does it demand TLS?"),
        (redis.TimeoutError("canary"), "timed out"),
        (redis.ResponseError("canary"), "ResponseError"),
        (pika.exceptions.ProbableAuthenticationError("canary"), "the user or the password"),
        (pika.exceptions.AMQPConnectionError(ConnectionRefusedError(111, "canary")), "connection refused"),
        (pika.exceptions.ChannelClosedByBroker(403, "ACCESS_REFUSED canary"), "ACCESS_REFUSED"),
        (pika.exceptions.ConnectionClosedByBroker(530, "NOT_ALLOWED canary"), "NOT_ALLOWED"),
    ],
    ids=repr,
)
def test_a_broker_s_reason_is_known_by_its_class_and_names_nobody(error: BaseException, reason: str) -> None:
    """redis-py quotes commands with their values, RabbitMQ users and virtual hosts."""
    told = broker_reason(error)
    assert reason in told
    assert "canary" not in told


_UNREADABLE = "an address that can't be read: write special characters of the password as %-escapes"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://u:canary@h/0", "h:6379/0"),
        ("rediss://:canary@h:6380/1?password=canary", "h:6380/1"),
        ("redis://[::1]/0", "[::1]:6379/0"),
        ("unix://u:canary@/run/redis.sock?password=canary", "/run/redis.sock"),
        ("amqps://u:canary@h/reports", "h:5671/reports"),
        ("redis+sentinel://:canary@a:1,b:2/main", "a:1,b:2/main"),
        ("redis://u:12#canary@h/0", _UNREADABLE),
        ("redis://u:canary/12@h/0", _UNREADABLE),
        ("redis://u:[canary@h/0", _UNREADABLE),
    ],
)
def test_a_broker_s_address_shows_no_secret(url: str, address: str) -> None:
    """A password with a special character ends the address early, and would be shown as its host."""
    assert broker_address(url) == address


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("postgresql+psycopg://u:canary@h/app?password=canary", "h:5432/app"),
        ("postgresql+psycopg://u:canary@/app?host=/run/postgresql", "/run/postgresql:5432/app"),
        ("mysql+pymysql://u:canary@h:3307/app", "h:3307/app"),
        ("sqlite:////var/lib/app/jobs.db", "/var/lib/app/jobs.db"),
        ("postgresql+psycopg://u:can@ary@h/app", _UNREADABLE),
    ],
)
def test_a_database_s_address_shows_no_secret(url: str, address: str) -> None:
    """Host, port and database alone are taken from the URL."""
    parsed = make_url(url)
    dialect = dialect_named(parsed.get_backend_name())
    assert dialect is not None
    assert dialect.address(parsed) == address
