"""The jobs and their history."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from sqr_jobs.migrations.standing import begin

revision = "sqr_jobs_0001"
down_revision = None
branch_labels = ("sqr_jobs",)
depends_on = None

# Made by the database, so that a script of `--sql` gives each database an identity of its own.
_RANDOM = {"postgresql": "gen_random_uuid()", "sqlite": "lower(hex(randomblob(16)))"}
_TERMINAL_STAYS = """
CREATE FUNCTION sqr_jobs_terminal_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'job % is %, which never changes', OLD.job_id, OLD.state;
END $$
"""
_TERMINAL_STAYS_TRIGGER = """
CREATE TRIGGER sqr_jobs_terminal_stays BEFORE UPDATE OF state ON sqr_jobs_job FOR EACH ROW
WHEN (OLD.state IN ('COMPLETE', 'FAILED', 'CANCELLED') AND NEW.state IS DISTINCT FROM OLD.state)
EXECUTE FUNCTION sqr_jobs_terminal_stays()
"""
_TERMINAL_STAYS_SQLITE = """
CREATE TRIGGER sqr_jobs_terminal_stays BEFORE UPDATE OF state ON sqr_jobs_job FOR EACH ROW
WHEN OLD.state IN ('COMPLETE', 'FAILED', 'CANCELLED') AND NEW.state IS NOT OLD.state
BEGIN SELECT RAISE(ABORT, 'a terminal job never changes its state'); END
"""
_TERMINAL_STAYS_MYSQL = """
CREATE TRIGGER sqr_jobs_terminal_stays BEFORE UPDATE ON sqr_jobs_job FOR EACH ROW
IF OLD.state IN ('COMPLETE', 'FAILED', 'CANCELLED') AND NOT (NEW.state <=> OLD.state) THEN
  SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'a terminal job never changes its state';
