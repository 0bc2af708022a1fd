"""The command line: `sqr-jobs`."""

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Sequence

from sqr_jobs.errors import ConfigurationError, Unavailable
from sqr_jobs.factory import load_factory
from sqr_jobs.settings import Settings
from sqr_jobs.wiring import System, system_of
from sqr_jobs.wiring.parts import database_for

__all__ = ["main"]

_LOOK_AGAIN_S = 0.5
_FACTORY_HELP = "import path of the function that builds the service; by default $SQR_JOBS_FACTORY"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0, or 1 with a sentence on stderr."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (ConfigurationError, Unavailable) as error:
        print(f"sqr-jobs: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sqr-jobs",
        description="PDF reports as asynchronous jobs.",
        epilog="Settings come from SQR_JOBS_* variables; docs/reference/settings.md lists them.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_worker(commands)
    _add_maintain(commands)
    _add_check(commands)
    _add_openapi(commands)
    _add_database(commands)
    from sqr_jobs.demo.command import add_demo  # noqa: PLC0415 - keeps the demo's imports its own

    add_demo(commands)
    return parser


def _add_worker(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "worker",
        help="run worker processes",
        description="Run Dramatiq workers with the settings that the library relies on. SIGTERM drains: "
        "running jobs end, or go back to the queue shortly before the grace ends.",
    )
    parser.add_argument("--factory", help=_FACTORY_HELP)
    parser.add_argument("--processes", type=_count, default=1, help="worker processes (default: 1)")
    parser.add_argument(
        "--threads", type=int, help="jobs rendered at a time per process (default: the setting)"
    )
    parser.add_argument("--verbose", action="store_true", help="log at DEBUG")
    parser.set_defaults(run=_worker)


def _worker(options: argparse.Namespace) -> int:
    import os  # noqa: PLC0415

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


def _count(text: str) -> int:
    """Read a number of processes."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _add_maintain(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "maintain",
        help="run relay and reaper without a worker",
        description="Ring for jobs whose message was lost, take jobs from dead workers and end jobs past "
        "their deadline. Workers do this too; any number of copies may run.",
    )
    parser.add_argument("--factory", help=_FACTORY_HELP)
    parser.add_argument("--once", action="store_true", help="do it once and exit, for cron")
    parser.set_defaults(run=_maintain)


def _maintain(options: argparse.Namespace) -> int:
    maintenance = _system(options).maintenance()
    if options.once:
        reaped, rung = maintenance.run_once()
        print(f"reaped {reaped}, rang for {rung}")
        return 0
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
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
        description="Look at settings, factory, render child, database, migrations, broker, workers, limiter "
        "and documents, a line each. Exit 1 on a fault.",
    )
    parser.add_argument("--factory", help=_FACTORY_HELP)
    parser.set_defaults(run=_check)


def _check(options: argparse.Namespace) -> int:
    from sqr_jobs.doctor import examine  # noqa: PLC0415

    faults = 0
    for finding in examine(_system(options)):
        faults += finding.is_fault
        print(f"{'FAULT' if finding.is_fault else 'ok':<6}{finding.what:<14}{finding.told}", flush=True)
    return 1 if faults else 0


def _add_openapi(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "openapi",
        help="print the OpenAPI document",
        description="Print the OpenAPI 3.1 document of the endpoints as JSON.",
    )
    parser.set_defaults(run=_openapi)


def _openapi(_options: argparse.Namespace) -> int:
    import json  # noqa: PLC0415

    from sqr_jobs.web.openapi import openapi_document  # noqa: PLC0415

    print(json.dumps(openapi_document(Settings().prefix), indent=2))
    return 0


def _add_database(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "db",
        help="create or change the tables",
        description="Bring the database's tables to the version that this library needs.",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, revision, text in (
        ("upgrade", "head", "create or upgrade the tables"),
        ("downgrade", None, "take the tables back; `base` removes them with every job"),
        ("current", None, "show the database's revision and the one that is needed"),
    ):
        action = actions.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        action.add_argument("--factory", help=_FACTORY_HELP)
        if name == "upgrade":
            action.add_argument("revision", nargs="?", default=revision, help="default: head")
        elif name == "downgrade":
            action.add_argument("revision", help="the revision to go back to")
        action.set_defaults(run=_database, action=name)


def _database(options: argparse.Namespace) -> int:
    from sqr_jobs import migrations  # noqa: PLC0415 - alembic

    settings = Settings()
    logging.getLogger("alembic").setLevel(logging.WARNING)
    if options.factory or settings.factory or settings.database_url is None:
        engine = _system(options).database.engine
    else:
        engine = database_for(settings).engine
    if options.action == "upgrade":
        migrations.upgrade(engine, options.revision)
    elif options.action == "downgrade":
        migrations.downgrade(engine, options.revision)
    print(f"database at {migrations.current(engine) or 'nothing'}, needed {migrations.head()}")
    engine.dispose()
    return 0


def _system(options: argparse.Namespace) -> System:
    """Build the host's service from the factory that the option or the variable names."""
    if "" not in sys.path:
        sys.path.insert(0, "")
    path = options.factory or Settings().factory
    if path is None:
        raise ConfigurationError(
            "No factory is named. Set SQR_JOBS_FACTORY=myapp.reports:report_jobs, or pass --factory."
        )
    system = system_of(load_factory(path)())
    system.factory = path
    return system
