"""`sqr-jobs demo`: a small host application on loopback, with the embedded default."""

import argparse
import importlib.util
import json
import logging
import os
import secrets
import signal
import sys
import threading
from pathlib import Path

from sqr_jobs.errors import ConfigurationError

__all__ = ["add_demo"]

_LOOK_AGAIN_S = 0.5


def add_demo(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the demo's commands to the parser."""
    parser = commands.add_parser(
        "demo",
        help="run a small host application on loopback",
        description="Run a small host application on loopback, with sample people and a sample report. "
        "Without an option it serves a page to try it on, and prints its address, a token and three "
        "curl lines.",
    )
    _add_common(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--once", action="store_true", help="ask for one report, download it, and exit")
    form.add_argument("--serve", action="store_true", help="serve until told to stop (the default)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    parser.set_defaults(run=_demo)
    actions = parser.add_subparsers(title="commands", metavar="[COMMAND]")
    token = actions.add_parser(
        "token",
        help="print a token that the demo accepts",
        description="Print a token that the demo accepts.",
    )
    _add_common(token, default=argparse.SUPPRESS)
    token.add_argument("--org", required=True, help="the org that the token names")
    token.add_argument("--scope", default="reports:create reports:read", help="scopes, separated by blanks")
    token.add_argument(
        "--expires", type=int, default=3_600, metavar="SECONDS", help="may be negative (default: 3600)"
    )
    token.set_defaults(run=_token)


def _add_common(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    parser.add_argument(
        "--framework",
        choices=("fastapi", "flask"),
        default=default or "fastapi",
        help="which host to run (default: fastapi)",
    )
    parser.add_argument(
        "--port", type=int, default=default or 8000, help="0 takes a free one (default: 8000)"
    )
    parser.add_argument(
        "--dir",
        type=Path,
        default=default,
        help="folder for database, documents and keys (default: one of the user's own)",
    )


def _demo(options: argparse.Namespace) -> int:
    _require_extra()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    _use_folder(options)
    _prepare_database()
    return _once(options) if options.once else _serve(options)


def _once(options: argparse.Namespace) -> int:
    from sqr_jobs.demo.app import state_folder  # noqa: PLC0415 - after the environment is set
    from sqr_jobs.demo.flow import FlowFailed, run_flow  # noqa: PLC0415
    from sqr_jobs.demo.people import PEOPLE  # noqa: PLC0415
    from sqr_jobs.demo.server import serving  # noqa: PLC0415
    from sqr_jobs.demo.tokens import issue  # noqa: PLC0415

    if not options.json:
        logging.getLogger().setLevel(logging.WARNING)
    is_watched = sys.stdout.isatty() and not options.json  # a pipe gets the result only
    tell = print if is_watched else (lambda _line: None)
    org = f"demo-{secrets.token_hex(4)}"  # a new org each time: ten runs in ten minutes are no limit
    folder = state_folder()
    try:
        with serving(options.framework, 0 if options.port == _DEFAULT_PORT else options.port) as address:
            result = run_flow(address, issue(folder, org), PEOPLE[0].user_id, folder / "downloads", tell)
    except FlowFailed as failure:
        print(f"sqr-jobs demo: {failure}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(result))
    else:
        print(f"saved {result['pdf']} ({result['job']['sizeBytes']} bytes, {result['seconds']} s)")
    return 0


def _serve(options: argparse.Namespace) -> int:
    from sqr_jobs.demo.app import ORG, state_folder  # noqa: PLC0415
    from sqr_jobs.demo.people import PEOPLE, listing  # noqa: PLC0415
    from sqr_jobs.demo.server import serving  # noqa: PLC0415
    from sqr_jobs.demo.tokens import issue  # noqa: PLC0415

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with serving(options.framework, options.port) as address:
        token = issue(state_folder(), ORG)
        if options.json:
            told = {"address": address, "token": token, "org": ORG, "people": listing()}
            print(json.dumps(told), flush=True)
        else:
            print(_introduction(address, token, PEOPLE[0].user_id), flush=True)
        while not stop.wait(_LOOK_AGAIN_S):  # a signal that another thread takes wakes nobody
            pass
    return 0


def _introduction(address: str, token: str, user_id: str) -> str:
    path = f"{address}/v1/document/api"
    return f"""sqr-jobs demo: open {address}/

The same by hand:
export TOKEN={token}

curl -H "Authorization: Bearer $TOKEN" --json '{{"userId": "{user_id}"}}' {path}
curl -H "Authorization: Bearer $TOKEN" {path}/JOB_ID
curl -H "Authorization: Bearer $TOKEN" {path}/JOB_ID/url

Put the jobId that the first line answers in place of JOB_ID. Ctrl+C stops."""


def _token(options: argparse.Namespace) -> int:
    _require_extra()
    _use_folder(options)
    from sqr_jobs.demo.app import state_folder  # noqa: PLC0415
    from sqr_jobs.demo.tokens import issue  # noqa: PLC0415

    print(issue(state_folder(), options.org, scope=options.scope, expires_s=options.expires))
    return 0


def _use_folder(options: argparse.Namespace) -> None:
    """Tell this process and its render children where the state lies."""
    if options.dir is not None:
        os.environ["SQR_JOBS_DATA_DIR"] = str(options.dir.resolve())


def _prepare_database() -> None:
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it talks when it is imported
    from sqr_jobs import migrations  # noqa: PLC0415
    from sqr_jobs.demo.app import report_jobs  # noqa: PLC0415
    from sqr_jobs.wiring import system_of  # noqa: PLC0415

    database = system_of(report_jobs()).database
    migrations.upgrade(database.engine)
    database.close()


def _require_extra() -> None:
    missing = [
        name for name in ("fastapi", "flask", "httpx", "uvicorn") if not importlib.util.find_spec(name)
    ]
    if missing:
        raise ConfigurationError(
            f"The demo needs {', '.join(missing)}. Install it: pip install 'sqr-jobs[demo]' (or '.[demo]')."
        )


_DEFAULT_PORT = 8000
_LOOK_AGAIN_S = 0.5
