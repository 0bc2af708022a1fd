"""The client of a bucket: the host that it addresses, rotated credentials, forgotten connections."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import boto3.session
import pytest
import time_machine
from urllib3 import HTTPConnectionPool

from sqr_jobs import ConfigurationError, Settings
from sqr_jobs.adapters.s3_documents import S3DocumentStore
from sqr_jobs.errors import DocumentsUnavailable
from sqr_jobs.wiring.parts import documents_for
from tests.contracts.document_stores import KEY, ORIGIN, produced
from tests.servers.proxy import Proxy
from tests.servers.s3 import S3Bucket, S3Server

_SIZE, _SHA256 = produced().size, produced().sha256


class _Sent(Exception):
    """Raised instead of sending a request."""


def _hosts(store: S3DocumentStore) -> set[str]:
    """Collect where an upload would go and where a URL leads: host and path, without the key."""
    client, sent = store._connection.client, []

    def stop(request: object, **_: object) -> None:
        sent.append(request.url)
        raise _Sent

    client.meta.events.register("before-send.s3", stop)
    with pytest.raises(_Sent):
        store.put(KEY, produced(), until=lambda: 10.0)
    sent.append(store.url(KEY, filename="a.pdf", expires_s=300, origin=ORIGIN))
    client.close()
    return {urlsplit(url)._replace(query="").geturl().removesuffix(f"/{KEY}") for url in sent}


_ENDPOINT = "https://objects.example:9000"


@pytest.mark.parametrize(
    ("settings", "host"),
    [
        ({"s3_region": "us-east-1"}, "https://acme.s3.amazonaws.com"),
        ({"s3_region": "eu-south-1"}, "https://acme.s3.eu-south-1.amazonaws.com"),
        ({"s3_region": "cn-north-1"}, "https://acme.s3.cn-north-1.amazonaws.com.cn"),
        ({"s3_region": "us-gov-west-1"}, "https://acme.s3.us-gov-west-1.amazonaws.com"),
        (
            {"s3_region": "eu-south-1", "s3_bucket": "acme.reports"},
            "https://s3.eu-south-1.amazonaws.com/acme.reports",
        ),
        ({"s3_region": "eu-south-1", "s3_addressing": "path"}, "https://s3.eu-south-1.amazonaws.com/acme"),
        ({"s3_endpoint_url": _ENDPOINT}, f"{_ENDPOINT}/acme"),
        ({"s3_endpoint_url": _ENDPOINT, "s3_addressing": "virtual"}, "https://acme.objects.example:9000"),
    ],
    ids=str,
)
def test_uploads_and_urls_name_one_host(
    settings: dict[str, str], host: str, monkeypatch: pytest.MonkeyPatch, one_session: boto3.session.Session
) -> None:
    """A region that was opened since 2019 refuses URLs that name the global host."""
    monkeypatch.setattr(boto3.session, "Session", lambda: one_session)
    given = {"s3_bucket": "acme", "s3_access_key_id": "AKID", "s3_secret_access_key": "secret"}
    store = documents_for(Settings(**(given | settings)), files_path="/files")
    assert isinstance(store, S3DocumentStore)
    assert _hosts(store) == {host}


@pytest.fixture(scope="module")
def one_session() -> boto3.session.Session:
    """Give one session for all clients; making one takes longer than a test."""
    return boto3.session.Session()


def test_an_unknown_addressing_is_refused() -> None:
    """A misspelt style would show at the first upload."""
    with pytest.raises(ConfigurationError, match="SQR_JOBS_S3_ADDRESSING"):
        Settings(s3_addressing="dns")


class _Clock:
    seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


class _Chain:
    """A bucket of its own, whose credentials boto3 finds in a file."""

    def __init__(self, server: S3Server, file: Path) -> None:
        self.server = server
        self.clock = _Clock()
        self._file = file
        self.write()
        self.store = S3DocumentStore(
            server.create_bucket(), endpoint_url=server.endpoint_url, request_s=10, now=self.clock
        )
        self.store.put(KEY, produced(), until=lambda: 10.0)

    def write(self, access_key: str | None = None) -> None:
        self._file.write_text(
            f"[default]\naws_access_key_id = {access_key or self.server.access_key}\n"
            f"aws_secret_access_key = {self.server.secret_key}\n"
        )

    def holds(self) -> bool:
        return self.store.holds_unchanged(KEY, size=_SIZE, sha256=_SHA256)


@pytest.fixture
def chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Chain]:
    """Give such a bucket; nothing else may offer credentials."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    with S3Server() as server:
        made = _Chain(server, tmp_path / "credentials")
        yield made
        made.store._connection.client.close()


