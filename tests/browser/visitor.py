"""A person at a browser, and a record of what the browser does meanwhile."""

import re

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, Request

from tests.browser.demo_process import Demo

__all__ = ["PATIENCE_MS", "Visitor"]

PATIENCE_MS = 40_000
"""How long anything on the page may take; a machine may be busy with other tests."""
_REFUSED = re.compile(r"Failed to load resource: the server responded with a status of (\d+)")


class Visitor:
    """Someone with a fresh browser profile in front of one demo."""

    def __init__(self, browser: Browser, demo: Demo) -> None:
        self.demo = demo
        self.errors: list[str] = []
        """What the console showed in red, and what scripts did not catch."""
        self.refusals: set[int] = set()
        """The statuses that the console complains about; the browser does so by itself."""
        self.dialogs: list[str] = []
        self.addresses: list[str] = []
        """Every address that was requested over the network."""
        self.context: BrowserContext = browser.new_context(viewport={"width": 1280, "height": 900})
        self.context.set_default_timeout(PATIENCE_MS)
        self.context.on("console", self._on_console)
        self.context.on("weberror", lambda error: self.errors.append(str(error.error)))
        self.context.on("dialog", self._on_dialog)
        self.context.on("request", self._on_request)

    def open(self, path: str = "/", *, address: str | None = None) -> Page:
        """Open the page in a new tab."""
        page = self.context.new_page()
        page.goto(f"{address or self.demo.address}{path}")
        return page

    def leave(self) -> None:
        """Close the browser's profile, and judge what it did: no error, no dialog, nothing from elsewhere."""
        self.context.close()
        assert self.errors == []
        assert self.dialogs == []
        elsewhere = [url for url in self.addresses if not url.startswith(f"{self.demo.address}/")]
        assert elsewhere == []

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        if refused := _REFUSED.match(message.text):
            self.refusals.add(int(refused[1]))
        else:
            self.errors.append(message.text)

    def _on_dialog(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def _on_request(self, request: Request) -> None:
        if re.match("(http|ws)s?:", request.url):
            self.addresses.append(request.url)
