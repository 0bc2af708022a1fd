"""Who gets a token from the demo: its own page on this machine, and nobody else."""

import httpx
import pytest
from playwright.sync_api import expect

from sqr_jobs.demo.front_page import FrontPage
from tests.browser.chromium import REBOUND_NAME
from tests.browser.demo_process import Demo
from tests.browser.visitor import Visitor


def test_a_site_whose_name_leads_here_gets_no_token(visitor: Visitor) -> None:
    """DNS rebinding: to the browser the site and the demo are one origin."""
    strange = f"http://{REBOUND_NAME}:{visitor.demo.port}"
    page = visitor.open(address=strange)

    expect(page.get_by_text("The demo gives this page no token")).to_be_visible()
    assert visitor.refusals == {403}
    visitor.addresses = [url for url in visitor.addresses if not url.startswith(strange)]


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:80", "localhost.evil.example", "", "[::1]"]
)
def test_under_another_name_there_is_no_session(demo: Demo, host: str) -> None:
    """The name in Host is the one that the browser was told."""
    answer = httpx.get(f"{demo.address}/demo/session", headers={"Host": host})
    assert answer.status_code in (400, 403)
    assert "token" not in answer.text.replace("token on", "").replace("token only", "")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_s_page_gets_no_session(demo: Demo, site: str) -> None:
    """`same-site` is another port of this machine."""
    answer = httpx.get(f"{demo.address}/demo/session", headers={"Sec-Fetch-Site": site})
    assert (answer.status_code, answer.json()["code"]) == (403, "DEMO_SESSION_REFUSED")
    assert "access-control-allow-origin" not in answer.headers


def test_the_demo_s_own_names_get_a_session_that_is_not_kept(demo: Demo) -> None:
    """By 127.0.0.1 or localhost, from the page or from a terminal."""
    for host in (f"127.0.0.1:{demo.port}", f"localhost:{demo.port}"):
        answer = httpx.get(
            f"{demo.address}/demo/session", headers={"Host": host, "Sec-Fetch-Site": "same-origin"}
        )
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        assert set(answer.json()) == {"org", "token", "prefix", "people"}


@pytest.mark.parametrize("client", ["192.0.2.1", "::ffff:192.0.2.1", "testclient", "", None])
def test_a_client_of_another_machine_gets_no_session(client: str | None) -> None:
    """The demo listens on loopback; should someone change that, the token still stays."""
    status, _, body = FrontPage(prefix="").reply("/demo/session", {"host": "localhost"}, client)
    assert (status, b'"token"' in body) == (403, False)


def test_files_have_their_types_and_the_strict_headers(demo: Demo) -> None:
    """A browser guesses no type, and loads nothing from elsewhere."""
    for path, kind in {
        "/": "text/html; charset=utf-8",
        "/demo/page.css": "text/css; charset=utf-8",
        "/demo/page.js": "text/javascript; charset=utf-8",
        "/demo/icon.svg": "image/svg+xml",
        "/demo/NotoSans-Bold.ttf": "font/ttf",
    }.items():
        answer = httpx.get(f"{demo.address}{path}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
        assert answer.headers["x-content-type-options"] == "nosniff"
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; ")
        assert "unsafe" not in policy


@pytest.mark.parametrize(
    "name", ["app.py", "..%2Fapp.py", "%2E%2E%2Fapp.py", "page", "__init__.py", "OFL.txt", ""]
)
def test_there_are_no_other_files(demo: Demo, name: str) -> None:
    """The page's folder is all that is served."""
    assert httpx.get(f"{demo.address}/demo/{name}").status_code == 404