def test_rotated_credentials_are_read_again(chain: _Chain) -> None:
    """Neither a request nor an upload fails for the rotation, in a process that goes on."""
    chain.server.rotate_key()
    chain.write()
    assert chain.holds()
    assert chain.store.url(KEY, filename="a.pdf", expires_s=60, origin="").count(chain.server.access_key)
    chain.clock.seconds += 10
    chain.server.rotate_key()
    chain.write()
    chain.store.put(KEY.replace("/1-", "/2-"), produced(), until=lambda: 10.0)


def test_credentials_that_stay_refused_cost_few_sessions(
    chain: _Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session takes 200 ms; a bucket that refuses for good is asked with a new one every 5 s."""
    made, session = [], boto3.session.Session
    monkeypatch.setattr(boto3.session, "Session", lambda: made.append(1) or session())
    chain.write("nobody")
    chain.server.rotate_key()
    for sessions, wait_s in ((1, 4.9), (1, 0.2), (2, 0)):
        for _ in range(5):
            with pytest.raises(DocumentsUnavailable, match="403"):
                chain.holds()
        assert len(made) == sessions
        chain.clock.seconds += wait_s
    chain.write()
    chain.clock.seconds += 5
    assert chain.holds()


def test_a_wrong_clock_is_named(chain: _Chain) -> None:
    """Twenty minutes off, each signature is refused: credentials and endpoint are right."""
    with time_machine.travel(time.time() + 1_200):
        for call in (chain.holds, lambda: chain.store.put(KEY, produced(), until=lambda: 10.0)):
            with pytest.raises(DocumentsUnavailable, match=r"clock is 1\d\d\d s off"):
                call()


def _through(wire: Proxy, bucket: S3Bucket, *, request_s: float, clock: _Clock) -> S3DocumentStore:
    """Make a store that reaches the bucket through a proxy."""
    return S3DocumentStore(
        bucket.bucket,
        endpoint_url=f"http://127.0.0.1:{wire.port}",
        access_key_id=bucket.access_key,
        secret_access_key=bucket.secret_key,
        request_s=request_s,
        now=clock,
    )


def test_a_distant_bucket_has_the_whole_time_of_a_request(s3_bucket: S3Bucket) -> None:
    """TCP, TLS and a HEAD take four round trips: more than half of the time, on each fresh connection."""
    with Proxy(urlsplit(s3_bucket.endpoint_url).port or 80) as wire:
        store = _through(wire, s3_bucket, request_s=2.0, clock=_Clock())
        store.put(KEY, produced(), until=lambda: 10.0)
        wire.cut()
        wire.delay_s = 1.3
        assert store.holds_unchanged(KEY, size=_SIZE, sha256=_SHA256)
        store._connection.client.close()


def test_connections_in_use_are_kept_and_a_closed_pool_fails_no_request(
    s3_bucket: S3Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A minute of traffic is no idleness; where one thread closes idle ones, another asks once more."""
    clock = _Clock()
    with Proxy(urlsplit(s3_bucket.endpoint_url).port or 80) as wire:
        store = _through(wire, s3_bucket, request_s=10.0, clock=clock)
        store.put(KEY, produced(), until=lambda: 10.0)
        for _ in range(3):
            clock.seconds += 40
            assert store.holds(KEY, size=_SIZE)
        assert len(wire._pairs) == 1
        get, closed = HTTPConnectionPool._get_conn, []

        def close_first(pool: HTTPConnectionPool, timeout: float | None = None) -> object:
            if not closed:
                closed.append(True)
                store._connection.forget_idle()
            return get(pool, timeout)

        monkeypatch.setattr(HTTPConnectionPool, "_get_conn", close_first)
        store.put(KEY, produced(), until=lambda: 10.0)
        assert closed
        store._connection.client.close()


def test_connections_that_a_firewall_forgot_are_replaced(s3_bucket: S3Bucket) -> None:
    """A request asks again on a fresh one, within its time; an upload after a minute uses none of them."""
    clock = _Clock()
    with Proxy(urlsplit(s3_bucket.endpoint_url).port or 80) as wire:
        store = _through(wire, s3_bucket, request_s=2.0, clock=clock)
        wire.delay_s = 0.2  # so that the two uploads need two connections
        with ThreadPoolExecutor(2) as pool:
            keys = (KEY, KEY.replace("/1-", "/2-"))
            list(pool.map(lambda key: store.put(key, produced(), until=lambda: 10.0), keys))
        wire.delay_s = 0
        wire.forget()
        began = time.monotonic()
        assert store.holds_unchanged(KEY, size=_SIZE, sha256=_SHA256)
        assert 0.9 < time.monotonic() - began < 2
        wire.forget()
        clock.seconds += 61
        store.put(KEY, produced(), until=lambda: 2.0)
        client = store._connection.client
        assert client.meta.config.tcp_keepalive
        client.close()
