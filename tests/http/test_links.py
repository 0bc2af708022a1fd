"""What the URL leads to, where this service itself holds the bytes."""

import asyncio
import hashlib
import itertools
import re
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import pikepdf
import pytest
import time_machine

from sqr_jobs import Caller, User
from sqr_jobs.adapters.local_documents import LocalDocumentStore
from sqr_jobs.web import HttpReply, HttpRequest, chunks
from tests.http.clients import Client
from tests.http.conftest import Serve
from tests.http.situations import document_of


class _Zoe:
    def find(self, user_id: str) -> User:
        return User(user_id=user_id, given_name="Zoë", family_name="Þórsdóttir")

    def may_report(self, caller: Caller, user: User) -> bool:
        return True


def _fields(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, strict_parsing=True))


def _with(url: str, **changed: str | None) -> str:
    fields = {**_fields(url), **changed}
    query = urlencode({name: value for name, value in fields.items() if value is not None})
    return urlsplit(url)._replace(query=query).geturl()


def test_the_url_serves_the_very_bytes_that_the_job_tells_of(client: Client) -> None:
    """Size and checksum are for a client to check what it got."""
    job_id = client.complete()
    shown = client.status(job_id).json()
    reply = client.follow(client.url(job_id).json()["url"])
    assert reply.status == 200
    assert len(reply.body) == shown["sizeBytes"] == int(reply.headers["content-length"])
    assert hashlib.sha256(reply.body).hexdigest() == shown["sha256"]
    assert reply.body == document_of(client, job_id).read_bytes()
    with pikepdf.open(document_of(client, job_id)) as pdf:
        assert len(pdf.pages) == 1


def test_it_is_a_pdf_to_save_under_the_name_that_was_told(client: Client) -> None:
    """RFC 6266: an ASCII fallback for old clients, the full name for all others."""
    client.system.users = _Zoe()
    job_id = client.complete()
    download = client.url(job_id).json()
    reply = client.follow(download["url"])
    assert reply.headers["content-type"] == "application/pdf"
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["x-content-type-options"] == "nosniff"
    found = re.fullmatch(
        r"attachment; filename=\"([\x20-\x7e]+)\"; filename\*=UTF-8''([\w%.~-]+)",
        reply.headers["content-disposition"],
        re.ASCII,
    )
    assert found
    assert unquote(found[2]) == download["filename"]
    assert re.fullmatch(r"SQR_Z_[A-Za-z0-9-]*rsdottir_[A-Z0-9]{4}\.pdf", found[1])


def test_no_token_is_needed(client: Client) -> None:
    """The URL is handed to a browser, which has none; and a bad one does not hurt."""
    url = client.url(client.complete()).json()["url"]
    assert client.follow(url).status == 200
    assert client.follow(url, headers={"Authorization": "Bearer bad"}).status == 200


def test_it_works_until_its_300_seconds_are_over(client: Client) -> None:
    """A URL that leaks is worth little."""
    job_id = client.complete()
    now = time.time()
    with time_machine.travel(now, tick=False):
        url = client.url(job_id).json()["url"]
    with time_machine.travel(now + 298, tick=False):
        assert client.follow(url).status == 200
    with time_machine.travel(now + 300, tick=False):
        reply = client.follow(url)
        assert (reply.status, reply.code) == (403, "LINK_REFUSED")
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["content-type"] == "application/problem+json"


def test_it_is_refused_when_any_part_of_it_is_changed(client: Client) -> None:
    """Each field, one character at a time: added, removed, replaced."""
    url = client.url(client.complete()).json()["url"]
    for name, value in _fields(url).items():
        for changed in (value[:-1], value + "0", "0" + value, _other(value[0]) + value[1:], "", None):
            assert client.follow(_with(url, **{name: changed})).status == 403, (name, changed)
        assert client.follow(f"{url}&{name}={value}").status == 403
    assert client.follow(url + "&more=1").status == 403
    assert client.follow(url.split("?")[0]).status == 403


def test_every_character_of_the_signature_counts(client: Client) -> None:
    """Neither a part nor another way of writing it is enough."""
    url = client.url(client.complete()).json()["url"]
    signature = _fields(url)["signature"]
    for place, character in enumerate(signature):
        changed = signature[:place] + _other(character) + signature[place + 1 :]
        assert client.follow(_with(url, signature=changed)).status == 403
    assert client.follow(_with(url, signature=signature.upper())).status == 403


def test_a_link_opens_no_other_document(client: Client) -> None:
    """The signature is over the key: one may not read a neighbour's with it, nor any other file."""
    mine, other = client.complete("U-1"), client.complete("U-2", org="globex")
    url = client.url(mine).json()["url"]
    key = _fields(client.url(other, org="globex").json()["url"])["key"]
    for changed in (key, "../jobs.db", "/etc/passwd", f"{mine}/../{key}", "\x00", "%2e%2e/x"):
        assert client.follow(_with(url, key=changed)).status == 403


@pytest.mark.parametrize("expires", ["99999999999", "-1", "1e9", "", "x", "٣", "9" * 5_000])
def test_a_link_that_someone_made_up_is_refused(client: Client, expires: str) -> None:
    """Whatever stands in the fields, an unsigned link ends in the same refusal, never in a 500."""
    url = client.url(client.complete()).json()["url"]
    reply = client.follow(_with(url, expires=expires, signature="é" * 64))
    assert (reply.status, reply.code) == (403, "LINK_REFUSED")


def test_a_link_of_another_service_is_refused(serve: Serve, tmp_path: Path) -> None:
    """Each service has a key of its own: a link of the test system opens nothing in production."""
    one, other = serve(), serve(data_dir=tmp_path / "other")
    job_id = one.complete()
    url = one.url(job_id).json()["url"]
    shutil.copytree(one.system.settings.data_dir / "documents", tmp_path / "other" / "documents")
    assert other.follow(url).status == 403
    assert one.follow(url).status == 200


