"""What a creation's body may be."""

import gzip
import importlib
import json

import pytest

from sqr_jobs import Caller, User
from sqr_jobs.web import bodies
from tests.host.tokens import bearer
from tests.http.clients import Client, Reply
from tests.http.conftest import Serve

_INVALID: dict[str, tuple[bytes, str]] = {
    "no field": (b"{}", "userId is missing."),
    "other field": (b'{"userID": "U-1"}', "userId is missing."),
    "unknown field": (b'{"userId": "U-1", "colour": 1}', "colour is not a known field."),
    "two faults": (b'{"userId": "", "colour": 1}', "colour is not a known field."),
    "empty": (b'{"userId": ""}', "userId must have 1 to 16 characters; this one has 0."),
    "17 characters": (
        b'{"userId": "U2345678901234567"}',
        "userId must have 1 to 16 characters; this one has 17.",
    ),
    "17 emoji": (json.dumps({"userId": "😀" * 17}).encode(), "this one has 17."),
    "escaped NUL": (rb'{"userId": "U\u0000"}', "userId must not contain control characters."),
    "line feed": (rb'{"userId": "U-1\n"}', "userId must not contain control characters."),
    "delete": (b'{"userId": "U\x7f"}', "userId must not contain control characters."),
    "C1 control": (rb'{"userId": "U\u0085"}', "userId must not contain control characters."),
    "raw control": (b'{"userId": "U\x01"}', ""),
    "lone surrogate": (rb'{"userId": "U\ud800"}', ""),
    "lone low surrogate": (rb'{"userId": "\udc00U"}', ""),
    "surrogates the wrong way round": (rb'{"userId": "\udc00\ud800"}', ""),
    "raw surrogate": (b'{"userId": "U\xed\xa0\x80"}', ""),
    "number": (b'{"userId": 7}', "userId"),
    "null": (b'{"userId": null}', "userId"),
    "true": (b'{"userId": true}', "userId"),
    "list": (b'{"userId": ["U-1"]}', "userId"),
    "object": (b'{"userId": {"userId": "U-1"}}', "userId"),
    "NaN": (b'{"userId": NaN}', ""),
    "infinity": (b'{"userId": -Infinity}', ""),
    "a text": (b'"U-1"', "The body must be a JSON object."),
    "an array": (b'[{"userId": "U-1"}]', "The body must be a JSON object."),
    "a null": (b"null", "The body must be a JSON object."),
    "no body": (b"", "The body is not valid JSON."),
    "blanks": (b"  \r\n ", "The body is not valid JSON."),
    "cut off": (b'{"userId": "U-1"', "The body is not valid JSON."),
    "more after it": (b'{"userId": "U-1"} x', "The body is not valid JSON."),
    "two objects": (b'{"userId": "U-1"}{"userId": "U-2"}', "The body is not valid JSON."),
    "single quotes": (b"{'userId': 'U-1'}", "The body is not valid JSON."),
    "trailing comma": (b'{"userId": "U-1",}', "The body is not valid JSON."),
    "comment": (b'{"userId": "U-1"} // me', "The body is not valid JSON."),
    "a form": (b"userId=U-1", "The body is not valid JSON."),
    "not UTF-8": (b'{"userId": "U\xff"}', "The body is not valid JSON."),
    "Latin-1": ('{"userId": "Ü"}'.encode("latin-1"), "The body is not valid JSON."),
    "UTF-16": ('{"userId": "U-1"}'.encode("utf-16"), "The body is not valid JSON."),
    "nested without end": (b'{"userId": ' + b"[" * 60_000, "The body is not valid JSON."),
    "nested and closed": (b'{"userId": ' + b"[" * 30_000 + b"]" * 30_000 + b"}", ""),
    "the same field twice": (b'{"userId": "U-1", "userId": "U-2"}', ""),
    "a number without end": (b'{"userId": ' + b"9" * 60_000 + b"}", ""),
}


@pytest.mark.needs("flask")
@pytest.mark.parametrize("reads", ["get_data", "get_json"])
def test_a_body_that_the_host_has_read_before_is_read_all_the_same(serve_on: Serve, reads: str) -> None:
    """Audit logs and signatures over the body are made in a `before_request`."""
    client = serve_on("flask")
    flask = importlib.import_module("flask")
    client.app.before_request(lambda: getattr(flask.request, reads)() and None)  # type: ignore[attr-defined]
    assert client.post({"userId": "U-1"}).status == 202


