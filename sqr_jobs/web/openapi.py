"""What the OpenAPI document says of each operation (contract, `openapi.yaml`)."""

from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from sqr_jobs.domain.caller import USER_ID_LENGTH
from sqr_jobs.web.models import CreateReportJob, DownloadUrl, Problem, ReportJob, with_user_ids_of

__all__ = ["openapi_document", "operations"]

_TAG = "PDF Report (API Client)"
_ID = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "The jobId that the creation answered.",
    "schema": {"type": "string"},
}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A request that is repeated with the same key within 24 h gets the same job again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
_STRING = {"schema": {"type": "string"}}
_QUOTA = {"RateLimit-Policy": _STRING, "RateLimit": _STRING}


def _link(operation_id: str, description: str) -> dict[str, Any]:
    """Say where an answer leads: to the operation that takes its job's id."""
    return {
        "operationId": operation_id,
        "parameters": {"id": "$response.body#/jobId"},
        "description": description,
    }


_STATUS_LINK = _link("getOrgReportJob", "How the job stands. Poll as Retry-After says.")
_URL_LINK = _link("getOrgReportDownloadUrl", "The document's URL, once the job is COMPLETE.")


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def _inline(model: type[BaseModel]) -> dict[str, Any]:
    """Describe a model without a reference.

    FastAPI registers a model only where it also adds `application/json` to the answer, and a reference to
    one that is not registered dangles in the host's document.
    """
    taken = issubclass(model, CreateReportJob)
    return model.model_json_schema(mode="validation" if taken else "serialization")


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    described: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        described[status] = {
            "description": _MEANINGS[status],
            "content": {"application/problem+json": {"schema": _inline(Problem)}},
        }
    described[401]["headers"] = {"WWW-Authenticate": {"schema": {"type": "string", "pattern": "^Bearer"}}}
    return described


_MEANINGS: Final = {
    400: "The body is malformed or breaks a rule.",
    401: "No token, or one that is not valid.",
    403: "The token lacks a scope, or the organisation may not report on this user.",
    404: "No such user, or no such job of this organisation.",
    409: "A job for this user is active, a request with this key is being answered, or the job has ended.",
    410: "The document has expired or is gone.",
    413: "The body is too large.",
    415: "The body is not declared as JSON.",
    422: "The job is not complete or failed; at the creation: the key was used with another body.",
    429: "More creations than this organisation may ask for in a window of time.",
    500: "An unexpected fault.",
    503: "A part of the service is out of reach.",
}

_OPERATIONS: Final[dict[str, dict[str, Any]]] = {
    "create": {
        "operation_id": "createOrgReportJob",
        "tags": [_TAG],
        "summary": "Create a PDF report job",
        "status_code": 202,
        "responses": {
            202: {
                "description": "The job is stored and will be processed.",
                "model": ReportJob,
                "headers": {
                    "Location": {"description": "Path of the job's status.", **_STRING},
                    "Retry-After": {
                        "description": "Seconds until the first poll is worth it.",
                        "schema": {"type": "integer"},
                    },
                    **_QUOTA,
                },
                "links": {"status": _STATUS_LINK, "url": _URL_LINK},
            },
            **_problems(400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503),
        },
        "openapi_extra": {
            "parameters": [_KEY],
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": _inline(CreateReportJob)}},
            },
        },
    },
    "status": {
        "operation_id": "getOrgReportJob",
        "tags": [_TAG],
        "summary": "Read a report job's status",
        "responses": {
            200: {
                "description": "The job as it stands.",
                "model": ReportJob,
                "headers": {
                    "Retry-After": {
                        "description": "Present while the job is not in a terminal state.",
                        "schema": {"type": "integer"},
                    }
                },
                "links": {"status": _STATUS_LINK, "url": _URL_LINK},
            },
            **_problems(401, 403, 404, 500, 503),
        },
        "openapi_extra": {"parameters": [_ID]},
    },
    "cancel": {
        "operation_id": "cancelOrgReportJob",
        "tags": [_TAG],
        "summary": "Cancel a report job",
        "responses": {
            200: {"description": "The job as it stands: FAILED, with CANCELLED.", "model": ReportJob},
            **_problems(401, 403, 404, 409, 500, 503),
        },
        "openapi_extra": {"parameters": [_ID]},
    },
    "url": {
        "operation_id": "getOrgReportDownloadUrl",
        "tags": [_TAG],
        "summary": "Issue a signed download URL for a completed report",
        "responses": {
            200: {"description": "A fresh URL, valid for 300 seconds.", "model": DownloadUrl},
            **_problems(401, 403, 404, 410, 422, 500, 503),
        },
        "openapi_extra": {"parameters": [_ID]},
    },
}


