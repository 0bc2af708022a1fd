"""The page on small screens, at night, and for those whom movement disturbs."""

from playwright.sync_api import Page, expect

from tests.browser import demo_page


def test_at_400_pixels_nothing_needs_to_be_scrolled_sideways(page: Page) -> None:
    """Before, while and after, with the longest name and every exchange open."""
    page.set_viewport_size({"width": 400, "height": 800})
    assert _overhang(page) == 0
    demo_page.ask(page, "Hubert")
    expect(page.locator("#clock")).to_be_visible()
    assert _overhang(page) == 0

    demo_page.expect_document(page)
    for summary in page.locator("summary").all():
        summary.click()
    assert _overhang(page) == 0
    demo_page.ask(page, "Nadia Fremd")
    expect(demo_page.status(page)).to_contain_text("Not connected")
    assert _overhang(page) == 0


def test_on_a_small_screen_the_report_comes_into_view_when_it_is_asked_for(page: Page) -> None:
    """The button stands above a list; what it does shows below."""
    page.set_viewport_size({"width": 400, "height": 700})
    demo_page.ask(page, "Ελένη")

    expect(page.locator("#report-title")).to_be_in_viewport()


def test_a_dark_desktop_gets_a_dark_page(page: Page) -> None:
    """As the system says."""
    page.emulate_media(color_scheme="light")
    light = _brightness(page)
    page.emulate_media(color_scheme="dark")
    assert (light > 200, _brightness(page) < 40) == (True, True)


def test_where_less_movement_is_asked_for_nothing_moves(page: Page) -> None:
    """The active step breathes otherwise."""
    page.emulate_media(reduced_motion="reduce")
    demo_page.ask(page, "Sloane Turtle")  # whose report takes its time
    expect(demo_page.step(page, "poll")).to_have_attribute("data-state", "active")

    assert page.evaluate("document.getAnimations().length") == 0
    page.emulate_media(reduced_motion="no-preference")
    expect(demo_page.step(page, "poll")).to_have_attribute("data-state", "active")
    assert page.evaluate("document.getAnimations().length") == 1
    demo_page.expect_document(page)  # whoever asks about her next gets a report of their own


def _overhang(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def _brightness(page: Page) -> int:
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return max(int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(", "))
