"""`sqr-jobs check` on what the host wrote and set: each fault is one line that says what to do."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sqr_jobs import ConfigurationError, Settings, build_report_jobs, migrations
from sqr_jobs.adapters.signing_keys import KeySetReport
from sqr_jobs.doctor import application, examination
from sqr_jobs.doctor.findings import Note
from sqr_jobs.doctor.guard import layout_guard
from sqr_jobs.documents.sandbox import KernelLayers
from sqr_jobs.wiring import parts, system_of
from tests.cli.checks import Check
from tests.cli.commands import ROOT, environment
from tests.contracts.issuers import JwksServer, jwk, pem, rsa_key, serve, weak_rsa_key
from tests.contracts.sockets import nothing_there
from tests.host.people import People
from tests.host.reports import FACTORY, KEY, Report

_HOSTS = "tests.cli.check_hosts"


def test_a_service_in_order_has_a_line_for_each_part_and_exits_with_0(check: Check, tmp_path: Path) -> None:
    """What the tutorial's reader sees, but for the tables; here with the real render child."""
    url = f"sqlite:///{tmp_path}/jobs.db"
    system = system_of(build_report_jobs(Settings(database_url=url), users=People(), templates=[Report()]))
    migrations.upgrade(system.database.engine)
    system.database.close()
    checked = check(database_url=url, render=None, jwt_key=KEY, jwt_algorithms="HS256")
    assert {verdict for verdict, _ in checked.lines.values()} == {"ok"}
    assert list(checked.lines) == [
        "settings", "factory", "templates", "render child", "guard", "tokens", "database", "migrations",
        "clock", "broker", "workers", "limiter", "documents", "credentials", "limits",
    ]  # fmt: skip
    assert checked.status == 0


def test_the_other_parts_are_looked_at_after_a_fault(check: Check) -> None:
    """One run shows all there is to mend."""
    checked = check()
    assert checked.faults == ["migrations"]
    assert len(checked.lines) == 15


def test_a_wrong_setting_is_a_fault_of_the_settings(check: Check) -> None:
    """The sentence names the variable; nothing else can be looked at before it is right."""
    checked = check(rate_limit="ten", deadline_s="-1")
    assert list(checked.lines) == ["settings"]
    told = checked.fault("settings")
    assert "SQR_JOBS_RATE_LIMIT" in told
    assert "SQR_JOBS_DEADLINE_S" in told


def test_a_misspelt_variable_is_a_note_with_what_was_meant(check: Check) -> None:
    """It is silent everywhere else, because others set variables of such names too."""
    told = check(borker_url="redis://x", nonsense="1").note("settings")
    assert (
        "no such settings: SQR_JOBS_BORKER_URL (did you mean SQR_JOBS_BROKER_URL?), SQR_JOBS_NONSENSE" in told
    )
    assert "redis://x" not in told


def test_what_kubernetes_sets_is_nobodys_mistake(check: Check) -> None:
    """For a Service called `sqr-jobs-web`, each of its pods gets these."""
    names = ("PORT", "WEB_PORT", "WEB_SERVICE_HOST", "WEB_SERVICE_PORT", "WEB_SERVICE_PORT_HTTP")
    more = ("WEB_PORT_80_TCP", "WEB_PORT_80_TCP_ADDR", "WEB_PORT_80_TCP_PORT", "WEB_PORT_80_TCP_PROTO")
    checked = check(**{f"SQR_JOBS_{name}": "10.0.0.1" for name in (*names, *more)})
    assert checked.ok("settings") == "embedded, mounted at /v1/document/api"


