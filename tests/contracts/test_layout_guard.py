"""What a layout may not reach for, in 36 ways, and that the next `load` may."""

import os
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sqr_jobs.adapters.child_producer import ChildProducer
from sqr_jobs.domain.failures import JobErrorCode
from sqr_jobs.errors import AttemptFailed
from tests.contracts.producers import child_producer, document
from tests.contracts.reaching_host import HARMLESS, WAYS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder that the ways reach for."""
    return tmp_path_factory.mktemp("reached")


@pytest.fixture(scope="module")
def visits() -> Iterator[list[object]]:
    """Serve at `SQR_TEST_PORT`, over TCP and UDP; who came is noted."""
    seen: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.bind(tcp.getsockname())

        def greet() -> None:
            while True:
                try:
                    visitor, address = tcp.accept()
                except OSError:
                    return
                seen.append(address)
                visitor.close()

        def receive() -> None:
            while (datagram := udp.recv(10)) != b"end":
                seen.append(datagram)

        threads = [threading.Thread(target=serve) for serve in (greet, receive)]
        for thread in threads:
            thread.start()
        with pytest.MonkeyPatch.context() as variables:
            variables.setenv("SQR_TEST_PORT", str(tcp.getsockname()[1]))
            yield seen
        udp.sendto(b"end", udp.getsockname())
        tcp.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()


_OPEN = {
    "hook": {
        "libpq_connects", "lxml_reads", "sqlite_attaches_a_file", "makes_a_fifo",
        *(way for way in WAYS if way.startswith("c_code_")),
    },
    "kernel": {"looks_up_a_name"},
}  # fmt: skip
"""What each layer leaves to the other. (A look-up by number asks nobody.)"""


@pytest.fixture(scope="module")
def reaching(folder: Path, visits: list[object]) -> Iterator[ChildProducer]:
    """Give a producer over the host that reaches; one child serves all the orders, one after the other."""
    with pytest.MonkeyPatch.context() as variables:
        variables.setenv("SQR_TEST_REACHED", str(folder))
        made = child_producer(factory="tests.contracts.reaching_host:report_jobs")
        yield made
        made.close()


def _set_up(folder: Path) -> dict[str, object]:
    for name in ("made.d", "symlink", "link", "fifo", "written", "written.c", "written.db", "renamed.to"):
        path = folder / name
        path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
    for name in ("read", "removed", "removed.c", "renamed", "truncated"):
        (folder / name).write_bytes(b"secret")
        (folder / name).chmod(0o600)
    (folder / "read.xml").write_text("<secret/>")
    (folder / "removed.d").mkdir(exist_ok=True)
    connection = sqlite3.connect(folder / "read.db")
    connection.execute("CREATE TABLE IF NOT EXISTS secret (id INTEGER)")
    connection.close()
    return _seen(folder)


def _seen(folder: Path) -> dict[str, object]:
    stats = {path.name: path.lstat() for path in folder.iterdir()}
    return {name: (stat.st_mode, stat.st_size, stat.st_mtime_ns) for name, stat in stats.items()}


@pytest.mark.parametrize("way", WAYS)
def test_a_layout_may_reach_for_nothing_and_the_next_load_for_all(
    reaching: ChildProducer, folder: Path, visits: list[object], way: str
) -> None:
    """An address or a path that came from a user must not be followed, by no library."""
    _assert_refused(reaching, f"both.layout.{way}", folder, visits)
    assert document(reaching, f"both.load.{way}").startswith(b"%PDF")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("layer", _OPEN)
def test_each_layer_alone_closes_what_the_page_says(
    reaching: ChildProducer, folder: Path, visits: list[object], layer: str, way: str
) -> None:
    """A kernel may lack one, and an audit hook sees no C code."""
    if way not in _OPEN[layer]:
        _assert_refused(reaching, f"{layer}.layout.{way}", folder, visits)
    else:
        _set_up(folder)
        assert document(reaching, f"{layer}.layout.{way}").startswith(b"%PDF")


@pytest.mark.parametrize("way", HARMLESS)
def test_a_layout_may_do_what_reaches_nobody(reaching: ChildProducer, way: str) -> None:
    """Libraries do such things innocently; a guard that refuses them is switched off."""
    assert document(reaching, f"both.layout.{way}").startswith(b"%PDF")


def test_a_late_import_may_follow_a_loaded_packages_links_and_the_linkers_path(tmp_path: Path) -> None:
    """Build systems link packages from a cache; the kernel judges where a link leads."""
    for folder in ("cache", "packages/linked", "libraries"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("__init__.py", "late.py"):
        (tmp_path / "cache" / name).touch()
        (tmp_path / "packages/linked" / name).symlink_to(tmp_path / "cache" / name)
    (tmp_path / "libraries/library").touch()
    script = (
        "import importlib, linked, os, sys; from sqr_jobs.documents.guard import Guard; guard = Guard()\n"
        "guard.run(lambda: importlib.import_module('linked.late'))\n"
        "guard.run(lambda: os.open(sys.argv[1], os.O_RDONLY))\n"
    )
    paths = {"PYTHONPATH": str(tmp_path / "packages"), "LD_LIBRARY_PATH": f":{tmp_path / 'libraries'}"}
    command = [sys.executable, "-c", script, str(tmp_path / "libraries/library")]
    subprocess.run(command, env={**os.environ, **paths}, check=True)


def _assert_refused(reaching: ChildProducer, user_id: str, folder: Path, visits: list[object]) -> None:
    before = _set_up(folder)
    visits.clear()
    with pytest.raises(AttemptFailed) as caught:
        document(reaching, user_id)
    assert caught.value.code is JobErrorCode.RENDER_FAILED
    assert (_seen(folder), visits) == (before, [])
