"""The chores of a registry: what was revoked and waits to be judged anew, and the outbox. Each method is one transaction."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, select, update

from provenance.store import pending, trail
from provenance.store.database import insert, reading, writing
from provenance.store.pending import Message, Touched, Waiting
from provenance.store.tables import journal
from provenance.store.trail import SALT_BYTES, Kind, canonical, utc

_LEASE = timedelta(minutes=5)  # longer than any delivery; a worker that died with a message gives it back after this


class Chores:
    """Safe to share between threads and processes: nothing is done twice, whoever takes it up."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def revoked(self) -> tuple[tuple[str, datetime], ...]:
        """Return the signers whose statuses wait to be judged anew, each with the instant of its note."""
        with reading(self._engine) as connection:
            return pending.marked(connection)

    def mark(self, fingerprint: str, at: datetime) -> None:
        """Have the statuses of a signer judged anew."""
        with writing(self._engine) as connection:
            pending.mark(connection, fingerprint, utc(at))

    def touched(self, fingerprint: str) -> tuple[Touched, ...]:
        """Return every stored status that a signer's revocation may change."""
        with reading(self._engine) as connection:
            return pending.touched(connection, fingerprint)

    def rejudged(
        self,
        fingerprint: str,
        since: datetime,
        changes: Iterable[tuple[Touched, Mapping[str, Any]]],
        messages: Sequence[Message],
        *,
        at: datetime,
    ) -> int:
        """Store new statuses, queue their webhooks and strike the note: all or nothing. Returns how many were replaced.

        A status that somebody replaced in the meantime stays: it was judged after the revocation.
        """
        replaced = 0
        with writing(self._engine) as connection:
            for old, document in changes:
                data = canonical(document)
                etag = hashlib.sha256(data).hexdigest()[:32]
                replaced += pending.replace_status(connection, old, data, etag, utc(at))
            pending.enqueue(connection, messages, utc(at))
            pending.unmark(connection, fingerprint, since)
        return replaced

    def recorded(self, journal_id: str) -> int:
        """Return the number of the last signature of a journal that the trail has; 0 where it has none."""
        with reading(self._engine) as connection:
            return int(connection.scalar(select(journal.c.last).where(journal.c.id == journal_id)) or 0)

    def record(self, journal_id: str, signatures: Sequence[tuple[int, datetime, Mapping[str, Any]]]) -> int:
        """Write signatures (number, instant, payload) into the trail: all that it does not have yet, or none. Returns how many.

        Of two that copy the same journal at once, one waits for the other and finds nothing left to do.
        """
        written = 0
        with writing(self._engine) as connection:
            connection.execute(insert(connection, journal).values(id=journal_id, last=0).on_conflict_do_nothing())
            row = select(journal.c.last).where(journal.c.id == journal_id).with_for_update()
            last = int(connection.execute(row).scalar_one())
            for number, at, payload in signatures:
                if number > last:
                    trail.append(connection, Kind.SIGNED, None, payload, salt=secrets.token_bytes(SALT_BYTES), at=utc(at))
                    last, written = number, written + 1
            connection.execute(update(journal).where(journal.c.id == journal_id).values(last=last))
        return written

    def take(self, *, now: datetime, limit: int = 20) -> tuple[Waiting, ...]:
        """Take messages that are due; nobody else gets them for five minutes."""
        with writing(self._engine) as connection:
            return pending.take(connection, utc(now), utc(now) + _LEASE, limit)

    def sent(self, message_id: int, *, at: datetime) -> None:
        """Note that a message arrived."""
        with writing(self._engine) as connection:
            pending.sent(connection, message_id, utc(at))

    def failed(self, message_id: int, why: str, *, again_at: datetime | None) -> None:
        """Note that a message did not arrive; without an instant to try again it is given up."""
        with writing(self._engine) as connection:
            pending.failed(connection, message_id, why, None if again_at is None else utc(again_at))
