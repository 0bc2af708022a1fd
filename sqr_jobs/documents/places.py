"""Where an attempt was when it failed: the line of the host's code, from an exception or from a dump.

A dump is the text that `faulthandler` writes when a process times out or crashes. Neither holds a value.
"""

import re
import sys
import sysconfig
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Frame", "dumped_frames", "own_code", "place_of", "raised_frames", "stack_text"]

_LONGEST = 200
_OUR_OWN = str(Path(__file__).parent)
_INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_DUMPED = re.compile(r'^  File "(?P<file>.+)", line (?P<line>\d+) in (?P<function>.+)$', re.MULTILINE)
_HEADING = "(most recent call first):"
_CUT = "\n  ...\n"
"""By which `faulthandler` ends a stack that is too deep for it."""
_GUARD = str(Path(__file__).with_name("guard.py"))


@dataclass(frozen=True)
class Frame:
    """One call on a stack."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self.function}"


def raised_frames(error: BaseException) -> list[Frame]:
    """Read the stack of an exception, the innermost call last."""
    return [
        Frame(frame.f_code.co_filename, line, frame.f_code.co_name)
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]


def dumped_frames(dump: str) -> list[Frame]:
    """Read the stack of a dump that tells what the attempt did, the innermost call last.

    That is the layout's thread, else the main thread, which comes last: it runs `load` and the start.
    """
    before, *texts = dump.split(_HEADING)
    if before.endswith("Stack "):  # that of the thread that crashed, first; a crash meanwhile adds another
        texts = texts[:1]
    texts = [text for text in texts if _DUMPED.search(text)]
    stacks = [_stack(text) for text in texts]
    layouts = [stack for stack in stacks if any(_runs_layout(frame) for frame in stack)]
    deep = [stack for stack, text in zip(stacks, texts, strict=True) if _CUT in text]
    return next(iter([*layouts, *deep, *stacks[-1:]]), [])


def _stack(text: str) -> list[Frame]:
    found = _DUMPED.finditer(text)
    return [Frame(match["file"], int(match["line"]), match["function"]) for match in found][::-1]


def _runs_layout(frame: Frame) -> bool:
    return (frame.file, frame.function) == (_GUARD, "restricted")


def own_code(modules: Iterable[str]) -> list[str]:
    """Name the folders and files that hold the packages of these modules: the host's own code."""
    found: set[str] = set()
    for top in {module.partition(".")[0] for module in modules}:
        package = sys.modules.get(top)
        found.update(getattr(package, "__path__", ()) or {getattr(package, "__file__", None) or top})
    return sorted(found)


def place_of(frames: Sequence[Frame], own: Sequence[str] = ()) -> str:
    """Choose the innermost call in the host's own code, else outside installed packages, else of all.

    Returns an empty text without frames. A file of the host's is named from its package on.
    """
    for folder, frame in ((folder, frame) for frame in reversed(frames) for folder in own):
        if _is_below(frame.file, folder) and not _is_below(frame.file, _OUR_OWN):
            shown = frame.file.removeprefix(f"{Path(folder).parent}/")
            return str(Frame(shown, frame.line, frame.function))[:_LONGEST]
    for frame in reversed(frames):
        if not (frame.file.startswith(("<", *_INSTALLED)) or _is_below(frame.file, _OUR_OWN)):
            return str(frame)[:_LONGEST]
    return str(frames[-1])[:_LONGEST] if frames else ""


def stack_text(frames: Sequence[Frame]) -> str:
    """Show a stack for the log, behind a sentence."""
    return "".join(f"\n  {frame}" for frame in frames)


def _is_below(file: str, folder: str) -> bool:
    return file == folder or file.startswith(f"{folder}/")
