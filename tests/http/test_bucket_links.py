"""What the URL leads to, where a bucket holds the bytes; `test_links.py` is its twin for a folder."""

import hashlib
import time
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import time_machine

from tests.contracts.document_stores import changed, parts_of
from tests.http.clients import Client

pytestmark = pytest.mark.parametrize("form", ["distributed"], indirect=True)


def _url(client: Client, job_id: str | None = None, *, org: str = "acme") -> str:
    return str(client.url(job_id or client.complete(org=org), org=org).json()["url"])


def test_the_bucket_serves_the_bytes_under_a_signature_of_version_4(client: Client) -> None:
    """The bytes never pass through the web process, and the client sees the same headers."""
    job_id = client.complete()
    shown, download = client.status(job_id).json(), client.url(job_id).json()
    query = parse_qs(urlsplit(download["url"]).query)
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert query["X-Amz-Expires"] == ["300"]
    answer = client.follow(download["url"])
    assert answer.status == 200
    assert hashlib.sha256(answer.body).hexdigest() == shown["sha256"]
    assert len(answer.body) == shown["sizeBytes"]
    assert answer.headers["content-type"] == "application/pdf"
    plain, full = answer.headers["content-disposition"].split("; filename*=UTF-8''")
    assert plain == f'attachment; filename="{download["filename"]}"'
    assert unquote(full) == download["filename"]


def test_it_works_until_its_300_seconds_are_over(client: Client) -> None:
    """The server that holds the bytes refuses it: nobody has to believe in our clock."""
    job_id, now = client.complete(), time.time()
    urls = {}
    for age in (280, 302):
        with time_machine.travel(now - age, tick=False):
            urls[age] = _url(client, job_id)
    assert client.follow(urls[280]).status == 200
    late = client.follow(urls[302])
    assert late.status in (400, 403)
    assert b"%PDF" not in late.body


def test_it_is_refused_when_any_part_of_it_is_changed(client: Client) -> None:
    """The signature is over the key, the name, the type and the lifetime."""
    url = _url(client)
    for part in parts_of(url):
        answer = client.follow(changed(url, part))
        assert answer.status in (400, 403), part
        assert b"%PDF" not in answer.body
    assert client.follow(url.split("?")[0]).status in (400, 401, 403)
    assert client.follow(f"{url}&more=1").status in (400, 403)
    assert client.follow(url).status == 200


def test_a_url_opens_no_other_document(client: Client) -> None:
    """One may not read a neighbour's document with it, nor list the bucket."""
    mine, other = urlsplit(_url(client)), urlsplit(_url(client, org="globex"))
    bucket = f"/{client.system.settings.s3_bucket}"
    for path in (other.path, bucket, f"{bucket}/"):
        answer = client.follow(mine._replace(path=path).geturl())
        assert answer.status in (400, 403), path
        assert b"%PDF" not in answer.body


@pytest.mark.parametrize("method", ["HEAD", "PUT", "POST", "DELETE"])
def test_it_is_signed_for_get_only(client: Client, method: str) -> None:
    """Whoever has it can neither put another document in its place nor delete it."""
    url = _url(client)
    assert client.follow(url, method).status in (400, 403, 405)
    assert client.follow(url).status == 200


def test_the_local_file_route_is_closed(client: Client) -> None:
    """A service with a bucket serves no files itself."""
    address = f"http://reports.example{client.path}/files/document"
    reply = client.follow(f"{address}?key=x&filename=y&expires=1&signature=z")
    assert (reply.status, reply.code) == (403, "LINK_REFUSED")
