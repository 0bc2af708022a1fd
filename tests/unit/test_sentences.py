"""Every sentence of the contract is held by tests that exist and run where they are said to."""

import ast
import functools
from pathlib import Path
from typing import Any

import pytest
import yaml

_TESTS = Path(__file__).parents[1]
_PARTS: dict[str, list[dict[str, Any]]] = yaml.safe_load(
    (_TESTS / "http" / "sentences.yaml").read_text(encoding="utf-8")
)
_SENTENCES = {f"{part}: {one['says']}": one for part, sentences in _PARTS.items() for one in sentences}
_KINDS = ("both", "embedded", "distributed", "any", "processes")


def _named(test: str) -> tuple[Path, str]:
    """Find file and function; a name without a folder is one of tests/http."""
    module, function = test.rsplit(".", 1)
    path = Path(module) if "/" in module else Path("tests/http", module)
    return _TESTS.parent / path.with_suffix(".py"), function


@functools.cache
def _functions(path: Path) -> dict[str, str]:
    """Give the source of each test's decorators, with the file's own marks, by name."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    marks = "".join(
        ast.unparse(node.value)
        for node in body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "pytestmark"
    )
    return {
        node.name: marks + "".join(map(ast.unparse, node.decorator_list))
        for node in body
        if isinstance(node, ast.FunctionDef)
    }


@pytest.mark.parametrize("sentence", _SENTENCES)
def test_a_sentence_is_held_by_tests_that_exist(sentence: str) -> None:
    """A test that was renamed or taken away leaves a promise without a proof."""
    held = _SENTENCES[sentence]
    assert set(held) <= {"says", *_KINDS}
    for test in (test for kind in _KINDS for test in held.get(kind, [])):
        path, function = _named(test)
        assert function in _functions(path), test


@pytest.mark.parametrize("sentence", _SENTENCES)
def test_a_sentence_is_held_in_both_forms_or_before_either_matters(sentence: str) -> None:
    """What is true on SQLite and a folder need not be on PostgreSQL and a bucket."""
    held = _SENTENCES[sentence]
    assert held.get("both") or held.get("any") or (held.get("embedded") and held.get("distributed"))
    for kind, mark in (("both", "pytest.mark.both_forms"), ("distributed", "'distributed'")):
        for test in held.get(kind, []):
            path, function = _named(test)
            assert mark in _functions(path)[function], test
