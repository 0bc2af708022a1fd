"""The built site stands alone: it loads nothing from elsewhere, and its own links arrive."""

import pytest

from tests.docs.pages import DOCS, Page
from tests.site.built import SITE, HtmlPage, addresses_in_script, is_foreign, loads_of_style

_PAGES = [HtmlPage.read(path) for path in sorted(SITE.rglob("*.html"))]

pages = pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.path.relative_to(SITE)))


def test_every_page_of_the_documentation_is_in_the_site() -> None:
    """A page that is not built is not read; nothing built at all is the same."""
    built = {page.path for page in _PAGES}
    written = [page.path.relative_to(DOCS.parent).with_suffix(".html") for page in Page.every()]
    assert [str(path) for path in written if SITE / path not in built] == []


def test_the_sites_root_leads_to_the_index() -> None:
    """Who types the address alone arrives."""
    assert list(HtmlPage.read(SITE / "index.html").links) == ["docs/README.html"]


def test_the_index_lists_every_page_beside_the_text() -> None:
    """From any page one gets to any other."""
    index = HtmlPage.read(SITE / "docs" / "README.html")
    listed = {index.target(str(link["href"])) for link in index.tree.select(".sidebar-tree a[href]")}
    written = {SITE / page.path.relative_to(DOCS.parent).with_suffix(".html") for page in Page.every()}
    assert written - {index.path} - listed == set()


def test_code_shows_the_file_it_stands_in() -> None:
    """A reader has to know where to write it."""
    tutorial = HtmlPage.read(SITE / "docs" / "tutorial" / "fastapi.html")
    captions = {caption.get_text() for caption in tutorial.tree.select(".code-block-caption .caption-text")}
    assert captions == {block.title for block in Page.read(DOCS / "tutorial" / "fastapi.md").blocks("python")}


@pages
def test_a_page_loads_nothing_from_elsewhere(page: HtmlPage) -> None:
    """A reader's address is nobody else's business, and the site works behind a wall."""
    assert [address for address in page.loads if is_foreign(address)] == []


@pages
def test_a_page_finds_what_it_loads(page: HtmlPage) -> None:
    """A style sheet that is not there is an ugly page."""
    own = [address for address in page.loads if not is_foreign(address) and ":" not in address]
    assert own
    assert [address for address in own if not page.target(address).is_file()] == []


@pages
def test_every_link_and_anchor_arrives(page: HtmlPage) -> None:
    """A link that leads nowhere is a promise broken."""
    known = {other.path: other.anchors for other in _PAGES}
    lost = []
    for link in page.links:
        if is_foreign(link):
            continue
        target, anchor = page.target(link), link.partition("#")[2]
        if not target.is_file() or (anchor and anchor not in known[target]):
            lost.append(link)
    assert lost == []


@pages
def test_no_markdown_is_left_over(page: HtmlPage) -> None:
    """What the site does not understand it prints."""
    assert "```" not in page.text
    assert "](" not in page.tree.get_text().replace("[](", "")


@pages
def test_a_page_can_be_read_aloud_and_on_a_phone(page: HtmlPage) -> None:
    """A title, and words for every picture."""
    assert page.tree.title is not None
    assert [str(image) for image in page.tree.find_all("img") if not image.get("alt")] == []


def test_style_sheets_load_nothing_from_elsewhere() -> None:
    """A web font is a request to somebody."""
    loaded = {path.name: list(loads_of_style(path.read_text("utf-8"))) for path in SITE.rglob("*.css")}
    assert loaded
    assert {name: found for name, found in loaded.items() if any(map(is_foreign, found))} == {}


def test_scripts_name_no_address_elsewhere() -> None:
    """A search that asks a server, a counter: none."""
    named = {path.name: addresses_in_script(path.read_text("utf-8")) for path in SITE.rglob("*.js")}
    assert named
    assert {name: found for name, found in named.items() if found} == {}


@pytest.mark.parametrize(
    "html",
    [
        '<script src="https://cdn.example/x.js"></script>',
        '<script>import("https://cdn.example/x.js")</script>',
        '<link rel="stylesheet" href="//fonts.example/css">',
        '<link rel="preconnect" href="https://fonts.example">',
        '<img src="a.png" srcset="a.png 1x, https://cdn.example/b.png 2x">',
        '<svg><image href="https://cdn.example/x.png"/></svg>',
        '<p style="background: url(https://cdn.example/x.png)">',
        '<style>@import "https://fonts.example/css";</style>',
        '<object data="https://cdn.example/x.svg"></object>',
        '<iframe src="https://video.example"></iframe>',
        '<meta http-equiv="refresh" content="0; url=https://elsewhere.example">',
        '<base href="https://elsewhere.example">',
    ],
)
def test_each_way_to_load_from_elsewhere_is_seen(html: str) -> None:
    """A check that sees nothing is green too."""
    page = HtmlPage(path=SITE / "sample.html", text=html)
    assert [address for address in page.loads if is_foreign(address)]
