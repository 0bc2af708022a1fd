"""What the job store promises about the file under SQLite: nothing is accepted into one that is not there."""

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from sqr_jobs import migrations
from sqr_jobs.adapters.sql import Database, engine_for
from sqr_jobs.domain.states import JobState
from sqr_jobs.errors import DatabaseUnavailable
from tests.contracts.job_store import JobStore

_SIDE_FILES = ("-wal", "-shm")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give a migrated file in a folder that holds nothing else."""
    path = tmp_path / "data" / "jobs.db"
    path.parent.mkdir()
    engine = engine_for(f"sqlite:///{path}", timeout_s=5)
    migrations.upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture
def store(path: Path) -> Iterator[JobStore]:
    """Give a store that has the file open in several connections."""
    made = Database(engine_for(f"sqlite:///{path}", timeout_s=1), timeout_s=1)
    connections = [made.engine.connect() for _ in range(3)]
    for connection in connections:
        connection.close()
    yield JobStore(made)
    made.close()


def _side_files(path: Path) -> list[Path]:
    return [path.with_name(path.name + suffix) for suffix in _SIDE_FILES]


def _replace(path: Path) -> Callable[[], None]:
    """Move a copy over the file, as a restore does, and forget what belongs to the old one."""
    shutil.copy(path, path.with_name("copy"))
    path.with_name("copy").replace(path)

    def mend() -> None:
        for each in _side_files(path):
            each.unlink()

    return mend


def _remove(path: Path) -> Callable[[], None]:
    kept = path.with_name("kept")
    os.link(path, kept)
    path.unlink()
    return lambda: kept.replace(path) and None


def _remove_side_files(path: Path) -> Callable[[], None]:
    for each in _side_files(path):
        each.unlink()
    return lambda: None


def _rename_folder(path: Path) -> Callable[[], None]:
    elsewhere = path.parent.with_name("elsewhere")
    path.parent.rename(elsewhere)
    return lambda: elsewhere.rename(path.parent) and None


INJURIES = [_replace, _remove, _remove_side_files, _rename_folder]


@pytest.mark.parametrize("injure", INJURIES)
def test_no_job_is_accepted_into_a_file_that_a_restart_would_not_find(
    store: JobStore, path: Path, injure: Callable[[Path], Callable[[], None]]
) -> None:
    """I1: connections go on writing into a file that is gone from its path, and so did the 202s."""
    store.create("U1")
    mend = injure(path)
    with pytest.raises(DatabaseUnavailable, match="SQLite"):
        store.create("U2")
    mend()
    accepted = store.create("U3")
    store.database.close()
    restarted = Database(engine_for(f"sqlite:///{path}", timeout_s=1), timeout_s=1)
    assert JobStore(restarted).read(accepted.job_id).state is JobState.QUEUED
    with restarted.read() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
    restarted.close()


@pytest.mark.parametrize("injure", INJURIES)
def test_a_file_that_goes_during_a_transaction_leaves_it_in_doubt(
    store: JobStore, path: Path, injure: Callable[[Path], Callable[[], None]]
) -> None:
    """I1: the commit succeeds then, in the file that a restart would not find."""

    def write() -> None:
        with store.database.begin() as connection:
            connection.exec_driver_sql("UPDATE sqr_jobs_job SET duration_ms = 7")
            injure(path)

    with pytest.raises(DatabaseUnavailable, match="SQLite"):
        write()


def test_a_replaced_file_is_not_opened_with_the_log_of_the_old_one(store: JobStore, path: Path) -> None:
    """SQLite would write the old file's pages into the new one."""
    store.create("U1")
    mend = _replace(path)
    for _ in range(3):
        with pytest.raises(DatabaseUnavailable):
            store.create("U2")
    mend()
    store.create("U3")


def test_a_file_that_is_gone_is_not_created_again(store: JobStore, path: Path) -> None:
    """An empty one would stand in the way of the one to restore, and its log would be replayed into it."""
    mend = _remove(path)
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable, match="gone"):
            store.count()
    assert not path.exists()
    mend()
    assert store.count() == 0


@pytest.fixture
def open_umask() -> Iterator[None]:
    """Let new files be as open as programs ask for."""
    before = os.umask(0)
    yield
    os.umask(before)


def _modes(path: Path) -> set[str]:
    return {oct(stat.S_IMODE(each.stat().st_mode)) for each in (path, *_side_files(path))}


@pytest.mark.usefixtures("open_umask")
def test_a_file_is_created_for_its_owner_alone(tmp_path: Path) -> None:
    """It holds ids and the causes of failures; so do the log and the shared memory beside it."""
    path = tmp_path / "jobs.db"
    made = Database(engine_for(f"sqlite:///{path}", timeout_s=1), timeout_s=1)
    migrations.upgrade(made.engine)
    JobStore(made).create()
    assert _modes(path) == {"0o600"}
    made.close()


@pytest.mark.parametrize(("was", "becomes"), [(0o644, "0o600"), (0o666, "0o660"), (0o660, "0o660")])
@pytest.mark.usefixtures("open_umask")
def test_a_file_that_is_too_open_is_closed_to_others(path: Path, was: int, becomes: str) -> None:
    """An earlier version left it so. A group that may write is meant to: two accounts share the file."""
    host = create_engine(f"sqlite:///{path}")
    with host.connect() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM sqr_jobs_job")
        for each in (path, *_side_files(path)):
            each.chmod(was)
        on_hosts = Database(host, is_host_engine=True)
        JobStore(on_hosts).create()
        assert _modes(path) == {becomes}
        on_hosts.close()
    host.dispose()


def test_a_commit_survives_a_power_cut(store: JobStore) -> None:
    """With `synchronous=NORMAL`, SQLite's advice for WAL, the last commits may be lost with the power."""
    full = 2
    for kind in (store.database.begin, store.database.read):
        with kind() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == full


@pytest.mark.parametrize("form", ["sqlite:///jobs.db", "sqlite:///file:jobs.db?uri=true"])
def test_a_relative_path_is_that_of_the_start(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that changes its folder later would otherwise go on with another, empty file."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(tmp_path)
    made = Database(engine_for(form, timeout_s=1), timeout_s=1)
    monkeypatch.chdir(elsewhere)
    migrations.upgrade(made.engine)
    made.close()
    assert (tmp_path / "jobs.db").exists()
    assert list(elsewhere.iterdir()) == []


def test_connections_that_can_only_read_are_dropped(store: JobStore) -> None:
    """So is one that was opened while the file or its disk was read-only, for as long as it is open."""
    connections = [store.database.engine.connect() for _ in range(3)]
    for connection in connections:
        connection.exec_driver_sql("PRAGMA query_only = ON")
        connection.close()
    with pytest.raises(DatabaseUnavailable):
        store.create("U1")
    assert store.create("U1").state is JobState.QUEUED
