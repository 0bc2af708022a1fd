"""Settings: what is wrong is told in sentences, and what is secret is not told at all."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from sqr_jobs import ConfigurationError, Settings
from tests.contracts.issuers import ec_key, pem, rsa_key

PUBLIC_KEY = pem(rsa_key())
SECRET = "hunter2hunter2hunter2hunter2hunter2"
GOOD_DATABASE = "postgresql+psycopg://me@host/name"


def test_nothing_set_is_the_embedded_form() -> None:
    """Ten lines of code and no variable make a service that works."""
    settings = Settings()
    assert settings.is_embedded
    assert (settings.rate_limit, settings.rate_window_s, settings.deadline_s) == (10, 600, 300.0)
    assert settings.prefix == "/v1/document/api"
    assert settings.max_body_bytes == 65_536
    assert (settings.max_failures, settings.max_crashes, settings.attempt_limit_s) == (5, 3, 60.0)
    assert (settings.lease_s, settings.heartbeat_s, settings.fence_s) == (30.0, 8.0, 25.0)


def test_every_setting_is_a_keyword_and_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same name in code, in a container and in the documentation."""
    texts: dict[str, tuple[str, Any]] = {
        "factory": ("myapp.reports:make", "myapp.reports:make"),
        "data_dir": ("/var/lib/app", Path("/var/lib/app")),
        "jwt_algorithms": ("RS256, ES256 ,PS256", ("RS256", "ES256", "PS256")),
        "rate_limit": ("7", 7),
        "deadline_s": ("12.5", 12.5),
        "render": ("inline", "inline"),
        "link_key": (SECRET, SecretStr(SECRET)),
    }
    for name, (text, _) in texts.items():
        monkeypatch.setenv(f"SQR_JOBS_{name.upper()}", text)
    by_variable = Settings()
    by_keyword = Settings(**{name: value for name, (_, value) in texts.items()})
    assert by_variable == by_keyword
    for name, (_, value) in texts.items():
        assert getattr(by_variable, name) == value


def test_a_keyword_goes_before_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in the code is meant."""
    monkeypatch.setenv("SQR_JOBS_RATE_LIMIT", "7")
    assert Settings(rate_limit=3).rate_limit == 3


def test_a_variable_that_is_empty_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployment's template leaves empty what it has no value for."""
    monkeypatch.setenv("SQR_JOBS_DATABASE_URL", "")
    monkeypatch.setenv("SQR_JOBS_RATE_LIMIT", "")
    settings = Settings()
    assert settings.database_url is None
    assert settings.rate_limit == 10


def test_settings_do_not_change() -> None:
    """A service that was built from them would not know."""
    with pytest.raises(Exception, match="frozen"):
        Settings().rate_limit = 5


@pytest.mark.parametrize(
    "name", [name for name, f in Settings.model_fields.items() if "Secret" in str(f.annotation)]
)
def test_a_secret_is_never_shown(name: str) -> None:
    """I15: settings are printed when something is wrong, by whoever looks for it."""
    values: dict[str, Any] = {name: SECRET}
    if name == "jwt_key":
        values["jwt_algorithms"] = "HS256"
    if name.startswith("s3_"):
        values |= {"s3_access_key_id": SECRET, "s3_secret_access_key": SECRET}
    if name == "broker_url":
        values = {name: f"redis://:{SECRET}@host", "database_url": GOOD_DATABASE}
    settings = Settings(**values)
    for shown in (repr(settings), str(settings), repr(settings.model_dump()), settings.model_dump_json()):
        assert SECRET not in shown


