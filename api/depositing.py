"""Manifest stores that come without their asset: kept if their signature holds, found by what their signed claims carry.

With a reference, which `colophon watch --server` sends along, stripped copies are recovered and compared here as well.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field
from datetime import datetime

from api.problems import refuse
from api.wiring import House
from provenance import tasks
from provenance.appraisal import appraise
from provenance.credential import Credential
from provenance.sdk import STORE_TYPE
from provenance.store.registry import Binding, Registration
from provenance.vouching import vouch

_HEADER = 8


@dataclass(frozen=True, slots=True)
class Kept:
    """What a depositor says of the asset itself, which stays where it is.

    Attributes:
        asset_id: Its id at the depositor's; the same here.
        sha256: Of the signed asset.
        width: Upright, in pixels; None for sound. `height` likewise.
        reference: What copies are compared with; see `provenance.vouching` for what is believed of it.
    """

    asset_id: str
    sha256: str
    media_type: str
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None
    reference: bytes | None = field(default=None, repr=False)
    reference_media_type: str | None = None


def deposit(house: House, store: bytes, *, client: str, at: datetime, kept: Kept | None = None) -> str:
    """Register a store under its active manifest's label; again changes nothing. Blocks.

    Raises:
        ProblemError: it cannot be read, its signature does not hold, or the reference is not its asset's (422).
        ConflictError: the label, or the asset's id, stands for something else (409).
    """
    credential = house.desk.workers.run(tasks.read_registered, store)
    if not isinstance(credential, Credential) or credential.active not in credential.manifests:
        refuse("unusable-file", "this is no manifest store that can be read")
    weighed = appraise(credential.manifest, credential=credential, lists=house.desk.lists, revocations={}, at=at)
    if not weighed.sound or weighed.signer is None:
        refuse("unusable-file", "the signature of its active manifest does not hold")
    digest = hashlib.sha256(store).hexdigest()
    asset = kept or Kept(uuid.uuid4().hex, digest, STORE_TYPE)
    end = weighed.leaf_not_after
    unstamped = weighed.time.state != "trusted" and end is not None and end > at
    house.registry.register(
        Registration(
            asset_id=asset.asset_id,
            sha256=asset.sha256,
            media_type=asset.media_type,
            manifest_id=credential.active,
            manifest_store=store,
            signer_name=weighed.signer.name,
            signer_fingerprint=weighed.signer.fingerprint.removeprefix("sha256:"),
            signed_at=weighed.time.at or at,
            time_state=weighed.time.state,
            action="registered",
            width=asset.width,
            height=asset.height,
            duration_ms=asset.duration_ms,
            bindings=tuple(Binding(bound.alg, bound.value) for bound in credential.manifest.bindings),
            reference=asset.reference,
            reference_media_type=asset.reference_media_type,
            fingerprint=_vouched(house, store, credential.active, asset),
            summary={"manifest": credential.active, "sha256": asset.sha256, "client": client},
            development=weighed.signer.development,
            stamp_due=end if unstamped else None,
        ),
        at=at,
    )
    return credential.active


def _vouched(house: House, store: bytes, label: str, asset: Kept) -> str | None:
    """The fingerprint of a reference that may be believed. Raises ProblemError for any other."""
    if asset.reference is None or asset.reference_media_type is None:
        return None
    size = (asset.width, asset.height) if asset.width and asset.height else None
    found = house.desk.workers.run(vouch, store, label, asset.reference, asset.reference_media_type, size)
    if found.why is not None:
        refuse("unusable-file", found.why)
    return found.code


def active_alone(store: bytes) -> bytes:
    """A store that holds the active manifest and no other: the last superbox is the active one (C2PA 2.5 §11.1.4.2)."""
    end = int.from_bytes(store[:4])
    at, boxes = _HEADER, []
    while at + _HEADER <= min(end, len(store)):
        length = int.from_bytes(store[at : at + 4])
        if length < _HEADER:  # an extended or open length: written by none that we know, so nothing is cut
            return store
        boxes.append(store[at : at + length])
        at += length
    inner = boxes[0] + boxes[-1]
    return (len(inner) + _HEADER).to_bytes(4) + store[4:_HEADER] + inner
