"""A host's own Alembic keeps the tables: as a branch of its history, recorded in its version table."""

import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import alembic
import pytest
from sqlalchemy import URL, Engine, create_engine

from sqr_jobs import migrations
from sqr_jobs.adapters.sql import Database
from sqr_jobs.domain.states import JobState
from sqr_jobs.errors import ConfigurationError
from tests.contracts.host_alembic import HostAlembic
from tests.contracts.job_store import JobStore
from tests.contracts.schemas import objects, ours

HEAD = migrations.head()
NOTHING_TO_DO = "No new upgrade operations detected."

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what does not depend on the database."""


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Give the host's engine."""
    made = create_engine(database_url)
    yield made
    made.dispose()


@pytest.fixture
def host(database_url: str, tmp_path: Path) -> HostAlembic:
    """Give a host's project on an empty database of each kind."""
    return HostAlembic(tmp_path, database_url)


def test_one_command_makes_the_hosts_tables_and_ours(host: HostAlembic, engine: Engine) -> None:
    """And the next autogenerate leaves them alone, with the host's foreign key to a job among them."""
    told = host("upgrade heads", "check", "current")
    assert NOTHING_TO_DO in told
    assert f"{HEAD} (effective head)" in told
    assert migrations.current(engine) == HEAD
    assert JobStore(Database(engine, is_host_engine=True)).create().state is JobState.QUEUED


@on_sqlite
def test_without_the_filter_the_hosts_autogenerate_would_drop_our_tables(host: HostAlembic) -> None:
    """What the how-to saves its reader from."""
    host.change("migrations/env.py", "include_name=include_name,", "")
    host("upgrade heads")
    told = host.refused("check")
    assert "remove_table" in told
    assert "sqr_jobs_job" in told


@on_sqlite
def test_our_revision_leaves_the_hosts_version_table_when_one_of_the_hosts_depends_on_it(
    host: HostAlembic, engine: Engine
) -> None:
    """Which is why the tables say of themselves where they stand."""
    host("upgrade sqr_jobs@head")
    assert host.recorded() == {HEAD}
    host("upgrade heads")
    assert host.recorded() == {"shop_0002"}
    assert migrations.current(engine) == HEAD


def test_the_hosts_alembic_makes_the_same_tables_as_our_own(host: HostAlembic, engine: Engine) -> None:
    """To the name of each key, although the host has a convention for names."""
    migrations.upgrade(engine)
    expected = ours(engine)
    migrations.downgrade(engine, "base")
    host.change("models.py", "(DeclarativeBase):\n", f"(DeclarativeBase):\n    metadata = {_ODD_NAMES}\n")
    host("upgrade sqr_jobs@head")
    assert ours(engine) == expected


_ODD_NAMES = """__import__("sqlalchemy").MetaData(naming_convention={
    "ix": "odd_%(table_name)s_%(constraint_name)s", "uq": "odd_%(table_name)s_%(constraint_name)s",
    "pk": "odd_%(table_name)s", "fk": "odd_%(table_name)s_%(column_0_name)s",
})"""


def test_the_hosts_alembic_takes_our_tables_back(host: HostAlembic, engine: Engine) -> None:
    """With the host's revisions that depend on them, and no others."""
    host("upgrade shop_0001")
    before = objects(engine)
    host("upgrade heads", "downgrade sqr_jobs@base")
    assert objects(engine) == before
    assert migrations.current(engine) is None


def test_a_script_made_offline_makes_the_same_tables(
    host: HostAlembic, engine: Engine, database_url: str
) -> None:
    """Where only a database administrator may change the schema: `alembic upgrade heads --sql`."""
    migrations.upgrade(engine)
    expected = ours(engine)
    migrations.downgrade(engine, "base")
    script = host("upgrade sqr_jobs@head --sql")
    assert not re.search("INTO sqr_jobs_identity.*RETURNING", script)
    if engine.dialect.name == "sqlite":
        connection = sqlite3.connect(database_url.removeprefix("sqlite:///"))
        connection.executescript(script)
        connection.close()
    elif engine.dialect.name == "mysql":
        _by_client(engine.url, script)
    else:
        with engine.connect() as connection:
            connection.connection.cursor().execute(script)
    assert ours(engine) == expected
    assert host.recorded() == {HEAD}
    assert len(JobStore(Database(engine, is_host_engine=True)).upkeep.database_identity()) >= 32


def _by_client(url: URL, script: str) -> None:
    """Have MariaDB's client read it, as an administrator does: it knows DELIMITER, a driver does not."""
    place = [f"--host={url.host}", f"--port={url.port}", f"--user={url.username}"]
    subprocess.run(
        ["mariadb", "--no-defaults", *place, f"--password={url.password}", str(url.database)],
        input=script,
        text=True,
        check=True,
        timeout=60,
    )


def test_our_own_command_leaves_the_tables_to_the_alembic_that_keeps_them(
    host: HostAlembic, engine: Engine
) -> None:
    """And says what to run instead, and how to take them over."""
    host("upgrade sqr_jobs@head")
    before = objects(engine)
    with pytest.raises(ConfigurationError, match=r"Run: alembic upgrade heads\..*sqr-jobs db stamp"):
        migrations.upgrade(engine)
    with pytest.raises(ConfigurationError, match=r"Run: alembic downgrade sqr_jobs@base\."):
        migrations.downgrade(engine, "base")
    assert objects(engine) == before
    assert migrations.status(engine).told == f"at {HEAD}; kept by your own Alembic"


