"""The host's factory, by its import path."""

import functools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sqr_jobs.errors import ConfigurationError
from sqr_jobs.factory import load_factory, path_of
from tests.host.reports import FACTORY, report_jobs


class Maker:
    """Things that are callable and can't be imported as they are."""

    def __call__(self) -> None:
        """Be callable."""

    def method(self) -> None:
        """Need an instance."""

    @staticmethod
    def static() -> str:
        """Need none."""
        return "made"


def _closure() -> Callable[[], None]:
    def inner() -> None:
        pass

    return inner


def test_a_function_at_the_top_of_a_module_has_a_path_that_leads_back() -> None:
    """The render child imports it from nothing but that text."""
    assert path_of(report_jobs) == FACTORY
    assert load_factory(FACTORY) is report_jobs


def test_a_static_method_has_a_path_that_leads_back() -> None:
    """It is a plain function behind one more dot."""
    assert path_of(Maker.static) == f"{__name__}:Maker.static"
    assert load_factory(path_of(Maker.static))() == "made"


@pytest.mark.parametrize(
    "factory",
    [lambda: None, _closure(), Maker(), functools.partial(report_jobs), Maker().method],
    ids=["lambda", "closure", "instance", "partial", "bound method"],
)
def test_what_another_process_cannot_import_is_refused(factory: Callable[[], None]) -> None:
    """At the mount, in a sentence, and not in a child's stack at the first job."""
    with pytest.raises(ConfigurationError) as caught:
        path_of(factory)
    assert str(caught.value).endswith(".")


def test_a_function_of_the_program_itself_is_refused(tmp_path: Path) -> None:
    """A child that imported it would run the host's program again."""
    program = tmp_path / "app.py"
    program.write_text(
        "from sqr_jobs.errors import ConfigurationError\n"
        "from sqr_jobs.factory import path_of\n"
        "def make(): ...\n"
        "try:\n"
        "    path_of(make)\n"
        "except ConfigurationError as error:\n"
        "    print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, check=True, timeout=60
    )
    assert "defined in the program that was started" in run.stdout
    assert "myapp/reports.py" in run.stdout


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", "is no import path"),
        ("tests.host.reports", "is no import path"),
        (":report_jobs", "is no import path"),
        ("tests.host.reports:", "is no import path"),
        ("no_such_module:make", "there is no module no_such_module"),
        ("tests.no_such_module:make", "there is no module tests.no_such_module"),
        ("tests.host.reports.deeper:make", "there is no module tests.host.reports.deeper"),
        (".reports:make", "is no import path"),
        ("tests.host.reports:nothing", "has no function nothing"),
        ("tests.host.reports:KEY", "has no function KEY"),
        ("tests.host.reports:report_jobs.deeper", "has no function report_jobs.deeper"),
    ],
)
def test_a_path_that_leads_nowhere_is_told_in_words(path: str, words: str) -> None:
    """The operator sees what was set, what is wrong with it, and what to write."""
    with pytest.raises(ConfigurationError) as caught:
        load_factory(path)
    assert words in str(caught.value)
    assert f"SQR_JOBS_FACTORY={path}" in str(caught.value)


def test_an_import_that_fails_inside_the_hosts_module_shows_the_hosts_own_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ "There is no module" would be a lie about a module that only lacks one of its own imports."""
    (tmp_path / "host_lacking_a_package.py").write_text("import a_package_that_is_not_installed\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="a_package_that_is_not_installed"):
        load_factory("host_lacking_a_package:make")
