"""The command line: `sqr-jobs`."""

import argparse
import importlib.metadata
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any

from sqr_jobs.errors import ConfigurationError, DatabaseUnavailable, RequestRefused, Unavailable
from sqr_jobs.factory import load_factory
from sqr_jobs.operator_commands import add_operator_commands
from sqr_jobs.settings import Settings
from sqr_jobs.whole_numbers import whole_number
from sqr_jobs.wiring import System, system_of
from sqr_jobs.wiring.parts import database_for
from sqr_jobs.wiring.upkeep import operations_of

__all__ = ["main"]

_LOOK_AGAIN_S = 0.5
_READER_GONE = 141
"""As of a program that SIGPIPE ended."""
_FACTORY_HELP = "import path of the function that builds the service; by default $SQR_JOBS_FACTORY"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0, or 1 with a sentence on stderr."""
    try:
        try:
            return _run(arguments)
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # else a reader that is gone would show at the interpreter's end
    except BrokenPipeError:
        # As with `| head -1`; what is left to write goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _READER_GONE


def _run(arguments: Sequence[str] | None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (ConfigurationError, RequestRefused) as error:
        print(f"sqr-jobs: {error}", file=sys.stderr)
        return 1
    except Unavailable as error:
        print(f"sqr-jobs: {_with_next_step(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _with_next_step(outage: Unavailable) -> str:
    """Say of an outage what to do, unless its text does, such as that of missing tables."""
    text = str(outage) or type(outage).__name__
    if "sqr-jobs" in text:
        return text
    return f"{text.removesuffix('.')}. Run `sqr-jobs check`: it says which part and what to do."


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sqr-jobs",
        description="PDF reports as asynchronous jobs: ask, poll, download.",
        epilog="New here? `sqr-jobs demo` needs nothing else. In a project, set SQR_JOBS_FACTORY to the "
        "function that builds your service, then run `sqr-jobs db upgrade` and `sqr-jobs check`. Settings "
        "are SQR_JOBS_* variables: docs/reference/settings.md.",
    )
    version = importlib.metadata.version("sqr-jobs")
    parser.add_argument("--version", action="version", version=f"sqr-jobs {version}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    from sqr_jobs.demo.command import add_demo  # noqa: PLC0415 - keeps the demo's imports its own

    add_demo(commands)
    _add_database(commands)
    add_operator_commands(commands, lambda options: operations_of(_system(options)), _FACTORY_HELP)
    _add_check(commands)
    _add_worker(commands)
    _add_maintain(commands)
    _add_openapi(commands)
    return parser


def _add_worker(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "worker",
        help="make reports, in processes of their own",
        description="Make reports in worker processes. They need SQR_JOBS_BROKER_URL: without a broker, the "
        "web process makes the reports itself. SIGTERM drains: running jobs end, or go back to the queue "
        "shortly before SQR_JOBS_SHUTDOWN_GRACE_S is over.",
    )
    parser.add_argument("--factory", help=_FACTORY_HELP)
    parser.add_argument("--processes", type=whole_number, default=1, help="worker processes (default: 1)")
    parser.add_argument(
        "--threads", type=int, help="reports made at a time per process (default: $SQR_JOBS_WORKER_THREADS)"
    )
    parser.add_argument("--verbose", action="store_true", help="log at DEBUG instead of INFO")
    parser.set_defaults(run=_worker)


def _worker(options: argparse.Namespace) -> int:
    from dramatiq import cli as dramatiq_cli  # noqa: PLC0415

    if options.factory:
        os.environ["SQR_JOBS_FACTORY"] = options.factory
    if options.threads is not None:
        os.environ["SQR_JOBS_WORKER_THREADS"] = str(options.threads)
    system = _system(options)
    system.worker_broker()  # faults of the configuration show here, once, and not in each process
    settings = system.settings
    arguments = [
        "sqr_jobs.worker:broker",
        f"--processes={options.processes}",
        f"--threads={settings.worker_threads}",
        f"--worker-shutdown-timeout={round(settings.shutdown_grace_s * 1000)}",
        *(["--verbose"] if options.verbose else []),
    ]
    parsed = dramatiq_cli.make_argument_parser().parse_args(arguments)  # type: ignore[no-untyped-call]
    return int(dramatiq_cli.main(parsed) or 0)  # type: ignore[no-untyped-call]


def _add_maintain(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "maintain",
        help="keep jobs moving while no worker runs",
        description="Ring for jobs whose message was lost, take jobs from dead workers, end jobs past their "
        "deadline, and delete what has had its time. Workers do this themselves: it is for the time when "
        "there are none. Any number of copies may run.",
    )
    parser.add_argument("--factory", help=_FACTORY_HELP)
    parser.add_argument("--once", action="store_true", help="do it once and exit, for cron")
    parser.set_defaults(run=_maintain)


def _maintain(options: argparse.Namespace) -> int:
    maintenance = _system(options).maintenance()
    if options.once:
        reaped, rung, deleted = maintenance.run_once()
        print(f"reaped {reaped}, rang for {rung}, deleted {deleted}")
        return 0
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("pika").setLevel(logging.CRITICAL)  # its stacks add nothing to the relay's sentence
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    maintenance.start()
    while not stop.wait(_LOOK_AGAIN_S):  # a signal that another thread takes wakes nobody
        pass
    maintenance.stop()
    return 0


def _add_check(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "check",
        help="look at every part, and say what to do about a fault",
        description="Look at the settings, the factory, and every part that they name, a line each: `ok`, "
        "`note` (it works, and there is something to know) or `FAULT` with what to do. A small object is "
        "written to the document store, fetched and deleted. Exits with 1 on a fault.",
    )
    parser.add_argument("--factory", help=_FACTORY_HELP)
    parser.set_defaults(run=_check)


def _check(options: argparse.Namespace) -> int:
    from sqr_jobs.doctor import Verdict, examine  # noqa: PLC0415

    _import_from_here()
    faults = 0
    for finding in examine(options.factory):
        faults += finding.verdict is Verdict.FAULT
        print(f"{finding.verdict:<6}{finding.what:<14}{finding.told}", flush=True)
    return 1 if faults else 0


def _add_openapi(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "openapi",
        help="print the OpenAPI document",
        description="Print the OpenAPI 3.1 document of the endpoints as JSON, below SQR_JOBS_PREFIX.",
    )
    parser.set_defaults(run=_openapi)


def _openapi(_options: argparse.Namespace) -> int:
    import json  # noqa: PLC0415

    from sqr_jobs.web.openapi import openapi_document  # noqa: PLC0415

    settings = Settings()
    document = openapi_document(
        settings.prefix,
        has_cancel=settings.cancel_route,
        rate_window_s=settings.rate_window_s,
        user_id_max=settings.user_id_max,
    )
    print(json.dumps(document, indent=2))
    return 0


def _add_database(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "db",
        help="create or change the tables",
        description="Bring the database's tables to the version that this library needs.",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    revisions: dict[str, dict[str, Any]] = {
        "upgrade": {"nargs": "?", "default": "head", "help": "default: head"},
        "downgrade": {"help": "the revision to go back to"},
        "stamp": {"nargs": "?", "choices": ("base",), "metavar": "base", "help": "leave them to it"},
    }
    for name, text in (
        ("upgrade", "create or upgrade the tables"),
        ("downgrade", "take the tables back; `base` removes them with every job"),
        ("stamp", "keep the tables that another Alembic made; `base` leaves them to it"),
        ("current", "show the database's revision and the one that is needed"),
    ):
        action = actions.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        action.add_argument("--factory", help=_FACTORY_HELP)
        if name in revisions:
            action.add_argument("revision", **revisions[name])
        action.set_defaults(run=_database, action=name)


def _database(options: argparse.Namespace) -> int:
    from sqr_jobs import migrations  # noqa: PLC0415 - alembic

    settings = Settings()
    logging.getLogger("alembic").setLevel(logging.WARNING)
    if options.factory or settings.factory or settings.database_url is None:
        database = _system(options).database
    else:
        database = database_for(settings)
    engine = database.engine
    try:
        if options.action == "upgrade":
            migrations.upgrade(engine, options.revision)
        elif options.action == "downgrade":
            migrations.downgrade(engine, options.revision)
        elif options.action == "stamp":
            migrations.stamp(engine, options.revision)
        found = migrations.status(engine)
    except DatabaseUnavailable as error:  # the check would only repeat it
        raise ConfigurationError(f"{database.dialect.address(engine.url)}: {error}") from None
    finally:
        engine.dispose()
    print(f"database at {found.revision or 'nothing'}, needed {found.needed}{found.notes}")
    return 0


def _system(options: argparse.Namespace) -> System:
    """Build the host's service from the factory that the option or the variable names."""
    _import_from_here()
    path = options.factory or Settings().factory
    if path is None:
        raise ConfigurationError(
            "No factory is named. Set SQR_JOBS_FACTORY=myapp.reports:report_jobs, or pass --factory."
        )
    system = system_of(load_factory(path)())
    system.factory = path
    return system


def _import_from_here() -> None:
    if "" not in sys.path:
        sys.path.insert(0, "")
