"""Where and how a host may mount the service."""

import functools
import importlib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from sqr_jobs import ConfigurationError, ReportJobs
from sqr_jobs.adapters.embedded_worker import NoWorker
from sqr_jobs.wiring import system_of
from tests.host import reports as host
from tests.host.tokens import bearer
from tests.http.clients import Client, Reply
from tests.http.conftest import Serve


class _Host:
    """Keeps its factory in a class."""

    def report_jobs(self) -> ReportJobs:
        return host.report_jobs()


def _closure() -> Any:
    def report_jobs() -> ReportJobs:
        return host.report_jobs()

    return report_jobs


def _of_main() -> Any:
    made = _closure()
    made.__module__, made.__qualname__ = "__main__", "report_jobs"
    return made


_NOT_IMPORTABLE = {
    "a lambda": lambda: lambda *_: host.report_jobs(),
    "a closure": _closure,
    "a partial": lambda: functools.partial(host.report_jobs),
    "a method of an object": lambda: _Host().report_jobs,
}


def _mount(framework: str, factory: Any, caller: Any = None) -> Any:
    if framework == "flask":
        return importlib.import_module("sqr_jobs_flask").create_blueprint(factory, caller=caller)
    return importlib.import_module("sqr_jobs_fastapi").create_router(factory, caller=caller)


def test_a_mount_without_any_login_is_refused(framework: str, configure: Any) -> None:
    """An open door must not be what one gets by forgetting a setting."""
    configure(jwt_key=None, jwt_algorithms=None)
    with pytest.raises(ConfigurationError, match=r"SQR_JOBS_JWT_KEY.*caller="):
        _mount(framework, host.report_jobs)


@pytest.mark.parametrize("name", _NOT_IMPORTABLE)
def test_a_factory_that_no_other_process_can_import_is_refused(
    framework: str, configure: Any, name: str
) -> None:
    """The render child must build it too; that it can't shows at the mount, not at the first job."""
    configure(render="child")
    with pytest.raises(ConfigurationError, match=r"can't be imported by another process\. Make it a plain"):
        _mount(framework, _NOT_IMPORTABLE[name]())


def test_a_factory_of_the_started_program_is_refused(framework: str, configure: Any) -> None:
    """The child would run the whole program again."""
    configure(render="child")
    with pytest.raises(ConfigurationError, match=r"report_jobs is defined in the program.*myapp/reports\.py"):
        _mount(framework, _of_main())


@pytest.mark.parametrize("name", _NOT_IMPORTABLE)
def test_where_nothing_is_rendered_any_factory_serves(framework: str, configure: Any, name: str) -> None:
    """Inline, or with workers elsewhere, this process starts no child."""
    configure(render="inline")
    assert _mount(framework, _NOT_IMPORTABLE[name]())


def test_a_named_factory_makes_up_for_one_that_cannot_be_imported(framework: str, configure: Any) -> None:
    """SQR_JOBS_FACTORY says what the child is to build."""
    configure(render="child", factory=host.FACTORY)
    assert _mount(framework, host.report_jobs())
    assert _mount(framework, _closure())


def test_a_built_service_without_a_named_factory_is_refused_where_a_child_is_needed(
    framework: str, configure: Any
) -> None:
    """Nothing says how the child could build it."""
    configure(render="child")
    with pytest.raises(ConfigurationError, match="SQR_JOBS_FACTORY"):
        _mount(framework, host.report_jobs())


@pytest.mark.parametrize("returned", [None, "text", 7, {}])
def test_a_factory_that_returns_something_else_is_refused(
    framework: str, configure: Any, returned: object
) -> None:
    """Usually a forgotten `return`."""
    configure()
    with pytest.raises(ConfigurationError, match=rf"returned {type(returned).__name__}\..*build_report_jobs"):
        _mount(framework, lambda: returned)


@pytest.mark.parametrize("prefix", ["/reports", "/a/b/c/d", "/u", "/url", "/a", "/files"])
def test_a_host_may_choose_the_prefix(serve: Serve, prefix: str) -> None:
    """Every address that we tell lies below it, even where a path holds it twice."""
    client = serve(prefix=prefix)
    client.reports._new_id = lambda: "abad1dea-0000-4000-8000-000000000001"  # begins as a prefix does
    created = client.post({"userId": "U-1"})
    job_id = created.json()["jobId"]
    assert created.headers["location"] == f"{prefix}/{job_id}"
    assert client.work(job_id)
    url = client.url(job_id).json()["url"]
    assert url.startswith(f"http://reports.example{prefix}/files/document?")
    assert client.follow(url).status == 200
    if prefix != "/files":
        assert client.request("POST", "/v1/document/api", headers=bearer(), json={}).status == 404