def test_the_settings_that_hold_secrets_are_secret() -> None:
    """URLs carry passwords; a new setting of this kind must be one too."""
    secret = {name for name, field in Settings.model_fields.items() if "Secret" in str(field.annotation)}
    assert secret >= {
        "database_url", "broker_url", "limiter_url", "jwt_key", "link_key", "s3_access_key_id",
        "s3_secret_access_key",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"jwt_key": PUBLIC_KEY, "jwt_jwks_url": "https://host/keys"},
            "JWT_KEY or SQR_JOBS_JWT_JWKS_URL, not both",
        ),
        ({"jwt_key": SECRET}, "SQR_JOBS_JWT_KEY is not a PEM public key"),
        ({"jwt_key": SECRET, "jwt_algorithms": "HS256,RS256"}, "SQR_JOBS_JWT_KEY is not a PEM public key"),
        ({"jwt_key": SECRET, "jwt_algorithms": "none"}, "SQR_JOBS_JWT_"),
        ({"jwt_key": PUBLIC_KEY, "jwt_algorithms": "HS256"}, "sign with the public key"),
        ({"jwt_key": PUBLIC_KEY, "jwt_algorithms": "RS256,HS512"}, "sign with the public key"),
        ({"jwt_key": PUBLIC_KEY, "jwt_algorithms": "RS256,none"}, "SQR_JOBS_JWT_ALGORITHMS"),
        ({"jwt_jwks_url": "https://host/keys", "jwt_algorithms": "HS256"}, "SQR_JOBS_JWT_ALGORITHMS"),
        ({"jwt_jwks_url": "file:///etc/passwd"}, "SQR_JOBS_JWT_JWKS_URL must be an http"),
        ({"jwt_strict": True}, "SQR_JOBS_JWT_STRICT needs"),
        ({"jwt_strict": True, "jwt_issuer": "i"}, "SQR_JOBS_JWT_STRICT needs"),
        ({"s3_access_key_id": SECRET}, "SQR_JOBS_S3_ACCESS_KEY_ID and SQR_JOBS_S3_SECRET_ACCESS_KEY"),
        ({"s3_secret_access_key": SECRET}, "SQR_JOBS_S3_ACCESS_KEY_ID and SQR_JOBS_S3_SECRET_ACCESS_KEY"),
        (
            {"broker_url": f"kafka://:{SECRET}@host", "database_url": GOOD_DATABASE},
            "SQR_JOBS_BROKER_URL does not start with redis",
        ),
        ({"broker_url": f"{SECRET}@host", "database_url": GOOD_DATABASE}, "SQR_JOBS_BROKER_URL"),
        ({"link_key": "x" * 31}, "SQR_JOBS_LINK_KEY must have 32 characters or more"),
        ({"deadline_s": 7_201}, "SQR_JOBS_DEADLINE_S is more than SQR_JOBS_MAX_DEADLINE_S"),
        ({"document_lifetime_s": 604_801}, "SQR_JOBS_DOCUMENT_LIFETIME_S is more than SQR_JOBS_MAX_"),
        ({"job_lifetime_s": 86_399}, "SQR_JOBS_JOB_LIFETIME_S is less than a day"),
        ({"public_url": "api.example.com"}, "SQR_JOBS_PUBLIC_URL must be an http(s) address"),
        ({"public_url": "https://api.example.com/?a=b"}, "SQR_JOBS_PUBLIC_URL must be an http(s) address"),
        ({"public_url": "https:///reports"}, "SQR_JOBS_PUBLIC_URL must be an http(s) address"),
        ({"public_url": "https://[half"}, "SQR_JOBS_PUBLIC_URL must be an http(s) address"),
        ({"job_lifetime_s": 90_000, "rate_window_s": 90_001}, "SQR_JOBS_RATE_WINDOW_S"),
    ],
    ids=lambda value: ", ".join(f"{k}" for k in value) if isinstance(value, dict) else "",
)
def test_settings_that_contradict_each_other_are_refused_in_a_sentence(
    values: dict[str, Any], words: str
) -> None:
    """At the start, with what to set instead, and without the secret in it."""
    with pytest.raises(ConfigurationError) as caught:
        Settings(**values)
    assert words in str(caught.value)
    assert str(caught.value).endswith(".")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        {"jwt_key": SECRET, "jwt_algorithms": "HS256"},
        {"jwt_key": PUBLIC_KEY},
        {"jwt_key": pem(ec_key()), "jwt_algorithms": "ES256"},
        {"jwt_jwks_url": "https://host/keys", "jwt_algorithms": ["RS256"]},
        {"broker_url": "rediss://host", "database_url": GOOD_DATABASE},
        {"broker_url": "amqp://user:password@host/vhost", "database_url": GOOD_DATABASE},
        {"broker_url": "amqps://host", "database_url": GOOD_DATABASE},
        {"s3_access_key_id": "a", "s3_secret_access_key": "b"},
        {"deadline_s": 7_200, "document_lifetime_s": 604_800, "job_lifetime_s": 86_400},
    ],
    ids=", ".join,
)
def test_settings_that_belong_together_are_taken(values: dict[str, Any]) -> None:
    """The control for the refusals."""
    assert Settings(**values)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("prefix", "v1"), ("prefix", "/v1/"), ("prefix", "/"),
        ("rate_limit", 0), ("rate_limit", "many"), ("rate_window_s", -1), ("deadline_s", 0),
        ("attempt_limit_s", "nan"), ("memory_limit_mb", 1.5), ("worker_threads", 0), ("lease_s", -1),
        ("max_body_bytes", 0), ("jwt_leeway_s", -1), ("jwt_leeway_s", 301),
        ("render", "somehow"), ("relay_interval_s", 0), ("document_lifetime_s", "inf"),
    ],
)  # fmt: skip
def test_a_value_that_does_not_serve_is_refused_with_its_variable(name: str, value: object) -> None:
    """The operator knows the variable, and its value, which may be a secret, is not repeated."""
    with pytest.raises(ConfigurationError) as caught:
        Settings(**{name: value})
    assert f"SQR_JOBS_{name.upper()} (keyword {name}): " in str(caught.value)


def test_a_secret_of_the_wrong_kind_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """I15: pydantic would show the input."""
    with pytest.raises(ConfigurationError) as caught:
        Settings(link_key=[SECRET], database_url={"password": SECRET}, rate_limit=SECRET)
    assert SECRET not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 3


