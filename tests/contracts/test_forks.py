"""A process that has used the service and then forks: no job may be lost, and no answer go astray."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
from sqlalchemy import create_engine, text

from sqr_jobs import Settings, build_report_jobs
from sqr_jobs.adapters.signing_keys import JwksKeys
from sqr_jobs.adapters.sql import SqlJobIntake
from sqr_jobs.forks import Forkable, mind_forks
from sqr_jobs.wiring import System, system_of
from tests.host.people import People
from tests.host.reports import Report
from tests.servers.ports import wait_until

_ROOT = Path(__file__).parents[2]
_MADE = """
import itertools, os, sys, threading
from pathlib import Path
from sqlalchemy import text
from sqr_jobs import Caller, Settings, Unavailable, build_report_jobs, migrations
from sqr_jobs.wiring import system_of
from tests.host.people import People
from tests.host.reports import Report
from tests.servers.ports import wait_until

url, folder, patience_s = sys.argv[1:]
settings = Settings(
    database_url=url, data_dir=Path(folder), render="inline", database_timeout_s=float(patience_s)
)
reports = build_report_jobs(settings, users=People(), templates=[Report()])
database = system_of(reports).database
migrations.upgrade(database.engine)
numbers = itertools.count()
create = lambda: reports.create(Caller(org_id="acme"), user_id=f"U-{os.getpid()}-{next(numbers)}")
alive, end = os.pipe()  # the read end meets the end of file when the parent has ended
"""


def _run(program: str, url: str, folder: Path, *, patience_s: float = 5) -> str:
    """Run a program that forks until both processes have ended, and return what they print."""
    command = [sys.executable, "-c", _MADE + program, url, str(folder), str(patience_s)]
    answer = subprocess.run(
        command, cwd=_ROOT, capture_output=True, text=True, check=False, timeout=60, env=_calm()
    )
    assert answer.stderr == ""
    return answer.stdout


def _calm() -> dict[str, str]:
    """Python 3.12 warns of any fork beside a thread; here the thread is the point."""
    return {**os.environ, "PYTHONWARNINGS": "error,ignore::DeprecationWarning"}


def _stored(url: str) -> int:
    """Count the jobs that a process sees which had no part in it."""
    engine = create_engine(url)
    with engine.connect() as connection:
        count = connection.scalar(text("SELECT count(*) FROM sqr_jobs_job"))
    engine.dispose()
    return int(count or 0)


_USED_BEFORE = {
    "a request": "create()",
    "an embedded worker that was stopped": "reports.start(); create(); reports.stop()",
    "an embedded worker that runs": "reports.start(); create()",
}


@pytest.mark.parametrize("before", _USED_BEFORE)
def test_what_a_forked_process_accepts_outlives_its_parent(before: str, tmp_path: Path) -> None:
    """On SQLite an inherited connection takes no locks: the parent's end would remove the WAL underneath."""
    url = f"sqlite:///{tmp_path}/jobs.db"
    program = f"""
{_USED_BEFORE[before]}
done, tell = os.pipe()
if os.fork() == 0:
    os.close(end)
    create(), create()
    os.write(tell, b".")
    os.read(alive, 1)
    create(), create()
    print("accepted")
    sys.stdout.flush()
    os._exit(0)
os.read(done, 1)
create()
"""
    assert _run(program, url, tmp_path) == "accepted\n"
    assert _stored(url) == 6


def test_a_fork_waits_until_nobody_is_in_the_sqlite_file(tmp_path: Path) -> None:
    """One connection that is open at the fork is enough for the child to lock nothing."""
    url = f"sqlite:///{tmp_path}/jobs.db"
    program = """
inside = threading.Event()
def hold():
    with database.begin() as connection:
        inside.set()
        wait_until(lambda: database._gate._is_forking, seconds=5, what="the fork")
thread = threading.Thread(target=hold)
thread.start()
inside.wait()
if os.fork() == 0:
    os.close(end)
    create()
    os.read(alive, 1)
    create()
    os._exit(0)
thread.join()
create()
"""
    assert _run(program, url, tmp_path, patience_s=30) == ""
    assert _stored(url) == 3


