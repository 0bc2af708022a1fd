"""Idempotency keys: a short reservation while a request is answered, then the record of its 202."""

import secrets
import time
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from sqr_jobs.adapters.sql.engine import Database
from sqr_jobs.adapters.sql.tables import idempotency
from sqr_jobs.domain.job import IdempotencyKey, Reservation
from sqr_jobs.errors import IdempotencyKeyInUse, IdempotencyKeyReused

__all__ = ["SqlIdempotency"]

_RESERVED_MS = 10_000
_RECORDED_MS = 24 * 3_600 * 1000
_WAIT_S, _LOOK_AGAIN_S = 1.0, 0.02


class SqlIdempotency:
    """Reserves, records and finds keys. A reservation whose holder died lapses after 10 s."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def reserve(self, org_id: str, key: IdempotencyKey) -> Reservation | str:
        """Return the right to answer this key, or the id of the job that answered it.

        A twin that is being answered is waited for, a second at most. Raises `IdempotencyKeyReused` or
        `IdempotencyKeyInUse`.
        """
        until = time.monotonic() + _WAIT_S
        while True:
            found = self._try(org_id, key)
            if found is not None:
                return found
            if time.monotonic() >= until:
                raise IdempotencyKeyInUse
            time.sleep(_LOOK_AGAIN_S)

    def record(self, connection: Connection, reservation: Reservation, job_id: str) -> None:
        """Record the 202 in the transaction of its job. Raises `IdempotencyKeyInUse` when it had lapsed."""
        recorded = connection.execute(
            update(idempotency)
            .where(*_is(reservation.org_id, reservation.key), idempotency.c.token == reservation.token)
            .values(job_id=job_id, lapses_at=self._database.now + _RECORDED_MS)
        )
        if recorded.rowcount != 1:
            raise IdempotencyKeyInUse

    def release(self, reservation: Reservation) -> None:
        """Forget a reservation whose request was refused."""
        with self._database.begin() as connection:
            connection.execute(
                delete(idempotency).where(
                    *_is(reservation.org_id, reservation.key),
                    idempotency.c.token == reservation.token,
                    idempotency.c.job_id.is_(None),
                )
            )

    def _try(self, org_id: str, key: IdempotencyKey) -> Reservation | str | None:
        with self._database.begin() as connection:
            row = self._read(connection, org_id, key)
            if row is not None and row.lapses_at <= row.now:
                connection.execute(
                    delete(idempotency).where(*_is(org_id, key), idempotency.c.token == row.token)
                )
                row = None
            if row is None:
                return self.insert(connection, org_id, key)
        if row.fingerprint != key.fingerprint:
            raise IdempotencyKeyReused
        answered: str | None = row.job_id
        return answered

    def _read(self, connection: Connection, org_id: str, key: IdempotencyKey) -> Row[Any] | None:
        question: Select[Any] = select(*idempotency.c, self._database.now.label("now"))
        return connection.execute(question.where(*_is(org_id, key))).one_or_none()

    def insert(self, connection: Connection, org_id: str, key: IdempotencyKey) -> Reservation | None:
        """Reserve a key in this transaction; None where another request has it."""
        reservation = Reservation(org_id=org_id, key=key, token=secrets.token_hex(16))
        try:
            with connection.begin_nested():
                connection.execute(
                    insert(idempotency).values(
                        org_id=org_id,
                        key_hash=key.key_hash,
                        fingerprint=key.fingerprint,
                        token=reservation.token,
                        lapses_at=self._database.now + _RESERVED_MS,
                    )
                )
        except IntegrityError:
            return None  # a twin was faster: look again
        return reservation


def _is(org_id: str, key: IdempotencyKey) -> tuple[ColumnElement[bool], ...]:
    return idempotency.c.org_id == org_id, idempotency.c.key_hash == key.key_hash
