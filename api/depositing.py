"""Manifest stores that come without their asset: kept if their signature holds, found by what their signed claims carry."""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime

from api.problems import refuse
from api.wiring import House
from provenance import tasks
from provenance.appraisal import appraise
from provenance.credential import Credential
from provenance.sdk import STORE_TYPE
from provenance.store.registry import Binding, Registration

_HEADER = 8


def deposit(house: House, store: bytes, *, client: str, at: datetime) -> str:
    """Register a store under its active manifest's label; again changes nothing. Blocks.

    Raises:
        ProblemError: it cannot be read, or its signature does not hold (422).
        ConflictError: the label stands for other bytes (409).
    """
    credential = house.desk.workers.run(tasks.read_registered, store)
    if not isinstance(credential, Credential) or credential.active not in credential.manifests:
        refuse("unusable-file", "this is no manifest store that can be read")
    weighed = appraise(credential.manifest, credential=credential, lists=house.desk.lists, revocations={}, at=at)
    if not weighed.sound or weighed.signer is None:
        refuse("unusable-file", "the signature of its active manifest does not hold")
    digest = hashlib.sha256(store).hexdigest()
    house.registry.register(
        Registration(
            asset_id=uuid.uuid4().hex,
            sha256=digest,
            media_type=STORE_TYPE,
            manifest_id=credential.active,
            manifest_store=store,
            signer_name=weighed.signer.name,
            signer_fingerprint=weighed.signer.fingerprint.removeprefix("sha256:"),
            signed_at=weighed.time.at or at,
            time_state=weighed.time.state,
            action="registered",
            bindings=tuple(Binding(bound.alg, bound.value) for bound in credential.manifest.bindings),
            summary={"manifest": credential.active, "sha256": digest, "client": client},
            development=weighed.signer.development,
        ),
        at=at,
    )
    return credential.active


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
