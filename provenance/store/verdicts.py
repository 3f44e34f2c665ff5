"""The last whole verdict on some bytes, in SQL on the caller's connection: the same file again costs no second look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select

from provenance.store.database import insert
from provenance.store.tables import asset, status, verification
from provenance.store.trail import canonical

WHOLE = "whole"  # marks looked for, no sidecar


@dataclass(frozen=True, slots=True)
class Kept:
    """A verdict as it was given.

    Attributes:
        basis: Digest of all that it rests on besides the bytes (lists, policy, libraries, keys of marks).
        standing: Whether what feeds are told of these bytes is still what this verdict said.
    """

    verdict: bytes
    basis: str
    at: datetime
    standing: bool


def keep(connection: Connection, sha256: str, wishes: str, verdict: Mapping[str, Any], basis: str, at: datetime) -> None:
    """Keep a verdict in place of the one before."""
    new = {"verdict": canonical(verdict), "basis": basis, "at": at}
    row = insert(connection, verification).values(sha256=sha256, wishes=wishes, **new)
    connection.execute(row.on_conflict_do_update(index_elements=["sha256", "wishes"], set_=new))


def kept(connection: Connection, sha256: str, wishes: str = WHOLE) -> Kept | None:
    """Return the verdict kept for some bytes."""
    query = select(verification, status.c.updated_at).outerjoin(status, status.c.sha256 == verification.c.sha256)
    row = connection.execute(query.where(verification.c.sha256 == sha256, verification.c.wishes == wishes)).first()
    if row is None:
        return None
    standing = row.updated_at is not None and row.updated_at <= row.at
    return Kept(bytes(row.verdict), row.basis, row.at, standing)


def newest_asset(connection: Connection) -> int:
    """Return the number of the asset registered last: what was not found before may be found after."""
    return connection.scalar(select(func.max(asset.c.number))) or 0


def forget(connection: Connection, before: datetime) -> int:
    """Drop verdicts older than an instant."""
    return connection.execute(delete(verification).where(verification.c.at < before)).rowcount