@pytest.mark.parametrize(
    ("factory", "words"),
    [
        (None, r"none is named. Set SQR_JOBS_FACTORY=myapp.reports:report_jobs, or pass --factory."),
        ("nocolon", r"SQR_JOBS_FACTORY=nocolon is no import path. Write it as myapp.reports:report_jobs."),
        ("no.module:f", r"SQR_JOBS_FACTORY=no.module:f: there is no module no. Run this where it can be .*"),
        (f"{_HOSTS}:nothing", rf".*{_HOSTS} has no function nothing. Name the function that returns .*"),
        ("os:getcwd", r"The factory returned str. It must return build_report_jobs\(…\)."),
        (f"{_HOSTS}:without_templates", r"No template is registered. .*"),
        (f"{_HOSTS}:with_a_class", r"templates= got the class Report. Pass an instance: Report\(…\)."),
    ],
)
def test_a_factory_that_can_t_be_had_is_a_fault(check: Check, factory: str | None, words: str) -> None:
    """There is nothing more to look at."""
    checked = check(factory=factory)
    assert list(checked.lines) == ["factory"]
    assert re.fullmatch(words, checked.fault("factory"))


def test_the_option_names_a_factory_as_the_variable_does(check: Check) -> None:
    """And wins."""
    checked = check("--factory", FACTORY, factory="nocolon")
    assert checked.ok("factory") == f"{FACTORY} builds the service"


@pytest.mark.parametrize(
    ("function", "raised"),
    [
        ("raises", "KeyError: 'MYAPP_DATABASE_URL'"),
        ("exits", "SystemExit: MYAPP_DATABASE_URL is not set"),
    ],
)
def test_a_factory_that_raises_is_a_fault_with_its_place(
    check: Check, monkeypatch: pytest.MonkeyPatch, function: str, raised: str
) -> None:
    """The host's own code: what it said, where, and how to see the whole stack."""
    monkeypatch.chdir(ROOT)
    told = check(factory=f"{_HOSTS}:{function}").fault("factory")
    place = rf"{re.escape(str(ROOT))}/tests/cli/check_hosts.py:\d+ in {function}"
    shown = re.fullmatch(
        rf"{_HOSTS}:{function} raised {re.escape(raised)} \({place}\). Mend that first. It is raised with "
        r"its stack by: python -c \"(.*)\"",
        told,
    )
    assert shown, told
    ended = subprocess.run([sys.executable, "-c", shown[1]], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "MYAPP_DATABASE_URL" in ended.stderr


def test_a_render_child_that_can_t_build_the_factory_is_a_fault_with_what_was_raised(check: Check) -> None:
    """Here a person reads it, who may see what the log must not hold."""
    told = check(factory=f"{_HOSTS}:only_here", render=None).fault("render child")
    assert told.startswith("the factory fails there: LookupError: no such tenant. The child is a process of")
    assert told.endswith("have the factory build all that it needs, from settings.")


def test_a_render_child_that_can_t_be_started_is_a_fault(check: Check, tmp_path: Path) -> None:
    """The machine is what is wrong."""
    told = check(render=None, work_dir=tmp_path / "nowhere").fault("render child")
    assert (
        "no render child can be started here (No such file or directory). Look at SQR_JOBS_WORK_DIR" in told
    )
    told = check(render=None, start_limit_s=0.01).fault("render child")
    assert "the render child did not start within 0.01 s" in told
    told = check(render=None, python="/dev/null").fault("render child")
    assert "SQR_JOBS_PYTHON names /dev/null" in told


def test_rendering_inline_is_a_note(check: Check) -> None:
    """It is for tests and debuggers, and no limit holds."""
    checked = check(render="inline")
    assert checked.note("render child").startswith("none: SQR_JOBS_RENDER=inline is for tests")
    assert checked.note("limits") == "no limit holds with SQR_JOBS_RENDER=inline"
    assert checked.note("guard").startswith("none: ")


@pytest.mark.parametrize(
    ("landlock", "seccomp", "held", "missing"),
    [
        (7, True, "audit hook, Landlock, seccomp", ""),
        (0, True, "audit hook, seccomp", "Landlock is missing"),
        (7, False, "audit hook, Landlock", "seccomp is missing"),
        (0, False, "audit hook", "Landlock is missing"),
    ],
)
def test_the_layers_of_the_guard_that_hold_here_are_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, landlock: int, seccomp: bool, held: str, missing: str
) -> None:
    """What C code may do where the kernel lacks one is to be known before a template relies on it."""
    here = KernelLayers(landlock=landlock, seccomp=seccomp)
    monkeypatch.setattr("sqr_jobs.doctor.guard.layers_here", lambda: here)
    system = system_of(build_report_jobs(Settings(data_dir=tmp_path), users=People(), templates=[Report()]))
    shown = layout_guard(system)
    assert shown.split("; ")[0] == f"layouts are restricted by {held}"
    assert isinstance(shown, Note) is bool(missing)
    assert missing in shown


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_the_limits_that_hold_here_are_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, platform: str
) -> None:
    """Where the memory has no limit, one should know it."""
    system = system_of(build_report_jobs(Settings(data_dir=tmp_path), users=People(), templates=[Report()]))
    monkeypatch.setattr(sys, "platform", platform)
    told = application.limits_of_an_attempt(system)
    assert isinstance(told, Note) is (platform == "darwin")
    memory = "512 MB of memory" if platform == "linux" else "NO limit of memory here"
    assert told == f"60 s, {memory}, 100 MB of output"


