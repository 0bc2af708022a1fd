"""`sqr-jobs check` on the document store and its credentials: each fault says what to do."""

import importlib.util
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import boto3
import pytest
from botocore.config import Config

from tests.cli import check_hosts
from tests.cli.checks import Check
from tests.servers.s3 import S3Bucket, S3Server


def _settings(bucket: S3Bucket) -> dict[str, object]:
    return {
        "s3_bucket": bucket.bucket,
        "s3_endpoint_url": bucket.endpoint_url,
        "s3_region": bucket.region,
        "s3_access_key_id": bucket.access_key,
        "s3_secret_access_key": bucket.secret_key,
        "s3_request_timeout_s": 10,  # a busy machine is no outage
    }


def test_a_bucket_in_order_is_left_as_it_was(check: Check, s3_bucket: S3Bucket) -> None:
    """Write, sign, fetch as a stranger, be refused without a signature, delete."""
    checked = check(**_settings(s3_bucket))
    assert checked.ok("documents") == (
        "written, signed, fetched as a stranger, refused unsigned and deleted in bucket " + s3_bucket.bucket
    )
    assert checked.ok("credentials") == "they do not expire"
    assert _keys(s3_bucket) == []


def test_a_folder_in_order_is_left_as_it_was(check: Check, tmp_path: Path) -> None:
    """The embedded form's own links are tried too."""
    checked = check()
    assert checked.ok("documents") == "written, signed, opened and deleted in the local folder"
    assert "none needed" in checked.ok("credentials")
    assert list((tmp_path / "data" / "documents").rglob("*.pdf")) == []


def test_a_folder_beside_a_broker_is_a_note(check: Check, redis_url: str, tmp_path: Path) -> None:
    """A worker on another machine would write where no web process looks."""
    told = check(broker_url=redis_url, database_url=f"sqlite:///{tmp_path}/jobs.db").note("documents")
    assert f"in {tmp_path / 'data'}, which web and workers must share, on one machine or one volume" in told
    assert told.endswith("else set SQR_JOBS_S3_BUCKET")


def test_a_folder_that_can_t_be_written_is_a_fault(check: Check, tmp_path: Path) -> None:
    """Here a file lies in its place."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "documents").write_text("")
    told = check(database_url=f"sqlite:///{tmp_path}/jobs.db").fault("documents")
    assert told.startswith("The document folder failed (Not a directory).")
    assert told.endswith("Is SQR_JOBS_DATA_DIR a folder that this process may write?")


def test_a_bucket_that_is_stopped_is_a_fault(check: Check) -> None:
    """Reports would be made, and lost to five tries each."""
    with S3Server() as server:
        bucket = S3Bucket(
            endpoint_url=server.endpoint_url,
            access_key=server.access_key,
            secret_key=server.secret_key,
            region=server.region,
            bucket=server.create_bucket(),
        )
        server.stop()
        checked = check(**_settings(bucket))
    told = checked.fault("documents")
    assert told.startswith("The bucket did not answer (EndpointConnectionError).")
    assert told.endswith("Are SQR_JOBS_S3_ENDPOINT_URL, the bucket's name and its credentials right?")


@pytest.mark.parametrize(
    ("wrong", "refusal"),
    [
        ({"s3_bucket": "no-such-bucket"}, "NoSuchBucket"),
        ({"s3_access_key_id": "nobody"}, "InvalidAccessKeyId"),
        ({"s3_secret_access_key": "canary"}, "SignatureDoesNotMatch"),
    ],
)
def test_a_wrong_bucket_or_key_is_a_fault_with_the_servers_own_word(
    check: Check, s3_bucket: S3Bucket, wrong: dict[str, object], refusal: str
) -> None:
    """S3's error codes are the quickest way to the mistake; no secret is shown."""
    told = check(**(_settings(s3_bucket) | wrong)).fault("documents")
    assert told.startswith(f"The bucket refused ({refusal}).")
    assert told.endswith("the bucket's name and its credentials right?")
    assert "canary" not in told


