"""Strings whose columns a later version may widen while this one reads them."""

from typing import Any

from sqlalchemy import ColumnElement, String, TypeDecorator
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

__all__ = ["WidenableString"]


class WidenableString(TypeDecorator[str]):
    """A VARCHAR that PostgreSQL returns as TEXT.

    A prepared statement is refused (`cached plan must not change result type`) once a column of its result
    has another length than when it was prepared. Drivers prepare what is used often, and forget it when a
    transaction is rolled back, so a process that only reads would be refused until it restarts. TEXT has no
    length. Without prepared statements, a read would take 45 % longer.
    """

    impl = String
    cache_ok = True

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return what stands for the column in a result; conditions and order use the column itself."""
        return _without_length(column, type_=self)


class _without_length(GenericFunction[str]):  # noqa: N801 - as SQLAlchemy's own functions
    inherit_cache = True
    _register = False  # `func` need not know it, and a module that is loaded again must not warn


@compiles(_without_length)
def _as_it_is(element: Any, compiler: Any, **options: Any) -> str:
    """Other databases plan a statement again."""
    return str(compiler.process(element.clauses.clauses[0], **options))


@compiles(_without_length, "postgresql")
def _as_text(element: Any, compiler: Any, **options: Any) -> str:
    return f"CAST({compiler.process(element.clauses.clauses[0], **options)} AS TEXT)"
