"""Operators' commands: look at jobs, cancel one, try one again, erase a person."""

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

from sqr_jobs.domain.job import Job, JobEvent
from sqr_jobs.domain.states import JobState
from sqr_jobs.domain.upkeep import JobSearch
from sqr_jobs.errors import ConfigurationError
from sqr_jobs.operations import Operations

__all__ = ["add_operator_commands"]

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - argparse names no public type
_MOST = 10_000
OperationsOf = Callable[[argparse.Namespace], Operations]


def add_operator_commands(commands: Commands, operations_of: OperationsOf, factory_help: str) -> None:
    """Add them to the command line; `operations_of` builds the host's service from the options."""

    def add(name: str, run: Callable[[argparse.Namespace, Operations], int], text: str, more: str) -> None:
        parser = commands.add_parser(name, help=text, description=more)
        parser.add_argument("--factory", help=factory_help)
        _ARGUMENTS[name](parser)
        parser.set_defaults(run=lambda options: run(options, operations_of(options)))

    add(
        "jobs",
        _jobs,
        "list jobs, or show one with its history",
        "List the newest jobs of every organisation, or show one with its attempts and why they failed. "
        "What is shown of a failure is internal text, which the API never tells and which may name a person.",
    )
    add(
        "cancel",
        _cancel,
        "end a job that need not be made any more",
        "End a job: a waiting one at once, a running one by stopping its attempt at the worker's next "
        "heartbeat. Clients see it FAILED with CANCELLED.",
    )
    add(
        "retry",
        _retry,
        "create a new job like one that failed",
        "Create a new job for the same organisation and user as one that FAILED, after asking the "
        "application again whether it may. The rate limit does not count against you.",
    )
    add(
        "erase",
        _erase,
        "erase a person from an organisation's jobs",
        "Erase a user from rows, history, idempotency records and documents, cancel what is active, and "
        "print a receipt. Take the user's rights away in your application first. Backups are yours to erase.",
    )


def _job_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("job", help="the job's id")


def _jobs_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("job", nargs="?", help="show this one, with its history")
    parser.add_argument("--org", help="only this organisation's")
    parser.add_argument("--user", help="only those about this user")
    parser.add_argument(
        "--state",
        action="append",
        choices=[state.value for state in JobState],
        default=[],
        help="only those in this state; may be given more than once",
    )
    parser.add_argument("--template", help="only those of this template")
    parser.add_argument("--error", metavar="CODE", help="only those with this error code")
    parser.add_argument("--limit", type=_count, default=20, help="at most so many, the newest (default: 20)")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")


def _erase_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--org", required=True, help="the organisation")
    parser.add_argument("--user", required=True, help="the user")
    parser.add_argument("--yes", action="store_true", help="do not ask")


_ARGUMENTS = {
    "jobs": _jobs_arguments,
    "cancel": _job_argument,
    "retry": _job_argument,
    "erase": _erase_arguments,
}


def _jobs(options: argparse.Namespace, operations: Operations) -> int:
    if options.job:
        job = operations.get(options.job)
        history = operations.history(job.job_id)
        if options.json:
            _say(json.dumps({**_fields(job), "history": [_event_fields(event) for event in history]}))
        else:
            _say("\n".join([*_about(job), "", *(_event_line(event) for event in history)]))
        return 0
    wanted = JobSearch(
        org_id=options.org,
        user_id=options.user,
        states=frozenset(map(JobState, options.state)),
        template=options.template,
        error_code=options.error,
        limit=options.limit,
    )
    found = operations.search(wanted)
    for job in found:
        _say(json.dumps(_fields(job)) if options.json else _line(job))
    if not found and not options.json:
        _say("no jobs")
    return 0


def _cancel(options: argparse.Namespace, operations: Operations) -> int:
    job = operations.cancel(options.job)
    if job.state is not JobState.CANCELLED:
        raise ConfigurationError(
            f"Job {job.job_id} has ended: it is {job.state}. There is nothing to cancel."
        )
    _say(f"{job.job_id} is {job.state}")
    return 0


def _retry(options: argparse.Namespace, operations: Operations) -> int:
    _say(operations.retry(options.job).job_id)
    return 0


def _erase(options: argparse.Namespace, operations: Operations) -> int:
    if not options.yes:
        if not sys.stdin.isatty():
            raise ConfigurationError("Nothing was erased. Pass --yes where nobody can be asked.")
        # Not by input(), which may write its question into the receipt's file.
        sys.stderr.write(f"Erase user {options.user} of {options.org} for good? Type the user's id: ")
        sys.stderr.flush()
        if sys.stdin.readline().rstrip("\n") != options.user:
            raise ConfigurationError("Nothing was erased.")
    receipt = dataclasses.asdict(operations.erase(options.org, options.user))
    stopped_by = receipt.pop("stopped_by")
    _say(json.dumps({"erasedAt": _now(), "complete": stopped_by is None, **receipt}, indent=2))
    if stopped_by is None:
        return 0
    sys.stderr.write(
        f"sqr-jobs: {stopped_by} The erasure is not complete. Run the same command again, until its receipt "
        "says so; keep this receipt too.\n"
    )
    return 1


def _count(text: str) -> int:
    """Read a number of jobs."""
    number = int(text)
    if not 1 <= number <= _MOST:
        raise argparse.ArgumentTypeError(f"1 to {_MOST}")
    return number


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _at(epoch_ms: int | None) -> str | None:
    return (
        datetime.fromtimestamp(epoch_ms / 1000, UTC).isoformat(timespec="milliseconds") if epoch_ms else None
    )


def _line(job: Job) -> str:
    created = (_at(job.created_at) or "")[:19]
    code = job.error_code or ""
    template, user = str(job.template), job.user_id or "(erased)"
    line = f"{job.job_id}  {created}  {job.state:<10}  {job.org_id}  {user}  {template}  {code}"
    return _printable(line).rstrip()


def _about(job: Job) -> list[str]:
    return [
        f"{name:<16}{_printable(str(value))}" for name, value in _fields(job).items() if value is not None
    ]


def _fields(job: Job) -> dict[str, str | int | None]:
    return {
        "job": job.job_id,
        "org": job.org_id,
        "user": job.user_id or "(erased)",
        "template": str(job.template),
        "state": job.state,
        "error": job.error_code,
        "attempt": job.attempt,
        "failures": job.failures,
        "crashes": job.crashes,
        "created": _at(job.created_at),
        "deadline": _at(job.deadline_at),
        "completed": _at(job.completed_at),
        "expires": _at(job.document_expires_at),
    }


def _event_fields(event: JobEvent) -> dict[str, str | int | None]:
    return {
        "at": _at(event.at),
        "from": event.from_state,
        "to": event.to_state,
        "attempt": event.attempt,
        "why": event.why,
        "error": event.error_code,
        "cause": event.cause,
    }


def _event_line(event: JobEvent) -> str:
    change = f"{event.from_state or 'new'} -> {event.to_state}"
    line = f"{_at(event.at)}  attempt {event.attempt}  {change} ({event.why})  {event.error_code or ''}"
    return "\n    ".join([line.rstrip(), *_printable(event.cause or "").splitlines()])


def _printable(text: str) -> str:
    """Keep what clients and exceptions said from steering the terminal."""
    return "".join(
        character if character.isprintable() or character == "\n" else "\ufffd" for character in text
    )
