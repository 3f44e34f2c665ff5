"""Write a signed file anew with an update manifest (C2PA 2.5 §11.2.3): the content stays, something is said about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from provenance import tasks
from provenance.carrying import Carrier
from provenance.claim import updated
from provenance.credential import Credential
from provenance.desk import Studio
from provenance.errors import InputError
from provenance.finishing import Draft, Signed, finish, signable
from provenance.store.records import AssetRecord
from watermark.media import MARKABLE


@dataclass(frozen=True, slots=True)
class SignedSource:
    """A file that carries a credential, and the registered asset that its active manifest made, if any."""

    path: Path
    media_type: str
    credential: Credential
    record: AssetRecord | None


def signed_source(path: Path, studio: Studio, *, purpose: str) -> SignedSource:
    """Read what is to be updated.

    Raises:
        InputError: it carries no credential "that {purpose}".
        UnsupportedMediaError: no container that the library can write into.
    """
    workers, registry = studio.desk.workers, studio.desk.registry
    media_type = signable(path, workers.run(tasks.kind_of_whole, str(path)))
    found = workers.run(tasks.read_credential, str(path), media_type, None)
    if not isinstance(found, Credential):
        raise InputError(str(path), f"carries no credential that {purpose}")
    return SignedSource(path, media_type, found, registry.by_manifest(found.active) if registry else None)


def write_updated(
    source: SignedSource,
    destination: Path,
    scratch: Path,
    studio: Studio,
    *,
    at: datetime,
    summary: Mapping[str, Any],
    assertions: Sequence[Mapping[str, Any]] = (),
    stamp: bool = False,
    register: bool = True,
) -> Signed:
    """Sign the update over the file; its asset becomes the parent.

    Args:
        scratch: Where it grows (`finishing.placing`).
        stamp: Whether it holds a time stamp for the manifest before it.
    Raises:
        OutputError, SigningError, StoreError: as `finishing.finish`.
    """
    view = studio.desk.workers.run(tasks.view, str(source.path)) if source.media_type in MARKABLE else None
    draft = Draft(
        updated(title=source.credential.manifest.title or source.path.name, assertions=tuple(assertions)),
        action="registered",
        summary=summary,
        parent_asset_id=source.record.asset_id if source.record else None,
        update=True,
        stamp=stamp,
    )
    carrier = Carrier(source.path, source.media_type, None, False, view)
    return finish(carrier, draft, scratch, studio, destination=destination, register=register, at=at)