def test_a_process_forked_amid_a_transaction_on_sqlite_is_refused_the_file(tmp_path: Path) -> None:
    """It could not be waited for: better no job than one that is accepted and lost."""
    url = f"sqlite:///{tmp_path}/jobs.db"
    program = """
with database.begin():
    child = os.fork()
    if child == 0:
        for use in (create, lambda: database.read().__enter__()):
            try:
                use()
            except Unavailable as refusal:
                print(refusal)
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(child, 0)
create()
"""
    refusal = (
        "This process was forked while its parent was using the SQLite file. Stop the service "
        "(reports.stop()) before the fork, or fork first.\n"
    )
    assert _run(program, url, tmp_path, patience_s=0.2) == 2 * refusal
    assert _stored(url) == 1


def test_a_forked_process_asks_postgresql_on_connections_of_its_own(
    postgres_url: str, tmp_path: Path
) -> None:
    """Two processes on one connection read each other's answers; the parent's goes on in its transaction."""
    program = """
backend = text("SELECT pg_backend_pid()")
def mine():
    with database.read() as connection:
        return connection.scalar(backend)
with database.begin() as connection:
    used = connection.scalar(backend)
    idle = mine()
    child = os.fork()
    if child == 0:
        print(idle != used, mine() in (idle, used))
        create()
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(child, 0)
    print(connection.scalar(backend) == used)
create()
database.close()
"""
    assert _run(program, postgres_url, tmp_path) == "True False\nTrue\n"
    assert _stored(postgres_url) == 2


@pytest.fixture
def system(tmp_path: Path) -> System:
    """Give the parts of a service beside RabbitMQ; none of them connects unless it is used."""
    settings = Settings(
        data_dir=tmp_path, broker_url="amqp://host", database_url=f"sqlite:///{tmp_path}/jobs.db"
    )
    return system_of(build_report_jobs(settings, users=People(), templates=[Report()]))


def test_what_has_connections_or_locks_is_made_anew_in_a_forked_process(system: System) -> None:
    """RabbitMQ's line, the bucket's client, the limiter: each would be shared with the parent."""
    names = ("limiter", "documents", "queue", "worker", "relaying_broker", "_broker")
    before = {name: getattr(system, name) for name in names}
    intake, database = system.intake, system.database
    system.after_fork_in_child()
    for name, part in before.items():
        assert getattr(system, name) is not part, name
    assert isinstance(intake, SqlJobIntake)
    assert (system.intake, system.database) == (intake, database)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_lock_that_a_thread_holds_at_the_fork_is_open_in_the_child(system: System) -> None:
    """The thread that would release it does not exist there."""
    keys = JwksKeys(lambda: {"keys": []})
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with system.making, keys._lock:
            held.set()
            over.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    child = os.fork()
    if child == 0:
        taken = system.making.acquire(timeout=2) and keys._lock.acquire(timeout=2)
        os._exit(0 if taken else 1)
    status = os.waitpid(child, 0)[1]
    over.set()
    thread.join()
    assert os.waitstatus_to_exitcode(status) == 0


_WARM = """
import os, signal, psutil
from tests.contracts.producers import child_producer
producer = child_producer()
producer.warm()
(rendering,) = psutil.Process().children()
forked = os.fork()
if forked == 0:
    signal.pause()
print(rendering.pid, forked, flush=True)
signal.pause()
"""


def test_a_forked_process_keeps_no_render_child_alive(request: pytest.FixtureRequest) -> None:
    """I14: the child dies by its pipe to the worker, to which a fork of the worker holds an end too."""
    command = [sys.executable, "-c", _WARM]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True, env=_calm()) as worker:
        request.addfinalizer(worker.kill)
        assert worker.stdout is not None
        rendering, forked = (psutil.Process(int(pid)) for pid in worker.stdout.readline().split())
        request.addfinalizer(forked.kill)
        assert rendering.is_running()
        worker.kill()
        wait_until(lambda: not rendering.is_running(), seconds=2, what="the end of the render child")
        assert forked.is_running()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_part_that_is_made_during_a_fork_waits_for_its_end() -> None:
    """Render children are made by threads of their own, at any moment."""
    made = threading.Event()

    class Part(Forkable):
        def before_fork(self) -> None:
            self.thread = threading.Thread(target=lambda: (mind_forks(Forkable()), made.set()))
            self.thread.start()
            assert not made.wait(0.1)

    part = Part()
    mind_forks(part)
    child = os.fork()
    if child == 0:
        mind_forks(Forkable())
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    part.thread.join()
    assert made.is_set()
