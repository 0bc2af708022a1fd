"""What the project asks for, read from `pyproject.toml` or from a distribution's metadata."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

__all__ = ["BASE", "FLOORS", "ROOT", "declared", "lowest", "pinned", "requirements"]

ROOT = Path(__file__).parents[2]
BASE = ""
"""Stands for what is installed without any extra."""

FLOORS = {
    "jinja2": ("3.1.6", "flask"),
    "pyjwt": ("2.15", BASE),
    "pymysql": ("1.1.1", "mysql"),
    "reportlab": ("5.0.1", BASE),
    "starlette": ("1.3.1", "fastapi"),
    "urllib3": ("2.8", "s3"),
    "werkzeug": ("3.1.9", "flask"),
}
"""The lowest version without a known hole that concerns us, and which extra brings the package."""


def requirements(lines: Iterable[str]) -> dict[str, Requirement]:
    """Read requirements, by canonical name."""
    return {canonicalize_name(found.name): found for found in map(Requirement, lines)}


def declared() -> Mapping[str, dict[str, Requirement]]:
    """Read what `pyproject.toml` asks for: of the base, and of each extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    return {
        BASE: requirements(project["dependencies"]),
        **{name: requirements(lines) for name, lines in extras.items()},
    }


def lowest(requirement: Requirement) -> Version:
    """Tell the lowest version that a requirement admits; 0 where it names none."""
    bounds = [Version(part.version) for part in requirement.specifier if part.operator in (">=", "==", "~=")]
    return max(bounds, default=Version("0"))


def pinned() -> dict[str, Version]:
    """Read the pins of the checks, by canonical name."""
    text = (ROOT / ".ci" / "constraints.txt").read_text(encoding="utf-8")
    pins = re.findall(r"^([\w.-]+)==(\S+)$", text, re.MULTILINE)
    return {canonicalize_name(name): Version(version) for name, version in pins}
