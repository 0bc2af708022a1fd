"""Mistakes that are told in a sentence instead of a stack."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from sqr_jobs.cli import main
from tests.cli.commands import environment, run
from tests.host.reports import FACTORY

_NEEDS_FACTORY = (["worker"], ["maintain", "--once"], ["db", "upgrade"], ["db", "current"])
_FACTORIES = {
    "nocolon": "is no import path",
    ":report_jobs": "is no import path",
    "tests.host.reports:": "is no import path",
    "nomodule.reports:report_jobs": "there is no module nomodule",
    "tests.host.nothing:report_jobs": "there is no module tests.host.nothing",
    "tests.host.reports:nothing": "has no function nothing",
    "tests.host.reports:KEY": "has no function KEY",
    "os:getcwd": "The factory returned str",
    ".reports:report_jobs": "SQR_JOBS_FACTORY",
    "tests..host:report_jobs": "SQR_JOBS_FACTORY",
}
_SETTINGS: dict[str, tuple[dict[str, object], str]] = {
    "no number": ({"rate_limit": "ten"}, "SQR_JOBS_RATE_LIMIT"),
    "too small": ({"worker_threads": 0}, "SQR_JOBS_WORKER_THREADS"),
    "no choice": ({"render": "nowhere"}, "SQR_JOBS_RENDER"),
    "prefix": ({"prefix": "reports"}, "SQR_JOBS_PREFIX"),
    "broker without database": ({"broker_url": "redis://127.0.0.1/0"}, "SQR_JOBS_DATABASE_URL"),
    "other broker": (
        {"broker_url": "kafka://u:canary-key@127.0.0.1", "database_url": "sqlite:////tmp/x.db"},
        "SQR_JOBS_BROKER_URL",
    ),
    "no key": ({"jwt_key": "canary-key"}, "SQR_JOBS_JWT_KEY"),
    "secret beside public keys": (
        {"jwt_key": "-----BEGIN PUBLIC KEY-----", "jwt_algorithms": "RS256,HS256"},
        "SQR_JOBS_JWT_ALGORITHMS",
    ),
    "half a pair": ({"s3_bucket": "b", "s3_access_key_id": "canary-key"}, "SQR_JOBS_S3_SECRET_ACCESS_KEY"),
    "no database URL": ({"database_url": "canary-key"}, "SQR_JOBS_DATABASE_URL"),
    "other database": ({"database_url": "oracle://u:canary-key@h/d"}, "SQR_JOBS_DATABASE_URL"),
    "async driver": ({"database_url": "postgresql+asyncpg://u:canary-key@h/d"}, "SQR_JOBS_DATABASE_URL"),
    "database in memory": ({"database_url": "sqlite://"}, "SQR_JOBS_DATABASE_URL"),
}


def _sentence(*arguments: str, home: Path, **settings: object) -> str:
    """Run a command that must be refused, and return the one sentence that it says."""
    answer = run(*arguments, home=home, **settings)
    assert "Traceback" not in answer.stderr, answer.stderr
    return _checked(answer.returncode, answer.stdout, answer.stderr)


@pytest.fixture
def sentence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """Do the same in this process, which is what a long table of mistakes can afford."""

    def ask(*arguments: str, **settings: object) -> str:
        monkeypatch.setattr(os, "environ", environment(tmp_path, **settings))
        status = main(arguments)
        return _checked(status, *capfd.readouterr())

    return ask


def _checked(status: int, out: str, err: str) -> str:
    assert (status, out) == (1, "")
    (line,) = err.splitlines()
    assert line.startswith("sqr-jobs: ")
    assert line.endswith(".")
    return line


@pytest.mark.parametrize("arguments", _NEEDS_FACTORY, ids=" ".join)
def test_without_a_factory_one_is_asked_for(arguments: list[str], sentence: Callable[..., str]) -> None:
    """The first thing that a new host forgets."""
    assert "SQR_JOBS_FACTORY=myapp.reports:report_jobs" in sentence(*arguments)


@pytest.mark.parametrize("factory", _FACTORIES)
def test_a_factory_that_can_t_be_had_is_told_apart(factory: str, sentence: Callable[..., str]) -> None:
    """A typing error in a path is found by reading, not by debugging."""
    assert _FACTORIES[factory] in sentence("worker", "--factory", factory)


def test_the_variable_is_read_as_the_option_is(sentence: Callable[..., str]) -> None:
    """Containers set variables, people type options."""
    assert "there is no module nomodule" in sentence("worker", factory="nomodule:x")
    assert "has no function x" in sentence("worker", "--factory", "os:x", factory="nomodule:x")


@pytest.mark.parametrize("name", _SETTINGS)
def test_a_wrong_setting_is_named_and_never_shown(
    name: str, sentence: Callable[..., str], tmp_path: Path
) -> None:
    """A message that repeats a key or a password puts it into a log."""
    settings, variable = _SETTINGS[name]
    line = sentence("maintain", "--once", "--factory", FACTORY, **({"data_dir": tmp_path} | settings))
    assert variable in line
    assert "canary-key" not in line


def test_a_worker_without_a_broker_is_told_that_none_is_needed(tmp_path: Path) -> None:
    """The embedded form has its worker in the web process."""
    line = _sentence("worker", "--factory", FACTORY, home=tmp_path, data_dir=tmp_path)
    assert "SQR_JOBS_BROKER_URL is not set" in line


@pytest.mark.parametrize("threads", ["0", "-1"])
def test_a_worker_with_no_threads_is_refused(
    threads: str, sentence: Callable[..., str], tmp_path: Path
) -> None:
    """The option stands for the setting and follows its rule."""
    line = sentence("worker", "--factory", FACTORY, "--threads", threads, data_dir=tmp_path)
    assert "SQR_JOBS_WORKER_THREADS" in line


def test_a_worker_with_no_processes_is_refused(redis_url: str, tmp_path: Path) -> None:
    """It would sit there and do nothing."""
    answer = run(
        *("worker", "--factory", FACTORY, "--processes", "0"),
        home=tmp_path,
        data_dir=tmp_path,
        broker_url=redis_url,
        database_url=f"sqlite:///{tmp_path}/jobs.db",
    )
    assert answer.returncode in (1, 2)
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("arguments", [["--serve"], ["token", "--org", "acme"]], ids=" ".join)
def test_a_demo_that_can_t_write_its_folder_says_so(arguments: list[str], tmp_path: Path) -> None:
    """A file in the place of the folder, or a folder of someone else's."""
    (tmp_path / "file").write_text("")
    line = _sentence("demo", "--dir", str(tmp_path / "file"), *arguments, home=tmp_path)
    assert str(tmp_path / "file") in line


@pytest.mark.parametrize("port", ["70000"])
def test_a_port_that_is_none_is_refused(port: str, tmp_path: Path) -> None:
    """Ports end at 65535."""
    answer = run("demo", "--serve", "--port", port, "--dir", str(tmp_path), home=tmp_path)
    assert answer.returncode in (1, 2)
    assert "Traceback" not in answer.stderr
    assert port in answer.stderr


@pytest.mark.parametrize(("framework", "form"), [("fastapi", "--serve"), ("flask", "--once")])
def test_a_port_in_use_is_told_with_the_way_out(framework: str, form: str, tmp_path: Path) -> None:
    """Another demo is still running: the commonest reason why one does not start."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        arguments = ["demo", form, "--port", port, "--framework", framework, "--dir", str(tmp_path)]
        line = _sentence(*arguments, home=tmp_path)
    assert f"Port {port} can't be used" in line
    assert "--port 0" in line