def test_a_bucket_that_everybody_can_read_is_a_fault(check: Check) -> None:
    """Reports on people, for whoever guesses a key."""
    with S3Server(is_public=True) as server:
        bucket = S3Bucket(
            endpoint_url=server.endpoint_url,
            access_key=server.access_key,
            secret_key=server.secret_key,
            region=server.region,
            bucket=server.create_bucket(),
        )
        told = check(**_settings(bucket)).fault("documents")
        assert _keys(bucket) == []
    assert told == "the object can be read without a signature. Make the bucket private."


def test_a_missing_boto3_is_a_fault_of_the_bucket(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    """And of nothing else: tokens are in order without it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    checked = check(s3_bucket="acme-reports")
    assert checked.fault("documents") == "boto3 is missing. Install it: pip install 'sqr-jobs[s3]'."
    assert checked.ok("tokens")


@pytest.fixture
def stranger(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[BaseHTTPRequestHandler]]:
    """Serve the host's own store; a test may change what is answered."""
    monkeypatch.setattr(check_hosts, "stored", {})

    class Handler(BaseHTTPRequestHandler):
        status, body = 200, b""

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            held = check_hosts.stored.get(path.removeprefix("/"), b"")
            status = self.status if query else 403
            self.send_response(status)
            self.end_headers()
            if status == 200:
                self.wfile.write(self.body or held)

        def log_message(self, *_args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("SQR_TEST_STORE_URL", f"http://127.0.0.1:{server.server_port}")
        yield Handler
        server.shutdown()
        thread.join()


_OWN = "tests.cli.check_hosts:own_store"


def test_a_store_of_the_hosts_own_is_held_to_the_same(check: Check, stranger: object) -> None:
    """Whoever writes one can try it."""
    checked = check(factory=_OWN)
    assert checked.ok("documents").endswith("refused unsigned and deleted in the host's own store")
    assert checked.ok("credentials") == "the host's own store has its own"
    assert check_hosts.stored == {}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("forgets", "what was written is not there. Is the bucket or folder the right one?"),
        ("keeps", "what was written can't be deleted: The bucket refused (AccessDenied). Allow this process"),
    ],
)
def test_a_store_that_does_not_keep_its_word_is_a_fault(
    check: Check, stranger: object, wrong: str, words: str
) -> None:
    """Of a bucket, it is a right that is missing, or two buckets of one name."""
    assert check(factory=_OWN, SQR_TEST_STORE=wrong).fault("documents").startswith(words)


def test_other_bytes_at_the_signed_url_are_a_fault(
    check: Check, stranger: type[BaseHTTPRequestHandler]
) -> None:
    """A proxy that answers with a page of its own."""
    stranger.body = b"<html>"  # type: ignore[attr-defined]
    told = check(factory=_OWN).fault("documents")
    assert told == "the signed URL gave other bytes. Is something between here and the store?"
    assert check_hosts.stored == {}


def test_a_signed_url_that_is_refused_is_a_fault(
    check: Check, stranger: type[BaseHTTPRequestHandler]
) -> None:
    """A clock that is wrong, or a right to read that is missing; the URL is not shown."""
    stranger.status = 403  # type: ignore[attr-defined]
    told = check(factory=_OWN).fault("documents")
    assert "refused the signed URL (HTTP 403). Is this machine's clock right" in told
    assert "signature=" not in told


