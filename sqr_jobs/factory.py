"""The host's factory: the function that builds its `ReportJobs`, named by an import path."""

import importlib
import inspect
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqr_jobs.errors import ConfigurationError

if TYPE_CHECKING:
    from sqr_jobs.report_jobs import ReportJobs

__all__ = ["load_factory", "path_of"]


def load_factory(path: str) -> "Callable[[], ReportJobs]":
    """Import `package.module:function`. Raises `ConfigurationError` that says what is wrong with the path."""
    module_name, _, attribute = path.partition(":")
    if not module_name or not attribute or module_name.startswith("."):
        raise ConfigurationError(
            f"SQR_JOBS_FACTORY={path} is no import path. Write it as myapp.reports:report_jobs."
        )
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise ConfigurationError(
            f"SQR_JOBS_FACTORY={path}: there is no module {error.name}. Run this where it can be imported: "
            "in its folder, or with the application installed."
        ) from None
    for name in attribute.split("."):
        found = getattr(found, name, None)
    if not callable(found):
        raise ConfigurationError(
            f"SQR_JOBS_FACTORY={path}: {module_name} has no function {attribute}. Name the function that "
            "returns build_report_jobs(…)."
        )
    return found  # type: ignore[no-any-return]


def path_of(factory: Callable[[], Any]) -> str:
    """Name a factory so that another process can import it.

    Raises `ConfigurationError` for a lambda, a closure, an object's method, or a function of `__main__`.
    """
    module = getattr(factory, "__module__", None)
    name = getattr(factory, "__qualname__", None)
    if module == "__main__":
        raise ConfigurationError(
            f"The factory {name} is defined in the program that was started, which the render child must not "
            "run again. Move it into a module of its own, such as myapp/reports.py, and import it from there."
        )
    if not module or not name or _found(module, name) not in (factory, inspect.unwrap(factory)):
        raise ConfigurationError(
            f"The factory {name or factory!r} can't be imported by another process. Make it a plain function "
            "at the top of a module, without arguments."
        )
    return f"{module}:{name}"


def _found(module: str, name: str) -> object:
    """Look a name up where another process would, without importing anything."""
    found: object = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found