@pytest.fixture
def issuer() -> Iterator[JwksServer]:
    """Give an issuer's server with one RSA and one EC key."""
    with serve() as server:
        yield server


def test_tokens_tell_who_judges_them(check: Check) -> None:
    """Three ways, of which a host chooses one."""
    assert "the mount brings its own login" in check().ok("tokens")
    assert (
        check(factory=f"{_HOSTS}:own_authenticator").ok("tokens")
        == "judged by the factory's own authenticator"
    )
    told = check(jwt_key=pem(rsa_key()), jwt_algorithms="RS256").ok("tokens")
    assert told == "judged with SQR_JOBS_JWT_KEY, RS256"


def test_a_key_that_serves_no_algorithm_is_a_fault_of_the_tokens(check: Check) -> None:
    """Every request would be refused."""
    told = check(jwt_key=pem(rsa_key()), jwt_algorithms="ES256").fault("tokens")
    assert told.startswith("SQR_JOBS_JWT_KEY holds no key for ES256. Set the issuer's public key")


def test_an_issuer_whose_keys_serve_is_looked_at(check: Check, issuer: JwksServer) -> None:
    """One fetch; what is not as it should be in production is told beside it."""
    told = check(jwt_jwks_url=issuer.url).note("tokens")
    assert told.startswith("judged with the issuer's keys for RS256 and ES256; ")
    assert "plain http" in told
    assert "SQR_JOBS_JWT_AUDIENCE is not set" in told
    assert issuer.asked == 1
    assert "AUDIENCE" not in check(jwt_jwks_url=issuer.url, jwt_audience="us").note("tokens")


def test_an_odd_key_of_the_issuer_is_named(check: Check, issuer: JwksServer) -> None:
    """The others serve; the issuer's operators do not know yet."""
    issuer.publish(jwk(rsa_key(), "rsa-1", "RS256"), {"kty": "RSA", "kid": "odd"})
    assert "RS256; skipped key 2: malformed (InvalidKeyError)" in check(jwt_jwks_url=issuer.url).note(
        "tokens"
    )


def test_quotes_around_a_secret_are_named(check: Check) -> None:
    """They may be a part of it; if not, every right token is refused."""
    assert "begins and ends with a quote" in check(jwt_key=f'"{KEY}"', jwt_algorithms="HS256").note("tokens")


@pytest.mark.parametrize(
    ("key", "algorithm", "words"),
    [("x", "HS256", "HS256 needs 32 or more"), (pem(weak_rsa_key()), "RS256", "RSA key of 1024 bits")],
)
def test_a_weak_key_is_a_fault(check: Check, key: str, algorithm: str, words: str) -> None:
    """With "x" as the secret, anyone signs for any org."""
    assert words in check(jwt_key=key, jwt_algorithms=algorithm).fault("tokens")


