"""Why a database refused, in a few words that hold no address, user, password or value.

A driver's own text may hold all of these, so it is only searched for what is known.
"""

import re
from collections.abc import Iterable

__all__ = ["first_match", "mysql_reason", "postgresql_reason", "sqlite_reason"]

_POSTGRESQL = (
    (r"password authentication failed", "the password was rejected, SQLSTATE 28P01"),
    (r"no password supplied", "a password is demanded, and none is set"),
    (r"pg_hba\.conf.*(no encryption|SSL off)", "refused without TLS: pg_hba.conf, SQLSTATE 28000"),
    (r"pg_hba\.conf", "this client is refused: pg_hba.conf, SQLSTATE 28000"),
    (r"database \".*\" does not exist", "no such database, SQLSTATE 3D000"),
    (r"role \".*\" (does not exist|is not permitted to log in)", "the role can't log in, SQLSTATE 28000"),
    (r"permission denied for database", "the role may not connect to this database, SQLSTATE 42501"),
    (r"does not support SSL", "TLS is demanded, and the server does not offer it"),
    (r"certificate", "TLS failed: the certificate was not verified"),
    (r"SSL error", "TLS failed"),
    (r"connection slots|too many (clients|connections)", "no connection is free, SQLSTATE 53300"),
    (
        r"database system is|not yet accepting|recovery mode",
        "the server is starting or stopping, SQLSTATE 57P03",
    ),
    (r"failed to resolve host|could not translate host name|Name or service not known", "unknown host"),
    (r"Connection refused", "connection refused"),
    (r"timeout expired|timed out|did not answer in time", "timed out"),
    (r"No such file or directory", "no such socket"),
    (r"No route to host|Network is unreachable", "no route to the host"),
    (r"invalid (connection option|port number|integer value)", "the URL has an option that is wrong"),
    (r"closed the connection|connection (is|was) (lost|closed)|terminating connection", "connection lost"),
)
_RIGHT = re.compile(
    r"permission denied for (schema|table|sequence|view|relation|function|type) \w+|must be owner of \w+ \w+"
)
_READ_ONLY = "25006"

_MYSQL = {
    1040: "no connection is free",
    1044: "no such database, or no right to it",
    1045: "the user or the password was rejected",
    1049: "no such database",
    1205: "waited too long for a lock",
    1213: "deadlock",
    1290: "the server is read-only",
    1836: "the server is read-only",
    1969: "the statement timed out",
    2005: "unknown host",
    2006: "connection lost",
    2013: "connection lost, or timed out",
    2026: "TLS failed",
    3024: "the statement timed out",
    3159: "refused without TLS",
}
_MYSQL_RIGHT = re.compile(
    r"^([A-Z, ]+) command denied to user .* for (table|column|routine) \S*?[`']?(\w+)[`']?$"
)
_CANT_CONNECT = 2003
_NETWORK = (
    (r"Name or service not known|getaddrinfo|Temporary failure in name", "unknown host"),
    (r"Connection refused", "connection refused"),
    (r"timed out", "timed out"),
    (r"No such file", "no such socket"),
    (r"No route|unreachable", "no route to the host"),
)

_SQLITE = {
    3: "SQLITE_PERM: access denied",
    5: "SQLITE_BUSY: locked by another process",
    6: "SQLITE_LOCKED: locked",
    8: "SQLITE_READONLY: the file or its folder can't be written",
    10: "SQLITE_IOERR: the disk failed",
    11: "SQLITE_CORRUPT: the file is damaged",
    13: "SQLITE_FULL: the disk is full",
    14: "SQLITE_CANTOPEN: the file can't be opened",
    23: "SQLITE_AUTH: access denied",
    26: "SQLITE_NOTADB: the file is not a database",
}


def first_match(known: Iterable[tuple[str, str]], text: str) -> str | None:
    """Return the words for the first pattern that is found in a text."""
    return next((words for pattern, words in known if re.search(pattern, text)), None)


def postgresql_reason(error: BaseException) -> str | None:
    """Read it from the SQLSTATE; a connection that was refused has none, only libpq's text."""
    code = getattr(error, "sqlstate", None)
    if code is None:
        return first_match(_POSTGRESQL, str(error))
    told = f"{type(error).__name__}, SQLSTATE {code}"
    if code == _READ_ONLY:
        return f"{told}: the session is read-only"
    right = _RIGHT.search(str(error))
    return f"{told}: {right[0]}" if right else told


def mysql_reason(error: BaseException) -> str | None:
    """Read it from the number."""
    number = error.args[0] if error.args else None
    if not isinstance(number, int):
        return None
    text = str(error.args[1]) if len(error.args) > 1 else ""
    if number == _CANT_CONNECT:
        return f"{first_match(_NETWORK, text) or 'no connection'}, error {number}"
    if right := _MYSQL_RIGHT.search(text):
        return f"{right[1]} is denied for the {right[2]} {right[3]}, error {number}"
    return f"{_MYSQL.get(number, type(error).__name__)}, error {number}"


def sqlite_reason(error: BaseException) -> str | None:
    """Read it from the result code."""
    code = getattr(error, "sqlite_errorcode", None)
    return _SQLITE.get(code & 0xFF) if isinstance(code, int) else None
