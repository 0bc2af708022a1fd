"""The README: its links lead somewhere, and its test is the tutorial's, which runs."""

import ast

from tests.docs.pages import DOCS, ROOT, Page

_README = Page.read(ROOT / "README.md")


def test_every_link_of_the_readme_leads_somewhere() -> None:
    """It is the first page that anyone reads."""
    local = [link.partition("#")[0] for link in _README.links if "://" not in link]
    assert local
    assert [link for link in local if not (ROOT / link).exists()] == []


def test_the_readme_s_code_is_python() -> None:
    """Someone copies it."""
    for block in _README.blocks("python"):
        ast.parse(block.text)


def test_the_test_of_a_mount_that_it_shows_is_the_one_that_runs() -> None:
    """Ten lines that hold a mount to the contract: the tutorial's tests are these."""
    (shown,) = [block.text for block in _README.blocks("python") if "HttpContract" in block.text]
    runs = (DOCS / "tutorial" / "fastapi_app" / "tests" / "test_mount.py").read_text(encoding="utf-8")
    assert shown.strip() in runs
