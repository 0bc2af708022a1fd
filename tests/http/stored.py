"""All that a service has written anywhere, for tests of what must not be kept."""

from collections.abc import Iterator
from pathlib import Path

import redis
from sqlalchemy import MetaData, select

from sqr_jobs import Settings
from sqr_jobs.adapters.sql import engine_for

__all__ = ["everything_stored"]


def everything_stored(settings: Settings) -> list[bytes]:
    """Read every file of the folder, every row of a database server, and every value in Redis."""
    found = [path.read_bytes() for path in Path(settings.data_dir).rglob("*") if path.is_file()]
    if settings.database_url is not None:
        found += _rows(settings.database_url.get_secret_value())
    if settings.broker_url is not None:
        found += _values(settings.broker_url.get_secret_value())
    return found


def _rows(url: str) -> Iterator[bytes]:
    engine = engine_for(url, timeout_s=5)
    tables = MetaData()
    tables.reflect(engine)
    with engine.connect() as connection:
        for table in tables.sorted_tables:
            for row in connection.execute(select(table)):
                yield repr(row).encode()
    engine.dispose()


def _values(url: str) -> Iterator[bytes]:
    with redis.Redis.from_url(url) as client:
        for key in client.scan_iter():
            match client.type(key):
                case b"hash":
                    yield repr((key, client.hgetall(key))).encode()
                case b"list":
                    yield repr((key, client.lrange(key, 0, -1))).encode()
                case b"zset":
                    yield repr((key, client.zrange(key, 0, -1))).encode()
                case b"set":
                    yield repr((key, client.smembers(key))).encode()
                case _:
                    yield repr((key, client.get(key))).encode()