def test_a_signed_url_that_leads_nowhere_is_a_fault(
    check: Check, stranger: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An endpoint that only the inside of a network knows."""
    told = check(factory=_OWN, SQR_TEST_STORE_URL="http://127.0.0.1:9").fault("documents")
    assert told.startswith(
        "the signed URL leads to 127.0.0.1:9, which did not answer (ConnectionRefusedError)."
    )
    assert told.endswith("Set SQR_JOBS_S3_ENDPOINT_URL to an address that clients can reach.")


def _temporary(tmp_path: Path, bucket: S3Bucket, left: timedelta) -> dict[str, object]:
    """Have boto3 find credentials that expire, from a program as identity providers bring it."""
    answer = {
        "Version": 1,
        "AccessKeyId": bucket.access_key,
        "SecretAccessKey": bucket.secret_key,
        "Expiration": (datetime.now(UTC) + left).isoformat(),
    }
    (tmp_path / "answer.json").write_text(json.dumps(answer))
    (tmp_path / "aws").write_text(f"[default]\ncredential_process = cat {tmp_path}/answer.json\n")
    settings = {**_settings(bucket), "s3_access_key_id": None, "s3_secret_access_key": None}
    return {**settings, "AWS_CONFIG_FILE": tmp_path / "aws", "AWS_SHARED_CREDENTIALS_FILE": tmp_path / "none"}


def test_credentials_that_die_before_a_url_are_a_fault(
    check: Check, s3_bucket: S3Bucket, tmp_path: Path
) -> None:
    """A link promises 300 s, and would be refused after 100."""
    checked = check(**_temporary(tmp_path, s3_bucket, timedelta(seconds=100)))
    assert checked.ok("documents")
    told = checked.fault("credentials")
    assert "expire in" in told
    assert told.endswith("Use credentials that live longer than 300 s, such as an IAM user's.")


def test_credentials_that_have_expired_are_a_fault(check: Check, s3_bucket: S3Bucket, tmp_path: Path) -> None:
    """Nothing can be stored with them."""
    checked = check(**_temporary(tmp_path, s3_bucket, timedelta(seconds=-5)))
    assert checked.fault("documents").startswith("The bucket's credentials have expired.")
    assert checked.fault("credentials").startswith("The bucket's credentials have expired.")


def test_credentials_that_live_for_an_hour_are_a_note(
    check: Check, s3_bucket: S3Bucket, tmp_path: Path
) -> None:
    """They are renewed in time; only the last links of each set die early."""
    told = check(**_temporary(tmp_path, s3_bucket, timedelta(hours=1))).note("credentials")
    assert told.startswith("temporary, 3")
    assert "a URL signed in their last 300 s lives shorter" in told


def test_credentials_of_which_nobody_knows_the_end_are_a_note(check: Check, s3_bucket: S3Bucket) -> None:
    """A session token from a shell: it worked in the morning."""
    checked = check(
        **{**_settings(s3_bucket), "s3_access_key_id": None, "s3_secret_access_key": None},
        AWS_ACCESS_KEY_ID=s3_bucket.access_key,
        AWS_SECRET_ACCESS_KEY=s3_bucket.secret_key,
        AWS_SESSION_TOKEN="canary",
    )
    assert checked.note("credentials").startswith(
        "temporary, and nothing tells until when; a URL dies with them."
    )
    assert "canary" not in str(checked.lines)


def test_no_credentials_are_a_fault(check: Check, s3_bucket: S3Bucket, tmp_path: Path) -> None:
    """The variables are set in another shell."""
    settings = {**_settings(s3_bucket), "s3_access_key_id": None, "s3_secret_access_key": None}
    checked = check(**settings, AWS_EC2_METADATA_DISABLED="true", AWS_CONFIG_FILE=tmp_path / "none")
    assert checked.fault("documents").startswith("The bucket did not answer (NoCredentialsError).")
    assert (
        checked.fault("credentials")
        == "There are no credentials for the bucket. See the line on the documents."
    )


def _keys(bucket: S3Bucket) -> list[str]:
    client = boto3.client(
        "s3",
        endpoint_url=bucket.endpoint_url,
        aws_access_key_id=bucket.access_key,
        aws_secret_access_key=bucket.secret_key,
        region_name=bucket.region,
        config=Config(s3={"addressing_style": "path"}),
    )
    found = client.list_objects_v2(Bucket=bucket.bucket).get("Contents", [])
    client.close()
    return [str(each["Key"]) for each in found]
