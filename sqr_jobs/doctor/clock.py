"""Looking at this machine's clock, by which tokens, links and the bucket's signatures are made and judged."""

import time

from sqlalchemy import select

from sqr_jobs.doctor.findings import Note
from sqr_jobs.errors import ConfigurationError
from sqr_jobs.wiring import System

__all__ = ["clock"]

_NOTE_S, _FAULT_S = 2, 60


def clock(system: System) -> str:
    """Compare this machine's clock with the database's."""
    with system.database.read() as connection:
        asked = time.time()
        theirs = connection.execute(select(system.database.now)).scalar_one() / 1000
        answered = time.time()
    # The database read its clock between the two: within that time, no difference can be seen.
    off_s = max(asked - theirs, theirs - answered, 0.0)
    if off_s < _NOTE_S:
        return "agrees with the database's"
    told = f"{off_s:.0f} s {'ahead of' if asked > theirs else 'behind'} the database's"
    if off_s <= _FAULT_S:
        return Note(f"{told}; tokens and links expire by this one. Synchronize both (NTP)")
    raise ConfigurationError(
        f"{told}. Tokens and links expire too early or too late, and from 15 minutes on S3 refuses every "
        "signature. Synchronize both machines (NTP)."
    )
