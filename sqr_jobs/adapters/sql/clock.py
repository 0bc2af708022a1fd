"""The database's clock, the only one that jobs know."""

from typing import Any

from sqlalchemy import BigInteger
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

__all__ = ["epoch_ms"]


class epoch_ms(FunctionElement[int]):  # noqa: N801 - reads as the SQL function that it is
    """The present in epoch milliseconds, of the statement's moment rather than the transaction's."""

    type = BigInteger()
    inherit_cache = True


@compiles(epoch_ms, "postgresql")
def _postgresql(_element: epoch_ms, _compiler: SQLCompiler, **_kw: Any) -> str:
    return "(extract(epoch from clock_timestamp()) * 1000)::bigint"


@compiles(epoch_ms, "sqlite")
def _sqlite(_element: epoch_ms, _compiler: SQLCompiler, **_kw: Any) -> str:
    # now() has no fractions there; julianday has.
    return "cast((julianday('now') - 2440587.5) * 86400000 as integer)"


@compiles(epoch_ms, "mysql")
@compiles(epoch_ms, "mariadb")
def _mysql(_element: epoch_ms, _compiler: SQLCompiler, **_kw: Any) -> str:
    # unix_timestamp() reads the session's time zone, in which one hour of the year comes twice.
    return "(timestampdiff(microsecond, '1970-01-01', utc_timestamp(6)) div 1000)"
