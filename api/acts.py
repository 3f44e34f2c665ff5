"""Privileged acts: each is an entry of the trail that says who did it, and statuses follow before the answer is given."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from api import chores
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


def access(house: House, what: str, about: Mapping[str, Any], *, by: str, at: datetime) -> int:
    """Record that somebody changed who may do what: `what` is "made", "replaced" or "ended"; returns the entry's id."""
    return house.registry.append(Kind.ACCESS, None, {"what": what, "by": by, **about}, at=at)


def _follow(house: House) -> None:
    """Judge anew what this touched, now. What fails is on its list still, and done with the next chores."""
    try:
        chores.rejudge(house)
    except ProvenanceError as error:
        log.warning("statuses follow later: %s", error)
