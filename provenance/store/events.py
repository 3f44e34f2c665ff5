"""Changes of stored statuses, in the order in which they were committed: what feeds follow. On the caller's connection.

Written in the transaction of the change itself, so that a follower misses none and hears of none that did not happen. Ids
only grow with commits: SQLite has one writer at a time, PostgreSQL takes a lock here for the rest of the transaction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select, text, update

from provenance.store.tables import status_event

_LOCK = 0x436F6C6F7374  # "Colost": PostgreSQL's advisory locks are named by one bigint
_AT_ONCE = 500
PENDING = "pending"  # the status of bytes that a job is looking at


@dataclass(frozen=True, slots=True)
class Change:
    """A status that changed.

    Attributes:
        id: Grows with every change.
        cause: "verified", "signed", "revoked", "withdrawn", "reviewed" or "asked".
        before: The word before; None where there was none.
        document: The status as feeds get it, canonical JSON.
    """

    id: int
    at: datetime
    sha256: str
    asset_id: str | None
    cause: str
    before: str | None
    after: str
    document: bytes

    def as_dict(self) -> dict[str, Any]:
        """As webhooks and events tell it."""
        return {
            "sha256": self.sha256,
            "asset_id": self.asset_id,
            "before": self.before,
            "after": self.after,
            "cause": self.cause,
            "status": json.loads(self.document),
        }


def changed(
    connection: Connection,
    *,
    sha256: str,
    asset_id: str | None,
    cause: str,
    before: bytes | None,
    after: bytes,
    at: datetime,
    told: bool = False,
) -> None:
    """Note a change, if what a feed shows is another now; the instant alone is none.

    Args:
        before: The document before; None where there was none.
        told: Whether webhooks need not be sent for it. What was never shown, or only as pending, is followed and not told.
    """
    old, new = None if before is None else json.loads(before), json.loads(after)
    if old is not None and {**old, "at": None} == {**new, "at": None}:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    words = _word(old), _word(new)
    row = {
        "at": at,
        "sha256": sha256,
        "asset_id": asset_id,
        "cause": cause,
        "before": words[0],
        "after": words[1],
        "document": after,
        "told": told or words[0] is None or words[1] == PENDING,
    }
    connection.execute(status_event.insert(), row)


def since(connection: Connection, last: int, limit: int = _AT_ONCE) -> tuple[Change, ...]:
    """Return changes after an id, oldest first."""
    query = select(status_event).where(status_event.c.id > last).order_by(status_event.c.id).limit(limit)
    return _changes(connection, query)


def untold(connection: Connection, limit: int = _AT_ONCE) -> tuple[Change, ...]:
    """Return changes that webhooks are due for, oldest first; on PostgreSQL nobody else gets them meanwhile."""
    query = select(status_event).where(status_event.c.told.is_(False)).order_by(status_event.c.id).limit(limit)
    if connection.dialect.name == "postgresql":
        query = query.with_for_update(skip_locked=True)
    return _changes(connection, query)


def tell(connection: Connection, ids: Sequence[int]) -> None:
    """Note that webhooks of some changes are in the outbox."""
    connection.execute(update(status_event).where(status_event.c.id.in_(ids)).values(told=True))


def bounds(connection: Connection) -> tuple[int, int]:
    """Return the ids of the oldest and the newest change kept; zeros where there is none."""
    oldest, newest = connection.execute(select(func.min(status_event.c.id), func.max(status_event.c.id))).one()
    return oldest or 0, newest or 0


def forget(connection: Connection, before: datetime) -> int:
    """Drop told changes older than an instant, but never the newest one: its id is where followers stand."""
    newest = select(func.max(status_event.c.id)).scalar_subquery()
    old = delete(status_event).where(status_event.c.at < before, status_event.c.told.is_(True), status_event.c.id < newest)
    return connection.execute(old).rowcount


def _changes(connection: Connection, query: Any) -> tuple[Change, ...]:
    return tuple(
        Change(row.id, row.at, row.sha256, row.asset_id, row.cause, row.before, row.after, bytes(row.document))
        for row in connection.execute(query)
    )


def _word(document: Mapping[str, Any] | None) -> str | None:
    return None if document is None else str(document.get("status", "unknown"))
