"""The page on security: each threat has a control and a test that exist."""

import ast
import re

import pytest

from tests.docs.pages import DOCS, ROOT, Page

_PAGE = Page.read(DOCS / "explanation" / "security.md")
_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
_RISKS = [f"API{number}" for number in range(1, 11)]


def _rows(heading: str) -> list[list[str]]:
    """Read the cells of the table below a heading, without its head."""
    section = _PAGE.text.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


_TABLES = {"threat": _rows("Threats"), "risk": _rows("OWASP API Security Top 10, 2023")}
_ROWS = [pytest.param(row, id=row[0][:60]) for table in _TABLES.values() for row in table]


@pytest.mark.parametrize("row", _ROWS)
def test_each_control_has_a_test_that_exists(row: list[str]) -> None:
    """A table that names what was renamed would promise what nobody checks."""
    named = _TEST.findall(row[-1])
    assert named
    for file, function in named:
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert any(name.startswith("test_") for name in functions), file
        assert not function or function in functions, f"{file} has no {function}"


def test_every_threat_names_the_very_test() -> None:
    """A file alone would leave the reader to search."""
    assert len(_TABLES["threat"]) >= 20
    assert [row[0] for row in _TABLES["threat"] if len(row) != 4 or "::test_" not in row[3]] == []


def test_every_risk_of_the_list_is_answered() -> None:
    """OWASP's ten of 2023, in their order."""
    assert [row[0].split()[0] for row in _TABLES["risk"]] == _RISKS


def test_every_attack_suite_stands_in_the_tables() -> None:
    """A test that no threat leads to is not found by who needs it."""
    suites = {f"tests/security/{path.name}" for path in (ROOT / "tests" / "security").glob("test_*.py")}
    assert suites - {file for file, _ in _TEST.findall(_PAGE.text)} == set()
