"""Operators' commands: look at jobs, cancel one, try one again, erase a person."""

import argparse
import functools
import json
import sys
import time
from collections.abc import Callable
from typing import TypeAlias

from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.domain.states import JobState
from sqr_jobs.domain.upkeep import JobSearch
from sqr_jobs.errors import ConfigurationError, JobAlreadyActive
from sqr_jobs.job_views import event_fields, event_line, job_fields, job_line, job_lines
from sqr_jobs.operations import Operations, Receipt
from sqr_jobs.web.models import timestamp
from sqr_jobs.whole_numbers import whole_number

__all__ = ["add_operator_commands"]

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - argparse names no public type
_SHOWN = 20
_MOST = 10_000
OperationsOf = Callable[[argparse.Namespace], Operations]


def add_operator_commands(commands: Commands, operations_of: OperationsOf, factory_help: str) -> None:
    """Add them to the command line; `operations_of` builds the host's service from the options."""

    def add(name: str, run: Callable[[argparse.Namespace, Operations], int], text: str, more: str) -> None:
        parser = commands.add_parser(name, help=text, description=more)
        parser.add_argument("--factory", help=factory_help)
        _ARGUMENTS[name](parser)
        parser.set_defaults(run=lambda options: run(options, operations_of(options)), refuse=parser.error)

    add(
        "jobs",
        _jobs,
        "list jobs, or show one with its history",
        "List the newest jobs of this service, of every organisation, or show one with its attempts and why "
        "they failed. "
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
    parser.add_argument("job", nargs="?", help="show this one, with its history; it takes no filter")
    parser.add_argument("--org", help="only this organisation's")
    parser.add_argument("--user", help="only those about this user")
    parser.add_argument(
        "--state",
        action="append",
        choices=[state.value for state in JobState],
        default=[],
        help="only those in this state; may be given more than once",
    )
    parser.add_argument(
        "--template", metavar="NAME", help="only those of this template, named without its version"
    )
    parser.add_argument(
        "--error",
        metavar="CODE",
        choices=[code.value for code in JobErrorCode],
        help="only those with this error code, such as RENDER_FAILED",
    )
    parser.add_argument(
        "--limit",
        type=functools.partial(whole_number, most=_MOST),
        help=f"at most so many, the newest (default: {_SHOWN})",
    )
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
        return _one_job(options, operations)
    shown = options.limit or _SHOWN
    wanted = JobSearch(
        org_id=options.org,
        user_id=options.user,
        states=frozenset(map(JobState, options.state)),
        template=options.template,
        error_code=options.error,
        limit=shown + 1,  # the last one only tells that there are more
    )
    found = operations.search(wanted)
    for job in found[:shown]:
        _say(json.dumps(job_fields(job)) if options.json else job_line(job))
    if len(found) > shown:
        _note(f"{shown} shown, and there are more: --limit N, or a filter.")
    if not found:
        if not options.json:
            _say("no jobs")
        if " " in (options.template or ""):
            _note("--template takes the template's name, without the version that the list shows after it.")
    return 0


def _one_job(options: argparse.Namespace, operations: Operations) -> int:
    filters = ("org", "user", "state", "template", "error", "limit")
    if given := [f"--{name}" for name in filters if getattr(options, name) not in (None, [])]:
        options.refuse(f"a job's id takes no filter: leave out {', '.join(given)}")
    job = operations.get(options.job)
    history = operations.history(job.job_id)
    if options.json:
        _say(json.dumps({**job_fields(job), "history": [event_fields(event) for event in history]}))
    else:
        _say("\n".join([*job_lines(job), "", *map(event_line, history)]))
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
    try:
        created = operations.retry(options.job)
    except JobAlreadyActive as error:
        raise ConfigurationError(
            f"A report for this user is already being made: job {error.job.job_id}. "
            "Wait for that job to end, or cancel it."
        ) from None
    _say(created.job_id)
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
    receipt = operations.erase(options.org, options.user)
    _say(json.dumps(_receipt_fields(receipt), indent=2))
    if receipt.stopped_by is None:
        return 0
    _note(
        f"{receipt.stopped_by.removesuffix('.')}. The erasure is not complete. `sqr-jobs check` says which "
        "part and what to do. Then run the same command again, until its receipt says so; keep this one too."
    )
    return 1


def _receipt_fields(receipt: Receipt) -> dict[str, object]:
    return {
        "erasedAt": timestamp(time.time_ns() // 1_000_000),
        "complete": receipt.stopped_by is None,
        "service": receipt.service,
        "jobs": receipt.jobs,
        "cancelled": receipt.cancelled,
        "causes": receipt.causes,
        "idempotencyKeys": receipt.idempotency_keys,
        "objects": receipt.objects,
        "jobIds": receipt.job_ids,
    }


def _note(text: str) -> None:
    sys.stderr.write(f"sqr-jobs: {text}\n")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
