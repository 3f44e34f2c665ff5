"""Privileged acts: each is an entry of the trail that says who did it, and statuses follow before the answer is given."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime

from api import chores
from api.access import Access, Key
from api.callers import Caller
from api.wiring import House
from provenance.errors import NotFoundError, ProvenanceError
from provenance.store.registry import AssetRecord, Revocation
from provenance.trail.entry import Kind

log = logging.getLogger("colophon.acts")


def withdraw(house: House, asset_id: str, reason: str, *, by: Caller, at: datetime) -> AssetRecord:
    """Withdraw an asset. Raises NotFoundError."""
    house.registry.withdraw(asset_id, reason, at, by=by.id)
    _follow(house)
    record = house.registry.asset(asset_id)
    if record is None:
        raise NotFoundError("asset", asset_id)
    return record


def revoke(house: House, fingerprint: str, reason: str, *, since: datetime, by: Caller, at: datetime) -> Revocation:
    """Revoke a signer's credential, as of an instant."""
    found = house.registry.revoke(fingerprint, reason=reason, at=since, now=at, by=by.id)
    _follow(house)
    return found


def make_key(house: House, access: Access, name: str, roles: Iterable[str], *, by: Caller, at: datetime) -> tuple[Key, str]:
    """Make an API key; returns it and what is shown once. Raises InputError."""
    key, secret = access.new(name, roles, at=at)
    _tell(house, {"what": "made", "by": by.id, "key": key.id, "roles": list(key.roles)}, at)
    return key, secret


def replace_key(house: House, access: Access, key_id: str, *, by: Caller, at: datetime) -> tuple[Key, str]:
    """Make a key of the same name and roles; the old one goes on until it is ended. Raises NotFoundError: no living key."""
    old = living(access, key_id)
    key, secret = access.new(old.name, old.roles, at=at)
    about = {"what": "replaced", "by": by.id, "key": key.id, "roles": list(key.roles), "instead_of": old.id}
    _tell(house, about, at)
    return key, secret


def end_key(house: House, access: Access, key_id: str, *, by: Caller, at: datetime) -> Key:
    """End a key and every token it got; done twice it changes, and tells, nothing. Raises NotFoundError."""
    before = {key.id: key.revoked_at for key in access.listed()}
    key = access.revoke(key_id, at=at)
    if before.get(key_id) is None:
        _tell(house, {"what": "ended", "by": by.id, "key": key.id}, at)
    return key


def living(access: Access, key_id: str) -> Key:
    """A key that was not ended. Raises NotFoundError."""
    found = next((key for key in access.listed() if key.id == key_id and key.revoked_at is None), None)
    if found is None:
        raise NotFoundError("API key", key_id[:64])
    return found


def _tell(house: House, entry: Mapping[str, object], at: datetime) -> None:
    house.registry.append(Kind.ACCESS, None, entry, at=at)


def _follow(house: House) -> None:
    """Judge anew what this touched, now. What fails is on its list still, and done with the next chores."""
    try:
        chores.rejudge(house)
    except ProvenanceError as error:
        log.warning("statuses follow later: %s", error)