def _post(client: Client, org: str, content: bytes, media_type: str | None = "application/json") -> Reply:
    headers = bearer(org) | ({"Content-Type": media_type} if media_type is not None else {})
    return client.request("POST", client.path, headers=headers, content=content)


class _Everyone:
    def find(self, user_id: str) -> User:
        return User(user_id=user_id, given_name="Jo", family_name="Bloggs")

    def may_report(self, caller: Caller, user: User) -> bool:
        return True


@pytest.mark.parametrize("name", _INVALID)
def test_a_body_that_breaks_a_rule_is_400_with_a_sentence(shared_client: Client, org: str, name: str) -> None:
    """The client's developer reads what to change, and 422 is taken for something else."""
    content, sentence = _INVALID[name]
    reply = _post(shared_client, org, content)
    assert (reply.status, reply.code) == (400, "REQUEST_INVALID")
    assert sentence in reply.json()["detail"]


def test_each_fault_has_its_own_sentence(shared_client: Client, org: str) -> None:
    """One round trip shows all that is wrong."""
    detail = _post(shared_client, org, rb'{"userId": "U234567890123456\n", "size": 1, "colour": 2}').json()[
        "detail"
    ]
    assert detail == (
        "userId must have 1 to 16 characters; this one has 17. userId must not contain control characters. "
        "size is not a known field. colour is not a known field."
    )


@pytest.mark.parametrize(
    "content", [b'{"userId": 7}', b'{"userId": "CANARY\\u0000"}', b'{"userId": ["CANARY"]}']
)
def test_a_refusal_does_not_repeat_the_value(shared_client: Client, org: str, content: bytes) -> None:
    """Answers end up in other people's logs; the value may be personal."""
    assert "CANARY" not in _post(shared_client, org, content).body.decode()


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "Application/JSON",
        "application/json ; odd=1",
    ],
)
def test_json_with_any_parameter_is_accepted(shared_client: Client, org: str, media_type: str) -> None:
    """HTTP libraries add a charset on their own account."""
    assert _post(shared_client, org, b'{"userId": "U-1"}', media_type).status == 202


@pytest.mark.parametrize(
    "media_type",
    [
        None,
        "",
        "text/json",
        "text/plain",
        "application/jsonp",
        "application/json5",
        "application/problem+json",
        "application/*",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "json",
        "; application/json",
        "application/json, text/plain",
    ],
)
def test_any_other_media_type_is_refused(shared_client: Client, org: str, media_type: str | None) -> None:
    """A form of another site can send text/plain and forms across origins, but not JSON."""
    reply = _post(shared_client, org, b'{"userId": "U-1"}', media_type)
    assert (reply.status, reply.code) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("coding", ["gzip", "br", "GZIP", "identity, gzip", "x", "*"])
def test_a_compressed_body_is_refused_before_the_limit(shared_client: Client, org: str, coding: str) -> None:
    """RFC 9110, 15.5.16: the client hears which codings it may use, and has lost none of its quota."""
    headers = {**bearer(org), "Content-Type": "application/json", "Content-Encoding": coding}
    content = gzip.compress(b'{"userId": "U-1"}')
    for _ in range(11):
        reply = shared_client.request("POST", shared_client.path, headers=headers, content=content)
        assert (reply.status, reply.code) == (415, "UNSUPPORTED_MEDIA_TYPE")
        assert reply.headers["accept-encoding"] == "identity"
        assert "ratelimit" not in reply.headers
    assert "accept-encoding" not in _post(shared_client, org, b"{}", "text/plain").headers


@pytest.mark.parametrize("coding", ["identity", "Identity", "", " "])
def test_a_body_that_is_declared_uncompressed_is_accepted(
    shared_client: Client, org: str, coding: str
) -> None:
    """Some clients name the coding that is none."""
    headers = {**bearer(org), "Content-Type": "application/json", "Content-Encoding": coding}
    reply = shared_client.request("POST", shared_client.path, headers=headers, content=b'{"userId": "U-1"}')
    assert reply.status == 202


