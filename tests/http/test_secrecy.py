"""What must never reach a log: names, tokens, addresses of documents."""

import logging
import re

import pytest

from sqr_jobs import Caller, User
from tests.host.tokens import bearer, token
from tests.http.answered import written
from tests.http.clients import JSON, Client
from tests.http.conftest import Answer
from tests.http.situations import SITUATIONS, unknown_id

pytestmark = pytest.mark.both_forms

_GIVEN, _FAMILY = "Canarina", "Canariensis"


class _Canary:
    """Everyone has the same name, which a log must not show."""

    permitted = True

    def find(self, user_id: str) -> User | None:
        if user_id.startswith("U"):
            return User(user_id=user_id, given_name=_GIVEN, family_name=_FAMILY)
        return None

    def may_report(self, caller: Caller, user: User) -> bool:
        return self.permitted


def test_no_name_token_or_url_is_in_any_record(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """Logs are kept longer, and read by more people, than anything else (I15)."""
    caplog.set_level(logging.DEBUG)
    canary = _Canary()
    client.system.users = canary
    bad = token(expires_s=-5, note="CANARY-CLAIM")
    secrets = {_GIVEN, _FAMILY, bad, bad.split(".")[1], "CANARY-CLAIM"}
    good = bearer()["Authorization"].removeprefix("Bearer ")
    secrets |= {good, good.split(".")[2]}

    created = client.request(
        "POST", client.path, headers={"Authorization": f"Bearer {good}"}, json={"userId": "U-1"}
    )
    job_id = created.json()["jobId"]
    client.work(job_id)
    url = client.url(job_id).json()["url"]
    secrets |= {url, re.findall(r"[Ss]ignature=(\w+)", url)[0], client.url(job_id).json()["filename"]}
    client.follow(url)
    client.follow(url + "0")
    client.request("GET", f"{client.path}/{job_id}", headers={"Authorization": f"Bearer {bad}"})
    client.post({"userId": "U-1"})
    client.post({"userId": "NOBODY"})
    failing = client.create("U-RAISE")
    client.work(failing)
    client.url(failing)
    missing = client.create("U-NODATA")
    client.work(missing)
    canary.permitted = False
    client.url(job_id)
    canary.permitted = True
    client.lose(job_id)
    assert client.url(job_id).code == "DOCUMENT_GONE"
    client.move_clock(400_000)
    client.url(missing)

    log = written(caplog.records)
    assert job_id in log
    for secret in secrets | {"BloggsURAISE", "could not lay out"}:
        assert secret not in log, secret


@pytest.mark.parametrize("name", SITUATIONS)
def test_no_situation_writes_a_token_or_a_name(answer: Answer, framework: str, name: str) -> None:
    """The unhappy ways are the ones that write most."""
    answered = answer(framework, name)
    for token_sent in answered.tokens:
        assert token_sent not in answered.written
        assert token_sent.split(".")[2] not in answered.written
    assert "Bloggs" not in answered.written
    assert "signature=" not in answered.written.lower()
    assert "CANARY-KEY" not in answered.written


def test_a_body_is_never_written(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """A client that sends personal data by mistake must not have them kept."""
    caplog.set_level(logging.DEBUG)
    for content in (
        b'{"userId": "CANARY-BODY-THAT-IS-LONG"}',
        b'{"CANARY-BODY": 1}',
        b"CANARY-BODY",
        b"CANARY-BODY\xff",
    ):
        reply = client.request("POST", client.path, headers={**bearer(), **JSON}, content=content)
        assert reply.status == 400
    assert "CANARY" not in written(caplog.records)


def test_a_line_break_in_an_id_makes_no_line_of_its_own(
    client: Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One who asks for odd paths must not be able to write log lines."""

    def fail(*_: object) -> None:
        raise RuntimeError

    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(client.reports, "status", fail)
    reply = client.request("GET", f"{client.path}/x%0ACRITICAL%20forged", headers=bearer())
    assert reply.status == 500
    messages = [record.getMessage() for record in caplog.records if record.name.startswith("sqr_jobs")]
    assert messages
    lines = [line for message in messages for line in message.splitlines()]
    assert [line for line in lines if "forged" in line] == [lines[0]]
    assert lines[0].startswith(client.path)


def test_why_a_token_was_refused_is_in_the_log(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """The answer never says it, so the operator must be able to find it."""
    caplog.set_level(logging.INFO)
    client.status(unknown_id, expires_s=-5)
    assert "ExpiredSignature" in caplog.text
