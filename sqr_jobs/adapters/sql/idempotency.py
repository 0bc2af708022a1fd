"""Idempotency keys: a short reservation while a request is answered, then the record of its 202."""

import secrets
import time
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, delete, select, update

from sqr_jobs.adapters.sql.engine import Database
from sqr_jobs.adapters.sql.tables import idempotency
from sqr_jobs.domain.job import IdempotencyKey, Reservation
from sqr_jobs.errors import IdempotencyKeyInUse, IdempotencyKeyReused

__all__ = ["RECORDED_MS", "RESERVED_MS", "SqlIdempotency"]

RESERVED_MS = 10_000
"""How long a reservation holds whose holder died."""
RECORDED_MS = 24 * 3_600 * 1000
"""How long a 202 is recorded."""
_LOOK_AGAIN_S = 0.02


class SqlIdempotency:
    """Finds, reserves and records the keys of one service."""

    def __init__(self, database: Database, *, service: str) -> None:
        self._database = database
        self._service = service

    def answered(self, org_id: str, key: IdempotencyKey, *, wait_s: float) -> str | None:
        """Look for the id of the job that answered this key; only reads.

        None where the key is free. A twin that is being answered is waited for, `wait_s` at most. Raises
        `IdempotencyKeyReused` or `IdempotencyKeyInUse`.
        """
        until = time.monotonic() + wait_s
        while True:
            with self._database.read() as connection:
                row = self._read(connection, org_id, key)
            if row is None or row.lapses_at <= row.now:
                return None
            if row.fingerprint != key.fingerprint:
                raise IdempotencyKeyReused
            if row.job_id is not None:
                return str(row.job_id)
            if time.monotonic() >= until:
                raise IdempotencyKeyInUse
            time.sleep(_LOOK_AGAIN_S)

    def reserve(self, org_id: str, key: IdempotencyKey) -> Reservation | None:
        """Take the right to answer this key; None where a twin has it, or has had it."""
        with self._database.begin() as connection:
            row = self._read(connection, org_id, key)
            if row is not None:
                if row.lapses_at > row.now:
                    return None
                connection.execute(
                    delete(idempotency).where(*self._is(org_id, key), idempotency.c.token == row.token)
                )
            return self.insert(connection, org_id, key)

    def record(self, connection: Connection, reservation: Reservation, job_id: str) -> None:
        """Record the 202 in the transaction of its job. Raises `IdempotencyKeyInUse` when it had lapsed."""
        recorded = connection.execute(
            update(idempotency)
            .where(*self._is(reservation.org_id, reservation.key), idempotency.c.token == reservation.token)
            .values(job_id=job_id, lapses_at=self._database.now + RECORDED_MS)
        )
        if recorded.rowcount != 1:
            raise IdempotencyKeyInUse

    def release(self, reservation: Reservation) -> None:
        """Forget a reservation whose request was refused: this one, and not the record that it became."""
        with self._database.begin() as connection:
            connection.execute(
                delete(idempotency).where(
                    *self._is(reservation.org_id, reservation.key),
                    idempotency.c.token == reservation.token,
                    idempotency.c.job_id.is_(None),
                )
            )

    def _read(self, connection: Connection, org_id: str, key: IdempotencyKey) -> Row[Any] | None:
        question: Select[Any] = select(*idempotency.c, self._database.now.label("now"))
        return connection.execute(question.where(*self._is(org_id, key))).one_or_none()

    def insert(self, connection: Connection, org_id: str, key: IdempotencyKey) -> Reservation | None:
        """Reserve a key in this transaction; None where another request has it."""
        reservation = Reservation(org_id=org_id, key=key, token=secrets.token_hex(16))
        values = {
            "service": self._service,
            "org_id": org_id,
            "key_hash": key.key_hash,
            "fingerprint": key.fingerprint,
            "token": reservation.token,
            "lapses_at": self._database.now + RESERVED_MS,
        }
        inserted = self._database.dialect.insert_unless_present(connection, idempotency, values)
        return reservation if inserted else None

    def _is(self, org_id: str, key: IdempotencyKey) -> tuple[ColumnElement[bool], ...]:
        return (
            idempotency.c.service == self._service,
            idempotency.c.org_id == org_id,
            idempotency.c.key_hash == key.key_hash,
        )
