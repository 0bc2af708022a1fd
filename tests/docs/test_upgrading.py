"""The releases that upgrading.md names are the ones that there are, and neighbours share a database."""

import re
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from sqr_jobs import migrations
from tests.docs.pages import DOCS

_ROW = re.compile(r"^\| (\d+\.\d+) \| `(\w+)` \| `(\w+)` and later \|$", re.MULTILINE)


def _releases() -> list[tuple[str, str, str]]:
    return _ROW.findall((DOCS / "howto" / "upgrading.md").read_text(encoding="utf-8"))


def test_the_last_release_of_the_table_is_this_one(tmp_path: Path) -> None:
    """Whoever adds a revision or raises the version must say so to those who upgrade."""
    engine = create_engine(f"sqlite:///{tmp_path}/app.db")
    migrations.upgrade(engine)
    standing = migrations.status(engine)
    engine.dispose()
    minor = ".".join(version("sqr-jobs").split(".")[:2])
    assert _releases()[-1] == (minor, standing.revision, standing.serves_from)


def test_each_release_serves_the_one_before() -> None:
    """The promise of every rolling deployment."""
    config = Config()
    config.set_main_option("script_location", "sqr_jobs:migrations")
    history = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()][::-1]
    releases = _releases()
    for (before, revision, _), (after, _, serves_from) in pairwise(releases):
        assert history.index(serves_from) <= history.index(revision), f"{after} does not serve {before}"
