"""Trail entries in SQL: how an entry is written and read. What exactly is hashed: `provenance.trail.entry`.

An entry is written together with a row in `trail_pending`, in the transaction of the business row that it speaks of.
Its number in the log comes later, from one sequencer, into `trail_sequence`: until then `seq` is None.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from provenance.store.tables import trail_entry, trail_payload, trail_pending, trail_sequence
from provenance.trail.entry import SALT_BYTES, Kind, body, canonical, leaf_digest, payload_digest, utc

__all__ = [
    "SALT_BYTES",
    "Kind",
    "TrailEntry",
    "append",
    "body",
    "canonical",
    "entries",
    "entry",
    "leaf_digest",
    "numbered",
    "payload_digest",
    "utc",
]


@dataclass(frozen=True, kw_only=True)
class TrailEntry:
    """One entry as stored.

    Attributes:
        id: Order of arrival in this database; may have gaps.
        seq: Number in the log, from 0, without gaps; None until the sequencer has given it.
        digest: Leaf hash of `body`, lower-case hex.
        payload: What `body` has the salted digest of; None once erased.
        salt: 16 bytes; None once erased.
    """

    id: int
    seq: int | None
    at: datetime
    kind: str
    asset_id: str | None
    digest: str
    body: bytes
    payload: Mapping[str, Any] | None
    salt: bytes | None


def append(
    connection: Connection, kind: Kind, asset_id: str | None, payload: Mapping[str, Any], *, salt: bytes, at: datetime
) -> int:
    """Write an entry, its payload and its row in the sequencer's inbox in the caller's transaction; return its id."""
    data = canonical(payload)
    leaf = body(kind, asset_id, payload_digest(salt, data), at)
    row = {"at": at, "kind": kind.value, "asset_id": asset_id, "body": leaf, "digest": leaf_digest(leaf)}
    entry_id: int = connection.execute(trail_entry.insert().returning(trail_entry.c.id), row).scalar_one()
    connection.execute(trail_payload.insert(), {"entry_id": entry_id, "salt": salt, "payload": data})
    connection.execute(trail_pending.insert(), {"entry_id": entry_id})
    return entry_id


def entries(connection: Connection, asset_ids: Iterable[str]) -> tuple[TrailEntry, ...]:
    """Return the entries of some assets in order of arrival."""
    query = _entries().where(trail_entry.c.asset_id.in_(tuple(asset_ids))).order_by(trail_entry.c.id)
    return tuple(_entry(row) for row in connection.execute(query))


def entry(connection: Connection, entry_id: int) -> TrailEntry | None:
    """Return one entry by its id in this database."""
    row = connection.execute(_entries().where(trail_entry.c.id == entry_id)).first()
    return None if row is None else _entry(row)


def numbered(connection: Connection, start: int, end: int) -> tuple[TrailEntry, ...]:
    """Return the entries with numbers start … end − 1, in the log's order."""
    query = _entries().where(trail_sequence.c.seq >= start, trail_sequence.c.seq < end).order_by(trail_sequence.c.seq)
    return tuple(_entry(row) for row in connection.execute(query))


def _entries() -> Select[Any]:
    return (
        select(trail_entry, trail_sequence.c.seq, trail_payload.c.payload, trail_payload.c.salt)
        .outerjoin(trail_sequence, trail_sequence.c.entry_id == trail_entry.c.id)
        .outerjoin(trail_payload, trail_payload.c.entry_id == trail_entry.c.id)
    )


def _entry(row: Row[Any]) -> TrailEntry:
    return TrailEntry(
        id=row.id,
        seq=row.seq,
        at=row.at,
        kind=row.kind,
        asset_id=row.asset_id,
        digest=row.digest,
        body=bytes(row.body),
        payload=None if row.payload is None else json.loads(row.payload),
        salt=None if row.salt is None else bytes(row.salt),
    )
