"""What every document store promises: the bytes that were made are the bytes that a URL serves, for a while.

Declared, because one server can't show it: the S3 server of the tests (rclone) stores an upload whatever its
`x-amz-checksum-sha256` says. `test_s3_uploads.py` shows with a server that compares that a wrong one is
refused.
"""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import time_machine

from sqr_jobs import VerifyingDocuments
from sqr_jobs.errors import DocumentsUnavailable, SqrJobsError
from tests.contracts.document_stores import (
    KEY,
    ORIGIN,
    StoreUnderTest,
    altered,
    changed,
    local_store,
    parts_of,
    produced,
    s3_store,
)
from tests.servers.s3 import S3Bucket, S3Server

FILENAME = "SQR_\u00c9_\u0416\u0443\u043a\u043e\u0432_ABCD.pdf"
BYTES = b"%PDF-1.7 a document"


@pytest.fixture(scope="module")
def _bucket(s3_server: S3Server) -> Iterator[StoreUnderTest]:
    """Give the store over one bucket for the whole module; making a client takes as long as ten tests."""
    s3_server.start()
    bucket = S3Bucket(
        endpoint_url=s3_server.endpoint_url,
        access_key=s3_server.access_key,
        secret_key=s3_server.secret_key,
        region=s3_server.region,
        bucket=s3_server.create_bucket(),
    )
    made = s3_store(bucket)
    yield made
    made.documents._connection.client.close()
    s3_server.start()
    s3_server.delete_bucket(bucket.bucket)


