"""`sqr-jobs demo --serve`: sample people, each with what is said of them."""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from sqr_jobs.demo.people import PEOPLE, Person
from tests.cli.commands import Demo, demo, run
from tests.servers.ports import wait_until

Asked = dict[str, tuple[httpx.Response, str]]
_BY_NOTE = {note: [person for person in PEOPLE if person.note == note] for note in {p.note for p in PEOPLE}}


def _token(served: Demo, *arguments: str) -> str:
    answer = run("demo", "token", "--dir", str(served.folder), *arguments, home=served.folder)
    assert (answer.returncode, answer.stderr) == (0, "")
    (line,) = answer.stdout.splitlines()
    return line


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[Demo, Asked]]]:
    """Give a demo of each framework that was asked for a report on everyone; both work at the same time."""
    with ExitStack() as stack:
        yield {
            framework: (made, _ask_about_everyone(made))
            for framework in ("fastapi", "flask")
            for folder in [tmp_path_factory.mktemp(f"demo-{framework}")]
            for made in [stack.enter_context(demo(folder, "--framework", framework))]
        }


@pytest.fixture(params=["fastapi", "flask"])
def framework(request: pytest.FixtureRequest) -> str:
    """Name the framework under test."""
    return str(request.param)


@pytest.fixture
def served(demos: dict[str, tuple[Demo, Asked]], framework: str) -> Demo:
    """Give the demo of that framework."""
    return demos[framework][0]


@pytest.fixture
def issuing(demos: dict[str, tuple[Demo, Asked]]) -> Demo:
    """Give one demo to try tokens on, which are the same whatever the framework."""
    return demos["fastapi"][0]


@pytest.fixture
def asked(demos: dict[str, tuple[Demo, Asked]], framework: str) -> Asked:
    """Give its first answer about each person, with the token that asked."""
    return demos[framework][1]


def _ask_about_everyone(served: Demo) -> Asked:
    """Ask half of them for another org: ten creations are the limit."""
    tokens = [served.told["token"], _token(served, "--org", "globex")]
    asked = {}
    for number, person in enumerate(PEOPLE):
        token = tokens[number % 2]
        asked[person.user_id] = (served.ask("POST", "", token, {"userId": person.user_id}), token)
    return asked


def _end(served: Demo, asked: Asked, person: Person) -> dict[str, Any]:
    answer, token = asked[person.user_id]
    assert answer.status_code == 202, answer.text
    ended: list[dict[str, Any] | None] = []
    job_id = answer.json()["jobId"]

    def has_ended() -> bool:
        ended.append(served.ends(job_id, token))
        return ended[-1] is not None

    wait_until(has_ended, seconds=60, what=f"the report on {person.user_id}")
    assert ended[-1] is not None
    return ended[-1]


def test_its_first_line_is_all_that_a_script_needs(served: Demo) -> None:
    """Address, token, org, and whom one may ask about, with what to expect."""
    assert set(served.told) == {"address", "token", "org", "people"}
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", served.told["address"])
    assert served.line.endswith("\n")
    people = served.told["people"]
    assert [person["userId"] for person in people] == [person.user_id for person in PEOPLE]
    for told, person in zip(people, PEOPLE, strict=True):
        expected = {"userId": person.user_id, "name": person.full_name}
        assert told == (expected | {"note": person.note} if person.note else expected)
        assert 1 <= len(told["userId"]) <= 16
    assert {person.get("note") for person in people} == {None, "slow", "fails", "not connected", "traps"}


@pytest.mark.parametrize("person", [*_BY_NOTE[None], *_BY_NOTE["traps"]], ids=lambda person: person.user_id)
def test_ordinary_people_and_those_with_trap_names_get_their_report(
    served: Demo, asked: Asked, person: Person
) -> None:
    """A name may hold anything; the report comes, with the right bytes, under a safe name."""
    shown = _end(served, asked, person)
    assert (shown["status"], shown["templateVersion"]) == ("COMPLETE", "v2")
    download = served.ask("GET", f"/{shown['jobId']}/url", asked[person.user_id][1]).json()
    answer = httpx.get(download["url"])
    assert answer.status_code == 200
    assert hashlib.sha256(answer.content).hexdigest() == shown["sha256"]
    assert len(answer.content) == shown["sizeBytes"]
    assert answer.content.startswith(b"%PDF-")
    assert not re.search(r"[\x00-\x1f\x7f<>:\"/\\|?*&'\u202e\s]", download["filename"])
    assert len(download["filename"].encode()) <= 255


def test_the_slow_person_takes_eight_seconds(served: Demo, asked: Asked) -> None:
    """Time enough to see IN_PROGRESS, and to stop the demo in the middle."""
    (person,) = _BY_NOTE["slow"]
    shown = _end(served, asked, person)
    assert shown["status"] == "COMPLETE"
    assert 8_000 <= shown["durationMs"] < 20_000


