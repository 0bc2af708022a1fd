"""What the bucket's store alone promises of a deletion: where a bucket keeps versions, none is left."""

import itertools
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from moto import mock_aws

from sqr_jobs.adapters.s3_documents import S3DocumentStore
from sqr_jobs.errors import DocumentsUnavailable
from tests.contracts.document_stores import KEY, produced

_numbers = itertools.count(1)
_LONGER = KEY + ".old"
"""Begins as the key does; a listing by prefix has both."""


class Bucket:
    """A bucket, by its owner's calls."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def keep_versions(self, status: str = "Enabled") -> None:
        """Switch versioning on, or suspend it."""
        versioning = {"Status": status}
        self._client.put_bucket_versioning(Bucket=self._name, VersioningConfiguration=versioning)

    def kept(self) -> list[str]:
        """List every version and every mark of a deletion."""
        listed = self._client.list_object_versions(Bucket=self._name)
        return [found["Key"] for kind in ("Versions", "DeleteMarkers") for found in listed.get(kind, [])]

    def delete(self, key: str) -> None:
        """Delete as everybody else does, who names no version."""
        self._client.delete_object(Bucket=self._name, Key=f"reports/{key}")


@pytest.fixture(scope="module")
def _store() -> Iterator[S3DocumentStore]:
    """Give a store on buckets in memory, which can keep versions, as the S3 server of the tests can't."""
    with mock_aws():
        made = S3DocumentStore(
            "none-yet", region="us-east-1", access_key_id="key", secret_access_key="secret", prefix="reports/"
        )
        yield made
        made._connection.client.close()


@pytest.fixture
def store(_store: S3DocumentStore, monkeypatch: pytest.MonkeyPatch) -> S3DocumentStore:
    """Give it a bucket of its own; making a client takes longer than all these tests."""
    name = f"acme-reports-{next(_numbers)}"
    _store._connection.client.create_bucket(Bucket=name)
    monkeypatch.setattr(_store, "_bucket", name)
    monkeypatch.setattr(_store, "_has_versions", False)
    return _store


@pytest.fixture
def bucket(store: S3DocumentStore) -> Bucket:
    """Give the bucket as its owner sees it."""
    return Bucket(store._connection.client, store._bucket)


def _put(store: S3DocumentStore, key: str, times: int = 1) -> None:
    for number in range(times):
        store.put(key, produced(b"%PDF-1.7 " + str(number).encode()), until=lambda: 10.0)


@pytest.mark.parametrize("times", [1, 3])
def test_every_version_is_deleted_and_nothing_marks_the_place(
    store: S3DocumentStore, bucket: Bucket, times: int
) -> None:
    """Erased is erased: a version that is only hidden can be had again by whoever may list the bucket."""
    bucket.keep_versions()
    _put(store, KEY, times)
    store.delete(KEY)
    assert bucket.kept() == []


def test_a_document_that_somebody_else_deleted_is_deleted_for_good(
    store: S3DocumentStore, bucket: Bucket
) -> None:
    """A lifecycle rule, or an operator by hand, leaves the version behind its mark."""
    bucket.keep_versions()
    _put(store, KEY)
    bucket.delete(KEY)
    assert len(bucket.kept()) == 2
    store.delete(KEY)
    assert bucket.kept() == []


def test_what_was_stored_before_versions_were_kept_and_after_is_deleted(
    store: S3DocumentStore, bucket: Bucket
) -> None:
    """Versioning is switched on and suspended; what is there stays as it was stored."""
    _put(store, KEY)
    bucket.keep_versions()
    _put(store, KEY)
    bucket.keep_versions("Suspended")
    _put(store, KEY)
    store.delete(KEY)
    assert bucket.kept() == []


def test_a_key_that_only_begins_alike_is_left_alone(store: S3DocumentStore, bucket: Bucket) -> None:
    """Listing goes by prefix; what is deleted is one object."""
    bucket.keep_versions()
    _put(store, KEY)
    _put(store, _LONGER, 2)
    store.delete(KEY)
    store.delete(KEY)
    assert bucket.kept() == [f"reports/{_LONGER}"] * 2


def test_a_second_try_leaves_no_second_mark(
    store: S3DocumentStore, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the right to list versions, retention tries each minute: the bucket must not fill for it."""
    bucket.keep_versions()
    _put(store, KEY)
    with monkeypatch.context() as without_right:

        def refuse(_client: object, _name: str) -> None:
            raise DocumentsUnavailable("The bucket refused (AccessDenied).")

        without_right.setattr(store, "_delete_versions", refuse)
        for _ in range(3):
            with pytest.raises(DocumentsUnavailable):
                store.delete(KEY)
    assert len(bucket.kept()) == 2
    store.delete(KEY)
    assert bucket.kept() == []


class _Strict(BaseHTTPRequestHandler):
    """Answers a deletion of what is not there as some stores do, or of a bucket that is not there."""

    code = "NoSuchKey"

    def do_DELETE(self) -> None:
        body = f"<Error><Code>{self.code}</Code><Message>Not here.</Message></Error>".encode()
        self.send_response(404)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        pass


@pytest.mark.parametrize("code", ["NoSuchKey", "NoSuchBucket"])
def test_an_object_that_is_not_there_is_no_error_and_a_missing_bucket_is(
    code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deleting is repeated after a lost answer; a bucket that is gone would hide every object."""
    monkeypatch.setattr(_Strict, "code", code)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Strict) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        store = S3DocumentStore(
            "acme-reports",
            endpoint_url=f"http://127.0.0.1:{server.server_port}",
            access_key_id="key",
            secret_access_key="secret",
        )
        try:
            if code == "NoSuchKey":
                store.delete(KEY)
            else:
                with pytest.raises(DocumentsUnavailable, match="NoSuchBucket"):
                    store.delete(KEY)
        finally:
            store._connection.client.close()
            server.shutdown()
