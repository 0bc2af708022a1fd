"""A creation that is wrong in several ways is refused for the first one in the contract's order."""

import pytest

from sqr_jobs import Caller
from sqr_jobs.web import HttpRequest
from tests.host.reports import people
from tests.host.tokens import bearer
from tests.http.clients import JSON, Client, Reply, Stream
from tests.http.conftest import Serve

pytestmark = pytest.mark.both_forms

_HUGE = b'{"userId":"U-1"}'.ljust(65_537)
_TEXT = {"Content-Type": "text/plain"}


def _post(client: Client, headers: dict[str, str], content: bytes) -> Reply:
    return client.request("POST", client.path, headers=headers, content=content)


def _use_up_the_quota(client: Client) -> None:
    for _ in range(10):
        assert client.post({}).status == 400


def _everything_wrong_but(client: Client, **right: dict[str, str] | bytes) -> Reply:
    """Send a request with every fault that the ones named do not take away, in the contract's order."""
    headers = {"Authorization": "Bearer bad", **_TEXT} | right.get("headers", {})  # type: ignore[operator]
    return _post(client, headers, right.get("content", _HUGE[:-1] + b"x"))  # type: ignore[arg-type]


def test_a_bad_token_comes_before_everything_else(client: Client) -> None:
    """A stranger learns nothing about what else is wrong."""
    _use_up_the_quota(client)
    assert _everything_wrong_but(client).status == 401


def test_a_missing_scope_comes_before_the_media_type(serve: Serve) -> None:
    """Who may not create hears so first."""
    client = serve(create_scope="reports:create")
    assert _everything_wrong_but(client, headers=bearer()).code == "INSUFFICIENT_SCOPE"


def test_the_media_type_comes_before_the_size(client: Client) -> None:
    """A body that is not JSON is not measured."""
    _use_up_the_quota(client)
    assert _everything_wrong_but(client, headers=bearer()).status == 415


def test_the_size_comes_before_the_rate_limit(client: Client) -> None:
    """A body that no wait makes acceptable is not answered with a wait."""
    _use_up_the_quota(client)
    assert _everything_wrong_but(client, headers={**bearer(), **JSON}).status == 413


def test_the_rate_limit_comes_before_the_body(client: Client) -> None:
    """Parsing is work, and the limit is there to spare it."""
    _use_up_the_quota(client)
    assert _post(client, {**bearer(), **JSON}, b"{").status == 429


@pytest.mark.parametrize("user_id", ["NOBODY", "U-STRANGER"])
def test_the_body_comes_before_the_user(client: Client, user_id: str) -> None:
    """Nobody is looked up for a request that is malformed."""
    assert client.post({"userId": user_id, "colour": "red"}).status == 400
    assert people.asked == []


