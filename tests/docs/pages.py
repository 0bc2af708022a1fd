"""The pages under `docs`, with their code blocks, links and headings."""

import re
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["DOCS", "ROOT", "Block", "Page", "replace_blocks"]

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_FENCE = re.compile(
    r'^```(?P<language>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^```$', re.MULTILINE | re.DOTALL
)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced code block."""

    language: str
    title: str | None
    text: str
    line: int


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page of Markdown."""

    path: Path
    text: str = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> "Page":
        """Read a page."""
        return cls(path=path, text=path.read_text(encoding="utf-8"))

    @classmethod
    def every(cls) -> "list[Page]":
        """Read every page below `docs`."""
        return [cls.read(path) for path in sorted(DOCS.rglob("*.md"))]

    @property
    def name(self) -> str:
        """The path from the root."""
        return str(self.path.relative_to(ROOT))

    def blocks(self, *languages: str) -> list[Block]:
        """Find the code blocks of some languages, or all."""
        return [
            Block(
                language=found["language"],
                title=found["title"],
                text=found["text"],
                line=self.text.count("\n", 0, found.start()) + 1,
            )
            for found in _FENCE.finditer(self.text)
            if not languages or found["language"] in languages
        ]

    @property
    def prose(self) -> str:
        """The text without its code blocks."""
        return _FENCE.sub("", self.text)

    @property
    def links(self) -> list[str]:
        """The targets of its links."""
        return _LINK.findall(self.prose)

    @property
    def anchors(self) -> set[str]:
        """What can stand behind `#` in a link to this page."""
        headings = _HEADING.findall(self.prose)
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def replace_blocks(page: Page, language: str, texts: dict[str, str]) -> str:
    """Return the page's text with the blocks of these titles renewed."""

    def renewed(found: re.Match[str]) -> str:
        title = found["title"]
        if found["language"] != language or title not in texts:
            return found[0]
        return f'```{language} title="{title}"\n{texts[title]}```'

    return _FENCE.sub(renewed, page.text)
