"""The wire models (contract, `openapi.yaml`): what JSON comes in and goes out."""

import copy
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self, TypeVar, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    TypeAdapter,
    ValidationInfo,
    WithJsonSchema,
    create_model,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, PydanticCustomError, ValidationError
from typing_extensions import TypeAliasType

from sqr_jobs.domain.caller import USER_ID_LENGTH, user_id_faults
from sqr_jobs.domain.job import Job
from sqr_jobs.domain.states import ApiStatus, JobState

__all__ = [
    "USER_ID_MAX",
    "CreateReportJob",
    "DownloadUrl",
    "Problem",
    "ReportJob",
    "error_code",
    "timestamp",
    "with_user_ids_of",
]

Model = TypeVar("Model", bound=BaseModel)


def timestamp(epoch_ms: int) -> str:
    """Write an instant as the API does: UTC, milliseconds, `Z`."""
    instant = datetime.fromtimestamp(epoch_ms // 1000, UTC)
    return f"{instant:%Y-%m-%dT%H:%M:%S}.{epoch_ms % 1000:03d}Z"


USER_ID_MAX = "user_id_max"
"""In the context of a validation: how many characters a user's id may have, where not the default."""


def _judged(user_id: str, info: ValidationInfo) -> str:
    longest = (info.context or {}).get(USER_ID_MAX, USER_ID_LENGTH)
    if faults := user_id_faults(user_id, longest=longest):
        raise ValueError(" ".join(faults))
    return user_id


Timestamp = TypeAliasType(
    "Timestamp",
    Annotated[
        str,
        Field(
            pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$",
            json_schema_extra={"format": "date-time"},
        ),
    ],
)
Status = Annotated[
    ApiStatus, WithJsonSchema({"type": "string", "enum": [status.value for status in ApiStatus]})
]
Code = Annotated[str, Field(pattern="^[A-Z][A-Z0-9_]*$")]
JobId = Annotated[str, Field(json_schema_extra={"format": "uuid"})]


class _Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Describe a field that has no value as left out, which it is, rather than as null."""
        reference = handler(schema)
        described = handler.resolve_ref_schema(reference)
        for name, field in described["properties"].items():
            kept = {key: value for key, value in field.items() if key not in ("title", "default", "anyOf")}
            for choice in field.get("anyOf", []):
                kept |= choice if choice != {"type": "null"} else {}
            described["properties"][name] = kept
        return reference

    def json_bytes(self) -> bytes:
        """Write JSON; fields that have no value are left out."""
        return self.model_dump_json(by_alias=True, exclude_none=True).encode()


_DURATION = (
    "P(?=[0-9T])([0-9]+Y)?([0-9]+M)?([0-9]+W)?([0-9]+D)?"
    "(T(?=[0-9])([0-9]+H)?([0-9]+M)?([0-9]+([.][0-9]{1,3})?S)?)?"
)
_SECONDS: TypeAdapter[timedelta] = TypeAdapter(timedelta)


def _seconds(duration: object) -> float:
    """Read an ISO 8601 duration; a year is 365 days and a month 30."""
    if not isinstance(duration, str) or len(duration) > _LONGEST or not re.fullmatch(_DURATION, duration):
        raise PydanticCustomError("duration", "a duration is written as ISO 8601 has it, such as PT2M or P1D")
    try:
        return _SECONDS.validate_python(duration).total_seconds()
    except ValidationError:
        raise PydanticCustomError("duration", "no duration is that long") from None


_LONGEST = 32
Duration = Annotated[
    float | None,
    BeforeValidator(_seconds),
    WithJsonSchema(
        {"type": "string", "format": "duration", "pattern": f"^{_DURATION}$", "maxLength": _LONGEST},
        mode="validation",
    ),
]


def _without_defaults(schema: dict[str, Any]) -> None:
    """Describe a field that may be left out as just that, rather than as null, which is refused."""
    for field in schema["properties"].values():
        field.pop("default", None)


class CreateReportJob(BaseModel):
    """The body of a creation; unknown fields are refused."""

    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", strict=True, json_schema_extra=_without_defaults
    )

    user_id: Annotated[
        str,
        AfterValidator(_judged),
        Field(
            json_schema_extra={
                "minLength": 1,
                "maxLength": USER_ID_LENGTH,
                "examples": ["US1A2B3C4D5E6F78"],
            }
        ),
    ]
    export_deadline: Annotated[
        Duration, Field(description="From the creation on; then the job fails.", examples=["PT2M"])
    ] = None
    output_ttl: Annotated[
        Duration, Field(description="From the completion on; then the document expires.", examples=["P1D"])
    ] = None


class ReportJob(_Wire):
    """A job as it stands."""

    job_id: JobId
    status: Status
    user_id: Annotated[str, Field(json_schema_extra={"minLength": 1, "maxLength": USER_ID_LENGTH})]
    template_version: Annotated[str | None, Field(examples=["v2"])] = None
    size_bytes: Annotated[int | None, Field(ge=1)] = None
    sha256: Annotated[str | None, Field(pattern="^[0-9a-f]{64}$")] = None
    duration_ms: Annotated[int | None, Field(ge=0)] = None
    attempts: Annotated[int | None, Field(ge=0)] = None
    error_code: Code | None = None
    created_at: Timestamp
    updated_at: Timestamp
    completed_at: Timestamp | None = None

    @classmethod
    def of(cls, job: Job) -> Self:
        """Show a job: what COMPLETE adds, and what FAILED adds, only then."""
        values: dict[str, Any] = {
            "job_id": job.job_id,
            "status": job.status,
            "user_id": job.user_id,
            "attempts": job.attempt,
            "created_at": timestamp(job.created_at),
            "updated_at": timestamp(job.updated_at),
        }
        if job.completed_at is not None:
            values["completed_at"] = timestamp(job.completed_at)
        if job.status is ApiStatus.FAILED:
            values["error_code"] = error_code(job)
        if job.document is not None:
            values |= {
                "template_version": job.template.version,
                "size_bytes": job.document.size,
                "sha256": job.document.sha256,
                "duration_ms": job.duration_ms,
            }
        return cls(**values)


class DownloadUrl(_Wire):
    """A fresh URL of a finished document."""

    url: Annotated[str, Field(json_schema_extra={"format": "uri"})]
    expires_in_seconds: Literal[300]
    filename: Annotated[str, Field(examples=["SQR_J_Smith_ABCD.pdf"])]


class Problem(_Wire):
    """An error (RFC 9457)."""

    type: Annotated[str, Field(json_schema_extra={"format": "uri-reference"})]
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    code: Code
    detail: str | None = None
    instance: str | None = None
    job_id: JobId | None = None
    job_status: Status | None = None
    error_code: Code | None = None


def with_user_ids_of(model: type[Model], longest: int) -> type[Model]:
    """Describe a model whose `userId` has another length at most; the default's is the model itself."""
    if longest == USER_ID_LENGTH:
        return model
    described = copy.copy(model.model_fields["user_id"])
    default = cast("dict[str, Any]", described.json_schema_extra)
    described.json_schema_extra = {**default, "maxLength": longest}
    fields: dict[str, Any] = {"user_id": (str, described)}
    return create_model(model.__name__, __base__=model, __doc__=model.__doc__, **fields)


def error_code(job: Job) -> str:
    """Name why a job FAILED; a cancelled one has no failure of its own."""
    return "CANCELLED" if job.state is JobState.CANCELLED else str(job.error_code)
