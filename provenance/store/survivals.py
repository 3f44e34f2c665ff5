"""What the marks of assets lived through, as it was measured last, in SQL on the caller's connection."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from provenance.store.assets import number_of
from provenance.store.database import insert
from provenance.store.tables import asset, survival
from provenance.store.trail import canonical


def keep(connection: Connection, asset_id: str, ladder: str, document: Mapping[str, Any], at: datetime) -> None:
    """Store a ladder's result in place of the one before.

    Raises:
        NotFoundError: no such asset.
    """
    new = {"measured_at": at, "document": canonical(document)}
    row = insert(connection, survival).values(asset_number=number_of(connection, asset_id), ladder=ladder, **new)
    connection.execute(row.on_conflict_do_update(index_elements=["asset_number", "ladder"], set_=new))


def latest(connection: Connection, asset_id: str, ladder: str | None) -> bytes | None:
    """Return the JSON of a ladder's result, or of whichever was measured last."""
    query = select(survival.c.document).join(asset, asset.c.number == survival.c.asset_number).where(asset.c.id == asset_id)
    if ladder is not None:
        query = query.where(survival.c.ladder == ladder)
    return connection.scalar(query.order_by(survival.c.measured_at.desc(), survival.c.ladder).limit(1))