@pytest.mark.parametrize(
    ("prefix", "quoted"),
    [
        ("/отчёты", "/%D0%BE%D1%82%D1%87%D1%91%D1%82%D1%8B"),
        ("/berichte/für", "/berichte/f%C3%BCr"),
        ("/a b", "/a%20b"),
        ("/50%", "/50%25"),
    ],
)
@pytest.mark.parametrize("root", ["", "/größe"])
def test_addresses_below_a_prefix_of_any_characters_are_quoted(
    serve: Serve, prefix: str, quoted: str, root: str
) -> None:
    """A header is ASCII: the answer to a stored job must neither break on it nor lead astray."""
    client = serve(prefix=prefix, root=root)
    client.path = base = root.replace("ö", "%C3%B6").replace("ß", "%C3%9F") + quoted
    created = client.post({"userId": "U-1"})
    assert created.status == 202
    job_id = created.json()["jobId"]
    assert created.headers["location"] == f"{base}/{job_id}"
    again = client.post({"userId": "U-1"})
    assert (again.status, again.headers["location"]) == (409, created.headers["location"])
    assert again.json()["instance"] == base
    assert client.request("GET", created.headers["location"], headers=bearer()).status == 200
    assert client.work(job_id)
    url = client.url(job_id).json()["url"]
    assert url.startswith(f"http://reports.example{base}/files/document?")
    assert client.follow(url).status == 200


@pytest.mark.parametrize(
    ("public", "root"),
    [
        ("https://api.example.com/outer", ""),
        ("https://api.example.com/outer/", ""),
        ("https://api.example.com/outer", "/inner"),
        ("https://api.example.com", "/inner"),
        ("https://api.example.com/gr\u00f6\u00dfe", ""),
        ("https://api.example.com/gr%C3%B6%C3%9Fe", "/inner"),
    ],
    ids=["taken away", "with a slash", "exchanged", "put before", "quoted", "quoted before"],
)
def test_behind_a_proxy_that_changes_the_path_every_address_is_the_public_one(
    serve: Serve, public: str, root: str
) -> None:
    """A client asks the proxy: what the service was asked for is an address that leads nowhere."""
    client = serve(public_url=public, root=root, prefix="/f\u00fcr")
    outer = urlsplit(public).path.rstrip("/").replace("\u00f6", "%C3%B6").replace("\u00df", "%C3%9F")
    client.path = root + "/f%C3%BCr"

    def through_the_proxy(path: str, method: str = "GET", body: Any = None) -> Reply:
        assert path.startswith(f"{outer}/")
        return client.request(method, root + path.removeprefix(outer), headers=bearer(), json=body)

    created = through_the_proxy(f"{outer}/f%C3%BCr", "POST", {"userId": "U-1"})
    job_id = created.json()["jobId"]
    assert created.headers["location"] == f"{outer}/f%C3%BCr/{job_id}"
    again = through_the_proxy(f"{outer}/f%C3%BCr", "POST", {"userId": "U-1"})
    assert (again.status, again.headers["location"]) == (409, created.headers["location"])
    assert again.json()["instance"] == f"{outer}/f%C3%BCr"
    assert through_the_proxy(created.headers["location"]).status == 200
    early = through_the_proxy(f"{created.headers['location']}/url")
    assert early.json()["instance"] == f"{created.headers['location']}/url"
    client.work(job_id)
    url = urlsplit(through_the_proxy(f"{created.headers['location']}/url").json()["url"])
    assert (url.scheme, url.netloc, url.path) == (
        "https",
        "api.example.com",
        f"{outer}/f%C3%BCr/files/document",
    )
    link = f"{root}{url.path.removeprefix(outer)}?{url.query}"
    assert client.follow(f"http://reports.example{link}").status == 200


