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

from provenance.desk import Studio
from provenance.finishing import Signed, placing
from provenance.trail.receipt import assertion
from provenance.updating import signed_source, write_updated

Receipts = Callable[[str], Mapping[str, Any]]  # manifest id -> its receipt; raises NotFoundError where there is none


def with_receipt(source: Path, destination: Path, studio: Studio, receipts: Receipts, *, at: datetime) -> Signed:
    """Write a signed file anew, with an update manifest that holds the receipt of its active manifest.

    Raises:
        InputError: it carries no credential.
        NotFoundError: its manifest is not registered, or has no place in the log yet.
        OutputError, SigningError, StoreError: as `capture.sign`.
    """
    with placing(source, destination) as scratch:
        given = signed_source(source, studio, purpose="a receipt could be of")
        active = given.credential.active
        said = (assertion(receipts(active)),)
        return write_updated(given, destination, scratch, studio, at=at, summary={"receipt_of": active}, assertions=said)


def receipted(signed: Signed, studio: Studio, receipts: Receipts, *, at: datetime) -> Signed:
    """Put the receipt into a file that was just signed, in its place; what could not be done leaves it as it was."""
    ready = signed.path.with_name(f".{signed.path.name}.{secrets.token_hex(4)}.receipt")
    try:
        updated_file = with_receipt(signed.path, ready, studio, receipts, at=at)
        ready.replace(signed.path)
    finally:
        ready.unlink(missing_ok=True)
    return replace(updated_file, path=signed.path, binding=signed.binding, notes=signed.notes)