def test_a_user_who_is_gone_comes_before_the_active_job(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A conflict would tell of a person whom the host no longer knows."""
    client.create("U-1")
    monkeypatch.setattr(people, "find", lambda _user_id: None)
    assert client.post({"userId": "U-1"}).code == "USER_NOT_FOUND"


def test_a_missing_permission_comes_before_the_active_job(client: Client) -> None:
    """A conflict would tell of a person on whom the org may no longer report."""
    client.create("U-1")
    people.not_permitted.add("U-1")
    assert client.post({"userId": "U-1"}).code == "USER_NOT_PERMITTED"


def test_a_user_is_found_before_the_permission_is_asked_for(client: Client) -> None:
    """Permission is asked about a person, not about an id."""
    assert client.post({"userId": "NOBODY"}).code == "USER_NOT_FOUND"
    assert people.asked == ["find NOBODY"]


def test_a_read_checks_the_token_then_the_scope_then_the_job(serve: Serve) -> None:
    """A stranger can't find out which ids exist."""
    client = serve(read_scope="reports:read")
    for path in (f"{client.path}/not-an-id", f"{client.path}/not-an-id/url"):
        assert client.request("GET", path).status == 401
        assert client.request("GET", path, headers=bearer()).status == 403
        assert client.request("GET", path, headers=bearer(scope="reports:read")).status == 404


_CHUNK = b" " * 16_384
_ENDLESS = 10 * 65_536


def _endless() -> Stream:
    return Stream(_CHUNK for _ in range(_ENDLESS))


def test_a_body_over_the_limit_is_not_read_further(client: Client) -> None:
    """One request must not fill the memory: of ten gigabytes, one byte past the limit is enough to know."""
    body = _endless()
    reply = client.stream(client.path, {**bearer(), **JSON}, body, length=None)
    assert reply.status == 413
    assert body.taken <= 65_536 + len(_CHUNK)


@pytest.mark.parametrize(
    ("headers", "length", "status"),
    [
        (JSON, 100, 401),
        ({**bearer(), **_TEXT}, 100, 415),
        ({**bearer(), **JSON, "Content-Encoding": "gzip"}, 100, 415),
        ({**bearer(), **JSON}, len(_CHUNK) * _ENDLESS, 413),
    ],
    ids=["a stranger's", "text", "compressed", "declared too large"],
)
def test_a_body_is_not_read_at_all_where_the_headers_are_refused(
    client: Client, headers: dict[str, str], length: int, status: int
) -> None:
    """Whoever may not create must not hold a thread with a body that comes slowly."""
    body = _endless()
    assert client.stream(client.path, headers, body, length=length).status == status
    assert body.taken == 0


@pytest.mark.parametrize("length", ["9" * 5_000, "0" * 5_000, "-1", "x", "1_0", "\u0661"])
def test_a_length_that_is_odd_is_no_error(client: Client, length: str) -> None:
    """Servers differ in what they let through."""
    request = HttpRequest(
        path=client.path,
        headers={"content-type": "application/json", "content-length": length},
        body=b"{}",
        caller=Caller(org_id="acme"),
    )
    assert client.system.endpoints.create(request).status == (413 if length.startswith("9") else 400)


def test_a_body_in_small_pieces_is_put_together(client: Client) -> None:
    """Where the network cuts a body is none of the client's doing."""
    pieces = [bytes([byte]) for byte in b'{"userId":"U-1"}']
    reply = client.stream(client.path, {**bearer(), **JSON}, Stream(pieces), length=len(pieces))
    assert reply.status == 202


def test_a_client_that_hangs_up_creates_nothing_and_is_no_error(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """What arrived may be half of what was meant; and a flaky network must not fill the log with stacks."""
    body = Stream([b'{"userId":"U-1"}'], hangs_up=True)
    reply = client.stream(client.path, {**bearer(), **JSON}, body, length=100)
    assert reply.status != 202
    assert people.asked == []
    assert not [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")]


@pytest.mark.needs("flask")
def test_a_limit_of_the_flask_host_s_own_is_answered_in_our_order_too(serve_on: Serve) -> None:
    """`MAX_CONTENT_LENGTH` below our limit: still a problem, and still after the token."""
    client = serve_on("flask")
    client.app.config["MAX_CONTENT_LENGTH"] = 100  # type: ignore[attr-defined]
    assert _post(client, JSON, b" " * 101).status == 401
    reply = _post(client, {**bearer(), **JSON}, b" " * 101)
    assert (reply.status, reply.code) == (413, "BODY_TOO_LARGE")


def test_the_limit_can_be_configured_and_holds_to_the_byte(serve: Serve) -> None:
    """64 KiB are the default, not a law."""
    client = serve(max_body_bytes=100)
    assert _post(client, {**bearer(), **JSON}, b'{"userId":"U-1"}'.ljust(100)).status == 202
    assert _post(client, {**bearer(), **JSON}, b'{"userId":"U-2"}'.ljust(101)).status == 413


def test_64_kib_are_accepted_and_one_byte_more_is_not(client: Client) -> None:
    """The default limit, to the byte."""
    assert _post(client, {**bearer(), **JSON}, _HUGE).status == 413
    assert _post(client, {**bearer(), **JSON}, _HUGE[:-1]).status == 202
