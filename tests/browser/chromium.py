"""Finding a Chromium to test with."""

import os
import shutil

__all__ = ["FLAGS", "REBOUND_NAME", "find_chromium"]

REBOUND_NAME = "rebound.example"
"""A stranger's name that leads to this machine in the test's browser, as DNS rebinding would have it."""

FLAGS = (
    "--headless",
    "--no-sandbox",  # it does not start as root otherwise
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--host-resolver-rules=MAP {REBOUND_NAME} 127.0.0.1",
)

_VARIABLE = "SQR_JOBS_TEST_CHROMIUM"
_NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> str:
    """Return the path of the program. Raises `FileNotFoundError` that says what to install."""
    named = os.environ.get(_VARIABLE)
    for name in (named,) if named else _NAMES:
        if found := shutil.which(name):
            return found
    where = (
        f"{_VARIABLE} names {named}, which is no program" if named else f"None of {', '.join(_NAMES)} is here"
    )
    raise FileNotFoundError(
        f"{where}. Install Chromium (apt-get install chromium; `nox -s browser` does it as root), "
        f"or name one in {_VARIABLE}."
    )
