"""The collaborators that the use cases are handed: nothing here is looked up, everything was passed in by the rim."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from keys.trust import TrustList
from provenance.isolation import Workers
from provenance.store.registry import Registry


@dataclass(frozen=True)
class Desk:
    """What verifying needs.

    Attributes:
        workers: Killable processes for hostile media.
        lists: Signer and time stamp authority lists, kept apart by their kind.
        mark_keys: Tried in order, and each that reads a mark is told; the first is the deployment's own or the public one.
        registry: None where only the file itself is to be looked at.
    """

    workers: Workers
    lists: tuple[TrustList, ...]
    mark_keys: tuple[bytes, ...]
    registry: Registry | None


@dataclass(frozen=True)
class Studio:
    """What signing needs, besides the desk that judges its results.

    Attributes:
        signer: Reference of the key (see keys.signer.load); it is opened in a worker, or names a signing process.
        keys_folder: Where file keys lie.
        mark_key: Key of new marks, 32 bytes.
        tsa: Returns the URL of a time stamp authority that answers now, or None: sign without, and queue.
        new_mark_id: A fresh 64-bit id.
        new_asset_id: A fresh asset id.
        identity: Reference of a second key, an organisation's: it signs an identity assertion beside the claim (CAWG).
    """

    desk: Desk
    signer: str
    keys_folder: Path
    mark_key: bytes
    tsa: Callable[[], str | None]
    new_mark_id: Callable[[], int]
    new_asset_id: Callable[[], str]
    identity: str | None = None
