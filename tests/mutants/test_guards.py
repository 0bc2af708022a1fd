"""The list of guards follows the code: `nox -s mutants` would find an outdated one minutes later."""

from pathlib import Path

import pytest

from tests.mutants.guards import GUARDS, Guard

_ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_each_guard_is_found_once_in_the_code_and_its_tests_exist(guard: Guard) -> None:
    """A mutant that changes nothing, or whose tests are gone, survives or breaks off the run."""
    assert (_ROOT / guard.file).read_text(encoding="utf-8").count(guard.code) == 1
    assert guard.without != guard.code
    for test in guard.tests:
        assert (_ROOT / test.partition("::")[0]).exists()


def test_no_two_guards_have_one_name() -> None:
    """Words on the command line choose guards by it."""
    assert len({guard.name for guard in GUARDS}) == len(GUARDS)