def test_the_failing_person_s_report_fails(served: Demo, asked: Asked) -> None:
    """What a client sees of a template that raises: a code, at once, and no URL."""
    (person,) = _BY_NOTE["fails"]
    shown = _end(served, asked, person)
    assert (shown["status"], shown["errorCode"], shown["attempts"]) == ("FAILED", "RENDER_FAILED", 1)
    refused = served.ask("GET", f"/{shown['jobId']}/url", asked[person.user_id][1])
    assert (refused.status_code, refused.json()["code"]) == (422, "JOB_FAILED")


def test_the_person_who_is_not_connected_is_refused(asked: Asked) -> None:
    """The person exists, and nobody may report on them."""
    (person,) = _BY_NOTE["not connected"]
    answer, _ = asked[person.user_id]
    assert (answer.status_code, answer.json()["code"]) == (403, "USER_NOT_PERMITTED")


def test_nobody_s_name_is_in_the_log(served: Demo, asked: Asked) -> None:
    """Above all not that of the person whose report fails, whose name stands in the exception."""
    for person in PEOPLE:
        if person.note != "not connected":
            _end(served, asked, person)
    log = served.log.read_text()
    failing = asked[_BY_NOTE["fails"][0].user_id][0].json()["jobId"]
    assert failing in log
    assert "RENDER_FAILED" in log
    for person in PEOPLE:
        for name in (person.given_name, person.family_name):
            assert name not in log, name
    for secret in (served.told["token"], "signature=", "eyJ"):
        assert secret not in log


def test_a_token_speaks_for_its_org(demos: dict[str, tuple[Demo, Asked]]) -> None:
    """Another org's token sees nothing of this one's jobs."""
    served, asked = demos["fastapi"]
    mine = asked[PEOPLE[0].user_id][0].json()["jobId"]
    stranger = _token(served, "--org", "initech")
    assert served.ask("GET", f"/{mine}").status_code == 200
    assert served.ask("GET", f"/{mine}", stranger).json()["code"] == "JOB_NOT_FOUND"


@pytest.mark.parametrize(
    ("scope", "create", "read"),
    [
        ("reports:create", 404, 403),
        ("reports:read", 403, 404),
        ("reports:read reports:create", 404, 404),
        ("", 403, 403),
    ],
)
def test_a_token_has_the_scopes_that_were_asked_for(
    issuing: Demo, scope: str, create: int, read: int
) -> None:
    """To try out what a client without a scope is told."""
    token = _token(issuing, "--org", "scopes", "--scope", scope)
    assert issuing.ask("POST", "", token, {"userId": "NOBODY"}).status_code == create
    assert issuing.ask("GET", "/nothing", token).status_code == read


def test_a_token_lives_as_long_as_it_was_told_to(issuing: Demo) -> None:
    """A negative number gives one that has expired, to try out the refusal."""
    assert (
        issuing.ask("GET", "/nothing", _token(issuing, "--org", "acme", "--expires", "30")).status_code == 404
    )
    refused = issuing.ask("GET", "/nothing", _token(issuing, "--org", "acme", "--expires", "-5"))
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == 'Bearer error="invalid_token"'


def test_the_folder_may_be_named_before_or_after_the_word_token(issuing: Demo) -> None:
    """Nobody remembers to which of two words an option belongs."""
    before = run("demo", "--dir", str(issuing.folder), "token", "--org", "acme", home=issuing.folder)
    assert issuing.ask("GET", "/nothing", before.stdout.strip()).status_code == 404


def test_a_token_of_another_folder_is_refused(issuing: Demo, tmp_path: Path) -> None:
    """Each demo has a key of its own."""
    other = run("demo", "token", "--dir", str(tmp_path), "--org", "acme", home=tmp_path)
    assert issuing.ask("GET", "/nothing", other.stdout.strip()).status_code == 401
    assert (tmp_path / "token-key").stat().st_mode & 0o077 == 0


def test_an_org_that_no_token_can_name_is_refused_at_once(tmp_path: Path) -> None:
    """The help promises a token that the demo accepts."""
    answer = run("demo", "token", "--dir", str(tmp_path), "--org", "", home=tmp_path)
    assert answer.returncode in (1, 2)
    assert answer.stdout == ""


def test_it_listens_on_loopback_only(served: Demo) -> None:
    """A sample service with a printed token must not be reachable from the network."""
    listening = [
        connection.laddr.ip
        for connection in psutil.Process(served.process.pid).net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening == ["127.0.0.1"]


def test_the_line_is_json_of_one_object(served: Demo) -> None:
    """Names of all scripts arrive as they are."""
    assert json.loads(served.line) == served.told
    assert "Ελένη" in served.line or "\\u0395" in served.line
