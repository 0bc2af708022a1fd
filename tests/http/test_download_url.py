"""GET {id}/url: who gets a URL, and when."""

import logging
import re
import time

import pytest
import time_machine

from sqr_jobs import Caller, ReportJobs, Settings, User, build_report_jobs
from tests.host.reports import Report, people
from tests.http.clients import Client
from tests.http.conftest import Serve
from tests.http.stored import everything_stored
from tests.servers.ports import free_port

pytestmark = pytest.mark.both_forms


class _Named:
    """Knows everyone under one name."""

    def __init__(self, given_name: str, family_name: str) -> None:
        self.names = (given_name, family_name)

    def find(self, user_id: str) -> User:
        return User(user_id=user_id, given_name=self.names[0], family_name=self.names[1])

    def may_report(self, caller: Caller, user: User) -> bool:
        return True


def test_a_complete_job_has_a_url_for_300_seconds(client: Client) -> None:
    """Address, lifetime and a name for people: nothing else."""
    job_id = client.complete()
    reply = client.url(job_id)
    assert reply.status == 200
    assert set(reply.json()) == {"url", "expiresInSeconds", "filename"}
    assert reply.json()["expiresInSeconds"] == 300
    assert re.fullmatch(r"SQR_J_BloggsU1_[A-Z0-9]{4}\.pdf", reply.json()["filename"])
    assert reply.headers["content-type"] == "application/json"


def test_each_call_gives_a_fresh_url(client: Client) -> None:
    """The 300 s run from the call on, not from the first one."""
    job_id = client.complete()
    now = time.time()
    with time_machine.travel(now - 400, tick=False):
        first = client.url(job_id).json()["url"]
    with time_machine.travel(now - 150, tick=False):
        second = client.url(job_id).json()["url"]
    assert second != first
    assert client.follow(first).status in (400, 403)
    assert client.follow(second).status == 200


def test_a_url_is_stored_nowhere(client: Client) -> None:
    """Whoever reads a backup must not find a key to a document."""
    job_id = client.complete()
    signature = re.findall(r"[Ss]ignature=(\w+)", client.url(job_id).json()["url"])[0].encode()
    stored = everything_stored(client.system.settings)
    assert [part for part in stored if job_id.encode() in part]
    assert not [part for part in stored if signature in part]


@pytest.mark.parametrize("begun", [False, True])
def test_a_job_that_may_still_complete_is_422_with_a_time_to_come_back(
    client: Client, *, begun: bool
) -> None:
    """Not an error of the client's but of the moment."""
    job_id = client.create("U-NODATA")
    if begun:
        client.work(job_id)
    for moved_ms, told in ((0, "3"), (30_000, "10")):
        client.move_clock(moved_ms)
        reply = client.url(job_id)
        assert (reply.status, reply.code) == (422, "JOB_NOT_COMPLETE")
        assert reply.headers["retry-after"] == told
        assert "errorCode" not in reply.json()


def test_a_job_that_failed_is_422_with_its_code_and_no_time(client: Client) -> None:
    """Coming back is no use."""
    job_id = client.create("U-RAISE")
    client.work(job_id)
    reply = client.url(job_id)
    assert (reply.status, reply.code) == (422, "JOB_FAILED")
    assert reply.json()["errorCode"] == "RENDER_FAILED"
    assert "retry-after" not in reply.headers


def test_a_job_past_its_deadline_is_failed_at_the_url_too(client: Client) -> None:
    """The answer is right with no worker alive, whichever endpoint is asked first."""
    job_id = client.create()
    client.move_clock(300_000)
    reply = client.url(job_id)
    assert (reply.code, reply.json()["errorCode"]) == ("JOB_FAILED", "DEADLINE_EXCEEDED")


def test_a_document_past_its_retention_is_410(client: Client) -> None:
    """It was there, and will not be again; the job still tells of it."""
    job_id = client.complete()
    client.move_clock(86_400_000 - 5_000)
    assert client.url(job_id).status == 200
    client.move_clock(5_000)
    reply = client.url(job_id)
    assert (reply.status, reply.code) == (410, "DOCUMENT_EXPIRED")
    assert client.status(job_id).json()["status"] == "COMPLETE"


def test_the_retention_is_configurable(serve: Serve) -> None:
    """How long personal data are kept is the host's decision."""
    client = serve(document_lifetime_s=60)
    job_id = client.complete()
    client.move_clock(60_000)
    assert client.url(job_id).code == "DOCUMENT_EXPIRED"