@pytest.fixture(params=["local", "S3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> StoreUnderTest:
    """Give each document store, empty."""
    if request.param == "local":
        return local_store(tmp_path / "documents")
    made: StoreUnderTest = request.getfixturevalue("_bucket")
    for key in made.stored_keys():
        made.documents.delete(key)
    return made


@pytest.fixture
def url(store: StoreUnderTest) -> str:
    """Give the URL of a stored document."""
    store.documents.put(KEY, produced(), until=lambda: 10.0)
    return store.documents.url(KEY, filename=FILENAME, expires_s=300, origin=ORIGIN)


def test_a_stored_document_is_held_until_it_is_deleted(store: StoreUnderTest) -> None:
    """I5: the URL request looks before it promises; deleting what is gone is no error."""
    assert not store.documents.holds(KEY, size=len(BYTES))
    store.documents.put(KEY, produced(), until=lambda: 10.0)
    assert store.documents.holds(KEY, size=len(BYTES))
    assert not store.documents.holds(KEY, size=len(BYTES) + 1)
    assert store.stored_keys() == [KEY]
    store.documents.delete(KEY)
    store.documents.delete(KEY)
    assert not store.documents.holds(KEY, size=len(BYTES))
    assert store.stored_keys() == []


def test_bytes_changed_at_the_same_size_are_seen(store: StoreUnderTest) -> None:
    """I5: whoever changed them, with the checksum of the new bytes or without one."""
    sha256, documents = produced().sha256, store.documents
    assert isinstance(documents, VerifyingDocuments)
    documents.put(KEY, produced(), until=lambda: 10.0)
    assert documents.holds_unchanged(KEY, size=len(BYTES), sha256=sha256)
    assert not documents.holds_unchanged(KEY, size=len(BYTES) + 1, sha256=sha256)
    store.overwrite(KEY, altered(BYTES))
    assert not documents.holds_unchanged(KEY, size=len(BYTES), sha256=sha256)
    store.overwrite(KEY, BYTES)
    assert documents.holds_unchanged(KEY, size=len(BYTES), sha256=sha256)
    documents.put(KEY, produced(altered(BYTES)), until=lambda: 10.0)
    assert not documents.holds_unchanged(KEY, size=len(BYTES), sha256=sha256)
    documents.delete(KEY)
    assert not documents.holds_unchanged(KEY, size=len(BYTES), sha256=sha256)


def test_each_key_has_its_own_document(store: StoreUnderTest) -> None:
    """I4: two attempts of a job write beside each other, never over each other."""
    other = KEY.replace("/1-", "/2-")
    store.documents.put(KEY, produced(), until=lambda: 10.0)
    store.documents.put(other, produced(b"%PDF-1.7 another"), until=lambda: 10.0)
    store.documents.delete(other)
    assert store.stored_keys() == [KEY]


def test_a_document_of_some_megabytes_arrives_whole(store: StoreUnderTest) -> None:
    """Reports with pictures do not fit into one read."""
    data = b"%PDF-1.7 " + bytes(range(256)) * 12_000
    store.documents.put(KEY, produced(data), until=lambda: 30.0)
    url = store.documents.url(KEY, filename="a.pdf", expires_s=300, origin=ORIGIN)
    assert store.fetch(url, "GET").body == data


def test_an_upload_ends_when_the_attempts_time_is_over(store: StoreUnderTest) -> None:
    """I4: an attempt past its fence must leave nothing that looks finished."""
    with pytest.raises(DocumentsUnavailable):
        store.documents.put(KEY, produced(), until=lambda: 0.0)
    large = produced(b"x" * 5_000_000)
    with pytest.raises(DocumentsUnavailable):
        store.documents.put(KEY, large, until=lambda: 0.0 if large.file.tell() else 1.0)
    assert store.stored_keys() == []


def test_a_url_serves_the_bytes_as_a_pdf_to_be_saved_under_its_name(store: StoreUnderTest, url: str) -> None:
    """RFC 6266: old clients get the ASCII name, all others the real one."""
    answer = store.fetch(url, "GET")
    assert (answer.status, answer.body) == (200, BYTES)
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == (
        "attachment; filename=\"SQR_E__ABCD.pdf\"; filename*=UTF-8''SQR_%C3%89_"
        "%D0%96%D1%83%D0%BA%D0%BE%D0%B2_ABCD.pdf"
    )


def test_a_url_serves_more_than_once(store: StoreUnderTest, url: str) -> None:
    """A download that broke off is begun again."""
    assert [store.fetch(url, "GET").status for _ in range(2)] == [200, 200]


@pytest.mark.parametrize("field", range(5))
def test_a_url_is_refused_when_any_part_of_it_is_changed(store: StoreUnderTest, url: str, field: int) -> None:
    """I11: another key, another name, a longer life, another signer: all are forgeries."""
    for part in parts_of(url)[field::5]:
        forged = changed(url, part)
        assert forged != url
        answer = store.fetch(forged, "GET")
        assert answer.status in {400, 403, 404, 405}, part
        assert BYTES not in answer.body


def test_a_url_is_refused_when_a_part_is_added_or_missing(store: StoreUnderTest, url: str) -> None:
    """I11: the signature covers what there is and what there is not."""
    base, _, query = url.partition("?")
    fields = query.split("&")
    assert store.fetch(f"{url}&extra=1", "GET").status in {400, 403}
    for missing in fields:
        remaining = [part for part in fields if part != missing]
        assert store.fetch(f"{base}?{'&'.join(remaining)}", "GET").status in {400, 403}, missing
    assert store.fetch(base, "GET").status in {400, 403}


def test_a_url_of_one_document_does_not_open_another(store: StoreUnderTest, url: str) -> None:
    """I10: the neighbour's key is easy to guess for whoever has one."""
    other = KEY.replace("/1-", "/2-")
    store.documents.put(other, produced(b"%PDF-1.7 the neighbour's"), until=lambda: 10.0)
    for spelt in (KEY, KEY.replace("/", "%2F")):
        forged = url.replace(spelt, spelt.replace("1-0123", "2-0123"))
        assert b"neighbour" not in store.fetch(forged, "GET").body


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST"])
def test_a_url_is_for_reading_alone(store: StoreUnderTest, url: str, method: str) -> None:
    """I11: signed for GET; whoever has it may not replace or remove the document."""
    assert store.fetch(url, method).status in {403, 405}
    assert store.fetch(url, "GET").body == BYTES


def test_a_url_is_refused_from_its_expiry_on(store: StoreUnderTest) -> None:
    """I11: of two URLs made a minute ago, the one that is valid for longer is still served."""
    store.documents.put(KEY, produced(), until=lambda: 10.0)
    with time_machine.travel(time.time() - 60, tick=False):
        good = store.documents.url(KEY, filename="a.pdf", expires_s=120, origin=ORIGIN)
        over = store.documents.url(KEY, filename="a.pdf", expires_s=55, origin=ORIGIN)
    assert store.fetch(good, "GET").status == 200
    assert store.fetch(over, "GET").status in {400, 403}


def test_each_call_makes_a_fresh_url(store: StoreUnderTest, url: str) -> None:
    """Its 300 s begin at the call."""
    with time_machine.travel(time.time() + 100):
        later = store.documents.url(KEY, filename=FILENAME, expires_s=300, origin=ORIGIN)
    assert later != url


def test_a_url_of_a_deleted_document_serves_nothing(store: StoreUnderTest, url: str) -> None:
    """Erased is erased, also for a URL that is still valid."""
    store.documents.delete(KEY)
    assert store.fetch(url, "GET").status in {403, 404}


def test_a_url_tells_no_secret(store: StoreUnderTest, url: str) -> None:
    """Signature Version 4 sends the key's name and never the secret; the local key is never sent."""
    assert "k" * 32 not in url
    connection = getattr(store.documents, "_connection", None)
    secret = connection and connection._arguments["aws_secret_access_key"]
    assert secret is None or secret not in url
    assert urlsplit(url).scheme in {"http", "https"}


@pytest.mark.parametrize(
    "key", ["../outside.pdf", "/etc/passwd", "a/../../outside.pdf", "..%2foutside.pdf", "a\x00b", ""]
)
def test_no_key_leads_outside_the_store(store: StoreUnderTest, tmp_path: Path, key: str) -> None:
    """Keys are this library's own; one that is not must hit nothing else, on any store."""
    outside = tmp_path / "outside.pdf"
    outside.write_bytes(b"not yours")
    for use in (
        lambda: store.documents.put(key, produced(), until=lambda: 10.0),
        lambda: store.documents.holds(key, size=9),
        lambda: store.documents.delete(key),
    ):
        try:
            use()
        except (SqrJobsError, ValueError):
            continue
        assert store.name == "S3"  # there, a key is a name and no path
    assert outside.read_bytes() == b"not yours"
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "documents") == ["outside.pdf"]


def test_many_uploads_at_once_do_not_disturb_each_other(store: StoreUnderTest) -> None:
    """One store serves all of a worker's threads, and its client is made by the first that comes."""
    # Before, because rclone fails some of the uploads that together make a folder.
    store.documents.put(KEY, produced(), until=lambda: 30.0)
    barrier = threading.Barrier(8)

    def upload(number: int) -> bytes:
        key, data = KEY.replace("0001/1-", f"000{number}/1-"), b"%PDF-1.7 " + str(number).encode() * 1000
        barrier.wait(timeout=30)
        store.documents.put(key, produced(data), until=lambda: 30.0)
        url = store.documents.url(key, filename="a.pdf", expires_s=60, origin=ORIGIN)
        return store.fetch(url, "GET").body.removeprefix(b"%PDF-1.7 ")

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(upload, range(8))) == [str(number).encode() * 1000 for number in range(8)]
