"""Log lines that a page quotes are lines that the code writes."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.docs.pages import DOCS, ROOT, Page

_PREFIX = re.compile(r"^(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL) (?P<logger>[\w.]+): ")
_PAGES = [page for page in Page.every() if page.blocks("log")]


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_every_quoted_line_can_be_written(page: Page) -> None:
    """At night someone searches the log for what the page quotes."""
    written = set(_written())
    unknown = []
    for block in page.blocks("log"):
        for line in block.text.splitlines():
            prefix = _PREFIX.match(line)
            if not prefix and (line.startswith(("  ", "…")) or line.endswith("raised at")):
                continue  # a stack
            message = line[prefix.end() :] if prefix else line
            if not any(
                re.fullmatch(form, message)
                for level, logger, form in written
                if not prefix or (prefix["level"], prefix["logger"]) == (level, logger)
            ):
                unknown.append(line)
    assert unknown == []


def test_every_line_that_can_be_written_is_in_the_reference() -> None:
    """Whoever builds alerts reads one page."""
    page = Page.read(DOCS / "reference" / "logs.md")
    quoted = [line for block in page.blocks("log") for line in block.text.splitlines()]
    missing = [
        f"{level} {logger}: {form}"
        for level, logger, form in _written()
        if not any(re.fullmatch(f"{level} {re.escape(logger)}: {form}", line) for line in quoted)
    ]
    assert missing == []


@pytest.mark.parametrize(("keeps", "shown"), [(True, "seen"), (False, "")], ids=["as shown", "by default"])
def test_a_host_that_configures_logging_after_the_mount_sees_lines_as_the_page_says(
    keeps: bool, shown: str
) -> None:
    """Python's default disables the loggers that exist, and a silent service looks healthy."""
    [block] = [
        block
        for block in Page.read(DOCS / "reference" / "logs.md").blocks("python")
        if "dictConfig" in block.text
    ]
    [line] = [line for line in block.text.splitlines() if "dictConfig" in line]
    code = (
        "import logging.config, sys, sqr_jobs.web, sqr_jobs_flask\n"
        f"{line if keeps else line.replace('False', 'True')}\n"
        "logging.getLogger().addHandler(logging.StreamHandler(sys.stdout))\n"
        "logging.getLogger('sqr_jobs.web').error('seen')\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == shown


def test_the_example_writes_what_the_page_shows(example_path: None) -> None:
    """The fields arrive in a log of JSON, with nothing but the standard library."""
    code = (
        "import json_logs, logging; json_logs.log_as_json()\n"
        "from sqr_jobs.logs import job_fields\n"
        "from tests.unit.fakes import claim_of\n"
        "job = claim_of().job\n"
        "more = {'from_state': 'QUEUED', 'why': 'claim', 'error_code': None, 'worker': 'vm:804 0.1.0'}\n"
        "logger = logging.getLogger('sqr_jobs.jobs')\n"
        "logger.info('job %s: QUEUED -> RUNNING (claim)', job.job_id, extra=job_fields(job, **more))\n"
        "try: 1 / 0\n"
        "except ZeroDivisionError: logging.exception('of another library')\n"
    )
    paths = [str(DOCS / "howto"), str(ROOT)]
    ended = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {paths}\n{code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    ours, other = (json.loads(line) for line in ended.stderr.splitlines())
    [shown] = Page.read(DOCS / "reference" / "logs.md").blocks("json")
    page = json.loads(shown.text)
    assert list(ours) == list(page)
    changing = ("at", "job", "message")
    assert {**ours, **dict.fromkeys(changing)} == {**page, **dict.fromkeys(changing)}
    assert ours["message"] == f"job {ours['job']}: QUEUED -> RUNNING (claim)"
    assert "ZeroDivisionError" in other["exception"]


def _written() -> Iterator[tuple[str, str, str]]:
    """Find each logging call of the library: its level, its logger and the form of its message."""
    for path in (ROOT / "sqr_jobs").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        loggers = [
            node.args[0].value
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and ast.unparse(node.func) == "logging.getLogger"
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ]
        for node in ast.walk(tree):
            if loggers and isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                for level, text in _message(node):
                    yield level, str(loggers[0]), _form(text)


def _message(call: ast.Call) -> Iterator[tuple[str, str]]:
    function = ast.unparse(call.func)
    texts = [
        node.value for node in call.args if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    if function.startswith("_logger.") and texts and isinstance(call.args[0], ast.Constant):
        level = function.removeprefix("_logger.").upper()
        yield ("ERROR" if level == "EXCEPTION" else level), texts[0]
    elif function == "self._log" and texts:  # the processor's, which names the job first
        yield ast.unparse(call.args[0]).removeprefix("logging."), f"job %s: {texts[0]}"


def _form(text: str) -> str:
    return re.sub(r"%(?:\\)?(?:\.\d)?[sdf]|%\\\.1f", ".*", re.escape(text).replace(r"\%", "%"))