@pytest.mark.parametrize("what", ["deleted", "cut short", "changed at the same size"])
def test_a_document_that_vanished_is_410_and_an_operator_hears_of_it(
    client: Client, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    """A client gets no URL that leads nowhere, and nobody has to tell us."""
    job_id = client.complete()
    url = client.url(job_id).json()["url"]
    if what == "deleted":
        client.lose(job_id)
    elif what == "cut short":
        client.replace_document(job_id, b"%PDF-1.7")
    else:
        client.replace_document(job_id, b"%" * client.status(job_id).json()["sizeBytes"])
    reply = client.url(job_id)
    assert (reply.status, reply.code) == (410, "DOCUMENT_GONE")
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert job_id in record.getMessage()
    assert url not in caplog.text


def test_a_document_store_out_of_reach_is_503(serve: Serve, client: Client, form: str) -> None:
    """An outage of the store is no loss of the document."""
    job_id = client.complete()
    inside = f"http://127.0.0.1:{free_port()}"
    if form == "embedded":
        folder = client.system.settings.data_dir / "documents" / job_id
        folder.rename(folder.with_suffix(".away"))
        folder.write_text("a file where a folder should be")
        inside = str(folder)
    else:
        client = serve(s3_endpoint_url=inside)
    reply = client.url(job_id)
    assert (reply.status, reply.code) == (503, "SERVICE_UNAVAILABLE")
    assert "retry-after" in reply.headers
    assert inside.encode() not in reply.body


def test_a_right_that_was_revoked_closes_the_next_call(client: Client) -> None:
    """Permission is the host's present answer, not what held when the job was created."""
    job_id = client.complete()
    assert client.url(job_id).status == 200
    people.not_permitted.add("U-1")
    reply = client.url(job_id)
    assert (reply.status, reply.code) == (403, "USER_NOT_PERMITTED")
    people.not_permitted.remove("U-1")
    assert client.url(job_id).status == 200


def test_a_user_who_was_deleted_closes_it_too(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody may have a report on someone who is gone; the answer tells no more than for others."""
    job_id = client.complete()
    people.not_permitted.add("U-1")
    revoked = client.url(job_id)
    monkeypatch.setattr(people, "find", lambda _user_id: None)
    deleted = client.url(job_id)
    assert (deleted.status, deleted.code) == (403, "USER_NOT_PERMITTED")
    assert deleted.body == revoked.body


@pytest.mark.parametrize("ending", ["not complete", "failed", "expired", "gone"])
def test_the_permission_comes_before_what_became_of_the_document(client: Client, ending: str) -> None:
    """One who may not have the report learns nothing about it either."""
    job_id = client.create("U-RAISE" if ending == "failed" else "U-1")
    if ending != "not complete":
        client.work(job_id)
    if ending == "expired":
        client.move_clock(86_400_000)
    if ending == "gone":
        client.lose(job_id)
    people.not_permitted |= {"U-1", "U-RAISE"}
    assert client.url(job_id).code == "USER_NOT_PERMITTED"


def test_the_directory_is_asked_at_every_call(client: Client) -> None:
    """Nothing is cached: not between calls, and not from the creation."""
    job_id = client.complete()
    people.asked.clear()
    for _ in range(3):
        client.url(job_id)
    assert people.asked == ["find U-1", "may_report acme U-1"] * 3


def test_another_org_s_job_is_not_even_asked_about(client: Client) -> None:
    """404 comes first: the host is not told of a request that is none of its business."""
    job_id = client.complete(org="globex")
    people.asked.clear()
    assert client.url(job_id).code == "JOB_NOT_FOUND"
    assert people.asked == []


@pytest.mark.parametrize(
    ("given", "family", "name"),
    [
        ("John", "Smith", "SQR_J_Smith_"),
        ("Zoë", "Þórsdóttir", "SQR_Z_Þórsdóttir_"),
        ("Ελένη", "Παπαδοπούλου", "SQR_\u0395_Παπαδοπούλου_"),
        ("../..", "/etc/passwd", "SQR_"),
        ("Bidi\u202efdp\x07", "Ro\u200dsa 😀", "SQR_B_Ro-sa_"),
        ("", "", "SQR_"),
        ("A", "x" * 300, "SQR_A_xxx"),
        ('"', 'a";b\r\nX-Evil: 1', "SQR_"),
    ],
)
def test_the_filename_is_safe_whatever_the_name(client: Client, given: str, family: str, name: str) -> None:
    """It is saved on every file system and travels in a header."""
    client.system.users = _Named(given, family)
    job_id = client.complete()
    download = client.url(job_id).json()
    filename = download["filename"]
    assert filename.startswith(name)
    assert re.search(r"_[A-Z0-9]{4}\.pdf$", filename)
    assert not re.search(r"[\x00-\x1f\x7f<>:\"/\\|?*\u200d\u202e\s]", filename)
    assert len(filename.encode()) <= 255
    assert client.follow(download["url"]).status == 200


def test_the_filename_of_a_job_does_not_change(client: Client) -> None:
    """A client that asks twice saves one file."""
    job_id = client.complete()
    assert len({client.url(job_id).json()["filename"] for _ in range(3)}) == 1


class _NamesItsFiles(Report, name="report", version="v1", language="en"):
    def filename(self, user: User, job_id: str) -> str:
        return f"Screening of {user.family_name}/{job_id[:4]}.pdf"


def _naming() -> ReportJobs:
    return build_report_jobs(Settings(), users=people, templates=[_NamesItsFiles()])


def test_a_template_may_name_its_files_and_the_name_is_made_safe(serve: Serve) -> None:
    """The hook is the host's, and what it returns still goes into a header and onto every file system."""
    client = serve(_naming)
    job_id = client.complete()
    download = client.url(job_id).json()
    assert download["filename"] == f"Screening-of-BloggsU1-{job_id[:4]}.pdf"
    disposition = client.follow(download["url"]).headers["content-disposition"]
    assert f'filename="{download["filename"]}"' in disposition