def test_the_hosts_alembic_does_not_make_tables_that_are_there(host: HostAlembic, engine: Engine) -> None:
    """A host that used `sqr-jobs db` and then adds the line reads how to go on."""
    migrations.upgrade(engine)
    before = ours(engine)
    assert f"alembic stamp {HEAD} && sqr-jobs db stamp base" in host.refused("upgrade heads")
    assert ours(engine) == before


def test_a_host_moves_the_tables_into_its_own_history_and_back(host: HostAlembic, engine: Engine) -> None:
    """With a job that lives through it."""
    migrations.upgrade(engine)
    job = JobStore(Database(engine, is_host_engine=True)).create()

    host("upgrade shop_0001", "stamp sqr_jobs@head")
    migrations.stamp(engine, "base")
    assert host.recorded() == {"shop_0001", HEAD}
    assert migrations.status(engine).is_kept_elsewhere
    assert NOTHING_TO_DO in host("upgrade heads", "check", "downgrade shop_0001", "stamp sqr_jobs@base")

    migrations.stamp(engine)
    assert host.recorded() == {"shop_0001"}
    assert not migrations.status(engine).is_kept_elsewhere
    migrations.upgrade(engine)
    host.change("alembic.ini", "    sqr_jobs:migrations/versions\n", "")
    host.change("migrations/versions/shop_0002_orders.py", f'"{HEAD}"', "None")
    assert NOTHING_TO_DO in host("upgrade heads", "check")
    assert JobStore(Database(engine, is_host_engine=True)).read(job.job_id).state is JobState.QUEUED


EXPANDED, CONTRACTED = "sqr_jobs_9001", "sqr_jobs_9002"
_LATER = '''"""A later version's revision."""

import sqlalchemy as sa
from alembic import op

from sqr_jobs.migrations.standing import move_on

revision = "{revision}"
down_revision = "{before}"


def upgrade():
    move_on(after=down_revision, to=revision, serves_from="{serves_from}")
    op.add_column("sqr_jobs_job", sa.Column("{revision}", sa.Text))


def downgrade():
    op.drop_column("sqr_jobs_job", "{revision}")
    move_on(after=revision, to=down_revision, serves_from="{served_before}")
'''


@pytest.fixture
def later_host(host: HostAlembic) -> HostAlembic:
    """Give the host with two later versions of the library: one that expands and one that contracts."""
    ours = "    sqr_jobs:migrations/versions\n"
    host.change("alembic.ini", ours, f"{ours}    %(here)s/later\n")
    for revision, before, serves_from, served_before in (
        (EXPANDED, HEAD, HEAD, HEAD),
        (CONTRACTED, EXPANDED, EXPANDED, HEAD),
    ):
        script = _LATER.format(
            revision=revision, before=before, serves_from=serves_from, served_before=served_before
        )
        host.add(f"later/{revision}.py", script)
    return host


def test_tables_that_a_later_version_expanded_serve_this_one_and_those_that_it_contracted_do_not(
    later_host: HostAlembic, engine: Engine
) -> None:
    """Neighbouring minor versions share a database; the way back says so too."""
    for command, revision, is_served in (
        (f"upgrade {EXPANDED}", EXPANDED, True),
        (f"upgrade {CONTRACTED}", CONTRACTED, False),
        (f"downgrade sqr_jobs@{HEAD}", HEAD, True),
    ):
        later_host(command)
        found = migrations.status(engine)
        assert (found.revision, found.is_newer, found.is_served) == (revision, revision != HEAD, is_served)


@on_sqlite
def test_no_step_is_taken_twice_when_two_alembics_believe_to_keep_the_tables(
    later_host: HostAlembic, engine: Engine
) -> None:
    """The second one reads what became of the tables, and changes nothing."""
    later_host(f"upgrade {EXPANDED}", f"stamp {HEAD}")
    before = objects(engine)
    told = later_host.refused(f"upgrade {EXPANDED}")
    assert f"are at {EXPANDED}, not at {HEAD}" in told
    assert f"alembic stamp {EXPANDED}" in told
    assert objects(engine) == before
    later_host(f"stamp {EXPANDED}", f"upgrade {EXPANDED}")


@on_sqlite
def test_later_revisions_work_offline_too(later_host: HostAlembic) -> None:
    """There is no database to ask then, so nothing is asked."""
    script = later_host(f"upgrade {HEAD}:{EXPANDED} --sql")
    assert f"SET revision='{EXPANDED}', serves_from='{HEAD}'" in script


@on_sqlite
def test_a_new_revision_of_the_hosts_goes_into_the_hosts_folder(host: HostAlembic) -> None:
    """With two branches Alembic must be told which one grows."""
    templates = Path(alembic.__file__).parent / "templates" / "generic"
    shutil.copy(templates / "script.py.mako", host.folder / "migrations")
    host("upgrade heads", "revision --autogenerate --head shop@head -m next --rev-id shop_0003")
    made = (host.folder / "migrations" / "versions" / "shop_0003_next.py").read_text(encoding="utf-8")
    assert "sqr_jobs" not in made
    assert "drop" not in made


@on_sqlite
def test_the_revisions_are_found_from_pyproject_toml_too(host: HostAlembic) -> None:
    """Alembic's other file."""
    (host.folder / "alembic.ini").unlink()
    host.add("pyproject.toml", _TOML)
    assert f"{HEAD} (sqr_jobs)" in host("heads")


_TOML = """
[tool.alembic]
script_location = "%(here)s/migrations"
prepend_sys_path = ["%(here)s"]
version_locations = ["%(here)s/migrations/versions", "sqr_jobs:migrations/versions"]
"""
