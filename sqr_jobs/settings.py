"""Settings: keywords, or environment variables that start with `SQR_JOBS_`."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    ModelWrapValidatorHandler,
    PositiveInt,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from sqr_jobs.errors import ConfigurationError
from sqr_jobs.local_paths import absolute_path, absolute_sqlite_url
from sqr_jobs.setting_conflicts import SERVICE_LENGTH, conflicts
from sqr_jobs.setting_texts import tidied

__all__ = ["Settings"]


Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Settings(BaseSettings):
    """How a service runs. Every field has a keyword and a variable: `broker_url` is `SQR_JOBS_BROKER_URL`.

    White space and line ends around a value are no part of it.

    Nothing set is the embedded form: SQLite and documents in `data_dir`, a worker inside the web process.
    `database_url`, `broker_url` and `s3_bucket` make it distributed. Raises `ConfigurationError` with a
    sentence per fault.
    """

    model_config = SettingsConfigDict(
        env_prefix="SQR_JOBS_", frozen=True, extra="forbid", env_ignore_empty=True
    )

    factory: str | None = None
    """Import path of the function that builds the `ReportJobs`: `myapp.reports:report_jobs`."""
    prefix: str = "/v1/document/api"
    """Path under which the endpoints are mounted."""
    service: Annotated[str | None, Field(min_length=1, max_length=SERVICE_LENGTH)] = None
    """Names this service among those that share its database; by default `prefix`. Web and workers agree."""
    public_url: str | None = None
    """Scheme, host and path before the prefix, where a proxy changes host or path: all addresses begin so."""
    support_contact: str | None = None
    """Named in the answer to an unexpected fault."""

    data_dir: Annotated[Path, Field(validate_default=True)] = Path("sqr-jobs-data")
    """Folder of the embedded form's database and documents. A relative one starts from the working folder."""
    database_url: SecretStr | None = None
    """`postgresql+psycopg://…`, `mariadb+pymysql://…` or `sqlite:///…`; by default SQLite in `data_dir`."""
    database_timeout_s: Seconds = 5.0
    """How long a connection, a lock or a statement may take."""
    broker_url: SecretStr | None = None
    """`redis://…` or `amqp://…` (RabbitMQ); by default messages and worker stay in the process."""
    limiter_url: SecretStr | None = None
    """`redis://…` or `memory://` (each process counts alone); by default a Redis broker's, else memory."""
    s3_bucket: str | None = None
    """Bucket for the documents; by default they lie in `data_dir`."""
    s3_endpoint_url: str | None = None
    """Address of an S3-compatible store; by default AWS."""
    s3_region: str | None = None
    """The bucket's region; by default boto3's, else `us-east-1` at an own endpoint."""
    s3_access_key_id: SecretStr | None = None
    """By default boto3 looks for credentials as usual. Temporary ones end a URL's life early."""
    s3_secret_access_key: SecretStr | None = None
    """Goes with `s3_access_key_id`."""
    s3_prefix: str = ""
    """Put before every key."""
    s3_addressing: Literal["auto", "path", "virtual"] = "auto"
    """Whether the bucket's name is a part of the `path` or of the host (`virtual`); `auto` chooses."""
    s3_request_timeout_s: Seconds = 0.9
    """How long a request for a URL waits for the bucket before it is answered 503."""
    link_key: SecretStr | None = None
    """Signs the URLs of local documents; by default a random key kept in `data_dir`."""

    jwt_key: SecretStr | None = None
    """The issuer's public key (PEM; several one after the other), or the shared secret of an HS algorithm."""
    jwt_jwks_url: str | None = None
    """The issuer's key set; instead of `jwt_key`."""
    jwt_algorithms: Annotated[tuple[str, ...], NoDecode] = ("RS256", "ES256")
    """The algorithms to accept, separated by commas; all others are refused."""
    jwt_issuer: str | None = None
    """The `iss` that a token must have; by default any."""
    jwt_audience: str | None = None
    """The `aud` that a token must have; by default any."""
    jwt_leeway_s: Annotated[int, Field(ge=0, le=300)] = 0
    """How far the issuer's clock may differ."""
    jwt_org_claim: str = "org"
    """The claim that names the caller's org."""
    jwt_scope_claim: str = "scope"
    """The claim that holds the scopes: a text with blanks between them, or a list."""
    jwt_strict: bool = False
    """Ask for all that RFC 9068 asks of an access token: type `at+jwt`, and its seven claims."""
    create_scope: str | None = None
    """The scope that a creation asks for; by default none."""
    read_scope: str | None = None
    """The scope that status and download ask for; by default none."""

    max_body_bytes: PositiveInt = 65_536
    """A longer body is refused with 413 and not read to its end."""
    user_id_max: Annotated[int, Field(ge=16, le=255)] = 16
    """Characters that a `userId` may have at most, up to 255."""
    rate_limit: PositiveInt = 10
    """Creations of an org in any window."""
    rate_window_s: PositiveInt = 600
    """The moving window of `rate_limit`."""
    deadline_s: Seconds = 300.0
    """From creation on; then a job that is not COMPLETE is FAILED."""
    max_deadline_s: Seconds = 7_200.0
    """The most that a request's `exportDeadline` may ask for."""
    document_lifetime_s: Seconds = 86_400.0
    """From completion on; then the URL request answers 410, and an hour later the document is deleted."""
    max_document_lifetime_s: Seconds = 604_800.0
    """The most that a request's `outputTtl` may ask for."""
    job_lifetime_s: Seconds = 2_592_000.0
    """From a job's end on, at least a day; then its row and history are deleted, once its document is."""
    cancel_route: bool = False
    """Mount `DELETE {prefix}/{id}` too, which cancels a job."""

    render: Annotated[str, Field(pattern="^(child|inline)$")] = "child"
    """`child` renders in a process that can be killed; `inline` in the worker's thread, for debuggers."""
    attempt_limit_s: Seconds = 60.0
    """How long one attempt may render before its child is killed."""
    start_limit_s: Seconds = 60.0
    """How long a render child may take to start; no part of `attempt_limit_s`."""
    memory_limit_mb: PositiveInt = 512
    """What one attempt may take beyond what the render child has after its imports (Linux)."""
    output_limit_mb: PositiveInt = 100
    """How large a finished document may be."""
    work_dir: Path | None = None
    """Where unfinished documents are written, without a name; by default the system's."""
    python: str | None = None
    """The Python that runs the render children; by default the one that runs this process."""

    embedded_worker: bool = True
    """Without a broker, run a worker inside the web process; without one, jobs wait, as tests want it."""
    worker_threads: PositiveInt = 2
    """Jobs that one worker process, or the embedded worker, renders at a time."""
    shutdown_grace_s: Seconds = 30.0
    """From SIGTERM on; attempts that are still running shortly before its end go back to the queue."""
    max_failures: PositiveInt = 5
    """Failed attempts after which a job is FAILED."""
    max_crashes: PositiveInt = 3
    """Attempts whose child or worker died, after which a job is FAILED."""
    retry_backoff_s: Seconds = 2.0
    """The wait before the first retry; it doubles with each failure."""
    lease_s: Seconds = 30.0
    """How long a dead worker keeps its job."""
    relay_interval_s: Seconds = 1.0
    """How often a worker looks for due jobs that no message stands for."""
    reaper_interval_s: Seconds = 5.0
    """How often a worker looks for dead workers' jobs and passed deadlines."""

    @model_validator(mode="wrap")
    @classmethod
    def _explain(cls, data: Any, handler: ModelWrapValidatorHandler["Settings"]) -> "Settings":
        values, faults = tidied(data)
        try:
            settings = handler(values)
        except ValidationError as error:
            raise ConfigurationError("\n".join([*faults, *_sentences(error)])) from None
        # Without the values that are refused already, the others may seem to contradict each other.
        faults = faults or conflicts(settings)
        if faults:
            raise ConfigurationError("\n".join(faults))
        return settings

    @field_validator("jwt_algorithms", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, list | tuple):
            return value
        return tuple(part.strip() if isinstance(part, str) else part for part in parts)

    @field_validator("service")
    @classmethod
    def _printable(cls, value: str | None) -> str | None:
        if value is not None and not value.isprintable():
            raise ValueError("must have no control characters")
        return value

    @field_validator("prefix")
    @classmethod
    def _rooted(cls, value: str) -> str:
        if not value.startswith("/") or value.endswith("/"):
            raise ValueError("must start with a slash and not end with one")
        return value

    @field_validator("data_dir", "work_dir")
    @classmethod
    def _fixed(cls, value: Path | None) -> Path | None:
        """Resolve it now: a host may change its working folder later."""
        return value and absolute_path(value)

    @field_validator("database_url")
    @classmethod
    def _fixed_file(cls, value: SecretStr | None) -> SecretStr | None:
        return value and SecretStr(absolute_sqlite_url(value.get_secret_value()))

    @property
    def is_embedded(self) -> bool:
        """Whether the worker lives inside the web process."""
        return self.broker_url is None

    @property
    def service_name(self) -> str:
        """The name under which jobs are stored, found and claimed: `service`, else `prefix`."""
        return self.service or self.prefix

    @property
    def heartbeat_s(self) -> float:
        """How often a lease is renewed: with 30 s of lease, every 8 s."""
        return self.lease_s * 8 / 30

    @property
    def fence_s(self) -> float:
        """How long after a renewal was sent an attempt may run: with 30 s of lease, 25 s."""
        return self.lease_s * 25 / 30


def _sentences(error: ValidationError) -> list[str]:
    """One sentence per fault, by variable; never the value, which may be a secret."""
    sentences = []
    for fault in error.errors(include_input=False, include_url=False):
        name = "_".join(str(part) for part in fault["loc"][:1])
        if fault["type"] == "extra_forbidden":
            sentences.append(f"There is no setting {name}. docs/reference/settings.md lists them all.")
        else:
            sentences.append(f"SQR_JOBS_{name.upper()} (keyword {name}): {fault['msg']}.")
    return sentences