def operations(*, rate_window_s: int | None, user_id_max: int = USER_ID_LENGTH) -> dict[str, dict[str, Any]]:
    """Give the keywords of FastAPI's `add_api_route`, by operation.

    `rate_window_s` bounds how long a refused organisation waits; None where each has its own window.
    `user_id_max` bounds the length of a `userId`.
    """
    wait = {"type": "integer", "minimum": 1}
    if rate_window_s is not None:
        wait["maximum"] = rate_window_s
    create = _OPERATIONS["create"]
    headers = {"Retry-After": {"required": True, "schema": wait}, **_QUOTA}
    refused = {**create["responses"][429], "headers": headers}
    described = {**_OPERATIONS, "create": {**create, "responses": {**create["responses"], 429: refused}}}
    if user_id_max == USER_ID_LENGTH:
        return described
    return {name: _with_user_ids_of(operation, user_id_max) for name, operation in described.items()}


def _with_user_ids_of(operation: dict[str, Any], longest: int) -> dict[str, Any]:
    """Describe an operation with longer ids of users, in what it takes and in what it answers."""
    responses = {
        status: {**answer, "model": with_user_ids_of(answer["model"], longest)}
        if answer.get("model") is ReportJob
        else answer
        for status, answer in operation["responses"].items()
    }
    extra = operation["openapi_extra"]
    if "requestBody" in extra:
        schema = _inline(with_user_ids_of(CreateReportJob, longest))
        body = {**extra["requestBody"], "content": {"application/json": {"schema": schema}}}
        extra = {**extra, "requestBody": body}
    return {**operation, "responses": responses, "openapi_extra": extra}


def openapi_document(
    prefix: str,
    *,
    has_cancel: bool = False,
    rate_window_s: int | None = 600,
    user_id_max: int = USER_ID_LENGTH,
) -> dict[str, Any]:
    """Write the OpenAPI 3.1 document of the endpoints, as a host's own under FastAPI has it.

    `rate_window_s` and `user_id_max` as in `operations`; by default the settings' own defaults.
    """
    described = operations(rate_window_s=rate_window_s, user_id_max=user_id_max)
    taken = with_user_ids_of(CreateReportJob, user_id_max)
    models = (taken, DownloadUrl, Problem, with_user_ids_of(ReportJob, user_id_max))
    _, schemas = models_json_schema(
        [(model, "validation" if model is taken else "serialization") for model in models],
        ref_template="#/components/schemas/{model}",
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "PDF Report API",
            "version": "1.0",
            "description": "Asynchronous PDF reports for connected users of an organisation.",
        },
        "paths": {
            prefix: {"post": _operation("create", 202, described)},
            f"{prefix}/{{id}}": {
                "get": _operation("status", 200, described),
                **({"delete": _operation("cancel", 200, described)} if has_cancel else {}),
            },
            f"{prefix}/{{id}}/url": {"get": _operation("url", 200, described)},
        },
        "components": {
            "schemas": {model.__name__: schemas["$defs"][model.__name__] for model in models}
            | {"Timestamp": schemas["$defs"]["Timestamp"]},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _operation(name: str, success: int, described: dict[str, dict[str, Any]]) -> dict[str, Any]:
    keywords = described[name]
    responses = {}
    for status, response in sorted(keywords["responses"].items()):
        answer = {key: value for key, value in response.items() if key != "model"}
        if status == success:
            answer["content"] = {"application/json": {"schema": _ref(response["model"])}}
        else:
            answer["content"] = {"application/problem+json": {"schema": _ref(Problem)}}
        responses[str(status)] = answer
    return {
        "operationId": keywords["operation_id"],
        "tags": keywords["tags"],
        "summary": keywords["summary"],
        "security": [{"bearer": []}],
        **keywords["openapi_extra"],
        **({"requestBody": _BODY} if name == "create" else {}),
        "responses": responses,
    }


_BODY = {"required": True, "content": {"application/json": {"schema": _ref(CreateReportJob)}}}
