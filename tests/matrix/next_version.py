"""A later version of the library: this one's code, with tables that it has expanded and writes.

It does what a minor version may (docs/decisions/0011-expand-then-contract.md): a revision that adds nullable
columns and an index, and code that fills them. Programs that are started from its folder run it.
"""

import shutil
from pathlib import Path

from sqlalchemy import text

from sqr_jobs.adapters.sql import Database
from tests.acceptance.program import ROOT

__all__ = ["VERSION", "crossed", "make"]

VERSION = "0.2.0"
_PACKAGES = ("sqr_jobs", "sqr_jobs_fastapi", "sqr_jobs_flask")
_COLUMNS = """
from sqlalchemy import Index as _Index

job.append_column(Column("made_by", String(16), default="next"))
job.append_column(Column("changed_by", String(16), onupdate="next"))
audit.append_column(Column("told_by", String(16), default="next"))
_Index("sqr_jobs_job_made_by", job.c.made_by)
"""
_REVISION = '''"""Who made a job, who changed it."""

import sqlalchemy as sa
from alembic import op

from sqr_jobs.migrations.standing import move_on

revision = "sqr_jobs_0002"
down_revision = "sqr_jobs_0001"
branch_labels = None
depends_on = None
_NEW = (("sqr_jobs_job", "made_by"), ("sqr_jobs_job", "changed_by"), ("sqr_jobs_audit", "told_by"))


def upgrade() -> None:
    for table, name in _NEW:
        op.add_column(table, sa.Column(name, sa.String(16)))
    op.create_index("sqr_jobs_job_made_by", "sqr_jobs_job", ["made_by"])
    move_on(after="sqr_jobs_0001", to="sqr_jobs_0002", serves_from="sqr_jobs_0001")


def downgrade() -> None:
    op.drop_index("sqr_jobs_job_made_by", "sqr_jobs_job")
    for table, name in _NEW:
        op.drop_column(table, name)
    move_on(after="sqr_jobs_0002", to="sqr_jobs_0001", serves_from="sqr_jobs_0001")
'''
_CROSSED = """
SELECT count(*) FROM sqr_jobs_job AS job JOIN sqr_jobs_audit AS audit USING (job_id)
WHERE job.org_id = :org AND audit.why = 'complete' AND job.made_by IS DISTINCT FROM audit.told_by
"""


def make(folder: Path) -> Path:
    """Make a tree to start programs from: the later version's packages, and these very tests."""
    for package in _PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    tables = folder / "sqr_jobs" / "adapters" / "sql" / "tables.py"
    tables.write_text(tables.read_text(encoding="utf-8") + _COLUMNS, encoding="utf-8")
    revision = folder / "sqr_jobs" / "migrations" / "versions" / "sqr_jobs_0002_next.py"
    revision.write_text(_REVISION, encoding="utf-8")
    told = folder / f"sqr_jobs-{VERSION}.dist-info"
    told.mkdir()
    described = f"Metadata-Version: 2.1\nName: sqr-jobs\nVersion: {VERSION}\n"
    (told / "METADATA").write_text(described, encoding="utf-8")
    (folder / "tests").symlink_to(ROOT / "tests")
    return folder


def crossed(database: Database, org: str) -> int:
    """Count the jobs that one version made and the other one completed."""
    with database.read() as connection:
        return int(connection.scalar(text(_CROSSED), {"org": org}) or 0)
