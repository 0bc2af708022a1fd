"""Templates and the catalog of them."""

import types
from typing import Any

import pytest
from pydantic import BaseModel

from sqr_jobs import Caller, ConfigurationError, Template, TemplateRef, User
from sqr_jobs.documents.template import Catalog

CALLER = Caller(org_id="acme")
JO = User(user_id="U1", given_name="Jo", family_name="Bloggs")


class Bill(BaseModel):
    """Some data."""


class _Whole(Template[Bill], name="whole", version="v0"):
    """Has all that a template needs."""

    def load(self, request: object) -> Bill:
        return Bill()

    def flowables(self, data: Bill) -> Any:
        yield from ()


class First(_Whole, name="bill", version="v1"):
    """The first version."""


class Second(_Whole, name="bill", version="v2"):
    """The second one."""


class Named(_Whole, name="named", version="v1"):
    """Names its files itself, without care."""

    def filename(self, user: User, job_id: str) -> str:
        return f"../{user.family_name}\r\n.exe"


FIRST, SECOND = TemplateRef(name="bill", version="v1"), TemplateRef(name="bill", version="v2")


def test_a_template_knows_its_name_its_version_and_its_data() -> None:
    """The row fixes the first two; the third is what `load` is held to."""
    assert (First.name, First.version, First.language) == ("bill", "v1", "en")
    assert First.data_model is Bill


def test_a_template_finds_its_data_behind_a_base_of_the_hosts_own() -> None:
    """Hosts put what their reports share into a base class."""

    class German(First, name="rechnung", version="v1", language="de"):
        pass

    assert (German.data_model, German.language, First.language) == (Bill, "de", "en")


@pytest.mark.parametrize(
    ("name", "version", "word"),
    [("", "v1", "name"), ("x" * 65, "v1", "name"), ("a\n", "v1", "name"), ("a", "", "version"),
     ("a", "x" * 33, "version"), ("a", "\ud800", "version")],
)  # fmt: skip
def test_a_name_or_version_that_the_row_cannot_hold_is_refused(name: str, version: str, word: str) -> None:
    """At the class, not at the first job."""
    with pytest.raises(ConfigurationError, match=f"a template's {word} has 1 to"):
        type("Bad", (_Whole,), {}, name=name, version=version)


@pytest.mark.parametrize("bases", [(Template,), (Template[dict],), (Template[int],)], ids=repr)
def test_a_template_that_does_not_say_what_its_data_is_is_refused(bases: tuple[Any, ...]) -> None:
    """The sentence shows how to write it."""
    with pytest.raises(ConfigurationError, match=r"Derive it from Template\[YourModel\]"):
        types.new_class("Bad", bases, {"name": "bad", "version": "v1"})


def test_a_template_without_a_version_is_refused_by_python_itself() -> None:
    """A type checker says it before."""
    with pytest.raises(TypeError):
        type("Bad", (_Whole,), {}, name="bad")


def test_a_template_that_lacks_a_method_cannot_be_made() -> None:
    """At the start of the service."""

    class Half(Template[Bill], name="half", version="v1"):
        pass

    with pytest.raises(TypeError, match="abstract"):
        Half()


def test_a_catalog_finds_templates_by_name_and_version() -> None:
    """A job of last week's version is made with that version, while it is registered."""
    first, second = First(), Second()
    catalog = Catalog([first, second])
    assert catalog.get(FIRST) is first
    assert catalog.get(SECOND) is second
    assert catalog.get(TemplateRef(name="bill", version="v3")) is None
    assert list(catalog.refs()) == [FIRST, SECOND]


class _Taking(_Whole, name="taking", version="v1"):
    """Forgets what it is given."""

    def load(self) -> Bill:  # type: ignore[override]
        return Bill()


class _Asynchronous(_Whole, name="asynchronous", version="v1"):
    """Hopes that somebody awaits."""

    async def load(self, request: object) -> Bill:  # type: ignore[override]
        return Bill()


class _Streaming(_Whole, name="streaming", version="v1"):
    """Hopes so too."""

    async def flowables(self, data: Bill) -> Any:
        yield None


class _Shadowed(_Whole, name="shadowed", version="v1"):
    """Has data where a method should be."""

    flowables = ()  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("templates", "words"),
    [
        ([First], r"got the class First\. Pass an instance: First\("),
        ([First(), Second], r"got the class Second\. Pass an instance"),
        (["bill"], "got str, which is no sqr_jobs.Template"),
        ([Bill()], "got Bill, which is no sqr_jobs.Template"),
        ([Bill], "got Bill, which is no sqr_jobs.Template"),
        (First(), r"needs a list: templates=\["),
        ([_Taking()], r"_Taking\.load takes other parameters than \(request\)"),
        ([_Asynchronous()], r"_Asynchronous\.load is async"),
        ([_Streaming()], r"_Streaming\.flowables is async"),
        ([_Shadowed()], r"_Shadowed\.flowables is no method"),
    ],
)
def test_what_is_no_template_is_refused_before_a_job_meets_it(templates: Any, words: str) -> None:
    """Each job would fail five times, and blame the data."""
    with pytest.raises(ConfigurationError, match=words):
        Catalog(templates)


def test_an_empty_catalog_is_refused() -> None:
    """A service without a template can accept nothing."""
    with pytest.raises(ConfigurationError, match="No template is registered"):
        Catalog([])


def test_two_templates_of_one_name_and_version_are_refused() -> None:
    """One of them would never be used, and nobody would know which."""
    with pytest.raises(ConfigurationError, match="Two templates are called bill v1"):
        Catalog([First(), Second(), First()])


def test_the_last_registered_template_is_chosen_unless_the_host_chooses() -> None:
    """A deployment adds the new version at the end."""
    assert Catalog([First(), Second()]).choose(CALLER, JO) == SECOND
    assert Catalog([First(), Second()], lambda caller, user: First).choose(CALLER, JO) == FIRST
    first = First()
    assert Catalog([first, Second()], lambda caller, user: first).choose(CALLER, JO) == FIRST


def test_the_host_chooses_by_caller_and_user() -> None:
    """Each org may have its own template."""
    asked: list[object] = []
    Catalog([First()], lambda *who: asked.extend(who) or First).choose(CALLER, JO)
    assert asked == [CALLER, JO]


def test_a_choice_that_is_not_registered_is_told() -> None:
    """No worker would know it: the job would wait for its deadline."""
    with pytest.raises(ConfigurationError, match="choose_template chose bill v2"):
        Catalog([First()], lambda caller, user: Second).choose(CALLER, JO)


def test_a_files_name_is_made_safe_whatever_the_template_says() -> None:
    """The hook is the host's, the header is ours."""
    catalog = Catalog([Named()])
    name = catalog.filename(TemplateRef(name="named", version="v1"), JO, "job")
    assert name == "Bloggs-.exe.pdf"


def test_a_document_whose_template_is_gone_keeps_a_name() -> None:
    """Its download outlives the deployment that removed the template."""
    assert Catalog([First()]).filename(SECOND, JO, "job").startswith("SQR_J_Bloggs_")