def test_every_fault_is_told_at_once() -> None:
    """Not one at each start."""
    with pytest.raises(ConfigurationError) as caught:
        Settings(rate_limit=0, lease_s=0, render="x")
    assert len(str(caught.value).splitlines()) == 3


def test_a_setting_that_does_not_exist_is_refused() -> None:
    """A typing error in a limit must not mean no limit."""
    with pytest.raises(ConfigurationError, match="There is no setting rate_limits"):
        Settings(rate_limits=5)


_AROUND = {
    "a line end": "{}\n",
    "Windows's line end": "{}\r\n",
    "blanks": "  {} ",
    "a tab": "\t{}",
    "Notepad's mark": "\ufeff{}\n",
}
_VALUES: dict[str, tuple[str, Any]] = {
    "factory": ("myapp.reports:make", "myapp.reports:make"),
    "prefix": ("/reports", "/reports"),
    "public_url": ("https://api.example.com", "https://api.example.com"),
    "data_dir": ("/var/lib/app", Path("/var/lib/app")),
    "database_url": (GOOD_DATABASE, SecretStr(GOOD_DATABASE)),
    "jwt_key": (PUBLIC_KEY.strip(), SecretStr(PUBLIC_KEY.strip())),
    "jwt_algorithms": ("RS256,ES256", ("RS256", "ES256")),
    "link_key": (SECRET, SecretStr(SECRET)),
    "rate_limit": ("7", 7),
    "deadline_s": ("12.5", 12.5),
    "jwt_strict": ("false", False),
    "render": ("inline", "inline"),
}


@pytest.mark.parametrize("around", _AROUND.values(), ids=_AROUND)
def test_what_stands_around_a_value_is_no_part_of_it(monkeypatch: pytest.MonkeyPatch, around: str) -> None:
    """Files of secrets end in a line end: the right secret must not refuse every right token."""
    for name, (text, _) in _VALUES.items():
        monkeypatch.setenv(f"SQR_JOBS_{name.upper()}", around.format(text))
    by_variable = Settings()
    for name, (_, value) in _VALUES.items():
        assert getattr(by_variable, name) == value
        monkeypatch.delenv(f"SQR_JOBS_{name.upper()}")
    secret = Settings(jwt_key=SecretStr(around.format(SECRET)), jwt_algorithms=("HS256\n",))
    assert (secret.jwt_key, secret.jwt_algorithms) == (SecretStr(SECRET), ("HS256",))


def test_a_value_of_white_space_alone_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that is empty: a deployment's template left it out."""
    monkeypatch.setenv("SQR_JOBS_DATABASE_URL", "\n")
    monkeypatch.setenv("SQR_JOBS_RATE_LIMIT", " ")
    assert Settings() == Settings(database_url=None, rate_limit=10)


@pytest.mark.parametrize("newline", ["\\n", "\\r\\n", "\r\n", "\n    "], ids=repr)
def test_line_ends_in_pem_text_are_understood_as_files_write_them(newline: str) -> None:
    """JSON, env files and YAML each write a key of several lines in their own way."""
    written = (pem(rsa_key()) + pem(ec_key())).replace("\n", newline)
    settings = Settings(jwt_key=written)
    assert settings.jwt_key is not None
    assert settings.jwt_key.get_secret_value() == (pem(rsa_key()) + pem(ec_key())).strip()


@pytest.mark.parametrize(
    "name", ["factory", "prefix", "database_url", "jwt_key", "link_key", "s3_bucket", "rate_limit", "render"]
)
@pytest.mark.parametrize("inside", ["\n", "\r", "\x00", "\x7f", "\x85", "\udcff"], ids=repr)
def test_a_control_character_inside_a_value_is_refused_by_its_variable(name: str, inside: str) -> None:
    """Two values in one variable, or a file of bytes; and what it is, is not repeated."""
    with pytest.raises(ConfigurationError) as caught:
        Settings(**{name: f"{SECRET}{inside}{SECRET}"})
    assert str(caught.value).startswith(f"SQR_JOBS_{name.upper()} holds a line end, another control")
    assert len(str(caught.value).splitlines()) == 1
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("quote", ['"', "'"])
@pytest.mark.parametrize(
    "name", ["prefix", "database_url", "broker_url", "jwt_key", "rate_limit", "jwt_strict"]
)
def test_a_value_in_quotes_is_refused_where_quotes_cannot_be_right(name: str, quote: str) -> None:
    """Docker's env files keep them, shells take them away."""
    value = {"jwt_key": PUBLIC_KEY, "database_url": GOOD_DATABASE}.get(name, "7")
    with pytest.raises(
        ConfigurationError, match=rf"^SQR_JOBS_{name.upper()} is enclosed in quotes.*Remove them"
    ):
        Settings(**{name: f"{quote}{value}{quote}"})


def test_quotes_may_be_a_part_of_a_secret() -> None:
    """The control: nobody but the issuer knows; `sqr-jobs check` says so."""
    assert Settings(link_key=f'"{SECRET}"').link_key == SecretStr(f'"{SECRET}"')
