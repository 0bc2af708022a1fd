"""Runs a demo application on loopback, in a thread, until told to stop."""

import contextlib
import logging
import socket
import threading
from collections.abc import Iterator

from sqr_jobs.demo.app import fastapi_app, flask_app
from sqr_jobs.errors import ConfigurationError

__all__ = ["serving"]

_STOP_S = 4.0


@contextlib.contextmanager
def serving(framework: str, port: int) -> Iterator[str]:
    """Serve on 127.0.0.1 and yield the address; port 0 takes a free one. The end drains and stops."""
    for noisy in ("httpx", "httpcore", "uvicorn.access", "werkzeug", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)  # request lines hold signed URLs
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(
            f"Port {port} can't be used ({reason}). Pass --port 0 for a free one."
        ) from None
    listener.listen(128)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with (_fastapi if framework == "fastapi" else _flask)(listener):
        yield address


@contextlib.contextmanager
def _fastapi(listener: socket.socket) -> Iterator[None]:
    import uvicorn  # noqa: PLC0415

    config = uvicorn.Config(fastapi_app(), log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(_STOP_S)


@contextlib.contextmanager
def _flask(listener: socket.socket) -> Iterator[None]:
    from werkzeug.serving import make_server  # noqa: PLC0415

    app = flask_app()
    host, port = listener.getsockname()
    server = make_server(host, port, app, threaded=True, fd=listener.detach())
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join(_STOP_S)
