"""Where the tables stand: they say so themselves, in the row of `sqr_jobs_identity`.

Each revision's script writes that row, whoever runs it: `sqr-jobs db`, or a host's own Alembic by
`version_locations`. A host's version table could not be asked instead: its name and schema are the host's
choice, and our revision leaves it as soon as a revision of the host's depends on ours.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from alembic import op
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection, func, inspect, select, text, update

from sqr_jobs.adapters.sql.dialects import dialect_of
from sqr_jobs.adapters.sql.tables import identity, job, metadata

__all__ = ["VERSION_TABLE", "Standing", "begin", "move_on", "read_standing"]

VERSION_TABLE = "sqr_jobs_alembic_version"
"""Where `sqr-jobs db` records the revision; a host's own Alembic records it in a table of the host's."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where the tables stand, as this version of the library sees it."""

    revision: str | None
    """The tables' revision; None where there are none."""
    serves_from: str | None
    """The oldest revision whose library these tables still serve."""
    recorded: str | None
    """What `sqr-jobs db` recorded in its own version table; None where another Alembic keeps the tables."""
    needed: str
    """The revision that this version of the library needs."""
    obstacle: str | None = None
    """What keeps this user from creating the tables where there are none, and what to do about it."""
    known: AbstractSet[str] = field(repr=False)
    """Every revision that this version of the library knows."""

    @property
    def is_newer(self) -> bool:
        """Whether a later version of the library changed the tables."""
        return self.revision is not None and self.revision not in self.known

    @property
    def is_served(self) -> bool:
        """Whether this version works on these tables."""
        return self.revision == self.needed or (self.is_newer and self.serves_from in self.known)

    @property
    def is_kept_elsewhere(self) -> bool:
        """Whether another Alembic than `sqr-jobs db` made or changed the tables."""
        return self.revision != self.recorded

    @property
    def is_disputed(self) -> bool:
        """Whether it changed them although `sqr-jobs db` had recorded that it keeps them."""
        return self.is_kept_elsewhere and self.recorded is not None

    @property
    def told(self) -> str:
        """Where the tables stand, and what is special about it, for an operator."""
        return f"at {self.revision or 'nothing'}{self.notes}"

    @property
    def notes(self) -> str:
        """What is special: tables of a later version, or another Alembic that keeps them."""
        notes = ""
        if self.is_newer:
            served = "still" if self.is_served else "no longer"
            notes += f"; newer than this version of sqr-jobs, which it {served} serves"
        if self.is_disputed:
            notes += f"; {VERSION_TABLE} says {self.recorded}, so another Alembic changed them"
        elif self.is_kept_elsewhere:
            notes += "; kept by your own Alembic"
        return notes

    @property
    def fault(self) -> str | None:
        """What to do where this version can't work on these tables."""
        if self.is_served:
            return None
        if self.is_newer:
            return f"the database is {self.told}. Upgrade sqr-jobs here: pip install --upgrade sqr-jobs"
        if self.obstacle:
            return f"the database is {self.told}; {self.needed} is needed, and {self.obstacle}"
        is_host_s = self.is_kept_elsewhere and not self.is_disputed
        command = "alembic upgrade heads" if is_host_s else "sqr-jobs db upgrade"
        return f"the database is {self.told}; {self.needed} is needed. Run: {command}"

    def refusal(self, command: str) -> str | None:
        """Why `sqr-jobs db` must leave the tables alone, where it must, and what to run instead."""
        if not self.is_kept_elsewhere:
            return None
        return (
            f"The tables of sqr-jobs are {self.told}. Run: alembic {command}. To keep them "
            "with `sqr-jobs db` from here on, run: sqr-jobs db stamp"
        )


def read_standing(connection: Connection, *, needed: str, known: AbstractSet[str]) -> Standing:
    """Read the tables' own row, and what `sqr-jobs db` recorded."""
    revision, serves_from = _read(connection)
    own = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    obstacle = None if revision else dialect_of(connection.engine).creation_fault(connection)
    return Standing(
        revision=revision,
        obstacle=obstacle,
        serves_from=serves_from,
        recorded=own.get_current_revision(),
        needed=needed,
        known=known,
    )


def begin() -> None:
    """Refuse, in the first revision's script, to make tables that are there already."""
    if op.get_context().as_sql or not inspect(op.get_bind()).has_table(job.name):
        return
    revision, _ = _read(op.get_bind())
    if (
        revision is None
        and dialect_of(op.get_bind().engine).commits_each_step
        and _clear_remains(op.get_bind())
    ):
        return
    raise CommandError(
        f"The tables of sqr-jobs are here already, at {revision or 'no revision'}: `sqr-jobs db` or another "
        "Alembic made them. To keep them with this Alembic from here on, run: alembic stamp "
        f"{revision or 'sqr_jobs@head'} && sqr-jobs db stamp base"
    )


def move_on(*, after: str, to: str, serves_from: str) -> None:
    """Write, in a later revision's script, where the tables stand now; a downgrade is written likewise.

    `serves_from` is the oldest revision whose library still works: a revision that only expands repeats
    it, one that contracts names a newer one (docs/decisions/0011-expand-then-contract.md). The write is a
    compare-and-swap: two Alembics that both believe to keep the tables must not take the same step twice.
    """
    here = {"revision": op.inline_literal(to), "serves_from": op.inline_literal(serves_from)}
    step = update(identity).where(identity.c.revision == op.inline_literal(after)).values(here)
    if op.get_context().as_sql:
        op.execute(step)
    elif op.get_bind().execute(step).rowcount != 1:
        revision, _ = _read(op.get_bind())
        raise CommandError(
            f"The tables of sqr-jobs are at {revision or 'nothing'}, not at {after}: another Alembic changed "
            f"them. Record that here, and try again: alembic stamp {revision or 'sqr_jobs@base'}"
        )


def _clear_remains(connection: Connection) -> bool:
    """Drop what a first revision that failed midway has left, unless somebody has put anything into it."""
    remains = [table for table in metadata.sorted_tables if inspect(connection).has_table(table.name)]
    if any(connection.scalar(select(func.count()).select_from(table)) for table in remains):
        return False
    for table in reversed(remains):
        table.drop(connection)
    connection.execute(text("DROP TABLE IF EXISTS sqr_jobs_org_lock"))
    return True


def _read(connection: Connection) -> tuple[str | None, str | None]:
    if not inspect(connection).has_table(identity.name):
        return None, None
    row = connection.execute(select(identity.c.revision, identity.c.serves_from)).one_or_none()
    return (row.revision, row.serves_from) if row else (None, None)
