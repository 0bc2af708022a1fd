"""A mutant counts as caught when a test that passes with the guard has failed without it, and only then."""

from pathlib import Path

import pytest

from tests.mutants.__main__ import main
from tests.mutants.guards import Guard
from tests.mutants.trial import COPIED

_TESTS = "tests/test_code.py"
_CODE = "def is_adult(age: int) -> bool:\n    return age >= 18\n"
_SEES = "def test_sees() -> None:\n    assert not is_adult(17)\n"
_SEES_NOT = "def test_sees_not() -> None:\n    assert is_adult(18)\n"
_SET_UP = """
@pytest.fixture
def child() -> int:
    if is_adult(17):
        raise RuntimeError("the set-up went wrong")
    return 17

def test_errs(child: int) -> None:
    assert not is_adult(child)
"""
_ALWAYS_FAILS = "def test_fails() -> None:\n    raise AssertionError\n"
_ALWAYS_ERRS = _SET_UP.replace("is_adult(17)", "is_adult(18)")
_FIRST = "from sqr_jobs.code import is_adult\nimport pytest\n"


class Tree:
    """A tree as small as can be, with one guard in its code."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in COPIED:
            (folder / name).touch() if "." in name else (folder / name).mkdir()
        (folder / "sqr_jobs" / "__init__.py").touch()  # else the installed one would be found
        (folder / "sqr_jobs" / "code.py").write_text(_CODE, encoding="utf-8")

    def run(self, *tests: str) -> int:
        """Try its guard with these tests."""
        (self._folder / _TESTS).write_text("\n".join([_FIRST, *tests]), encoding="utf-8")
        guard = Guard(
            name="age", file="sqr_jobs/code.py", code="age >= 18", without="age >= 17", tests=(_TESTS,)
        )
        return main(["age"], guards=(guard,), root=self._folder)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Give the tree."""
    return Tree(tmp_path)


def test_a_mutant_is_caught_by_the_test_that_fails(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    """The page tells by which."""
    assert tree.run(_SEES_NOT, _SEES) == 0
    assert f"by {_TESTS}::test_sees\n1 caught, 0 survived" in capsys.readouterr().out


def test_a_mutant_that_no_test_sees_survives(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    """The guard could be lost and nobody would hear of it."""
    assert tree.run(_SEES_NOT) == 1
    assert "0 caught, 1 survived" in capsys.readouterr().out


def test_an_error_in_set_up_catches_no_mutant(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    """A test that never ran has seen nothing: a server that didn't start would catch every mutant."""
    assert tree.run(_SET_UP) == 1
    assert "SURVIVED  age" in capsys.readouterr().out


def test_an_error_in_set_up_hides_no_test_that_fails(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    """A mutant may break one test's set-up and another test's promise."""
    assert tree.run(_SET_UP, _SEES) == 0
    assert f"by {_TESTS}::test_sees\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("test", "said"),
    [(_ALWAYS_FAILS, f"FAILED {_TESTS}::test_fails"), (_ALWAYS_ERRS, f"ERROR {_TESTS}::test_errs")],
    ids=["failing", "erring"],
)
def test_nothing_is_tried_with_tests_that_fail_anyway(
    tree: Tree, capsys: pytest.CaptureFixture[str], test: str, said: str
) -> None:
    """In a broken environment every mutant would be caught."""
    assert tree.run(_SEES, test) == 2
    out = capsys.readouterr().out
    assert said in out
    assert "caught" not in out


def test_nothing_is_tried_where_no_test_runs(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    """Tests that were renamed would let every mutant survive, or break off the run in its midst."""
    assert tree.run() == 2
    assert "no tests ran" in capsys.readouterr().out