def test_processes_that_share_a_folder_or_a_key_take_each_other_s_links(serve: Serve, tmp_path: Path) -> None:
    """The request for the document may meet another process than the one that signed."""
    one, two = serve(), serve()
    url = one.url(one.complete()).json()["url"]
    assert two.follow(url).status == 200
    three = serve(link_key="a key of the host's own, by chance", data_dir=tmp_path / "three")
    url = three.url(three.complete()).json()["url"]
    four = serve(link_key="a key of the host's own, by chance", data_dir=tmp_path / "three")
    (tmp_path / "three" / "link-key").unlink(missing_ok=True)
    assert four.follow(url).status == 200


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_it_is_signed_for_get_only(client: Client, method: str) -> None:
    """A signed URL of S3 serves the method that it was signed for; ours is no laxer."""
    url = client.url(client.complete()).json()["url"]
    reply = client.follow(url, method)
    assert reply.status in (403, 405) or (method == "OPTIONS" and not reply.body)
    assert client.follow(url).status == 200


def test_the_refusal_of_a_link_tells_nothing(client: Client) -> None:
    """Neither whether the file is there nor what was wrong."""
    job_id = client.complete()
    url = client.url(job_id).json()["url"]
    bodies = {client.follow(_with(url, signature="0" * 64)).body}
    document_of(client, job_id).unlink()
    bodies.add(client.follow(_with(url, signature="0" * 64)).body)
    bodies.add(client.follow(url).body)
    assert len(bodies) == 1
    assert job_id.encode() not in bodies.pop()


def _finding(client: Client, then: Callable[[Path], Path]) -> None:
    """Let something come between the look at a link's file and its opening."""
    documents = client.system.documents
    assert isinstance(documents, LocalDocumentStore)
    look = documents.open_link

    def found(query: Mapping[str, str]) -> tuple[Path, str]:
        path, name = look(query)
        return then(path), name

    documents.open_link = found  # type: ignore[method-assign]


def test_a_document_erased_while_its_link_is_answered_is_a_link_refused(client: Client) -> None:
    """Retention and erasures ask nobody; the answer is ours all the same, and not a framework's 500."""
    url = client.url(client.complete()).json()["url"]

    def erased(path: Path) -> Path:
        path.unlink(missing_ok=True)
        return path

    _finding(client, erased)
    reply = client.follow(url)
    assert (reply.status, reply.code) == (403, "LINK_REFUSED")


def test_a_document_that_cannot_be_opened_is_an_outage(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """A process out of descriptors, a disk that fails: trying again soon can help."""
    job_id = client.complete()
    url = client.url(job_id).json()["url"]
    _finding(client, lambda path: path.parent)
    reply = client.follow(url)
    assert (reply.status, reply.code) == (503, "SERVICE_UNAVAILABLE")
    assert reply.headers["retry-after"] == "5"
    assert "The document could not be opened (Is a directory)." in caplog.text
    assert job_id not in caplog.text.split("could not be opened")[1]


def test_the_file_is_closed_however_far_it_was_sent(client: Client) -> None:
    """A client may hang up before the first byte; a descriptor for each would end the process."""
    query = _fields(client.url(client.complete()).json()["url"])
    for sent in (0, 1, 2):
        reply = client.system.endpoints.file(HttpRequest(path="/", query=query))
        assert not isinstance(reply.body, bytes)
        _, pieces = chunks(reply.body)
        assert len(list(itertools.islice(pieces, sent))) == min(sent, 1)
        pieces.close()
        assert reply.body.closed


@pytest.mark.needs("fastapi")
def test_a_client_that_hangs_up_leaves_no_file_open(serve_on: Serve) -> None:
    """Starlette leaves what it was sending to the garbage collector."""
    client = serve_on("fastapi")
    job_id = client.complete()
    client.replace_document(job_id, content := b"%PDF" * 250_000)
    job = client.system.intake.find("acme", job_id)
    assert job is not None
    assert job.document is not None
    url = client.system.documents.url(job.document.key, filename="a.pdf", expires_s=300, origin=client.path)
    answered, answer = [], client.system.endpoints.file

    def remembered(request: HttpRequest) -> HttpReply:
        answered.append(answer(request))
        return answered[-1]

    client.system.endpoints.file = remembered  # type: ignore[method-assign]
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)
        if len(sent) == 3:
            raise OSError

    async def ask() -> None:
        await client.app(  # type: ignore[attr-defined]
            {
                "type": "http",
                "asgi": {"version": "3.0", "spec_version": "2.4"},
                "method": "GET",
                "path": urlsplit(url).path,
                "query_string": urlsplit(url).query.encode(),
                "headers": [(b"host", b"reports.example")],
            },
            None,
            send,
        )

    with pytest.raises(Exception, match=r"^$"):  # Starlette's ClientDisconnect
        asyncio.run(ask())
    assert sent[0]["status"] == 200
    assert 0 < len(sent[1]["body"]) < len(content)
    body = answered[0].body
    assert not isinstance(body, bytes)
    assert body.closed


def test_the_address_before_the_prefix_can_be_configured(serve: Serve) -> None:
    """Behind a proxy that rewrites Host, requests do not tell where clients reach us."""
    client = serve(public_url="https://api.example.com/tenant/")
    url = client.url(client.complete()).json()["url"]
    assert url.startswith("https://api.example.com/tenant/v1/document/api/files/document?")


def _other(character: str) -> str:
    return "1" if character != "1" else "2"
