"""Work that waits, in SQL on the caller's connection: statuses to be judged anew, webhooks to be sent.

Both are written in the transaction of what made them necessary, so that no crash can lose them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, Select, delete, select, update

from provenance.store.assets import assets, batches, records
from provenance.store.database import insert
from provenance.store.records import AssetRecord
from provenance.store.tables import asset, lineage, manifest, outbox, rejudge, status

_ERROR_LENGTH = 500
ASSET = "asset:"  # begins a note about one withdrawn asset; any other names a signer


@dataclass(frozen=True, slots=True)
class Touched:
    """A stored status, and the registered asset that it speaks of."""

    sha256: str
    document: bytes
    etag: str
    asset: AssetRecord

    @property
    def own(self) -> bool:
        """Whether the status is that of the asset's own bytes, not of a copy that led to it."""
        return self.sha256 == self.asset.sha256


@dataclass(frozen=True, slots=True)
class Message:
    """A webhook to be sent: the same `event_id` goes to a target once."""

    event_id: str
    target: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message in the outbox that is due."""

    id: int
    message: Message
    attempts: int
    created_at: datetime


def mark(connection: Connection, fingerprint: str, at: datetime) -> None:
    """Note that statuses of a signer must be judged anew."""
    row = insert(connection, rejudge).values(fingerprint=fingerprint, since=at)
    connection.execute(row.on_conflict_do_update(index_elements=["fingerprint"], set_={"since": at}))


def marked(connection: Connection) -> tuple[tuple[str, datetime], ...]:
    """Return the signers noted, with the instant of each note, oldest first."""
    rows = connection.execute(select(rejudge).order_by(rejudge.c.since, rejudge.c.fingerprint))
    return tuple((row.fingerprint, row.since) for row in rows)


def unmark(connection: Connection, fingerprint: str, since: datetime) -> None:
    """Strike a note, unless it was made again in the meantime."""
    connection.execute(delete(rejudge).where(rejudge.c.fingerprint == fingerprint, rejudge.c.since == since))


def touched(connection: Connection, fingerprint: str) -> tuple[Touched, ...]:
    """Return every stored status of assets with that signer, and of assets made from those; or of one asset (`asset:ID`)."""
    if fingerprint.startswith(ASSET):
        whole = records(connection, assets().where(asset.c.id == fingerprint.removeprefix(ASSET)))
    else:
        signed = select(asset.c.number).join(manifest, manifest.c.label == asset.c.manifest_label)
        line = signed.where(manifest.c.signer_fingerprint == fingerprint).cte("line", recursive=True)
        line = line.union(select(lineage.c.child).join(line, lineage.c.parent == line.c.number))  # UNION: each one once
        whole = records(connection, assets().where(asset.c.number.in_(select(line.c.number))))
    by_id = {record.asset_id: record for record in whole.values()}
    by_digest = {record.sha256: record for record in reversed(whole.values())}
    found: dict[str, Touched] = {}
    for query in _statuses(tuple(by_id), tuple(by_digest)):
        for row in connection.execute(query):
            record = by_digest.get(row.sha256) or by_id[row.asset_id]
            found[row.sha256] = Touched(row.sha256, bytes(row.document), row.etag, record)
    return tuple(found.values())


def _statuses(ids: Sequence[str], digests: Sequence[str]) -> Iterable[Select[tuple[str, str, bytes, str]]]:
    columns = select(status.c.sha256, status.c.asset_id, status.c.document, status.c.etag)
    yield from (columns.where(status.c.asset_id.in_(batch)) for batch in batches(ids))
    yield from (columns.where(status.c.sha256.in_(batch)) for batch in batches(digests))


def replace_status(connection: Connection, old: Touched, document: bytes, etag: str, at: datetime) -> bool:
    """Put a status in place of the very one that it was made from; False if that changed in the meantime."""
    change = update(status).where(status.c.sha256 == old.sha256, status.c.etag == old.etag)
    new = {"document": document, "etag": etag, "updated_at": at}
    return connection.execute(change.values(new)).rowcount == 1


def enqueue(connection: Connection, messages: Sequence[Message], at: datetime) -> None:
    """Put messages into the outbox, due at once; one that is there already changes nothing."""
    for message in messages:
        row = insert(connection, outbox).values(
            event_id=message.event_id, target=message.target, body=message.body, created_at=at, due_at=at, attempts=0
        )
        connection.execute(row.on_conflict_do_nothing())


def take(connection: Connection, now: datetime, until: datetime, limit: int) -> tuple[Waiting, ...]:
    """Take messages that are due, oldest first, and hide them from others until an instant: a lease, not a lock."""
    waiting = select(outbox.c.id).where(outbox.c.due_at <= now).order_by(outbox.c.due_at, outbox.c.id).limit(limit)
    if connection.dialect.name == "postgresql":
        waiting = waiting.with_for_update(skip_locked=True)
    ids = list(connection.scalars(waiting))
    connection.execute(update(outbox).where(outbox.c.id.in_(ids)).values(due_at=until))
    rows = connection.execute(select(outbox).where(outbox.c.id.in_(ids)).order_by(outbox.c.id))
    return tuple(
        Waiting(row.id, Message(row.event_id, row.target, bytes(row.body)), row.attempts, row.created_at) for row in rows
    )


def sent(connection: Connection, message_id: int, at: datetime) -> None:
    """Note that a message arrived."""
    done = update(outbox).where(outbox.c.id == message_id)
    connection.execute(done.values(sent_at=at, due_at=None, attempts=outbox.c.attempts + 1, last_error=None))


def failed(connection: Connection, message_id: int, why: str, again_at: datetime | None) -> None:
    """Note that a message did not arrive, and when to try again; None gives up."""
    note = update(outbox).where(outbox.c.id == message_id)
    connection.execute(note.values(due_at=again_at, attempts=outbox.c.attempts + 1, last_error=why[:_ERROR_LENGTH]))
