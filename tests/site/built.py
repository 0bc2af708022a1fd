"""The files of the built site: what each page loads, links to and can be linked at."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup, Tag

__all__ = ["SITE", "HtmlPage", "addresses_in_script", "is_foreign", "loads_of_style"]

SITE = Path(__file__).parents[2] / "site"

_LOADING = (("src", None), ("srcset", None), ("data", "object"), ("poster", None), ("background", None))
_HARMLESS_RELATIONS = {"canonical", "alternate", "next", "prev", "index", "search", "author", "license"}
_REFERENCES_OF_DRAWINGS = ("href", "xlink:href")
_STYLE_LOAD = re.compile(r"""url\(\s*['"]?([^'")]+)['"]?\s*\)|@import\s+['"]([^'"]+)['"]""", re.IGNORECASE)
_STYLE_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_SCRIPT_ADDRESS = re.compile(r"""(['"`])((?:https?:)?//[a-z0-9][^'"`\s]*)\1""", re.IGNORECASE)
_NAMESPACES = "http://www.w3.org/"


@dataclass(frozen=True, kw_only=True)
class HtmlPage:
    """One page as it was built."""

    path: Path
    text: str

    @classmethod
    def read(cls, path: Path) -> "HtmlPage":
        """Read a page."""
        return cls(path=path, text=path.read_text(encoding="utf-8"))

    @cached_property
    def tree(self) -> BeautifulSoup:
        """The page, parsed."""
        return BeautifulSoup(self.text, "html.parser")

    @cached_property
    def anchors(self) -> set[str]:
        """What can stand behind `#` in a link to this page."""
        return {str(tag["id"]) for tag in self.tree.find_all(id=True)}

    @property
    def links(self) -> Iterator[str]:
        """Where a reader can go."""
        for tag in self.tree.find_all("a", href=True):
            yield str(tag["href"])

    @property
    def loads(self) -> Iterator[str]:
        """What a browser fetches by itself."""
        for tag in self.tree.find_all(True):
            yield from _loads_of(tag)

    def target(self, link: str) -> Path:
        """Find the file that a link of this page names."""
        path = unquote(urlsplit(link).path)
        return (self.path.parent / path).resolve() if path else self.path


def is_foreign(address: str) -> bool:
    """Say whether an address leads to another origin; data and blobs are no origin."""
    parts = urlsplit(address.strip())
    return bool(parts.netloc) or parts.scheme not in ("", "data", "blob")


def loads_of_style(style: str) -> Iterator[str]:
    """Find what a style sheet fetches."""
    for by_url, by_import in _STYLE_LOAD.findall(_STYLE_COMMENT.sub("", style)):
        yield by_url or by_import


def addresses_in_script(script: str) -> set[str]:
    """Find the addresses that a script could fetch: absolute ones that stand as whole strings."""
    found = {address for _, address in _SCRIPT_ADDRESS.findall(script)}
    return {address for address in found if not address.startswith(_NAMESPACES)}


def _loads_of(tag: Tag) -> Iterator[str]:
    for name, only_of in _LOADING:
        if tag.get(name) and only_of in (None, tag.name):
            addresses = str(tag[name]).split(",") if name == "srcset" else [str(tag[name])]
            yield from (address.split()[0] for address in addresses)
    match tag.name:
        case "link" if not set(tag.get_attribute_list("rel")) <= _HARMLESS_RELATIONS:
            yield str(tag["href"])
        case "base" | "use" | "image":
            yield from (str(tag[name]) for name in _REFERENCES_OF_DRAWINGS if tag.get(name))
        case "meta" if str(tag.get("http-equiv", "")).lower() == "refresh":
            yield str(tag["content"]).partition("url=")[2]
        case "style":
            yield from loads_of_style(tag.get_text())
        case "script" if not tag.get("src"):
            yield from addresses_in_script(tag.get_text())
    yield from loads_of_style(str(tag.get("style", "")))
