"""Trail entries: what exactly is hashed, and how an entry is written and read.

    body = {"asset":…,"at":"2026-11-21T09:30:00.000000Z","kind":"captured","payload_digest":"…"}   canonical JSON, UTF-8
    digest = SHA-256(0x00 ‖ body)              leaf hash of a Merkle tree (RFC 6962 §2.1, RFC 9162 §2.1.1)
    payload_digest = SHA-256(salt ‖ payload)   salt: 16 random bytes

The body holds nothing personal, so it can be published, and never changes. The payload may be personal: it lies beside.
Its salt goes when it goes, so that nobody can prove by guessing what an erased payload said.

An entry is written together with a row in `trail_pending`, in the transaction of the business row that it speaks of.
Its number in the log comes later, from one sequencer, into `trail_sequence`: until then `seq` is None.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, select

from provenance.store.tables import trail_entry, trail_payload, trail_pending, trail_sequence

SALT_BYTES = 16


class Kind(StrEnum):
    """What an entry can record (DESIGN: Trail)."""

    CAPTURED = "captured"
    EDITED = "edited"
    RENDITION = "rendition"
    REGISTERED = "registered"
    BOUND = "bound"
    REVOKED = "revoked"
    WITHDRAWN = "withdrawn"
    JUDGED = "judged"
    REVIEWED = "reviewed"
    CONSENT = "consent"


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


def utc(at: datetime) -> datetime:
    """Return an instant in UTC; a naive one is a bug of the caller (ValueError)."""
    if at.tzinfo is None:
        raise ValueError("an instant needs its time zone")
    return at.astimezone(UTC)


def canonical(value: Mapping[str, Any]) -> bytes:
    """Write JSON in one fixed way: keys sorted, no spaces, UTF-8; for strings, integers and None this is RFC 8785.

    What is stored and hashed are these bytes; nobody has to be able to write the same ones again.

    Raises:
        ValueError: NaN, an infinity, a lone surrogate.
        TypeError: not JSON.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def payload_digest(salt: bytes, payload: bytes) -> str:
    """Return what a body says of its payload: SHA-256(salt ‖ payload), hex."""
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes, not {len(salt)}")
    return hashlib.sha256(salt + payload).hexdigest()


def body(kind: Kind, asset_id: str | None, payload_sha256: str, at: datetime) -> bytes:
    """Return the bytes that an entry is in the log."""
    instant = utc(at).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    return canonical({"asset": asset_id, "at": instant, "kind": kind.value, "payload_digest": payload_sha256})


def leaf_digest(leaf: bytes) -> str:
    """Return the Merkle leaf hash of a body, hex (RFC 9162 §2.1.1: the zero byte tells leaves from nodes)."""
    return hashlib.sha256(b"\x00" + leaf).hexdigest()


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
    query = (
        select(trail_entry, trail_sequence.c.seq, trail_payload.c.payload, trail_payload.c.salt)
        .outerjoin(trail_sequence, trail_sequence.c.entry_id == trail_entry.c.id)
        .outerjoin(trail_payload, trail_payload.c.entry_id == trail_entry.c.id)
        .where(trail_entry.c.asset_id.in_(tuple(asset_ids)))
        .order_by(trail_entry.c.id)
    )
    return tuple(
        TrailEntry(
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
        for row in connection.execute(query)
    )
