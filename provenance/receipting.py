"""Put the receipt of a manifest on record with the asset itself: `c2pa.repository-receipt` in an update manifest (C2PA 2.4).

A receipt is of a manifest that is in the log, so it can only stand in a later one: an edit's, or an update over the same content.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from provenance import tasks
from provenance.capture import Carrier, Signed, finish, placing, signable
from provenance.claim import updated
from provenance.credential import Credential
from provenance.desk import Studio
from provenance.errors import InputError
from provenance.trail.receipt import assertion
from watermark.media import MARKABLE

Receipts = Callable[[str], Mapping[str, Any]]  # manifest id -> its receipt; raises NotFoundError where there is none


def with_receipt(source: Path, destination: Path, studio: Studio, receipts: Receipts, *, at: datetime) -> Signed:
    """Write a signed file anew, with an update manifest that holds the receipt of its active manifest.

    Raises:
        InputError: it carries no credential.
        NotFoundError: its manifest is not registered, or has no place in the log yet.
        OutputError, SigningError, StoreError: as `capture.sign`.
    """
    workers = studio.desk.workers
    with placing(source, destination) as scratch:
        media_type = signable(source, workers.run(tasks.kind, str(source)))
        found = workers.run(tasks.read_credential, str(source), media_type, None)
        if not isinstance(found, Credential):
            raise InputError(str(source), "carries no credential that a receipt could be of")
        given = receipts(found.active)
        record = studio.desk.registry.by_manifest(found.active) if studio.desk.registry else None
        return finish(
            Carrier(source, media_type, None, False, workers.run(tasks.view, str(source)) if media_type in MARKABLE else None),
            updated(title=found.manifest.title or source.name, assertions=(assertion(given),)),
            scratch,
            studio,
            destination=destination,
            action="registered",
            register=True,
            at=at,
            summary={"receipt_of": found.active},
            parent_asset_id=record.asset_id if record else None,
            update=True,
        )


def receipted(signed: Signed, studio: Studio, receipts: Receipts, *, at: datetime) -> Signed:
    """Put the receipt into a file that was just signed, in its place; what could not be done leaves it as it was."""
    ready = signed.path.with_name(f".{signed.path.name}.{secrets.token_hex(4)}.receipt")
    try:
        updated_file = with_receipt(signed.path, ready, studio, receipts, at=at)
        ready.replace(signed.path)
    finally:
        ready.unlink(missing_ok=True)
    return replace(updated_file, path=signed.path, binding=signed.binding, notes=signed.notes)
