"""Assets and manifests in SQL, on the caller's connection and inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Select, select

from provenance.errors import ConflictError, NotFoundError
from provenance.store.database import insert
from provenance.store.records import AssetRecord, Binding, Receipt, Registration, is_name
from provenance.store.tables import asset, binding, lineage, manifest, trail_entry

T = TypeVar("T")

_BATCH = 500  # parameters of one query; some builds of SQLite allow as few as 999
_PARENTS = select(lineage.c.child, asset.c.id).join(asset, asset.c.number == lineage.c.parent).order_by(asset.c.number)


def batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut a sequence into pieces that fit into one IN."""
    return (items[start : start + _BATCH] for start in range(0, len(items), _BATCH))


def number_of(connection: Connection, asset_id: str) -> int:
    """Return an asset's internal number.

    Raises:
        NotFoundError: no such asset.
    """
    number: int | None = None
    if is_name(asset_id):
        number = connection.scalar(select(asset.c.number).where(asset.c.id == asset_id))
    if number is None:
        raise NotFoundError("asset", asset_id[:64])
    return number


def claim_label(connection: Connection, r: Registration, store: str) -> None:
    """Make the manifest's row, or find it with the very same store.

    Raises:
        ConflictError: the label stands for other bytes.
    """
    row = {
        "label": r.manifest_id,
        "digest": store,
        "signer_name": r.signer_name,
        "signer_fingerprint": r.signer_fingerprint,
        "signed_at": r.signed_at,
        "time_state": r.time_state,
        "development": r.development,
        "stamp_due": r.stamp_due,
    }
    connection.execute(insert(connection, manifest).values(row).on_conflict_do_nothing())
    if connection.scalar(select(manifest.c.digest).where(manifest.c.label == r.manifest_id)) != store:
        raise ConflictError("manifest", r.manifest_id, "another manifest store is registered under this label")


def claim_id(connection: Connection, r: Registration, reference: str | None, at: datetime) -> int | None:
    """Make the asset's row and return its number; None if its id, or its bytes with this manifest, have one already."""
    row = {
        "id": r.asset_id,
        "sha256": r.sha256,
        "manifest_label": r.manifest_id,
        "media_type": r.media_type,
        "width": r.width,
        "height": r.height,
        "duration_ms": r.duration_ms,
        "action": r.action,
        "reference_digest": reference,
        "reference_media_type": r.reference_media_type,
        "reference_width": r.reference_width,
        "reference_height": r.reference_height,
        "fingerprint": r.fingerprint,
        "created_at": at,
    }
    new = insert(connection, asset).values(row).on_conflict_do_nothing().returning(asset.c.number)
    return connection.execute(new).scalar_one_or_none()


def first_receipt(connection: Connection, r: Registration) -> Receipt:
    """Return the receipt of the registration that came before.

    Raises:
        ConflictError: the id stands for other bytes, or for these with another manifest.
    """
    taken = connection.execute(select(asset.c.sha256, asset.c.manifest_label).where(asset.c.id == r.asset_id)).first()
    if taken is not None and taken.sha256 != r.sha256:
        raise ConflictError("asset", r.asset_id, "other bytes are registered under this id")
    if taken is not None and taken.manifest_label != r.manifest_id:
        raise ConflictError("asset", r.asset_id, "another manifest is registered under this id")
    same = select(asset.c.id).where(asset.c.sha256 == r.sha256, asset.c.manifest_label == r.manifest_id)
    asset_id = connection.scalars(same).one()
    entry = select(trail_entry.c.id).where(trail_entry.c.asset_id == asset_id).order_by(trail_entry.c.id).limit(1)
    return Receipt(asset_id, connection.scalars(entry).one(), new=False)


def assets() -> Select[Any]:
    """Return the query that `records` understands: assets with their manifests, oldest first."""
    return select(asset, manifest).join(manifest, manifest.c.label == asset.c.manifest_label).order_by(asset.c.number)


def records(connection: Connection, query: Select[Any]) -> dict[int, AssetRecord]:
    """Run a query made from `assets()` and return whole records by asset number, in the query's order."""
    rows = connection.execute(query).all()
    bindings: dict[int, list[Binding]] = {}
    parents: dict[int, str] = {}
    for numbers in batches([row.number for row in rows]):
        bound = select(binding).where(binding.c.asset_number.in_(numbers)).order_by(binding.c.alg, binding.c.value)
        for row in connection.execute(bound):
            bindings.setdefault(row.asset_number, []).append(Binding(row.alg, row.value))
        for child, parent in connection.execute(_PARENTS.where(lineage.c.child.in_(numbers))):
            parents.setdefault(child, parent)
    return {row.number: _record(row, tuple(bindings.get(row.number, ())), parents.get(row.number)) for row in rows}


def ancestry(connection: Connection, asset_id: str) -> tuple[str, ...]:
    """Return an asset's id and those of all its ancestors; nothing for an unknown id."""
    line = select(asset.c.number).where(asset.c.id == asset_id).cte("line", recursive=True)
    line = line.union(select(lineage.c.parent).join(line, lineage.c.child == line.c.number))  # UNION: each one once
    return tuple(connection.scalars(select(asset.c.id).join(line, line.c.number == asset.c.number)))


def _record(row: Row[Any], bindings: tuple[Binding, ...], parent: str | None) -> AssetRecord:
    return AssetRecord(
        asset_id=row.id,
        sha256=row.sha256,
        media_type=row.media_type,
        width=row.width,
        height=row.height,
        duration_ms=row.duration_ms,
        manifest_id=row.label,
        manifest_digest=row.digest,
        signer_name=row.signer_name,
        signer_fingerprint=row.signer_fingerprint,
        signed_at=row.signed_at,
        time_state=row.time_state,
        action=row.action,
        parent_asset_id=parent,
        bindings=bindings,
        reference_digest=row.reference_digest,
        reference_media_type=row.reference_media_type,
        reference_width=row.reference_width,
        reference_height=row.reference_height,
        fingerprint=row.fingerprint,
        development=row.development,
        stamp_due=row.stamp_due,
        stamped_at=row.stamped_at,
        withdrawn_at=row.withdrawn_at,
        created_at=row.created_at,
    )
