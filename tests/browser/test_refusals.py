"""What goes wrong is told in plain words, with what the client does next."""

import re

from playwright.sync_api import Browser, Page, expect

from tests.browser import demo_page
from tests.browser.demo_process import Demo, running_demo
from tests.browser.visitor import Visitor


def test_a_failed_report_tells_why_and_what_to_do(page: Page) -> None:
    """`errorCode` is for programs; a person gets a sentence."""
    demo_page.ask(page, "Felix Fehler")

    expect(demo_page.status(page)).to_contain_text("The document could not be laid out.")
    expect(demo_page.status(page)).to_contain_text("don't repeat it")
    expect(demo_page.status(page)).to_contain_text("RENDER_FAILED")
    expect(demo_page.step(page, "poll")).to_have_attribute("data-state", "failed")
    expect(page.get_by_role("link", name=re.compile("Felix Fehler.*Failed"))).to_be_visible()
    expect(page.get_by_role("link", name="Download the PDF")).to_be_hidden()


def test_someone_who_is_not_connected_is_refused_at_once(visitor: Visitor, page: Page) -> None:
    """A 403 makes no job, so there is nothing to follow."""
    demo_page.ask(page, "Nadia Fremd")

    expect(demo_page.status(page)).to_contain_text(re.compile("acme may not have a report on .Nadia Fremd"))
    expect(demo_page.status(page)).to_contain_text("Asking again does not help")
    expect(demo_page.status(page)).to_contain_text("403 USER_NOT_PERMITTED")
    expect(page.locator("#recent li")).to_have_count(0)
    assert visitor.refusals == {403}


def test_a_second_request_for_the_same_person_leads_to_the_first(visitor: Visitor, page: Page) -> None:
    """A 409 names the job that is under way: the client follows that one."""
    demo_page.ask(page, "Sloane Turtle")
    expect(demo_page.step(page, "ask")).to_have_attribute("data-state", "done")
    first = demo_page.job_id(page)
    demo_page.ask_button(page).click()
    expect(demo_page.status(page)).to_contain_text("409 JOB_ALREADY_ACTIVE")

    page.get_by_role("link", name="Go to that report").click()

    assert demo_page.job_id(page) == first
    expect(demo_page.step(page, "poll")).to_have_attribute("data-state", "active")
    demo_page.expect_document(page)
    assert visitor.refusals == {409}


def test_after_too_many_requests_the_page_counts_down_and_lets_go(browser: Browser, framework: str) -> None:
    """A client that gets a 429 waits as long as Retry-After says, no longer."""
    with running_demo(framework, rate_limit="1", rate_window_s="15") as demo:
        visitor = Visitor(browser, demo)
        page = visitor.open()
        demo_page.ask(page, "John Smith")
        expect(page.get_by_text("0 requests left of 1 in any 15 seconds.")).to_be_visible()
        demo_page.ask(page, "Amara Okafor")

        expect(demo_page.status(page)).to_contain_text("429 RATE_LIMITED")
        expect(page.get_by_role("timer")).to_have_text(re.compile(r"You may ask again in 0:[01]\d\."))
        expect(demo_page.ask_button(page)).to_be_disabled()
        expect(page.get_by_role("timer")).to_have_text("You may ask again now.")
        demo_page.ask_button(page).click()
        demo_page.expect_document(page)
        assert visitor.refusals == {429}
        visitor.leave()


def test_a_service_that_is_away_is_told_and_nothing_is_lost(browser: Browser, framework: str) -> None:
    """What was accepted before the end of the process is finished by the next one."""
    with running_demo(framework) as demo:
        visitor = Visitor(browser, demo)
        page = visitor.open()
        demo_page.ask(page, "Sloane Turtle")
        expect(demo_page.step(page, "poll")).to_contain_text("IN_PROGRESS")

        demo.stop()
        expect(demo_page.status(page)).to_contain_text("The demo does not answer.")
        demo.start()

        demo_page.expect_document(page)
        visitor.errors = [error for error in visitor.errors if "net::ERR_" not in error]
        visitor.leave()


def test_bytes_that_are_not_the_document_s_are_not_shown(page: Page) -> None:
    """`sha256` is there so that a client can tell; this one does, and gets a fresh URL when asked."""
    page.route(
        "**/files/**",
        lambda route: route.fulfill(body=b"%PDF-1.7 of another", content_type="application/pdf"),
    )
    demo_page.ask(page, "Amara Okafor")

    expect(demo_page.status(page)).to_contain_text("another size or SHA-256")
    expect(page.get_by_role("link", name="Download the PDF")).to_be_hidden()
    page.unroute("**/files/**")
    page.get_by_role("button", name="Try again").click()

    demo_page.expect_document(page)
    expect(demo_page.step(page, "download").get_by_role("group")).to_have_count(4)


def test_a_document_that_is_gone_is_told_once(visitor: Visitor, page: Page) -> None:
    """A 410 does not come back: the page asks for one link and stops."""
    problem = {"title": "Document gone", "status": 410, "code": "DOCUMENT_GONE"}
    page.route(
        "**/url",
        lambda route: route.fulfill(status=410, json=problem, content_type="application/problem+json"),
    )
    demo_page.ask(page, "Elena García Molina")

    expect(demo_page.status(page)).to_contain_text("410 DOCUMENT_GONE")
    expect(demo_page.step(page, "download").get_by_role("group")).to_have_count(1)
    expect(page.get_by_role("button", name="Try again")).to_be_hidden()
    assert visitor.refusals == {410}


def test_a_report_that_nobody_has_is_told(visitor: Visitor, demo: Demo) -> None:
    """An address from another machine, or of a state folder that is gone."""
    page = visitor.open("/#00000000-0000-4000-8000-000000000000")

    expect(demo_page.status(page)).to_contain_text("acme has no report with this id.")
    expect(page.locator("#recent li")).to_have_count(0)
    assert visitor.refusals == {404}
