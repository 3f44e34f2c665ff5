"""The chores of a registry: what was revoked and waits to be judged anew, and the outbox. Each method is one transaction."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, select, update

from provenance.store import events, pending, served, trail, verdicts
from provenance.store.database import insert, reading, writing
from provenance.store.events import Change
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
        cause: str = "revoked",
    ) -> int:
        """Store new statuses, queue their webhooks and strike the note: all or nothing. Returns how many were replaced.

        A status that somebody replaced in the meantime stays: it was judged after the revocation.
        """
        replaced = 0
        with writing(self._engine) as connection:
            for old, document in changes:
                data = canonical(served.reviewed(connection, old.sha256, document))
                etag = hashlib.sha256(data).hexdigest()[:32]
                if pending.replace_status(connection, old, data, etag, utc(at)):
                    replaced += 1
                    self._note(connection, old, data, cause, utc(at))
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

    @staticmethod
    def _note(connection: Connection, old: Touched, data: bytes, cause: str, at: datetime) -> None:
        events.changed(
            connection,
            sha256=old.sha256,
            asset_id=old.asset.asset_id,
            cause=cause,
            before=old.document,
            after=data,
            at=at,
            told=True,  # whoever judged anew queued the webhooks
        )

    def tell(self, compose: Callable[[Sequence[Change]], Sequence[Message]], *, at: datetime) -> int:
        """Queue the webhooks of changes that nobody was told of yet; returns how many changes."""
        with writing(self._engine) as connection:
            changes = events.untold(connection)
            pending.enqueue(connection, compose(changes), utc(at))
            events.tell(connection, [change.id for change in changes])
        return len(changes)

    def changes(self, since: int) -> tuple[Change, ...]:
        """Return changes of statuses after an id, oldest first, some hundreds at most."""
        with reading(self._engine) as connection:
            return events.since(connection, since)

    def bounds(self) -> tuple[int, int]:
        """Return the ids of the oldest and the newest change that is kept."""
        with reading(self._engine) as connection:
            return events.bounds(connection)

    def forget(self, *, changes_before: datetime, verdicts_before: datetime) -> int:
        """Drop what is too old to be asked for; returns how many rows."""
        with writing(self._engine) as connection:
            return events.forget(connection, utc(changes_before)) + verdicts.forget(connection, utc(verdicts_before))

    def keep_verdict(self, sha256: str, wishes: str, verdict: Mapping[str, Any], basis: str, *, at: datetime) -> None:
        """Keep the last whole verdict on some bytes."""
        with writing(self._engine) as connection:
            verdicts.keep(connection, sha256, wishes, verdict, basis, utc(at))

    def verdict(self, sha256: str, wishes: str = verdicts.WHOLE) -> verdicts.Kept | None:
        """Return the verdict kept for some bytes."""
        with reading(self._engine) as connection:
            return verdicts.kept(connection, sha256, wishes)

    def newest_asset(self) -> int:
        """Return the number of the asset registered last."""
        with reading(self._engine) as connection:
            return verdicts.newest_asset(connection)

    def pending(self, sha256: str, document: Mapping[str, Any], *, at: datetime) -> bool:
        """Say to feeds that a job looks at some bytes, unless something is known of them."""
        with writing(self._engine) as connection:
            return served.pending(connection, sha256, document, utc(at))

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
