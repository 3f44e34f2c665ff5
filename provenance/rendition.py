"""Sign a platform's own transcode as a child that says "rendition, no editorial change", after having looked whether it is.

The parent's file need not be at hand: its manifest store is kept, and becomes the ingredient. Three things are looked at
before anything is signed: that the parent stands, that the content fits the parent's reference (else it is an edit, or
another picture), and whether the parent's mark can still be read: only then does the child name it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from provenance import actions, tasks
from provenance.carrying import Carrier
from provenance.claim import PARENT, edited
from provenance.credential import Credential, SoftBinding
from provenance.desk import Studio
from provenance.errors import AlreadySignedError, InputError, NotFoundError, UnavailableError
from provenance.finishing import Draft, Signed, finish, placing, signable
from provenance.looking import Facts, look, read_mark
from provenance.status import Content
from provenance.store.registry import AssetRecord
from provenance.verify import Lead, follow
from watermark.media import MARKABLE

DEFAULT = ("c2pa.transcoded",)
ACTIONS = actions.EDIT_ACTIONS & actions.NON_EDITORIAL
_STORE = "parent.c2pa"


@dataclass(frozen=True, slots=True)
class RenditionRequest:
    """A transcode, and the registered asset that it was made from.

    Attributes:
        actions: What was done, in order: members of `ACTIONS`, none of which changes what is shown.
    """

    parent: str
    source: Path
    destination: Path
    actions: tuple[str, ...] = DEFAULT
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Rendition:
    """What came of it.

    Attributes:
        mark: "kept", "lost", or "none" where the parent has none that could be looked for.
        agreement: "fits", or "unchecked" where there is no reference to compare with.
        fit: Share of the compared area that agrees, 0–1.
    """

    signed: Signed
    mark: str
    agreement: str
    fit: float | None


def rendition(request: RenditionRequest, studio: Studio, *, at: datetime) -> Rendition:
    """Sign a rendition.

    Raises:
        NotFoundError: the parent is not registered.
        InputError: it was withdrawn, its credential cannot be used, or the content does not fit it.
        AlreadySignedError: the transcode carries a credential of something else.
        BudgetError: looking took too long; what was not looked at is not signed.
        ValueError: an action that a rendition may not state.
        OutputError, SigningError, StoreError: as `capture.sign`.
    """
    strange = [name for name in request.actions if name not in ACTIONS]
    if strange or not request.actions:
        raise ValueError(f"not an action of a rendition: {', '.join(strange) or 'none'}")
    with placing(request.source, request.destination) as scratch:
        workers = studio.desk.workers
        parent, credential, store = _parent(request.parent, studio)
        media_type = signable(request.source, workers.run(tasks.kind_of_whole, str(request.source)))
        _refuse_foreign(request.source, media_type, parent, studio)
        facts = _looked(request.source, media_type, studio)
        agreement, fit = _compared(request.source, parent, facts, studio)
        kept = _kept(facts, credential)
        view = workers.run(tasks.view, str(request.source)) if media_type in MARKABLE else None
        definition = edited(
            title=request.title or request.source.name,
            names=request.actions,
            at=at,
            binding=kept,
            renewed=False,
            thumbnail=view is not None,
        )
        draft = Draft(
            {**definition, "ingredients": [_ingredient(parent, credential)]},
            action="rendition",
            summary={"actions": list(request.actions), "parent": parent.manifest_id},
            resources={_STORE: store},
            parent_asset_id=parent.asset_id,
        )
        carrier = Carrier(request.source, media_type, kept, False, view)
        signed = finish(carrier, draft, scratch, studio, destination=request.destination, register=True, at=at)
    looked = facts is not None and bool(credential.manifest.bindings)
    return Rendition(signed, ("kept" if kept else "lost") if looked else "none", agreement, fit)


def _parent(asset_id: str, studio: Studio) -> tuple[AssetRecord, Credential, bytes]:
    registry = studio.desk.registry
    parent = registry.asset(asset_id) or registry.by_sha256(asset_id) if registry is not None else None
    if registry is None or parent is None:
        raise NotFoundError("asset", asset_id[:64])
    if parent.withdrawn_at is not None:
        raise InputError(asset_id, "the parent was withdrawn")
    store = registry.manifest_store(parent.manifest_id) or b""
    credential = studio.desk.workers.run(tasks.read_registered, store)
    if not isinstance(credential, Credential):
        raise InputError(asset_id, "the parent's credential cannot be read")
    return parent, credential, store


def _refuse_foreign(source: Path, media_type: str, parent: AssetRecord, studio: Studio) -> None:
    found = studio.desk.workers.run(tasks.read_credential, str(source), media_type, None)
    if isinstance(found, Credential) and found.active != parent.manifest_id:
        raise AlreadySignedError(str(source), "carries a credential of something else than the parent named")


def _looked(source: Path, media_type: str, studio: Studio) -> Facts | None:
    """What pixels or samples say; None where nothing looks at such media."""
    looking = look(str(source), media_type, studio.desk)
    return None if looking is None else looking.result()


def _compared(source: Path, parent: AssetRecord, facts: Facts | None, studio: Studio) -> tuple[str, float | None]:
    """How the content agrees with the parent's reference; what does not fit is refused.

    Raises:
        InputError: it shows something else, more was done than to encode it anew, or nothing here can compare such media.
        UnavailableError: the reference cannot be read now.
    """
    if parent.reference_digest is None:
        return str(Content.UNCHECKED), None
    if facts is None:
        raise InputError(str(source), "it cannot be compared with the parent: sign it as an edit")
    candidate = follow(source, [Lead(parent, "manifest")], facts, studio.desk, pictures=False)[0].candidate
    if candidate.content is Content.UNCHECKED:
        raise UnavailableError("the parent's reference")
    if candidate.content is not Content.FITS:
        what = "is not what the parent shows" if candidate.content is Content.FOREIGN else "was changed since the parent"
        raise InputError(str(source), f"its content {what}: sign it as an edit")
    return str(candidate.content), candidate.fit


def _kept(facts: Facts | None, parent: Credential) -> SoftBinding | None:
    """The parent's mark, if it can still be read."""
    read = read_mark(facts).binding
    return read if read in parent.manifest.bindings else None


def _ingredient(parent: AssetRecord, credential: Credential) -> Mapping[str, Any]:
    """The parent by its store, with what was found of it now; its hard binding cannot be looked at without its file."""
    found = credential.manifest.results

    def told(codes: Any) -> list[dict[str, str]]:
        return [
            {"code": c.code, "url": c.url, "explanation": c.explanation} for c in codes if not c.code.endswith("Hash.mismatch")
        ]

    results = {"success": told(found.success), "informational": told(found.informational), "failure": told(found.failure)}
    return {
        "title": parent.asset_id,
        "format": parent.media_type,
        "relationship": "parentOf",
        "label": PARENT,
        "manifest_data": {"format": "application/c2pa", "identifier": _STORE},
        "active_manifest": credential.active,
        "validation_results": {"activeManifest": results},
    }
