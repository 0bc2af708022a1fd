"""Launching a server's programs: without the machine's settings, and with a log to quote when they fail."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pwd
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["ServerDidNotStart", "did_not_start", "run_as", "said_in", "spawn"]


class ServerDidNotStart(RuntimeError):
    """A server program exited, or didn't answer in time; the message ends with its log."""


def spawn(
    command: Sequence[str], *, folder: Path, account: pwd.struct_passwd | None, keep: int | None = None
) -> subprocess.Popen[bytes]:
    """Start a command in its folder, with its log there, and nothing of the caller's environment.

    Variables such as PGDATA, RCLONE_CONFIG or LANG would make the server differ from machine to machine.
    `keep` is a file descriptor that the program and its children hold open.
    """
    with _log(folder).open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=folder,
            env={"PATH": os.defpath, "HOME": str(folder), "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=() if keep is None else (keep,),
            start_new_session=True,
            user=None if account is None else account.pw_uid,
            group=None if account is None else account.pw_gid,
            extra_groups=None if account is None else [],
        )


def run_as(account: pwd.struct_passwd | None, command: Sequence[str], *, folder: Path) -> None:
    """Run a command that prepares a server, as `account` if given, to its end.

    Raises:
        ServerDidNotStart: the command failed.
        PermissionError: the account can't reach the command or the folder.

    """
    if spawn(command, folder=folder, account=account).wait() != 0:
        raise did_not_start(f"{command[0]} failed.", folder)


def did_not_start(reason: str, folder: Path) -> ServerDidNotStart:
    """Return the error that gives a reason and the end of the log in the server's folder."""
    lines = said_in(folder).splitlines()
    return ServerDidNotStart("\n".join([reason, "The end of its log:", *lines[-20:]]))


def said_in(folder: Path) -> str:
    """Return all that the programs of a server's folder have written to stdout and stderr."""
    return _log(folder).read_text(errors="replace")


def _log(folder: Path) -> Path:
    return folder / "server.log"
