"""Receipts over HTTP: the entry that recorded a manifest, proven against the log's newest checkpoint."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from api.problems import refuse
from api.wiring import House
from provenance.errors import NotFoundError, UnavailableError
from provenance.store.registry import AssetRecord
from provenance.trail import receipt
from provenance.trail.entry import canonical

_WAIT_S = 5.0


def made(house: House, record: AssetRecord, base_url: str) -> dict[str, Any]:
    """The receipt of a registered manifest. Blocks until the sequencer has numbered its entry, some seconds at most.

    Raises:
        ProblemError: its entry was erased, or has no place in the log yet (404).
    """
    entries = (entry for entry in house.registry.trail(record.asset_id) if entry.payload)
    entry = next((entry for entry in entries if entry.payload and entry.payload.get("manifest") == record.manifest_id), None)
    if entry is None or entry.salt is None or entry.payload is None:
        refuse("not-found", "what was recorded of this manifest was erased, or names it not")
    try:
        seq = house.log.await_number(entry.id, timeout_s=_WAIT_S, sleep=time.sleep, clock=time.monotonic)
        proof = house.log.prove(seq)
    except (UnavailableError, NotFoundError):
        refuse("not-found", "its entry has no place in the log yet; ask again")
    root = base_url.rstrip("/")
    return receipt.receipt(
        repository=f"{root}/v1",
        log_uri=f"{root}/api/v1/log",
        manifest_id=record.manifest_id,
        body=entry.body,
        salt=entry.salt,
        payload=canonical(entry.payload),
        proof=proof,
        keys=house.log.public_keys(),
    )


def checked(house: House, record: AssetRecord, given: Mapping[str, Any]) -> dict[str, Any]:
    """A receipt with what it comes to, against this log's own keys."""
    found = receipt.check(given, manifest_id=record.manifest_id, keys=house.log.public_keys())
    return {**given, "verified": found.verified} | ({"error": found.error} if found.error else {})
