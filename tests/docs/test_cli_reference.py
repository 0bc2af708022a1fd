"""The command line's reference page is what the command line says.

Renew its blocks with `python -m tests.docs.test_cli_reference`.
"""

import contextlib
import io
import os

import pytest

from sqr_jobs.cli import _parser, main
from tests.docs.pages import DOCS, Page, replace_blocks

_PAGE = DOCS / "reference" / "cli.md"


def test_every_help_text_is_the_programs_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads the page need not try each command."""
    monkeypatch.setenv("COLUMNS", "80")
    shown = {block.title: block.text for block in Page.read(_PAGE).blocks("text")}
    assert shown == {f"sqr-jobs {command}".strip(): _help(command) for command in _commands(_parser())}


def _commands(parser: object, before: str = "") -> list[str]:
    """List the commands as one writes them, the program itself first."""
    found = [before]
    groups = getattr(parser, "_subparsers", None)
    for action in groups._group_actions if groups else []:
        for name, child in action.choices.items():
            found += _commands(child, f"{before} {name}".strip())
    return found


def _help(command: str) -> str:
    told = io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.suppress(SystemExit):
        main([*command.split(), "--help"])
    return told.getvalue()


if __name__ == "__main__":
    os.environ["COLUMNS"] = "80"
    texts = {f"sqr-jobs {command}".strip(): _help(command) for command in _commands(_parser())}
    _PAGE.write_text(replace_blocks(Page.read(_PAGE), "text", texts), encoding="utf-8")
