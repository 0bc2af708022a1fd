"""What a person does and sees on the demo's page."""

import hashlib
import io

from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.browser.visitor import PATIENCE_MS
from tests.servers.ports import wait_until

__all__ = [
    "ask",
    "ask_button",
    "choose",
    "expect_document",
    "expect_pdf_in_sight",
    "job_id",
    "sha256_of_download",
    "status",
    "step",
]

_NAVY = (20, 48, 77)
"""The colour of the report's cover."""


def choose(page: Page, name: str) -> None:
    """Choose a person by the start of the name."""
    page.get_by_role("radio", name=name).check()


def ask_button(page: Page) -> Locator:
    """Find the button that asks."""
    return page.get_by_role("button", name="Ask for the report")


def ask(page: Page, name: str) -> None:
    """Choose a person and ask for the report."""
    choose(page, name)
    ask_button(page).click()


def status(page: Page) -> Locator:
    """Find what a screen reader is told of the report."""
    return page.get_by_role("status")


def step(page: Page, name: str) -> Locator:
    """Find one of the three steps: ask, poll or download."""
    return page.locator(f"#step-{name}")


def expect_document(page: Page) -> None:
    """Wait until the page says that the document is here."""
    expect(status(page)).to_contain_text("Complete. The document is here.")


def expect_pdf_in_sight(page: Page) -> None:
    """Wait until the frame shows the report's cover: the browser draws it, and tells no one."""
    frame = page.locator("#frame")
    frame.scroll_into_view_if_needed()
    wait_until(lambda: _share_of_navy(frame) > 0.1, seconds=PATIENCE_MS / 1000, what="the cover in the frame")


def job_id(page: Page) -> str:
    """Read the job's id from the page's address."""
    return page.url.partition("#")[2]


def sha256_of_download(page: Page) -> str:
    """Press the download button, and hash what the browser saves."""
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the PDF").click()
    return hashlib.sha256(download.value.path().read_bytes()).hexdigest()


def _share_of_navy(frame: Locator) -> float:
    picture = (
        Image.open(io.BytesIO(frame.screenshot())).convert("RGB").resize((100, 100), Image.Resampling.NEAREST)
    )
    pixels = zip(*[iter(picture.tobytes())] * 3, strict=True)
    near = [all(abs(part - own) < 6 for part, own in zip(pixel, _NAVY, strict=True)) for pixel in pixels]
    return sum(near) / len(near)
