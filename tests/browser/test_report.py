"""The whole flow: ask, poll, download."""

import re

from playwright.sync_api import Page, expect

from tests.browser import demo_page
from tests.browser.visitor import Visitor


def test_a_report_is_asked_for_followed_and_downloaded_by_mouse(visitor: Visitor, page: Page) -> None:
    """The flow that every visitor tries first."""
    demo_page.ask(page, "John Smith")
    expect(demo_page.step(page, "ask")).to_contain_text("202 Accepted", ignore_case=True)
    expect(page.get_by_text(re.compile(r"asks again in [123] s"))).to_be_visible()
    expect(page.get_by_role("progressbar", name="Time until the next poll")).to_be_visible()

    demo_page.expect_document(page)

    job = visitor.demo.job(demo_page.job_id(page))
    assert job["status"] == "COMPLETE"
    assert demo_page.sha256_of_download(page) == job["sha256"]
    expect(page.locator("#facts")).to_contain_text(f"{job['sha256'][:10]}… ✓ matches")
    demo_page.expect_pdf_in_sight(page)
    assert visitor.refusals == set()


def test_the_exchanges_are_the_real_ones_without_their_secrets(page: Page) -> None:
    """A reader learns the API from them, and a screenshot of them gives nothing away."""
    demo_page.ask(page, "Amara Okafor")
    demo_page.expect_document(page)

    asked = demo_page.step(page, "ask").get_by_role("group")
    polled = demo_page.step(page, "poll").get_by_role("group")
    downloaded = demo_page.step(page, "download").get_by_role("group")
    expect(asked).to_contain_text("POST /v1/document/api")
    expect(asked).to_contain_text('"userId": "US2B3C4D5E6F7A89"')
    expect(asked).to_contain_text(f"Location: /v1/document/api/{demo_page.job_id(page)}")
    expect(asked).to_contain_text("Retry-After: 3")
    expect(polled.last).to_contain_text('"status": "COMPLETE"')
    expect(downloaded.first).to_contain_text('"expiresInSeconds": 300')
    expect(downloaded.last).to_contain_text("Content-Disposition: attachment")
    text = page.content()
    assert not re.search(r"eyJ[\w-]+\.[\w-]+\.[\w-]+", text)
    assert not re.search("signature=[0-9a-f]{64}", text)


def test_a_report_is_made_by_keyboard_alone(visitor: Visitor, page: Page) -> None:
    """Whoever uses no mouse gets everything, and always sees where they are."""
    expect(page.get_by_role("radio", name="John Smith")).to_be_checked()
    page.keyboard.press("Tab")
    expect(page.get_by_role("radio", name="John Smith")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name="Elena García Molina")).to_be_checked()
    assert _focus_is_visible(page)
    page.keyboard.press("Tab")
    expect(demo_page.ask_button(page)).to_be_focused()
    assert _focus_is_visible(page)
    page.keyboard.press("Enter")

    demo_page.expect_document(page)
    expect(demo_page.ask_button(page)).to_be_focused()
    _tab_to(page, "summary")
    page.keyboard.press("Enter")
    expect(page.get_by_text('"userId": "US3C4D5E6F7A8B90"').first).to_be_visible()
    _tab_to(page, "#download")
    with page.expect_download() as download:
        page.keyboard.press("Enter")

    assert download.value.suggested_filename.startswith("SQR_E_")
    assert download.value.path().stat().st_size == visitor.demo.job(demo_page.job_id(page))["sizeBytes"]


def test_a_name_that_looks_like_a_script_is_shown_and_not_run(page: Page) -> None:
    """Names come from people, and some people try."""
    name = "Siobhán O'Brien <script>alert(1)</script>"
    demo_page.ask(page, "Siobhán")

    expect(page.get_by_role("heading", name=f"Report on {name}")).to_be_visible()
    demo_page.expect_document(page)
    expect(page.locator("#recent a").filter(has_text=name)).to_be_visible()
    assert page.locator("script").count() == 1


def test_a_name_that_writes_backwards_turns_nothing_but_itself(page: Page) -> None:
    """U+202E in a name would otherwise turn the words after it."""
    demo_page.ask(page, "Bidi")

    demo_page.expect_document(page)
    expect(page.locator("#report-title bdi")).to_have_text("Bidi\u202efdp\x07 Ro\u200dsa 😀")
    assert page.locator("#recent a bdi").count() == 1


def _tab_to(page: Page, selector: str) -> None:
    for _ in range(20):
        page.keyboard.press("Tab")
        assert _focus_is_visible(page)
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"20 tabs did not lead to {selector}")


def _focus_is_visible(page: Page) -> bool:
    """Say whether the focused element, or the label around it, has an outline."""
    script = """() => {
        const focused = document.activeElement;
        return [focused, focused.closest("label") ?? focused]
            .some((element) => getComputedStyle(element).outlineStyle === "solid");
    }"""
    return bool(page.evaluate(script))