@pytest.mark.needs("flask")
def test_a_trailing_slash_that_the_host_routes_leads_nowhere_else(serve_on: Serve) -> None:
    """`strict_slashes=False` lets both paths in; addresses are made of the mount and not of the path."""
    client = serve_on("flask")
    for rule in client.app.url_map.iter_rules():  # type: ignore[attr-defined]
        rule.strict_slashes = False
    client.app.url_map.update()  # type: ignore[attr-defined]
    created = client.request("POST", f"{client.path}/", headers=bearer(), json={"userId": "U-1"})
    assert created.headers["location"] == f"{client.path}/{created.json()['jobId']}"
    client.work(created.json()["jobId"])
    url = client.request("GET", f"{created.headers['location']}/url/", headers=bearer()).json()["url"]
    assert client.follow(url).status == 200


@pytest.mark.parametrize("prefix", ["reports", "/reports/", "/", ""])
def test_a_prefix_that_cannot_be_mounted_is_refused(framework: str, configure: Any, prefix: str) -> None:
    """What the framework would only stumble over later is said at once."""
    configure(prefix=prefix)
    if prefix:  # an empty variable counts as none
        with pytest.raises(ConfigurationError, match="SQR_JOBS_PREFIX"):
            _mount(framework, host.report_jobs)


@pytest.mark.parametrize("root", ["/app", "/outer/inner", "/v1/document/api"])
def test_below_a_root_path_every_address_is_right(serve: Serve, root: str) -> None:
    """Behind a proxy, or mounted in a larger application: Location, link and instance lead back to us."""
    client = serve(root=root)
    created = client.post({"userId": "U-1"})
    job_id = created.json()["jobId"]
    assert created.headers["location"] == f"{root}/v1/document/api/{job_id}"
    assert client.request("GET", created.headers["location"], headers=bearer()).status == 200
    again = client.post({"userId": "U-1"})
    assert again.headers["location"] == created.headers["location"]
    assert again.json()["instance"] == f"{root}/v1/document/api"
    client.work(job_id)
    url = client.url(job_id).json()["url"]
    assert url.startswith(f"http://reports.example{root}/v1/document/api/files/document?")
    assert client.follow(url).status == 200


def test_below_another_router_every_address_is_right(framework: str, configure: Any) -> None:
    """A host that groups its routes under a version or a tenant mounts us there too."""
    configure()
    reports = host.report_jobs()
    reports.parts.worker = NoWorker()  # type: ignore[misc]
    client = _nested(framework, reports, "/tenant")
    created = client.post({"userId": "U-1"})
    job_id = created.json()["jobId"]
    assert created.headers["location"] == f"/tenant/v1/document/api/{job_id}"
    client.work(job_id)
    assert client.follow(client.url(job_id).json()["url"]).status == 200
    system_of(reports).database.close()


def test_several_services_live_in_one_process(serve: Serve, tmp_path: Path) -> None:
    """Nothing is global: jobs, limits and links of one are unknown to the other."""
    one = serve()
    two = serve(data_dir=tmp_path / "two", rate_limit=2)
    job_id = one.complete()
    assert two.status(job_id).code == "JOB_NOT_FOUND"
    assert two.post({"userId": "U-1"}).headers["ratelimit-policy"] == '"org";q=2;w=600'
    assert two.post({}).status == 400
    assert two.post({}).status == 429
    assert one.post({"userId": "U-2"}).status == 202
    assert two.follow(one.url(job_id).json()["url"]).status == 403


def test_several_services_live_in_one_application(framework: str, configure: Any, tmp_path: Path) -> None:
    """For example one per product, under a prefix each."""
    made = []
    for name in ("one", "two"):
        configure(prefix=f"/{name}", data_dir=tmp_path / name)
        made.append(host.report_jobs())
        made[-1].parts.worker = NoWorker()  # type: ignore[misc]
    one, two = _together(framework, made)
    job_id = one.create()
    assert one.status(job_id).status == 200
    assert two.status(job_id).code == "JOB_NOT_FOUND"
    assert two.create() != job_id
    for reports in made:
        system_of(reports).database.close()


def _nested(framework: str, reports: ReportJobs, outer: str) -> Client:
    application = importlib.import_module(f"tests.http.{framework}_host")
    return application.nested(reports, outer)  # type: ignore[no-any-return]


def _together(framework: str, made: list[ReportJobs]) -> list[Client]:
    application = importlib.import_module(f"tests.http.{framework}_host")
    return application.together(made)  # type: ignore[no-any-return]