@pytest.mark.parametrize("number", [20, 21, 6_000])
def test_at_most_twenty_faults_are_listed(shared_client: Client, org: str, number: int) -> None:
    """An answer that is longer than its question is a lever for whoever wants to fill our line."""
    body = {"userId": "", **{f"{field:05}": 1 for field in range(number - 1)}}
    content = json.dumps(body, separators=(",", ":")).encode()
    detail = _post(shared_client, org, content).json()["detail"]
    assert detail.startswith(
        "userId must have 1 to 16 characters; this one has 0. 00000 is not a known field."
    )
    assert detail.count("not a known field") == 19
    assert detail.endswith(
        {20: "00018 is not a known field.", 21: "1 more fault is not listed."}.get(
            number, f"{number - 20} more faults are not listed."
        )
    )


def test_the_fields_that_are_known_are_judged_however_many_are_not(shared_client: Client, org: str) -> None:
    """Known fields stand behind thousands of others, or before them."""
    many = {f"{field:05}": 1 for field in range(5_000)}
    for body in ({**many, "userId": 7}, {"userId": 7, **many}):
        detail = _post(shared_client, org, json.dumps(body).encode()).json()["detail"]
        assert detail.startswith("userId: ")


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"x" * 60_000: 1}).encode(),
        json.dumps({f"{field:05}" * 500: 1 for field in range(25)}).encode(),
        b'{"userId": ' + b'{"a": ' * 8_000 + b"1" + b"}" * 8_000 + b"}",
        b'{"userId": ' + b'{"a":[' * 300 + b"]}" * 300 + b"}",
        b'{"userId": ' + b"9" * 4_000 + b"}",
        b'{"userId": 1e999999}',
        b"{" + b'"a": 1, ' * 8_000 + b'"userId": "U-1"}',
    ],
    ids=[
        "a long name",
        "long names",
        "deep",
        "less deep",
        "a long number",
        "a large number",
        "one field often",
    ],
)
def test_a_refusal_is_short_whatever_was_sent(shared_client: Client, org: str, content: bytes) -> None:
    """Siblings of many faults: long names, deep nesting, huge numbers, a field many times."""
    reply = _post(shared_client, org, content)
    assert reply.status == 400
    assert len(reply.body) < 4_096


@pytest.mark.parametrize("key", [None, "", "x" * 256])
def test_a_body_is_not_parsed_before_the_limit(
    shared_client: Client, org: str, key: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refusing must cost less than asking: of a refused request no field is looked at."""
    for _ in range(10):
        _post(shared_client, org, b"{}")
    monkeypatch.setattr(bodies, "json", None)
    sent = bearer(org) | {"Content-Type": "application/json"}
    sent |= {"Idempotency-Key": key} if key is not None else {}
    content = json.dumps({f"{field:05}": 1 for field in range(5_000)}).encode()
    assert shared_client.request("POST", shared_client.path, headers=sent, content=content).status == 429


@pytest.mark.both_forms
@pytest.mark.parametrize(
    "user_id",
    [
        "U",
        "U234567890123456",
        "😀" * 16,
        "👩‍👩‍👧‍👦" * 2,
        " U-1",
        "U-1 ",
        "u-1",
        "U\u00e9",
        "Ue\u0301",
        "\u202eU-1",
        "'; DROP TABLE x",
        "../../../etc/pas",
        "%00%s{0}",
        "\u2028",
        "\ufeff",
        "\U0010ffff",
    ],
)
def test_a_user_id_is_taken_and_given_back_to_the_byte(client: Client, user_id: str) -> None:
    """Ids are the host's: nothing is trimmed, folded or normalised, and 16 counts characters."""
    client.system.users = _Everyone()
    reply = client.post({"userId": user_id})
    assert reply.status == 202
    assert reply.json()["userId"] == user_id
    shown = client.status(reply.json()["jobId"]).json()
    assert shown["userId"] == user_id


@pytest.mark.both_forms
def test_ids_that_look_alike_are_different_users(client: Client) -> None:
    """Compared byte for byte, on every database: no collation makes two people one."""
    client.system.users = _Everyone()
    alike = ["U-1", "u-1", "U-1 ", " U-1", "U\u00e9", "Ue\u0301", "Ue", "ss", "ß", "U\u200b-1"]
    assert [client.post({"userId": user_id}).status for user_id in alike] == [202] * len(alike)
    assert client.post({"userId": "U-1"}, org="other").status == 202
