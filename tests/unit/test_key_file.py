"""Random keys that a service makes for itself."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sqr_jobs.errors import ConfigurationError
from sqr_jobs.key_file import key_file

_GIVEN = b"a key of the operator's own, long enough"


def test_a_key_is_made_once_and_kept(tmp_path: Path) -> None:
    """A new one at each start would end every link that was given out."""
    path = tmp_path / "folder" / "link-key"
    key = key_file(path)
    assert key_file(path) == key
    assert len(key) == 64
    assert int(key, 16)


def test_a_key_is_readable_for_its_owner_alone(tmp_path: Path) -> None:
    """Whoever reads it can sign links to every document."""
    key_file(tmp_path / "link-key")
    assert (tmp_path / "link-key").stat().st_mode & 0o077 == 0


def test_a_key_that_is_there_is_taken_as_it_is(tmp_path: Path) -> None:
    """An operator may put one there, the same on several machines."""
    (tmp_path / "link-key").write_bytes(_GIVEN)
    assert key_file(tmp_path / "link-key") == _GIVEN


def test_a_line_end_after_a_key_of_text_is_no_part_of_it(tmp_path: Path) -> None:
    """An editor adds one on one machine and not on the other; random bytes stay as they are."""
    (tmp_path / "link-key").write_bytes(_GIVEN + b"\r\n")
    assert key_file(tmp_path / "link-key") == _GIVEN
    for given in (b"\x80" * 31 + b"\n", b"\x00" * 31 + b"\n"):
        (tmp_path / "link-key").write_bytes(given)
        assert key_file(tmp_path / "link-key") == given


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 31], ids=["empty", "short", "31 bytes"])
def test_a_key_that_can_be_guessed_is_refused(tmp_path: Path, content: bytes) -> None:
    """A secret that was mounted empty, or a file that a power cut emptied, would sign anyone's links."""
    path = tmp_path / "link-key"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=f"has {len(content)} bytes; 32 are needed"):
        key_file(path)


def test_two_services_have_different_keys(tmp_path: Path) -> None:
    """It is random, after all."""
    assert key_file(tmp_path / "a") != key_file(tmp_path / "b")


def test_threads_that_race_agree_on_one_key_and_leave_nothing_else(tmp_path: Path) -> None:
    """The first requests of a new process come all at once."""
    for number in range(20):
        folder, barrier = tmp_path / str(number), threading.Barrier(8)

        def read(_number: int, folder: Path = folder, barrier: threading.Barrier = barrier) -> bytes:
            barrier.wait(timeout=30)
            return key_file(folder / "link-key")

        with ThreadPoolExecutor(8) as pool:
            (key,) = set(pool.map(read, range(8)))
        assert len(key) == 64
        assert [path.name for path in folder.iterdir()] == ["link-key"]


def test_processes_that_race_agree_on_one_key(tmp_path: Path) -> None:
    """Several web processes share one folder: a link that one signs, another serves."""
    script = (
        "import sys, pathlib\n"
        "from sqr_jobs.key_file import key_file\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "print(key_file(pathlib.Path(sys.argv[1])).decode(), flush=True)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "link-key")]
    runs = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    for run in runs:
        assert run.stdout.readline() == "ready\n"
    for run in runs:
        run.stdin.write("go\n")
        run.stdin.flush()
    keys = {run.communicate(timeout=30)[0] for run in runs}
    assert keys == {(tmp_path / "link-key").read_text() + "\n"}
