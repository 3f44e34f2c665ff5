"""The registry: which assets are known, by what they can be found again, what happened to them.

Every change and its trail entry commit together, in one transaction. Objects are written first: they are named by their
content, so one that a failed transaction leaves behind is never wrong, only unused.

Looking up a text that nothing can be stored under (a NUL, a megabyte) finds nothing; storing it raises UnstorableError.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Engine, case, delete, or_, select, update

from provenance.errors import NotFoundError
from provenance.store import kin, pending, served, similar, stamps, survivals, trail
from provenance.store.assets import ancestry, assets, claim_id, claim_label, first_receipt, number_of, records
from provenance.store.database import insert, reading, writing
from provenance.store.objects import Objects, is_digest
from provenance.store.records import (
    TEXT_BYTES,
    VALUE_BYTES,
    AssetRecord,
    Binding,
    Ingredient,
    Receipt,
    Registration,
    Relation,
    Revocation,
    StampDue,
    StatusRecord,
    is_name,
    require_digest,
    require_storable,
    storable,
)
from provenance.store.tables import asset, binding, idempotency, lineage, manifest, revocation, trail_payload
from provenance.store.trail import SALT_BYTES, Kind, TrailEntry, utc

__all__ = [
    "AssetRecord",
    "Binding",
    "Receipt",
    "Registration",
    "Registry",
    "Revocation",
    "StampDue",
    "StatusRecord",
    "TrailEntry",
]


def _salt() -> bytes:
    return secrets.token_bytes(SALT_BYTES)


class Registry:
    """The registry in one database and one folder of objects; safe to share between threads and processes.

    Any method raises `DatabaseUnavailableError` where the database cannot be reached. Instants passed in have a zone.
    """

    def __init__(self, engine: Engine, objects: Objects, *, salt: Callable[[], bytes] = _salt) -> None:
        """Take a migrated database, a folder of objects, and where 16 random bytes come from."""
        self._engine = engine
        self._objects = objects
        self._salt = salt

    # registering

    def register(self, r: Registration, *, at: datetime) -> Receipt:
        """Store an asset, its manifest, bindings, reference and trail entry: all or nothing.

        The same bytes with the same manifest again, under whichever id: nothing changes, the first receipt comes back.

        Raises:
            ConflictError: the id, or the manifest's label, already stands for something else.
            NotFoundError: the parent is not registered.
            UnstorableError: the fingerprint is no ISCC unit.
        """
        at = utc(at)
        store = self._objects.put(r.manifest_store)
        reference = None if r.reference is None else self._objects.put(r.reference)
        with writing(self._engine) as connection:
            claim_label(connection, r, store)
            number = claim_id(connection, r, reference, at)
            if number is None:
                return first_receipt(connection, r)
            kin.join(connection, r, number)
            if r.bindings:
                rows = [{"asset_number": number, "alg": b.alg, "value": b.value} for b in dict.fromkeys(r.bindings)]
                connection.execute(binding.insert(), rows)
            if r.fingerprint is not None:
                similar.add(connection, number, r.fingerprint)
            entry = trail.append(connection, Kind(r.action), r.asset_id, r.summary, salt=self._salt(), at=at)
            if r.consent is not None:
                trail.append(connection, Kind.CONSENT, r.asset_id, r.consent, salt=self._salt(), at=at)
        return Receipt(r.asset_id, entry, new=True)

    # finding

    def asset(self, asset_id: str) -> AssetRecord | None:
        """Return the asset of that id."""
        return self._first(asset.c.id == asset_id) if is_name(asset_id) else None

    def by_sha256(self, digest: str) -> AssetRecord | None:
        """Return the asset that first was registered with exactly these bytes."""
        return self._first(asset.c.sha256 == digest) if is_digest(digest) else None

    def by_manifest(self, label: str) -> AssetRecord | None:
        """Return the asset that first was registered with that active manifest."""
        return self._first(asset.c.manifest_label == label) if is_name(label) else None

    def by_binding(self, alg: str, value: str) -> tuple[AssetRecord, ...]:
        """Return the assets whose signed claims carry that soft binding, oldest first."""
        if not is_name(alg) or storable(value, VALUE_BYTES) is not None:
            return ()
        bound = select(binding.c.asset_number).where(binding.c.alg == alg, binding.c.value == value)
        return self._all(asset.c.number.in_(bound))

    def parents(self, asset_id: str) -> tuple[AssetRecord, ...]:
        """Return what an asset was made from."""
        return self._relatives(asset_id, lineage.c.child, lineage.c.parent)

    def children(self, asset_id: str) -> tuple[AssetRecord, ...]:
        """Return what was made from an asset, oldest first."""
        return self._relatives(asset_id, lineage.c.parent, lineage.c.child)

    def relations(self, asset_ids: Sequence[str]) -> tuple[Relation, ...]:
        """Return the edges to parents and children of some assets."""
        with reading(self._engine) as connection:
            return kin.relations(connection, [one for one in asset_ids if is_name(one)])

    def ingredients(self, labels: Sequence[str]) -> tuple[Ingredient, ...]:
        """Return the edges to parents and children of some manifests, registered or only heard of."""
        with reading(self._engine) as connection:
            return kin.ingredients(connection, [one for one in labels if is_name(one)])

    def near(self, code: str, *, limit: int = 5, max_distance: int = 40) -> tuple[tuple[AssetRecord, int], ...]:
        """Return the assets whose fingerprints differ least from an ISCC unit, with the number of differing bits.

        Complete up to 15 differing bits of 256, likely beyond (see `similar`); different photos rarely come within 40.

        Raises:
            UnstorableError: the code is no ISCC unit.
        """
        with reading(self._engine) as connection:
            found = similar.nearest(connection, code, limit=limit, max_distance=max_distance)
            whole = records(connection, assets().where(asset.c.number.in_([number for number, _ in found])))
        return tuple((whole[number], distance) for number, distance in found)

    def manifest_store(self, label: str) -> bytes | None:
        """Return the manifest store that was registered with an active manifest of that label, byte for byte.

        Raises:
            DamagedObjectError, NotFoundError: the object is damaged or gone from the folder.
        """
        if not is_name(label):
            return None
        with reading(self._engine) as connection:
            digest = connection.scalar(select(manifest.c.digest).where(manifest.c.label == label))
        return None if digest is None else self._objects.get(digest)

    def manifest_labels(self, *, after: str = "", limit: int = 500) -> tuple[str, ...]:
        """Return registered labels in their order, a page at a time, beginning behind `after`."""
        if after and not is_name(after):
            return ()
        query = select(manifest.c.label).where(manifest.c.label > after).order_by(manifest.c.label).limit(limit)
        with reading(self._engine) as connection:
            return tuple(connection.scalars(query))

    def reference(self, asset_id: str) -> bytes | None:
        """Return the small copy that content is compared with.

        Raises:
            DamagedObjectError, NotFoundError: the object is damaged or gone from the folder.
        """
        record = self.asset(asset_id)
        return None if record is None or record.reference_digest is None else self._objects.get(record.reference_digest)

    # the trail

    def append(self, kind: str, asset_id: str | None, payload: Mapping[str, Any], *, at: datetime) -> int:
        """Add an entry to the trail and return its id.

        Raises:
            NotFoundError: the entry names an asset that is not registered.
            ValueError: no such kind; the payload is no JSON.
        """
        at, entry_kind = utc(at), Kind(kind)
        with writing(self._engine) as connection:
            if asset_id is not None:
                number_of(connection, asset_id)
            return trail.append(connection, entry_kind, asset_id, payload, salt=self._salt(), at=at)

    def trail(self, asset_id: str, *, include_parents: bool = False) -> tuple[TrailEntry, ...]:
        """Return an asset's entries in order of arrival; with those of all its ancestors, if asked."""
        if not is_name(asset_id):
            return ()
        with reading(self._engine) as connection:
            family = ancestry(connection, asset_id) if include_parents else (asset_id,)
            return trail.entries(connection, family)

    # taking back

    def erase(self, entry_id: int, reason: str, at: datetime) -> int | None:
        """Erase an entry's payload and salt, and return the id of the entry that says so; None if it was gone already.

        The entry stands, and all proofs hold: it has only a salted digest, which without its salt tells nothing.

        Raises:
            NotFoundError: no such entry.
            UnstorableError: a reason that cannot be stored.
        """
        require_storable("reason", reason, TEXT_BYTES)
        at = utc(at)
        with writing(self._engine) as connection:
            found = trail.entry(connection, entry_id)
            if found is None:
                raise NotFoundError("entry", str(entry_id))
            if not connection.execute(delete(trail_payload).where(trail_payload.c.entry_id == entry_id)).rowcount:
                return None
            payload = {"erased": found.digest, "reason": reason}
            return trail.append(connection, Kind.ERASED, found.asset_id, payload, salt=self._salt(), at=at)

    def revoke(
        self, fingerprint: str, *, reason: str, at: datetime, now: datetime | None = None, by: str | None = None
    ) -> Revocation:
        """Revoke a signer's credential and return what now holds. Nothing un-revokes.

        The same reason again changes nothing. Another one takes its place (a key retired last year may turn out stolen
        today), and the earliest instant stays. What changes is noted for `Chores.revoked`: stored statuses must follow.

        Args:
            at: From when on; a theft is often noticed late.
            now: The instant of the trail's entry, where that is another.
            by: Who did it, as the trail is to say.
        """
        require_storable("fingerprint", fingerprint)
        require_storable("reason", reason, TEXT_BYTES)
        at, noted = utc(at), utc(now or at)
        with writing(self._engine) as connection:
            new = insert(connection, revocation).values(fingerprint=fingerprint, reason=reason, at=at)
            earliest = case((new.excluded.at < revocation.c.at, new.excluded.at), else_=revocation.c.at)
            change = new.on_conflict_do_update(
                index_elements=["fingerprint"],
                set_={"reason": reason, "at": earliest},
                where=or_(revocation.c.reason != reason, revocation.c.at > new.excluded.at),
            ).returning(revocation.c.at)
            if connection.execute(change).first() is not None:
                payload = {"fingerprint": fingerprint, "reason": reason, "revoked_at": at.isoformat()}
                payload |= {"by": by} if by else {}
                trail.append(connection, Kind.REVOKED, None, payload, salt=self._salt(), at=noted)
                pending.mark(connection, fingerprint, noted)
            row = connection.execute(select(revocation).where(revocation.c.fingerprint == fingerprint)).one()
        return Revocation(row.fingerprint, row.reason, row.at)

    def revocation(self, fingerprint: str) -> Revocation | None:
        """Return what is known against a signer's credential."""
        if not is_name(fingerprint):
            return None
        with reading(self._engine) as connection:
            row = connection.execute(select(revocation).where(revocation.c.fingerprint == fingerprint)).first()
        return None if row is None else Revocation(row.fingerprint, row.reason, row.at)

    def withdraw(self, asset_id: str, reason: str, at: datetime, *, by: str | None = None) -> None:
        """Withdraw an asset; withdrawing it again changes nothing. Stored statuses must follow: see `Chores.revoked`.

        Args:
            by: Who did it, as the trail is to say.

        Raises:
            NotFoundError: no such asset.
        """
        require_storable("reason", reason, TEXT_BYTES)
        at, payload = utc(at), {"reason": reason} | ({"by": by} if by else {})
        with writing(self._engine) as connection:
            number = number_of(connection, asset_id)
            standing = update(asset).where(asset.c.number == number, asset.c.withdrawn_at.is_(None))
            if connection.execute(standing, {"withdrawn_at": at}).rowcount:
                trail.append(connection, Kind.WITHDRAWN, asset_id, payload, salt=self._salt(), at=at)
                pending.mark(connection, f"{pending.ASSET}{asset_id}", at)

    # what is served

    def set_status(
        self, asset_id: str | None, sha256: str, document: Mapping[str, Any], *, at: datetime, cause: str = "verified"
    ) -> StatusRecord:
        """Store the status of a file, to be served as it is; a change is noted for whoever follows.

        Args:
            asset_id: The asset that the status speaks of: the file itself, or what a copy was recovered to.
            sha256: Of the file.
            document: JSON.
            at: Now.
        """
        require_digest("sha256", sha256)
        if asset_id is not None:
            require_storable("asset_id", asset_id)
        with writing(self._engine) as connection:
            return served.set_status(connection, asset_id, sha256, document, utc(at), cause=cause)

    def statuses(self, ids: Sequence[str]) -> dict[str, StatusRecord]:
        """Return the stored statuses of files (by sha256) and assets (by id); ids without one are left out.

        An asset's status is that of its own bytes: what was found about a copy never answers for the asset.
        """
        with reading(self._engine) as connection:
            return served.statuses(connection, ids)

    def stamp_queue(self, *, limit: int = 500, at: datetime | None = None) -> tuple[StampDue, ...]:
        """Return the manifests that still lack a trusted time stamp, the most urgent first; overdue at an instant: last."""
        with reading(self._engine) as connection:
            return stamps.queue(connection, limit, None if at is None else utc(at))

    def stamped(self, manifest_id: str, at: datetime) -> None:
        """Take a manifest off the queue; again changes nothing.

        Raises:
            NotFoundError: no such manifest.
        """
        if not is_name(manifest_id):
            raise NotFoundError("manifest", manifest_id[:64])
        with writing(self._engine) as connection:
            stamps.take_off(connection, manifest_id, utc(at))

    def keep_stamp(self, manifest_id: str, token: bytes, *, stamped_at: datetime, at: datetime) -> bool:
        """Keep a trusted time stamp that a manifest got later, and take it off the queue.

        Returns:
            Whether it is the first one; a later one changes nothing.
        Raises:
            NotFoundError: no such manifest.
        """
        if not is_name(manifest_id):
            raise NotFoundError("manifest", manifest_id[:64])
        with writing(self._engine) as connection:
            return stamps.keep(connection, manifest_id, token, utc(stamped_at), utc(at))

    def kept_stamps(self, labels: Sequence[str]) -> dict[str, bytes]:
        """Return the tokens kept for manifests, by label; manifests without one are left out."""
        with reading(self._engine) as connection:
            return stamps.kept(connection, labels)

    # what marks live through

    def keep_survival(self, asset_id: str, ladder: str, document: Mapping[str, Any], *, at: datetime) -> None:
        """Store what an asset's mark lived through; an older result of the same ladder gives way.

        Raises:
            NotFoundError: no such asset.
        """
        require_storable("ladder", ladder)
        with writing(self._engine) as connection:
            survivals.keep(connection, asset_id, ladder, document, utc(at))

    def survival(self, asset_id: str, ladder: str | None = None) -> bytes | None:
        """Return the JSON of a ladder's result, or of the one measured last; None where none was."""
        if not is_name(asset_id) or (ladder is not None and not is_name(ladder)):
            return None
        with reading(self._engine) as connection:
            return survivals.latest(connection, asset_id, ladder)

    # answers given before (Idempotency-Key)

    def remember(self, key: str, route: str, request_digest: str, response: bytes, *, at: datetime) -> bytes:
        """Keep the answer to a request and return the one that stands: of two equal requests at once, the first one's.

        Raises:
            ConflictError: the key was used with another request.
        """
        require_storable("idempotency key", key)
        require_storable("route", route)
        require_digest("request digest", request_digest)
        with writing(self._engine) as connection:
            served.keep_answer(connection, key, route, request_digest, response, utc(at))
            stands = served.answer(connection, key, route, request_digest)
        assert stands is not None
        return stands

    def recall(self, key: str, route: str, request_digest: str) -> bytes | None:
        """Return the answer that a request was given before.

        Raises:
            ConflictError: the key was used with another request.
        """
        if not (is_name(key) and is_name(route)):
            return None
        with reading(self._engine) as connection:
            return served.answer(connection, key, route, request_digest)

    def forget(self, before: datetime) -> int:
        """Drop answers older than an instant and return how many; a key may then be used anew."""
        with writing(self._engine) as connection:
            return connection.execute(delete(idempotency).where(idempotency.c.created_at < utc(before))).rowcount

    # reading assets

    def _first(self, condition: ColumnElement[bool]) -> AssetRecord | None:
        with reading(self._engine) as connection:
            return next(iter(records(connection, assets().where(condition).limit(1)).values()), None)

    def _all(self, condition: ColumnElement[bool]) -> tuple[AssetRecord, ...]:
        with reading(self._engine) as connection:
            return tuple(records(connection, assets().where(condition)).values())

    def _relatives(self, asset_id: str, of: ColumnElement[int], wanted: ColumnElement[int]) -> tuple[AssetRecord, ...]:
        if not is_name(asset_id):
            return ()
        this = select(asset.c.number).where(asset.c.id == asset_id).scalar_subquery()
        return self._all(asset.c.number.in_(select(wanted).where(of == this)))
