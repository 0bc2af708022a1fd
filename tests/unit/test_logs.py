"""How the library logs: fields, stacks without values, outages told once, and silence by default."""

import logging
import re
import subprocess
import sys
import threading
from pathlib import Path

import sqr_jobs
from sqr_jobs.domain.states import JobState
from sqr_jobs.errors import ConfigurationError
from sqr_jobs.logs import Outage, job_fields, stack_of
from tests.unit.fakes import Clock, claim_of

CANARY = "Jo Bloggs, postgresql://user:hunter2@db"


def _raised(error: BaseException) -> BaseException:
    try:
        raise error
    except type(error) as caught:
        return caught


def test_a_host_that_configures_no_logging_sees_nothing_of_ours() -> None:
    """What is printed is for the host to say: without a NullHandler Python prints warnings to stderr."""
    code = "import logging, sqr_jobs; logging.getLogger('sqr_jobs.jobs').warning('CANARY')"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (ended.stdout, ended.stderr) == ("", "")
    assert [type(handler) for handler in logging.getLogger("sqr_jobs").handlers] == [logging.NullHandler]


def test_a_record_about_a_job_carries_these_fields() -> None:
    """As the job was read, or as the record tells of it."""
    job = claim_of(attempt=2).job
    assert job_fields(job) == {"job": job.job_id, "org": "acme", "attempt": 2, "state": "RUNNING"}
    told = job_fields(job, state=JobState.QUEUED, attempt=0, from_state=None, why="create")
    assert told == {
        "job": job.job_id,
        "org": "acme",
        "attempt": 0,
        "state": "QUEUED",
        "from_state": None,
        "why": "create",
    }
    assert type(told["state"]) is str


def test_the_fields_are_no_names_of_logging_s_own() -> None:
    """`logging` refuses a record whose extra fields hide its own."""
    fields = job_fields(claim_of().job, from_state="QUEUED", why="claim", error_code=None)
    logging.getLogger("sqr_jobs.tests").makeRecord("n", 20, "f", 1, "m", (), None, extra=fields)


def test_a_stack_has_class_file_line_and_function_and_nothing_else() -> None:
    """What an exception says, and what its frames hold, may be personal data."""

    def fail(name: str) -> None:
        raise LookupError(f"{name} is unknown")

    try:
        fail(CANARY)
    except LookupError as error:
        told = stack_of(error)
    place = r"\n  \S+test_logs\.py:\d+ in "
    assert re.fullmatch(rf"\nLookupError, raised at{place}test_a_stack\w+{place}fail", told)
    assert "unknown" not in told


def test_a_stack_tells_what_came_before_without_its_words() -> None:
    """The exception that a host wraps is the one that it looks for."""
    error = _raised(RuntimeError(CANARY))
    error.__cause__ = _raised(KeyError(CANARY))
    told = stack_of(error)
    assert re.findall(r"^\S.*", told, re.MULTILINE) == [
        "RuntimeError, raised at",
        "after KeyError, raised at",
    ]
    assert "Bloggs" not in told


def test_a_stack_tells_what_was_being_handled_unless_the_host_left_it_out() -> None:
    """`raise … from None` says that the cause is nobody's business."""
    error = _raised(RuntimeError())
    error.__context__ = _raised(KeyError())
    assert "after KeyError" in stack_of(error)
    error.__suppress_context__ = True
    assert "KeyError" not in stack_of(error)


def test_an_endless_chain_of_causes_ends() -> None:
    """Some libraries make a circle."""
    error = _raised(RuntimeError())
    error.__cause__ = error
    assert stack_of(error).count("RuntimeError") == 5


def test_a_long_stack_keeps_its_outer_and_its_inner_frames() -> None:
    """The outer ones are the host's, the inner ones where it broke; a thousand in between tell nothing."""

    def descend(depth: int) -> None:
        if depth == 0:
            raise ValueError
        descend(depth - 1)

    try:
        descend(100)
    except ValueError as error:
        lines = stack_of(error).splitlines()[2:]
    assert len(lines) == 31
    assert lines[0].endswith("in test_a_long_stack_keeps_its_outer_and_its_inner_frames")
    assert lines[10] == "  … 72 more"


def test_our_own_sentence_about_a_wrong_setting_is_told() -> None:
    """It says what to do, and was written for the log."""
    error = _raised(ConfigurationError("boto3 is missing. Install it."))
    assert "ConfigurationError (boto3 is missing. Install it.), raised at" in stack_of(error)


class _UnspeakableError(Exception):
    def __str__(self) -> str:
        raise AssertionError("asked for its text")

    __repr__ = __str__


def test_an_exception_is_never_asked_for_its_text() -> None:
    """Its text may be anything, and may even raise."""
    assert "_UnspeakableError, raised at" in stack_of(_raised(_UnspeakableError()))


def test_an_outage_is_news_once_and_its_end_too() -> None:
    """Two lines for an hour without a database, not 3,600."""
    clock = Clock()
    outage = Outage(clock)
    assert outage.over() is None
    assert [outage.is_news("refused") for _ in range(3)] == [True, False, False]
    clock.move(12.5)
    assert outage.over() == 12.5
    assert outage.over() is None
    assert outage.is_news("refused") is True


def test_another_reason_in_an_outage_is_news_too_but_not_each_time() -> None:
    """The database came back and has no tables; and a server that flaps between two must not fill the log."""
    outage = Outage()
    told = [outage.is_news(reason) for reason in ("refused", "no tables", "refused", "no tables")]
    assert told == [True, True, False, False]


def test_of_many_threads_one_tells_of_an_outage() -> None:
    """All request threads meet it at the same moment."""
    outage, told, began = Outage(), [], threading.Barrier(8)

    def meet() -> None:
        began.wait(10)
        told.append(outage.is_news())
        began.wait(10)
        told.append(outage.over() is not None)

    threads = [threading.Thread(target=meet) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert told.count(True) == 2


def test_no_line_of_ours_hands_an_exception_to_logging() -> None:
    """`logger.exception` and `exc_info` would print what it says, and hand its frames to whoever listens."""
    sources = Path(sqr_jobs.__file__).parent.rglob("*.py")
    forms = re.compile(r"exc_info|logger\.exception\(|stack_info")
    found = [path.name for path in sources if forms.search(path.read_text(encoding="utf-8"))]
    assert found == []


def test_nothing_else_is_configured_at_import() -> None:
    """The root logger and its levels are the host's."""
    code = (
        "import logging, sqr_jobs; print(logging.getLogger().handlers, logging.getLogger('sqr_jobs').level)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "[] 0\n"
