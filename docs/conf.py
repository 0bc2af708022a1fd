"""The documentation as a site: `nox -s site`.

The pages are written for a plain code host: relative links, headings, code fences. What a site needs beyond
that is made of them here: the contents from the links of each `README.md`, captions from a fence's `title`.
"""

import re
from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

project = "sqr-jobs"
extensions = ["myst_parser"]
root_doc = "docs/README"
include_patterns = ["docs/*.md", "docs/**/*.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]
exclude_patterns = [".*", "**/.*", "build", "dist", "site", "sqr_jobs*", "tests", "docs/tutorial/*_app"]
suppress_warnings = ["myst.header"]  # the changelog's entries need no page of their own

myst_heading_anchors = 4

html_theme = "furo"
html_title = "sqr-jobs"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False

_FENCE = re.compile(r'^```(python|text) title="([^"]+)"$', re.MULTILINE)
_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
_PAGE_LINK = re.compile(r"\]\(([^)#:]+)\.md\)")
_HOME = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>sqr-jobs</title>
<meta http-equiv="refresh" content="0; url={page}"><a href="{page}">Documentation</a></html>
"""


def setup(app: Sphinx) -> None:
    """Teach Sphinx what our pages leave unsaid."""
    app.connect("source-read", _with_captions)
    app.connect("source-read", _with_contents)
    app.connect("build-finished", _with_home)
    for language in ("http", "log"):  # an exchange is two messages in a block; a log is just text
        app.add_lexer(language, TextLexer)


def _with_captions(_app: Sphinx, _page: str, source: list[str]) -> None:
    """Show the file that a block of code stands in."""
    source[0] = _FENCE.sub(r"```{code-block} \1\n:caption: \2\n", source[0])


def _with_contents(_app: Sphinx, page: str, source: list[str]) -> None:
    """Make the contents of what an index links to, a part per heading."""
    if not page.endswith("README"):
        return
    parts = ["", *_HEADING.split(source[0])]
    for heading, text in zip(parts[::2], parts[1::2], strict=True):
        caption = f":caption: {heading}\n" if heading else ""
        if pages := "\n".join(_PAGE_LINK.findall(text)):
            source[0] += f"\n```{{toctree}}\n:hidden:\n{caption}\n{pages}\n```\n"


def _with_home(app: Sphinx, _error: Exception | None) -> None:
    """Lead from the site's root to the index."""
    home = Path(app.outdir, "index.html")
    home.write_text(_HOME.format(page=f"{root_doc}.html"), encoding="utf-8")
