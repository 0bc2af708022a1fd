"""Every page: its links lead somewhere, its code is the files' code, and it names what there is."""

import ast
import json
import re
import shlex
import subprocess
import textwrap
from pathlib import Path

import pytest
import yaml

from sqr_jobs.cli import _parser
from sqr_jobs.settings import Settings
from tests.docs.pages import DOCS, ROOT, Block, Page

_VARIABLE = re.compile(r"SQR_JOBS_[A-Z0-9_]*[A-Z0-9]")
_COMMAND = re.compile(r"(?:^|&& )(?:\w+=\S+ )*(sqr-jobs(?: [^&|>\n]*)?)", re.MULTILINE)
_PATH = re.compile(r"`((?:sqr_jobs|sqr_jobs_flask|sqr_jobs_fastapi|tests|docs)/[\w./-]+\.\w+)`")
_PAGES = Page.every()

pages = pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)


@pages
def test_every_link_leads_somewhere(page: Page) -> None:
    """A reader who follows a link at night must arrive."""
    lost = []
    for link in page.links:
        if "://" in link:
            continue
        target, _, anchor = link.partition("#")
        path = (page.path.parent / target).resolve() if target else page.path
        if not path.exists() or (anchor and anchor not in Page.read(path).anchors):
            lost.append(link)
    assert lost == []


@pages
def test_code_that_names_its_file_stands_in_it(page: Page) -> None:
    """What is shown is what runs."""
    for block in page.blocks("python"):
        if block.title is not None:
            assert block.text.strip("\n") in _file_of(page, block), (page.name, block.line)


@pages
def test_code_is_well_formed(page: Page) -> None:
    """Someone copies it."""
    for block in page.blocks("python", "yaml", "json", "sh"):
        match block.language:
            case "python" if block.title is None:
                ast.parse(textwrap.dedent(block.text))
            case "yaml":
                assert list(yaml.safe_load_all(block.text))
            case "json":
                json.loads(block.text)
            case "sh":
                subprocess.run(["bash", "-n"], input=block.text, text=True, check=True)


@pages
def test_commands_take_the_options_that_are_shown(page: Page) -> None:
    """`sqr-jobs` lines parse."""
    for block in page.blocks("sh"):
        for command in _COMMAND.findall(block.text):
            _parser().parse_args(shlex.split(command, comments=True)[1:])


@pages
def test_every_variable_exists(page: Page) -> None:
    """A variable that nobody reads would be set in vain."""
    known = {f"SQR_JOBS_{name.upper()}" for name in Settings.model_fields}
    named = {name for name in _VARIABLE.findall(page.text) if not name.startswith("SQR_JOBS_TEST")}
    assert named - known - _MISSPELT == set()


@pages
def test_every_file_that_is_named_exists(page: Page) -> None:
    """A page points into the code and the tests."""
    named = _PATH.findall(page.text)
    assert [name for name in named if not any((home / name).exists() for home in _homes(page))] == []


def test_every_page_is_in_the_index() -> None:
    """A page that nobody finds helps nobody."""
    index = Page.read(DOCS / "README.md")
    linked = {(DOCS / link.partition("#")[0]).resolve() for link in index.links if "://" not in link}
    decisions = {path.resolve() for path in (DOCS / "decisions").glob("0*.md")}
    assert {page.path.resolve() for page in _PAGES} - linked - decisions == {index.path.resolve()}


def test_every_example_is_shown_on_a_page() -> None:
    """An example that no page shows would rot."""
    text = "".join(page.text for page in _PAGES)
    assert [path.name for path in (DOCS / "howto").glob("*.py") if path.name not in text] == []


def _file_of(page: Page, block: Block) -> str:
    assert block.title is not None
    found = [home / block.title for home in _homes(page) if (home / block.title).is_file()]
    assert found, f"{page.name}:{block.line}: there is no file {block.title}"
    return found[0].read_text(encoding="utf-8")


def _homes(page: Page) -> list[Path]:
    """Say where a file that a page names may lie: beside it, in its application, or below the root."""
    return [page.path.parent, page.path.with_name(f"{page.path.stem}_app"), ROOT]


_MISSPELT: set[str] = set()
"""Variables that a page misspells on purpose."""