def test_an_issuer_over_https_with_an_audience_is_in_order(
    check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So production has no note to get used to."""
    report = KeySetReport(serving=["RS256"], skipped=[])
    monkeypatch.setattr(application, "issuer_keys", lambda _settings: report)
    told = check(jwt_jwks_url="https://issuer.example/keys", jwt_audience="us").ok("tokens")
    assert told == "judged with the issuer's keys for RS256"


def test_an_issuer_whose_keys_serve_no_algorithm_is_a_fault(check: Check, issuer: JwksServer) -> None:
    """Every request would be refused, and the log would only say that no key is known."""
    issuer.publish(jwk(rsa_key(), "rsa-1", "RS512"))
    told = check(jwt_jwks_url=issuer.url).fault("tokens")
    assert told == (
        "the issuer's key set has no key for RS256 or ES256. Set SQR_JOBS_JWT_ALGORITHMS to what the issuer "
        "signs with."
    )


@pytest.mark.parametrize(("status", "body"), [(404, b"{}"), (200, b"<html>"), (200, b'{"keys": []}')])
def test_an_issuer_that_answers_no_key_set_is_a_fault(
    check: Check, issuer: JwksServer, status: int, body: bytes
) -> None:
    """The address is most often that of the issuer, and not of its keys."""
    issuer.status, issuer.answer = status, lambda: body
    told = check(jwt_jwks_url=issuer.url).fault("tokens")
    assert "could not be fetched" in told
    assert ("HTTP 404" in told) is (status == 404)
    assert "Is SQR_JOBS_JWT_JWKS_URL right" in told


def test_an_issuer_out_of_reach_is_a_fault(check: Check) -> None:
    """Requests are 503 meanwhile."""
    with nothing_there() as port:
        told = check(jwt_jwks_url=f"http://127.0.0.1:{port}/keys").fault("tokens")
    assert "could not be fetched (ConnectionRefusedError)" in told
    assert "may this machine reach it?" in told


def test_a_look_that_breaks_is_a_fault_and_not_the_end(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that shows a stack instead of lines checks nothing."""

    def broken(_system: object) -> str:
        raise ZeroDivisionError("by zero")

    looks = tuple((what, broken if what == "broker" else look) for what, look in examination._LOOKS)
    monkeypatch.setattr(examination, "_LOOKS", looks)
    checked = check()
    assert checked.fault("broker") == "ZeroDivisionError: by zero. Nobody foresaw this: please report it."
    assert "limits" in checked.lines


def _announced(tmp_path: Path, redis_url: str) -> dict[str, str]:
    """Give the settings of a distributed service in order, with a worker that announced itself."""
    settings = {"database_url": f"sqlite:///{tmp_path}/jobs.db", "broker_url": redis_url}
    system = system_of(build_report_jobs(Settings(**settings), users=People(), templates=[Report()]))
    migrations.upgrade(system.database.engine)
    system.maintenance(is_worker=True).announce()
    system.database.close()
    return settings


@pytest.mark.usefixtures("patient_redis")
@pytest.mark.parametrize(
    "broken",
    [
        ("database_for", ["database", "migrations", "clock", "workers", "limiter"]),
        ("documents_for", ["documents", "credentials"]),
        ("authenticator_for", ["tokens"]),
        ("producer_for", ["render child"]),
        ("relaying_broker_for", ["broker", "workers"]),
        ("working_broker_for", ["broker"]),
        ("limiter_url", ["limiter"]),
    ],
)
def test_a_part_that_can_t_be_built_is_a_fault_of_its_own_line(
    check: Check,
    redis_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    broken: tuple[str, list[str]],
) -> None:
    """A missing client of the bucket was shown as a fault of the tokens, and of the workers."""
    part, lines = broken

    def refuse(*_arguments: object, **_keywords: object) -> None:
        raise ConfigurationError("The client is missing.")

    settings = _announced(tmp_path, redis_url)
    monkeypatch.setattr(parts, part, refuse)
    render = None if part == "producer_for" else "inline"
    assert check(render=render, **settings).faults == lines


@pytest.mark.parametrize("command", [["check"], ["openapi"]])
def test_a_reader_that_goes_away_is_no_stack(tmp_path: Path, command: list[str]) -> None:
    """`sqr-jobs check | head -1`, as everybody types it."""
    read, write = os.pipe()
    os.close(read)
    ended = subprocess.run(
        [str(Path(sys.executable).with_name("sqr-jobs")), *command],
        cwd=ROOT,
        env=environment(tmp_path, factory=FACTORY, data_dir=tmp_path, render="inline"),
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(write)
    assert ended.stderr == ""
    assert ended.returncode == 141
