"""Tabs of one browser know the same reports, though the service has no list."""

import re

from playwright.sync_api import Page, expect

from tests.browser import demo_page
from tests.browser.visitor import Visitor


def test_a_second_tab_sees_the_same_report_and_its_end(visitor: Visitor, page: Page) -> None:
    """Each tab asks the service itself: none relies on another that may be closed."""
    other = visitor.open()
    expect(other.get_by_text("None yet.")).to_be_visible()
    demo_page.ask(page, "Sloane Turtle")

    expect(other.get_by_role("link", name=re.compile("Sloane Turtle.*In progress"))).to_be_visible()
    other.get_by_role("link", name=re.compile("Sloane Turtle")).click()
    page.close()

    demo_page.expect_document(other)
    expect(other.get_by_role("link", name=re.compile("Sloane Turtle.*Complete"))).to_be_visible()
    demo_page.expect_pdf_in_sight(other)


def test_a_new_tab_shows_the_newest_report_with_its_document(visitor: Visitor, page: Page) -> None:
    """Closing the browser in between loses nothing."""
    demo_page.ask(page, "Tomasz Wiśniewski")
    demo_page.expect_document(page)
    page.close()

    again = visitor.open()

    expect(again.get_by_role("heading", name="Report on Tomasz Wiśniewski")).to_be_visible()
    demo_page.expect_document(again)
    demo_page.expect_pdf_in_sight(again)


def test_going_back_leads_to_the_report_before(page: Page) -> None:
    """Each report has an address of its own."""
    demo_page.ask(page, "John Smith")
    demo_page.expect_document(page)
    demo_page.ask(page, "Pat Smith")
    demo_page.expect_document(page)

    page.get_by_role("link", name=re.compile("John Smith")).click()
    expect(page.get_by_role("heading", name="Report on John Smith")).to_be_visible()
    page.go_back()

    expect(page.get_by_role("heading", name="Report on Pat Smith & Sons")).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("Pat Smith"))).to_have_attribute("aria-current", "true")