END IF
"""
# MariaDB reads the first comment alone, MySQL the second: both collations compare bytes, blanks included.
_MYSQL: Any = {
    f"{name}_{option}": value
    for name in ("mysql", "mariadb")
    for option, value in (
        ("engine", "InnoDB"),
        ("row_format", "DYNAMIC"),
        ("charset", "utf8mb4"),
        ("collate", "/*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */"),
    )
}


def upgrade() -> None:
    begin()
    database = op.get_context().dialect.name
    op.create_table(
        "sqr_jobs_job",
        sa.Column("job_id", _id(36), nullable=False),
        sa.Column("service", _id(64), nullable=False),
        sa.Column("org_id", _id(255), nullable=False),
        sa.Column("user_id", _id(255), nullable=False),
        sa.Column("template", sa.String(64), nullable=False),
        sa.Column("template_version", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("crashes", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("accepted_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("available_at", sa.BigInteger, nullable=False),
        sa.Column("deadline_at", sa.BigInteger, nullable=False),
        sa.Column("lease_until", sa.BigInteger),
        sa.Column("lease_ms", sa.BigInteger),
        sa.Column("lease_token", sa.String(32)),
        sa.Column("completed_at", sa.BigInteger),
        sa.Column("error_code", sa.String(64)),
        sa.Column("duration_ms", sa.BigInteger),
        sa.Column("document_key", sa.String(255)),
        sa.Column("document_size", sa.BigInteger),
        sa.Column("document_sha256", sa.String(64)),
        sa.Column("document_expires_at", sa.BigInteger),
        sa.Column("document_lifetime_ms", sa.BigInteger, nullable=False),
        sa.Column("collect_at", sa.BigInteger),
        sa.Column(
            "active_slot",
            sa.Integer,
            sa.Computed("CASE WHEN state IN ('QUEUED', 'RUNNING', 'RETRY_WAIT') THEN 1 END", persisted=True),
        ),
        sa.PrimaryKeyConstraint("job_id", name=op.f("sqr_jobs_job_pkey")),
        sa.UniqueConstraint(
            "service", "org_id", "user_id", "active_slot", name=op.f("sqr_jobs_one_active_job")
        ),
        **_MYSQL,
    )
    op.create_index(op.f("sqr_jobs_job_accepted"), "sqr_jobs_job", ["service", "org_id", "accepted_at"])
    op.create_index(op.f("sqr_jobs_job_due"), "sqr_jobs_job", ["active_slot", "service", "available_at"])
    op.create_index(op.f("sqr_jobs_job_to_collect"), "sqr_jobs_job", ["collect_at"])
    op.create_index(op.f("sqr_jobs_job_ended"), "sqr_jobs_job", ["completed_at"])
    op.create_table(
        "sqr_jobs_idempotency",
        sa.Column("service", _id(64), nullable=False),
        sa.Column("org_id", _id(255), nullable=False),
        sa.Column("key_hash", _id(64), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("token", sa.String(32), nullable=False),
        sa.Column("job_id", _id(36)),
        sa.Column("lapses_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("service", "org_id", "key_hash", name=op.f("sqr_jobs_idempotency_pkey")),
        _of_job("sqr_jobs_idempotency_job_id_fkey"),
        **_MYSQL,
    )
    op.create_index(op.f("sqr_jobs_idempotency_lapsed"), "sqr_jobs_idempotency", ["lapses_at"])
    op.create_index(op.f("sqr_jobs_idempotency_of_job"), "sqr_jobs_idempotency", ["job_id"])
    op.create_table(
        "sqr_jobs_audit",
        sa.Column(
            "audit_id",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("job_id", _id(36), nullable=False),
        sa.Column("from_state", sa.String(16)),
        sa.Column("to_state", sa.String(16), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("lease_token", sa.String(32)),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("why", sa.String(32), nullable=False),
        sa.Column("error_code", sa.String(64)),
        sa.Column("cause", sa.Text),
        sa.Column("worker", sa.String(255)),
        sa.PrimaryKeyConstraint("audit_id", name=op.f("sqr_jobs_audit_pkey")),
        _of_job("sqr_jobs_audit_job_id_fkey"),
        **_MYSQL,
    )
    op.create_index(op.f("sqr_jobs_audit_of_job"), "sqr_jobs_audit", ["job_id"])
    if database == "postgresql":
        op.execute(_TERMINAL_STAYS)
        op.execute(_TERMINAL_STAYS_TRIGGER)
    elif database == "sqlite":
        op.execute(_TERMINAL_STAYS_SQLITE)
    else:
        _guard_on_mysql()
    identity = op.create_table(
        "sqr_jobs_identity",
        sa.Column("identity", sa.String(36), nullable=False),
        sa.Column("revision", sa.String(32), nullable=False),
        sa.Column("serves_from", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("identity", name=op.f("sqr_jobs_identity_pkey")),
        **_MYSQL,
    )
    # The last step: where each statement commits, the row says that all the others came through.
    here = op.inline_literal(revision)
    row = {"identity": sa.text(_RANDOM.get(database, "uuid()")), "revision": here, "serves_from": here}
    op.execute(sa.insert(identity).values(row).inline())


def downgrade() -> None:
    # Repeatable, and the row goes last: see `upgrade`.
    is_mysql = op.get_context().dialect.name in ("mysql", "mariadb")
    for table in ("audit", "idempotency", *(["org_lock"] if is_mysql else []), "job", "identity"):
        op.drop_table(f"sqr_jobs_{table}", if_exists=True)
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION IF EXISTS sqr_jobs_terminal_stays()")


def _guard_on_mysql() -> None:
    op.create_table(
        "sqr_jobs_org_lock",
        sa.Column("service", sa.String(64), nullable=False),
        sa.Column("org_id", sa.String(255), nullable=False),
        sa.Column("taken", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("service", "org_id", name=op.f("sqr_jobs_org_lock_pkey")),
        if_not_exists=True,
        **_MYSQL,
    )
    if not op.get_context().as_sql:
        op.execute(_TERMINAL_STAYS_MYSQL)
        return
    script = op.get_context().impl  # in which the client would end the statement at its first semicolon
    script.static_output("DELIMITER //")
    script.static_output(f"{_TERMINAL_STAYS_MYSQL.strip()} //")
    script.static_output("DELIMITER ;")


def _id(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def _of_job(name: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["job_id"], ["sqr_jobs_job.job_id"], name=op.f(name), ondelete="CASCADE")
