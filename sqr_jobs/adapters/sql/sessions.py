"""Drops the sessions that a server has said it no longer serves; a pool notices dead sockets only."""

from sqlalchemy import Connection, Engine, ExceptionContext, event

from sqr_jobs.adapters.sql.dialects import dialect_named, dialect_of

__all__ = ["connect_to_write", "drop_useless_sessions"]

_OPTION = "sqr_jobs_pool"


def drop_useless_sessions(engine: Engine, *, is_own: bool) -> Engine:
    """Have each error judged that connections of this engine meet; return the engine to take them from.

    Errors are raised as they are, but a session that can't serve any more does not go back to the pool. In
    a pool of our own the idle sessions share its fate. In a host's pool they are the host's to judge, and so
    are the connections that the host takes itself.
    """
    marked = engine.execution_options(**{_OPTION: "own" if is_own else "host"})
    event.listen(marked, "handle_error", _judge)  # SQLAlchemy keeps it per dialect, and takes it once
    return marked


def connect_to_write(engine: Engine) -> Connection:
    """Take a connection, but none whose session began while the server was read-only.

    Such a session stays read-only after the server no longer is. Each idle one is dropped when it is met, so
    that the last resort is a new one, which stands as the server stands.
    """
    dialect = dialect_of(engine)
    idle = getattr(engine.pool, "checkedin", lambda: 0)()  # not every pool of a host's counts
    for _ in range(idle):
        connection = engine.connect()
        if not dialect.is_read_only(connection):
            return connection
        connection.invalidate()
        connection.close()
    return engine.connect()


def _judge(context: ExceptionContext) -> None:
    """Call a session lost whose server says so, as if its socket had died."""
    if context.connection is None or context.is_disconnect:
        return
    pool = context.connection.get_execution_options().get(_OPTION)
    dialect = dialect_named(context.dialect.name)
    if pool is None or dialect is None or not dialect.ends_session(context.original_exception):
        return
    context.is_disconnect = True
    context.invalidate_pool_on_disconnect = pool == "own"
