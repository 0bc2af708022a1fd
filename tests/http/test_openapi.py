"""What we say of ourselves, field by field against the contract's document.

It is said twice: in what a FastAPI host generates, and in what `sqr-jobs openapi` prints.
"""

import importlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from sqr_jobs import Caller, Settings, build_report_jobs, cli
from sqr_jobs.web.openapi import openapi_document
from tests.host import reports as host
from tests.http.conftest import Serve
from tests.http.contract import DOCUMENT, resolved

_PATHS = list(DOCUMENT["paths"])
_OPERATIONS = [(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods]
_RESPONSES = [
    (path, method, status)
    for path, method in _OPERATIONS
    for status in DOCUMENT["paths"][path][method]["responses"]
]
_SCHEMAS = ["CreateReportJob", "ReportJob", "DownloadUrl", "Problem"]
_FIELDS = [
    (name, field) for name in _SCHEMAS for field in DOCUMENT["components"]["schemas"][name]["properties"]
]
_OPTIONAL = dict.fromkeys(_SCHEMAS, frozenset[str]()) | {
    "CreateReportJob": frozenset({"exportDeadline", "outputTtl"})
}
"""What the library adds to the contract, as options: a request without them is as before."""
_NOT_COMPARED = {"title", "description", "examples", "example", "$defs", "default"}


@pytest.fixture(
    scope="module", params=["published", pytest.param("fastapi", marks=pytest.mark.needs("fastapi"))]
)
def generated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Give one of the two documents."""
    if request.param == "published":
        return openapi_document("/v1/document/api")
    application = importlib.import_module("tests.http.fastapi_host")
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("openapi"),
        jwt_key=SecretStr(host.KEY),
        jwt_algorithms=("HS256",),
        render="inline",
        create_scope="reports:create",
    )
    reports = build_report_jobs(settings, users=host.people, templates=[host.Report()])
    with application.client(reports, lifespan=False) as client:
        document: dict[str, Any] = client.app.openapi()
    return document


def _operation(document: dict[str, Any], path: str, method: str) -> dict[str, Any]:
    return document["paths"][path][method]  # type: ignore[no-any-return]


def _schema_of(document: dict[str, Any], name: str) -> dict[str, Any]:
    """Find a schema where the wire uses it, since its name in the components is an inside matter."""
    match name:
        case "CreateReportJob":
            content = _operation(document, _PATHS[0], "post")["requestBody"]["content"]["application/json"]
        case "ReportJob":
            content = resolved(_operation(document, _PATHS[0], "post")["responses"]["202"], document)[
                "content"
            ]["application/json"]
        case "DownloadUrl":
            content = resolved(_operation(document, _PATHS[2], "get")["responses"]["200"], document)[
                "content"
            ]["application/json"]
        case _:
            content = resolved(_operation(document, _PATHS[0], "post")["responses"]["400"], document)[
                "content"
            ]["application/problem+json"]
    return resolved(content["schema"], document)


def _bare(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """Keep what binds: types, formats, patterns, bounds and values."""
    schema = resolved(schema, document)
    bare = {name: value for name, value in schema.items() if name not in _NOT_COMPARED}
    for name in ("properties",):
        if name in bare:
            bare[name] = {key: _bare(value, document) for key, value in bare[name].items()}
    if "anyOf" in bare:
        bare["anyOf"] = [_bare(option, document) for option in bare["anyOf"]]
    if "const" in bare:
        bare.pop("type", None)  # a constant says its type
    return bare


def _refs(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from _refs(value)
    elif isinstance(node, list):
        for value in node:
            yield from _refs(value)


def test_every_reference_leads_somewhere(generated: dict[str, Any]) -> None:
    """Tools that read the document stop at the first that does not."""
    references = set(_refs(generated))
    assert references
    for reference in references:
        assert resolved({"$ref": reference}, generated)


def test_the_paths_and_methods_are_the_contract_s_and_no_others(generated: dict[str, Any]) -> None:
    """The route of the local files is undocumented."""
    assert {path: set(methods) for path, methods in generated["paths"].items()} == {
        path: set(methods) for path, methods in DOCUMENT["paths"].items()
    }


def test_the_version_of_openapi_is_the_contract_s(generated: dict[str, Any]) -> None:
    """3.1 is what makes the schemas JSON Schema."""
    assert generated["openapi"].split(".")[:2] == DOCUMENT["openapi"].split(".")[:2]


@pytest.mark.parametrize(("path", "method"), _OPERATIONS)
@pytest.mark.parametrize("what", ["operationId", "tags", "summary"])
def test_an_operation_is_called_as_in_the_contract(
    generated: dict[str, Any], path: str, method: str, what: str
) -> None:
    """Generated clients name their methods after it."""
    assert _operation(generated, path, method)[what] == _operation(DOCUMENT, path, method)[what]


@pytest.mark.parametrize(("path", "method"), _OPERATIONS)
def test_an_operation_has_the_contract_s_parameters(
    generated: dict[str, Any], path: str, method: str
) -> None:
    """Name, place, need and schema of each."""

    def parameters(document: dict[str, Any]) -> dict[tuple[str, str], tuple[bool, dict[str, Any]]]:
        listed = [resolved(one, document) for one in _operation(document, path, method).get("parameters", [])]
        return {(one["name"], one["in"]): (one["required"], _bare(one["schema"], document)) for one in listed}

    assert parameters(generated) == parameters(DOCUMENT)


@pytest.mark.parametrize(("path", "method"), _OPERATIONS)
def test_an_operation_answers_with_the_contract_s_statuses(
    generated: dict[str, Any], path: str, method: str
) -> None:
    """None more, such as FastAPI's own 422, and none less."""
    documented = _operation(DOCUMENT, path, method)["responses"]
    assert set(_operation(generated, path, method)["responses"]) == set(documented)


@pytest.mark.parametrize(("path", "method", "status"), _RESPONSES)
def test_a_response_has_the_contract_s_media_type_and_schema(
    generated: dict[str, Any], path: str, method: str, status: str
) -> None:
    """A problem is application/problem+json and nothing else."""

    def content(document: dict[str, Any]) -> dict[str, list[str]]:
        response = resolved(_operation(document, path, method)["responses"][status], document)
        return {
            media_type: sorted(resolved(one["schema"], document)["properties"])
            for media_type, one in response["content"].items()
        }

    assert content(generated) == content(DOCUMENT)


@pytest.mark.parametrize(("path", "method", "status"), _RESPONSES)
def test_a_response_has_the_contract_s_headers(
    generated: dict[str, Any], path: str, method: str, status: str
) -> None:
    """A client that is generated from the document finds Location and Retry-After."""

    def headers(document: dict[str, Any]) -> dict[str, tuple[bool, dict[str, Any]]]:
        response = resolved(_operation(document, path, method)["responses"][status], document)
        return {
            name: (one.get("required", False), _bare(one["schema"], document))
            for name, one in response.get("headers", {}).items()
        }

    assert headers(generated) == headers(DOCUMENT)


def test_the_body_of_a_creation_is_required_json(generated: dict[str, Any]) -> None:
    """A client that sends none is refused; the document says so."""
    body = _operation(generated, _PATHS[0], "post")["requestBody"]
    assert body["required"] is True
    assert list(body["content"]) == ["application/json"]


@pytest.mark.parametrize("name", _SCHEMAS)
def test_a_schema_has_the_contract_s_fields(generated: dict[str, Any], name: str) -> None:
    """Names and needs, in both directions."""
    ours, contracts = _schema_of(generated, name), DOCUMENT["components"]["schemas"][name]
    assert ours["type"] == contracts["type"]
    assert set(ours["properties"]) - _OPTIONAL[name] == set(contracts["properties"])
    assert set(ours["required"]) == set(contracts["required"])


@pytest.mark.parametrize(("name", "field"), _FIELDS)
def test_a_field_has_the_contract_s_type_format_and_bounds(
    generated: dict[str, Any], name: str, field: str
) -> None:
    """A field that has no value is left out: no field may be null, nor be told to be."""
    ours = _schema_of(generated, name)["properties"][field]
    contracts = DOCUMENT["components"]["schemas"][name]["properties"][field]
    assert _bare(ours, generated) == _bare(contracts, DOCUMENT)


def test_unknown_fields_of_a_creation_are_told_to_be_refused(generated: dict[str, Any]) -> None:
    """They are answered with 400, so the document must not promise otherwise."""
    assert _schema_of(generated, "CreateReportJob")["additionalProperties"] is False


def test_the_bearer_scheme_is_declared_and_every_operation_asks_for_it(generated: dict[str, Any]) -> None:
    """A documentation page offers to enter a token, and a generated client sends one."""
    declared = generated["components"]["securitySchemes"]["bearer"]
    expected = DOCUMENT["components"]["securitySchemes"]["bearer"]
    assert {name: declared.get(name) for name in expected} == expected
    for path, method in _OPERATIONS:
        operation = _operation(generated, path, method)
        assert operation.get("security", generated.get("security")) == DOCUMENT["security"]


@pytest.mark.needs("fastapi")
def test_a_host_s_own_login_is_documented_as_the_host_does(serve_on: Serve) -> None:
    """Our bearer scheme must not stand there for a login that wants something else."""
    fastapi, security = importlib.import_module("fastapi"), importlib.import_module("fastapi.security")
    key = fastapi.Depends(security.APIKeyHeader(name="X-Key"))

    def current_caller(given: str = key) -> Caller:
        return Caller(org_id=given)

    login = fastapi.Depends(current_caller)
    client = serve_on("fastapi", jwt_key=None, jwt_algorithms=None, caller=login)
    document = client.app.openapi()  # type: ignore[attr-defined]
    assert list(document["components"]["securitySchemes"]) == ["APIKeyHeader"]
    for path, method in _OPERATIONS:
        assert _operation(document, path, method)["security"] == [{"APIKeyHeader": []}]


@pytest.mark.needs("fastapi")
def test_a_prefix_of_the_host_s_shows_in_the_paths(serve_on: Serve) -> None:
    """The document tells what is mounted."""
    client = serve_on("fastapi", prefix="/reports")
    assert set(client.app.openapi()["paths"]) == {"/reports", "/reports/{id}", "/reports/{id}/url"}  # type: ignore[attr-defined]


def _longest_wait(document: dict[str, Any]) -> int | None:
    refused = resolved(_operation(document, _PATHS[0], "post")["responses"]["429"], document)
    return refused["headers"]["Retry-After"]["schema"].get("maximum")  # type: ignore[no-any-return]


@pytest.mark.needs("fastapi")
def test_the_longest_wait_is_told_as_it_is_configured(serve_on: Serve) -> None:
    """A document that promises ten minutes must not be followed by an answer of an hour."""
    client = serve_on("fastapi", rate_limit=1, rate_window_s=3600)
    client.keeps_contract = False  # which knows the default alone
    document = client.app.openapi()  # type: ignore[attr-defined]
    assert _longest_wait(document) == 3600
    assert [client.post({}).status, client.post({}).status] == [400, 429]
    assert 600 < int(client.post({}).headers["retry-after"]) <= 3600
    assert "10" not in document["paths"][_PATHS[0]]["post"]["responses"]["429"]["description"]


def _longest_ids(document: dict[str, Any]) -> set[int]:
    taken = _operation(document, _PATHS[0], "post")["requestBody"]["content"]["application/json"]["schema"]
    answers = [
        resolved(_operation(document, path, method)["responses"][status], document)
        for path, method, status in ((_PATHS[0], "post", "202"), (_PATHS[1], "get", "200"))
    ]
    schemas = [taken, *(answer["content"]["application/json"]["schema"] for answer in answers)]
    return {resolved(schema, document)["properties"]["userId"]["maxLength"] for schema in schemas}


@pytest.mark.needs("fastapi")
@pytest.mark.parametrize("longest", [16, 255])
def test_how_long_a_user_s_id_may_be_is_told_as_it_is_configured(
    serve_on: Serve, monkeypatch: pytest.MonkeyPatch, capsys: Any, longest: int
) -> None:
    """A client that is generated from the document refuses what is longer."""
    document = serve_on("fastapi", user_id_max=longest).app.openapi()  # type: ignore[attr-defined]
    assert _longest_ids(document) == {longest}
    monkeypatch.setenv("SQR_JOBS_USER_ID_MAX", str(longest))
    assert cli.main(["openapi"]) == 0
    assert _longest_ids(json.loads(capsys.readouterr().out)) == {longest}


def test_the_published_document_tells_it_too(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """`sqr-jobs openapi` reads the settings."""
    monkeypatch.setenv("SQR_JOBS_RATE_WINDOW_S", "3600")
    assert cli.main(["openapi"]) == 0
    assert _longest_wait(json.loads(capsys.readouterr().out)) == 3600


@pytest.mark.needs("fastapi")
def test_where_the_host_chooses_quotas_no_longest_wait_is_told(serve_on: Serve) -> None:
    """Each organisation may have a window of its own, and they share the document."""

    def report_jobs() -> Any:
        return build_report_jobs(
            users=host.people, templates=[host.Report()], choose_rate_limit=lambda _caller: None
        )

    document = serve_on("fastapi", report_jobs).app.openapi()  # type: ignore[attr-defined]
    assert _longest_wait(document) is None


@pytest.mark.needs("fastapi")
def test_the_document_is_served_beside_the_host_s_own_routes(serve_on: Serve) -> None:
    """A host's page of documentation must not break by mounting us."""
    client = serve_on("fastapi")
    reply = client.request("GET", "/openapi.json")
    assert reply.status == 200
    assert set(_PATHS) <= set(reply.json()["paths"])
