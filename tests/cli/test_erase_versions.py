"""`sqr-jobs erase` where the bucket keeps versions: no version is left, and nobody else's is touched."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from sqr_jobs import ReportJobs
from sqr_jobs.adapters.s3_documents import S3DocumentStore
from sqr_jobs.wiring import system_of
from tests.cli.operators import Run, begun, made, read
from tests.contracts.document_stores import produced

_BUCKET = "acme-reports"


class Bucket:
    """The bucket as its owner sees it."""

    def __init__(self, store: S3DocumentStore) -> None:
        self._store = store
        self._client = store._connection.client
        self._client.create_bucket(Bucket=_BUCKET)
        kept = {"Status": "Enabled"}
        self._client.put_bucket_versioning(Bucket=_BUCKET, VersioningConfiguration=kept)  # type: ignore[arg-type]

    def put(self, key: str) -> None:
        """Store a document, as an attempt does."""
        self._store.put(key, produced(), until=lambda: 10.0)

    def hide(self, key: str) -> None:
        """Delete it as a lifecycle rule does: the version stays behind a mark."""
        self._client.delete_object(Bucket=_BUCKET, Key=key)

    def kept(self, what: str) -> list[str]:
        """List the keys of its `Versions` or `DeleteMarkers`."""
        listed = self._client.list_object_versions(Bucket=_BUCKET)
        return [found["Key"] for found in listed.get(what, [])]  # type: ignore[attr-defined]


@pytest.fixture
def service_settings() -> Iterator[dict[str, Any]]:
    """Have the service keep its documents in a bucket in memory, which can keep versions."""
    keys = {"s3_access_key_id": "key", "s3_secret_access_key": "secret"}
    with mock_aws():
        yield {"s3_bucket": _BUCKET, "s3_region": "us-east-1", **keys}


@pytest.fixture
def bucket(service: ReportJobs) -> Iterator[Bucket]:
    """Give its bucket."""
    store = system_of(service).documents
    assert isinstance(store, S3DocumentStore)
    yield Bucket(store)
    store._connection.client.close()


def test_an_erasure_leaves_no_version_of_a_document_and_no_mark(
    service: ReportJobs, run: Run, bucket: Bucket
) -> None:
    """A version that is only hidden can be had again by whoever may list the bucket: it was not erased."""
    # Given a document that was stored twice and hidden since, an attempt that stored one and was lost, and
    # somebody else's
    complete = read(service, made(service).job_id)
    assert complete.document
    bucket.put(complete.document.key)
    bucket.hide(complete.document.key)
    lost = begun(service, "U-1")
    bucket.put(lost.document_key)
    bystander = read(service, made(service, "U-2").job_id)
    assert bystander.document
    assert len(bucket.kept("Versions")) == 4
    assert bucket.kept("DeleteMarkers") == [complete.document.key]
    # When the person is erased
    status, out, err = run("erase", "--org", "acme", "--user", "U-1", "--yes")
    # Then the receipt tells of both keys, and the bucket has the other's document alone
    assert (status, err) == (0, "")
    receipt = json.loads(out)
    assert (receipt["complete"], receipt["jobs"], receipt["objects"]) == (True, 2, 2)
    assert bucket.kept("Versions") == [bystander.document.key]
    assert bucket.kept("DeleteMarkers") == []
