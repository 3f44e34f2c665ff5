"""Receipts: the entry that recorded a manifest, proven against the log's newest checkpoint."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from api.problems import refuse
from api.wiring import House, number
from provenance.errors import InputError, NotFoundError, UnavailableError
from provenance.store.registry import AssetRecord
from provenance.trail import receipt
from provenance.trail.entry import canonical

_WAIT_S = 5.0


def made(house: House, record: AssetRecord, base_url: str) -> dict[str, Any]:
    """The receipt of a registered manifest, over HTTP.

    Raises:
        ProblemError: its entry was erased, or has no place in the log yet (404).
    """
    try:
        return compose(house, record, base_url)
    except UnavailableError:
        refuse("not-found", "its entry has no place in the log yet; ask again")
    except NotFoundError:
        refuse("not-found", "what was recorded of this manifest was erased, or names it not")


def of_manifest(house: House, manifest_id: str) -> dict[str, Any]:
    """The receipt of a manifest under the log's own name, for a claim to hold.

    Raises:
        NotFoundError, UnavailableError: as `compose`; NotFoundError too where it is not registered.
    """
    record = house.registry.by_manifest(manifest_id)
    if record is None:
        raise NotFoundError("manifest", manifest_id)
    number(house)
    return compose(house, record, f"https://{house.log.origin()}")


def of_file(house: House, path: Path) -> dict[str, Any]:
    """The receipt of the active manifest in a registered file.

    Raises:
        InputError: the file is not registered here, byte for byte.
        NotFoundError, UnavailableError: as `compose`.
    """
    with path.open("rb") as file:
        record = house.registry.by_sha256(hashlib.file_digest(file, "sha256").hexdigest())
    if record is None:
        raise InputError(str(path), "is not registered here, so the log holds no receipt of it")
    return of_manifest(house, record.manifest_id)


def compose(house: House, record: AssetRecord, base_url: str) -> dict[str, Any]:
    """Make the receipt. Blocks until the sequencer has numbered the entry, some seconds at most.

    Raises:
        NotFoundError: what was recorded was erased.
        UnavailableError: it has no place in the log yet.
    """
    entries = (entry for entry in house.registry.trail(record.asset_id) if entry.payload)
    entry = next((entry for entry in entries if entry.payload and entry.payload.get("manifest") == record.manifest_id), None)
    if entry is None or entry.salt is None or entry.payload is None:
        raise NotFoundError("record of manifest", record.manifest_id)
    seq = house.log.await_number(entry.id, timeout_s=_WAIT_S, sleep=time.sleep, clock=time.monotonic)
    proof = house.log.prove(seq)
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
