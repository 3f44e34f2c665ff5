"""Time stamps that came after the signature, in SQL on the caller's connection: the queue, and the tokens kept.

A token is evidence like one in a file: who reads it here checks it again, against the lists of that day.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, case, select, update

from provenance.errors import NotFoundError
from provenance.store.assets import batches
from provenance.store.database import insert
from provenance.store.records import StampDue, is_name
from provenance.store.tables import manifest, stamp


def queue(connection: Connection, limit: int, at: datetime | None = None) -> tuple[StampDue, ...]:
    """Return the manifests without a trusted time stamp, the most urgent first; what was overdue at an instant comes last.

    Otherwise what came too late, and stays for people to see, would some day fill every batch.
    """
    late = [case((manifest.c.stamp_due <= at, 1), else_=0)] if at is not None else []
    query = (
        select(manifest.c.label, manifest.c.digest, manifest.c.stamp_due)
        .where(manifest.c.stamp_due.is_not(None), manifest.c.stamped_at.is_(None))
        .order_by(*late, manifest.c.stamp_due, manifest.c.label)
        .limit(limit)
    )
    return tuple(StampDue(row.label, row.digest, row.stamp_due) for row in connection.execute(query))


def take_off(connection: Connection, label: str, at: datetime) -> None:
    """Take a manifest off the queue; again changes nothing.

    Raises:
        NotFoundError: no such manifest.
    """
    first = case((manifest.c.stamped_at.is_(None), at), else_=manifest.c.stamped_at)
    done = update(manifest).where(manifest.c.label == label).values(stamped_at=first)
    if not connection.execute(done).rowcount:
        raise NotFoundError("manifest", label)


def keep(connection: Connection, label: str, token: bytes, stamped_at: datetime, at: datetime) -> bool:
    """Keep a manifest's token and take it off the queue; False if one was kept before, which then stays.

    Raises:
        NotFoundError: no such manifest.
    """
    if connection.scalar(select(manifest.c.label).where(manifest.c.label == label)) is None:
        raise NotFoundError("manifest", label)
    row = insert(connection, stamp).values(manifest_label=label, token=token, at=stamped_at)
    new = connection.execute(row.on_conflict_do_nothing()).rowcount == 1
    if new:
        believed = {"time_state": "trusted", "signed_at": stamped_at}
        connection.execute(update(manifest).where(manifest.c.label == label).values(believed))
    take_off(connection, label, at)
    return new


def kept(connection: Connection, labels: Sequence[str]) -> dict[str, bytes]:
    """Return the tokens kept for some manifests, by label."""
    found: dict[str, bytes] = {}
    for batch in batches([label for label in dict.fromkeys(labels) if is_name(label)]):
        rows = connection.execute(select(stamp.c.manifest_label, stamp.c.token).where(stamp.c.manifest_label.in_(batch)))
        found |= {row.manifest_label: bytes(row.token) for row in rows}
    return found
