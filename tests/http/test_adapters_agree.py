"""Both adapters answer every request with the same status, the same headers and the same JSON."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.host.tokens import bearer
from tests.http.clients import JSON, Client, Reply
from tests.http.conftest import Answer, Serve
from tests.http.situations import MALFORMED, SITUATIONS

pytestmark = pytest.mark.needs("flask", "fastapi")

Both = Callable[..., list[Client]]

_OF_THE_SERVER = {"content-length", "date", "server", "connection"}
_OF_A_LINK = (
    "content-type",
    "content-disposition",
    "cache-control",
    "x-content-type-options",
    "content-range",
)
_DIFFERS_EACH_TIME = (
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID"),
    (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
    (r"[0-9a-f]{64}", "DIGEST"),
    (r"(%2F|/)1-[0-9a-f]{32}\.pdf", "KEY"),
    (r"_[A-Z0-9]{4}\.pdf", "NAME"),
    (r"filename=gAAAA[\w%-]+", "SEALED"),
    (r'"durationMs":\d+', "DURATION"),
    (r'"sizeBytes":\d+', "SIZE"),
    (r"expires=\d+", "EXPIRES"),
    (r"X-Amz-(Credential|Date)=[\w%]+", r"\1"),
    (r"\b(r=\d+;t=)\d+", r"\1LATER"),
    (r"('retry-after', ')(59\d|600)'", r"\1LATER'"),
)


@pytest.fixture
def both(serve_on: Serve, tmp_path: Path) -> Both:
    """Give a function that serves in both frameworks, each with data of its own."""
    return lambda **settings: [
        serve_on(name, **({"data_dir": tmp_path / name} | settings)) for name in ("flask", "fastapi")
    ]


def _alike(reply: Reply) -> tuple[int, dict[str, str], str]:
    """Take away what no two answers share."""
    headers = {name: value for name, value in reply.headers.items() if name not in _OF_THE_SERVER}
    shown = [str(sorted(headers.items())), reply.body.decode()]
    for pattern, name in _DIFFERS_EACH_TIME:
        shown = [re.sub(pattern, name, text) for text in shown]
    return reply.status, {"headers": shown[0]}, shown[1]


@pytest.mark.both_forms
@pytest.mark.parametrize("name", SITUATIONS)
def test_every_situation_is_answered_alike(answer: Answer, name: str) -> None:
    """A host may change its framework without its clients noticing."""
    assert _alike(answer("flask", name).reply) == _alike(answer("fastapi", name).reply)


def test_every_malformed_id_is_answered_alike(both: Both) -> None:
    """Down to `instance`: both adapters see the path that was asked for."""
    clients = both()
    for job_id in MALFORMED:
        flask, fastapi = (
            client.request("GET", f"{client.path}/{job_id}", headers=bearer()) for client in clients
        )
        assert _alike(flask) == _alike(fastapi), job_id


@pytest.mark.parametrize(
    "headers",
    [
        {"Range": "bytes=0-9"},
        {"Range": "bytes=999999-"},
        {"Range": "odd"},
        {"If-None-Match": "*"},
        {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"},
        {"Accept": "text/html"},
        {"Accept-Encoding": "gzip"},
    ],
)
def test_a_link_is_answered_alike_whatever_a_browser_asks_of_it(both: Both, headers: dict[str, str]) -> None:
    """Viewers ask for parts of a PDF; what they get must not depend on the framework."""
    answers = []
    for client in both():
        reply = client.follow(client.url(client.complete()).json()["url"], headers=headers)
        assert reply.headers.get("cache-control") == "no-store"
        kept = {name: reply.headers.get(name) for name in _OF_A_LINK}
        answers.append(_alike(Reply(reply.status, {k: v for k, v in kept.items() if v}, b"")))
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    "pairs",
    [
        [("Content-Type", "application/json"), ("Authorization", "Bearer more")],
        [("Content-Type", "application/json"), ("Accept", "text/html")],
        [("Content-Type", "application/json"), ("X-Forwarded-For", "a"), ("X-Forwarded-For", "b")],
    ],
)
def test_headers_that_come_twice_are_read_alike(both: Both, pairs: list[tuple[str, str]]) -> None:
    """What one framework joins and the other overwrites would be two services."""
    flask, fastapi = (
        client.request("POST", client.path, headers=[*bearer().items(), *pairs], content=b'{"userId":"U-1"}')
        for client in both()
    )
    assert _alike(flask) == _alike(fastapi)


def test_a_query_changes_nothing(both: Both) -> None:
    """The three endpoints know no parameters in the query; an unknown one is ignored by both."""

    def ask(client: Client) -> list[Reply]:
        created = client.request(
            "POST", f"{client.path}?x=1&x=2", headers={**bearer(), **JSON}, content=b'{"userId":"U-1"}'
        )
        location = created.headers["location"]
        return [created, client.request("GET", f"{location}?a=%FF&a", headers=bearer())]

    flask, fastapi = map(ask, both())
    assert list(map(_alike, flask)) == list(map(_alike, fastapi))
    assert [reply.status for reply in flask] == [202, 200]
