"""What is served as it was stored, in SQL on the caller's connection: statuses, and answers given before."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from provenance.errors import ConflictError
from provenance.store import events
from provenance.store.assets import batches
from provenance.store.database import insert
from provenance.store.objects import is_digest
from provenance.store.records import StatusRecord, is_name
from provenance.store.tables import asset, idempotency, review, status
from provenance.store.trail import canonical
from provenance.verdict import iso


def set_status(
    connection: Connection,
    asset_id: str | None,
    sha256: str,
    document: Mapping[str, Any],
    at: datetime,
    *,
    cause: str = "verified",
) -> StatusRecord:
    """Store a file's status in place of the one before, with what a person found of it, and note the change."""
    document = reviewed(connection, sha256, document)
    data = canonical(document)
    record = StatusRecord(data, hashlib.sha256(data).hexdigest()[:32], at)
    before = connection.scalar(select(status.c.document).where(status.c.sha256 == sha256))
    new = {"asset_id": asset_id, "document": data, "etag": record.etag, "updated_at": at}
    row = insert(connection, status).values(sha256=sha256, **new)
    connection.execute(row.on_conflict_do_update(index_elements=["sha256"], set_=new))
    old = None if before is None else bytes(before)
    events.changed(connection, sha256=sha256, asset_id=asset_id, cause=cause, before=old, after=data, at=at)
    return record


def pending(connection: Connection, sha256: str, document: Mapping[str, Any], at: datetime) -> bool:
    """Say that a job looks at some bytes, unless something is known of them; returns whether it was said."""
    if connection.scalar(select(status.c.sha256).where(status.c.sha256 == sha256)) is not None:
        return False
    set_status(connection, None, sha256, document, at, cause="asked")
    return True


def reviewed(connection: Connection, sha256: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """The status with what a person found, where that was said of the same word."""
    plain = {name: value for name, value in document.items() if name != "review"}
    query = select(review).where(review.c.sha256 == sha256, review.c.decided_at.is_not(None)).order_by(review.c.id.desc())
    found = connection.execute(query.limit(1)).first()
    if found is None or found.status != document.get("status"):
        return plain
    return plain | {"review": {"decision": found.decision, "say": found.say, "at": iso(found.decided_at)}}


def statuses(connection: Connection, ids: Sequence[str]) -> dict[str, StatusRecord]:
    """Return statuses by sha256 and by asset id: up to 500 ids take at most two queries."""
    wanted = list(dict.fromkeys(ids))
    found: dict[str, StatusRecord] = {}
    for batch in batches([i for i in wanted if is_digest(i)]):
        rows = connection.execute(select(status).where(status.c.sha256.in_(batch)))
        found |= {row.sha256: _status(row) for row in rows}
    by_asset = select(asset.c.id, status).join(status, status.c.sha256 == asset.c.sha256)
    for batch in batches([i for i in wanted if i not in found and is_name(i)]):
        rows = connection.execute(by_asset.where(asset.c.id.in_(batch)))
        found |= {row.id: _status(row) for row in rows}
    return found


def keep_answer(connection: Connection, key: str, route: str, request_digest: str, response: bytes, at: datetime) -> None:
    """Store an answer unless the key has one already."""
    row = {"key": key, "route": route, "request_digest": request_digest, "response": response, "created_at": at}
    connection.execute(insert(connection, idempotency).values(row).on_conflict_do_nothing())


def answer(connection: Connection, key: str, route: str, request_digest: str) -> bytes | None:
    """Return the answer that was given to a key.

    Raises:
        ConflictError: it was given to another request.
    """
    query = select(idempotency).where(idempotency.c.key == key, idempotency.c.route == route)
    row = connection.execute(query).first()
    if row is None:
        return None
    if row.request_digest != request_digest:
        raise ConflictError("idempotency key", key, "was used with another request")
    return bytes(row.response)


def _status(row: Row[Any]) -> StatusRecord:
    return StatusRecord(bytes(row.document), row.etag, row.updated_at)
