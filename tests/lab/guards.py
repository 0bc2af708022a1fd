"""`python -m tests.lab.guards`: remove guards at random, one at a time, and count those that tests miss."""

import argparse
import ast
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

__all__ = ["main"]

_ROOT = Path(__file__).parents[2]
_PRODUCT = ("sqr_jobs", "sqr_jobs_flask", "sqr_jobs_fastapi")
_COPIED = (*_PRODUCT, "tests", "docs", "pyproject.toml", "README.md", "CHANGELOG.md")
_LEFT_OUT = ("/demo/", "/versions/", "/testing/")
_MEASURED = ("tests/unit", "tests/contracts", "tests/http", "tests/cli", "tests/security")
_FALLBACK = {
    "documents": (
        "tests/unit",
        "tests/contracts/test_child*",
        "tests/contracts/test_*template*",
        "tests/security",
    ),
    "": ("tests/unit", "tests/contracts", "tests/faults"),
}
_MOST_TESTS = 150
_LIMIT_S = 400
_ACTS = re.compile(r"(^|_)(refuse|check|lock|fsync|chmod|setrlimit|signal|kill|close|disconnect|invalidate)")
_BOUNDS = re.compile(
    r"timeout|limit|max_|keepalive|start_new_session|hide_parameters|isolation|mode$|retries"
)


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One guard, and the text that replaces it."""

    file: str
    line: int
    start: int
    """Offset in bytes."""
    end: int
    text: str
    what: str


def main() -> int:
    """Print each mutant with its fate, and the share that some test catches."""
    options = _options()
    found = [mutant for path in _files(options.only) for mutant in _mutants(path)]
    chosen = random.Random(options.seed).sample(found, round(len(found) * options.share))
    chosen.sort(key=lambda mutant: (mutant.file, mutant.line))
    _say(f"{len(chosen)} of {len(found)} guards")
    if options.list:
        _say("\n".join(_shown(mutant) for mutant in chosen))
        return 0
    with tempfile.TemporaryDirectory(prefix="sqr-jobs-guards-") as folder:
        copies: SimpleQueue[Path] = SimpleQueue()
        for number in range(options.copies):
            copies.put(_copy(Path(folder) / str(number)))
        reached = _reached(_copy(Path(folder) / "measured"), options.reached)
        if options.measure_only:
            return 0
        with ThreadPoolExecutor(options.copies) as threads:
            caught = sum(threads.map(lambda mutant: _try(mutant, copies, reached), chosen))
    _say(f"{caught} of {len(chosen)} caught: {caught / max(len(chosen), 1):.0%}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.lab.guards", description=__doc__)
    parser.add_argument("--share", type=float, default=0.15)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--copies", type=int, default=2, help="mutants that are tried at a time")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--reached", type=Path, help="file that keeps which test reaches which line")
    parser.add_argument("--measure-only", action="store_true")
    return parser.parse_args()


def _files(only: str) -> Iterator[str]:
    for package in _PRODUCT:
        for path in sorted((_ROOT / package).rglob("*.py")):
            name = str(path.relative_to(_ROOT))
            if only in name and not any(part in f"/{name}" for part in _LEFT_OUT):
                yield name


def _mutants(file: str) -> Iterator[Mutant]:
    source = (_ROOT / file).read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for node in ast.walk(ast.parse(source)):
        for changed, text, what in _changes(node):
            assert changed.end_lineno is not None
            assert changed.end_col_offset is not None
            yield Mutant(
                file=file,
                line=changed.lineno,
                start=starts[changed.lineno - 1] + changed.col_offset,
                end=starts[changed.end_lineno - 1] + changed.end_col_offset,
                text=text,
                what=what,
            )


def _changes(node: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, str, str]]:
    """Yield what to replace in this node, the replacement, and its description."""
    match node:
        case ast.If(test=test, body=[ast.Raise() | ast.Return() | ast.Continue() | ast.Break(), *_]):
            if ast.unparse(test) != "TYPE_CHECKING":
                yield test, "False", f"no `if {ast.unparse(test)}`"
        case ast.BoolOp(values=[*kept, dropped]) if not isinstance(dropped, ast.Constant):
            operator = " and " if isinstance(node.op, ast.And) else " or "
            rest = operator.join(ast.unparse(value) for value in kept)
            yield node, f"({rest})", f"without `{ast.unparse(dropped)}`"
        case ast.Compare(ops=[ast.LtE() | ast.GtE() as sign], left=left, comparators=[right]):
            strict = "<" if isinstance(sign, ast.LtE) else ">"
            yield node, f"{ast.unparse(left)} {strict} {ast.unparse(right)}", f"{strict} for {strict}="
        case ast.Call(func=ast.Attribute(attr="where"), args=[*most, last]) if most:
            kept_ones = ", ".join(ast.unparse(argument) for argument in most)
            yield node, f"{ast.unparse(node.func)}({kept_ones})", f"without `{ast.unparse(last)}`"
        case ast.Expr(value=ast.Call(func=function)) if _ACTS.search(_name(function)):
            yield node, "pass", f"no `{ast.unparse(node)}`"
        case ast.Call(keywords=keywords):
            for bound in keywords:
                if bound.arg and _BOUNDS.search(bound.arg) and isinstance(bound.value, ast.Constant):
                    others = [keyword for keyword in keywords if keyword is not bound]
                    call = ast.Call(node.func, node.args, others)
                    yield node, ast.unparse(call), f"without `{ast.unparse(bound)}`"


def _name(function: ast.expr) -> str:
    return ast.unparse(function).rpartition(".")[2]


def _copy(folder: Path) -> Path:
    for name in _COPIED:
        source = _ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    return folder


def _reached(folder: Path, kept: Path | None) -> dict[str, dict[str, list[str]]]:
    """Run the tests once; return by file and line the tests that execute it."""
    if kept is not None and kept.exists():
        return dict(json.loads(kept.read_text(encoding="utf-8")))
    folders = [name for name in _MEASURED if (folder / name).exists()]
    measuring = ("--cov", "--cov-context=test", "--cov-report=", "--numprocesses=4", "--dist=loadfile")
    done = _pytest(folder, *measuring, *folders)
    _say(f"measured: {done.stdout.strip().splitlines()[-1]}")
    report = folder / "contexts.json"
    subprocess.run(
        [sys.executable, "-m", "coverage", "json", "--show-contexts", "-q", "-o", str(report)],
        cwd=folder,
        check=True,
    )
    files = json.loads(report.read_text(encoding="utf-8"))["files"]
    found = {name: measured.get("contexts", {}) for name, measured in files.items()}
    if kept is not None:
        kept.write_text(json.dumps(found), encoding="utf-8")
    return found


def _try(mutant: Mutant, copies: "SimpleQueue[Path]", reached: dict[str, dict[str, list[str]]]) -> bool:
    folder = copies.get()
    path = folder / mutant.file
    original = path.read_bytes()
    try:
        path.write_bytes(original[: mutant.start] + mutant.text.encode() + original[mutant.end :])
        caught = any(_fails(folder, tests) for tests in _tests(mutant, reached, folder))
    finally:
        path.write_bytes(original)
        copies.put(folder)
    _say(f"{'caught  ' if caught else 'SURVIVED'} {_shown(mutant)}")
    return caught


def _tests(mutant: Mutant, reached: dict[str, dict[str, list[str]]], folder: Path) -> Iterator[Sequence[str]]:
    contexts = reached.get(mutant.file, {}).get(str(mutant.line), [])
    tests = sorted({context.partition("|")[0] for context in contexts} - {""})
    if tests:
        random.Random(0).shuffle(tests)
        yield tests[:_MOST_TESTS]
    part = "documents" if "/documents/" in mutant.file or "child" in mutant.file else ""
    if not tests or part:
        yield [str(path.relative_to(folder)) for pattern in _FALLBACK[part] for path in folder.glob(pattern)]


def _fails(folder: Path, tests: Sequence[str]) -> bool:
    try:
        return _pytest(folder, "--exitfirst", *tests).returncode == 1
    except subprocess.TimeoutExpired:
        return True


def _pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=None if "--cov" in arguments else _LIMIT_S,
    )


def _shown(mutant: Mutant) -> str:
    return f"{mutant.file}:{mutant.line}: {mutant.what}"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
