"""Fixtures for the browser's tests: a demo of each framework, a browser, and people who visit."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.chromium import FLAGS, find_chromium
from tests.browser.demo_process import Demo, running_demo
from tests.browser.visitor import PATIENCE_MS, Visitor


@pytest.fixture(scope="session", params=["fastapi", "flask"])
def framework(request: pytest.FixtureRequest) -> str:
    """Name each framework in turn."""
    return str(request.param)


@pytest.fixture(scope="session")
def demo(framework: str) -> Iterator[Demo]:
    """Give the session's demo on each framework; it lets more requests through than the tests make."""
    with running_demo(framework, rate_limit="1000") as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Give the session's browser. That there is none is an error of each test, never a skip."""
    path = find_chromium()
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield started
        started.close()


@pytest.fixture
def visitor(browser: Browser, demo: Demo) -> Iterator[Visitor]:
    """Give someone with a fresh profile, whose browser is judged when the test is over."""
    someone = Visitor(browser, demo)
    yield someone
    someone.leave()


@pytest.fixture
def page(visitor: Visitor) -> Page:
    """Give the demo's page in that person's first tab."""
    return visitor.open()
