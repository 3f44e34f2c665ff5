"""Sign an edit as the child of its parent: `parentOf` ingredient, `c2pa.opened`, the stated actions, the mark kept.

The mark that the parent carried usually lives through an edit. Where it can still be read, the edited pixels are signed as
they are and the child names the same mark; where it cannot, a new one is put in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from provenance import actions, tasks
from provenance.capture import AUTO, NONE, Carrier, Signed, SignRequest, carry, finish, placing, signable
from provenance.claim import Parent, edited
from provenance.credential import Credential, Remote, SoftBinding, Unreadable
from provenance.desk import Studio
from provenance.errors import BudgetError, DamagedMediaError, InputError, UnsupportedMediaError
from provenance.soft_binding import binding
from watermark.media import MARKABLE


@dataclass(frozen=True, slots=True)
class EditRequest:
    """An edited file and what it was made from.

    Attributes:
        parent: The file that the edit started from, with its credential.
        edited: The result as the editor saved it.
        actions: What was done, in order: members of `actions.EDIT_ACTIONS`.
        mark: "auto" keeps the parent's mark or puts a new one in; "none" leaves the content alone.
    """

    parent: Path
    edited: Path
    destination: Path
    actions: tuple[str, ...]
    mark: str = AUTO
    redact: frozenset[str] = frozenset()
    register: bool = True
    title: str | None = None


def edit(request: EditRequest, studio: Studio, *, at: datetime) -> Signed:
    """Sign an edited file as a child.

    Raises:
        InputError: a file cannot be used, or the parent's credential is damaged.
        ValueError: an action that may not be stated, or none at all.
        OutputError, SigningError, StoreError: as `capture.sign`.
    """
    _check_actions(request.actions)
    with placing(request.edited, request.destination) as scratch:
        workers = studio.desk.workers
        if request.destination.exists() and request.destination.samefile(request.parent):
            raise InputError(str(request.destination), "would overwrite the parent")
        parent_type = signable(request.parent, workers.run(tasks.kind, str(request.parent)))
        parent_credential = _readable(request.parent, parent_type, studio)
        media_type = signable(request.edited, workers.run(tasks.kind, str(request.edited)))
        carrier = _carrier(request, media_type, parent_credential, scratch, studio)
        definition = edited(
            title=request.title or request.edited.name,
            names=request.actions,
            at=at,
            binding=carrier.binding,
            renewed=carrier.marked_now,
            thumbnail=carrier.view is not None,
        )
        return finish(
            carrier,
            definition,
            scratch,
            studio,
            destination=request.destination,
            action="edited",
            register=request.register,
            at=at,
            summary={
                "actions": list(request.actions),
                "parent": parent_credential.active if parent_credential else None,
            },
            parent=_ingredient(request.parent, parent_type),
            parent_asset_id=_registered(parent_credential, studio),
        )


def _check_actions(names: tuple[str, ...]) -> None:
    if not names:
        raise ValueError("say what was done: at least one action")
    strange = actions.unknown(names)
    if strange:
        raise ValueError(f"not an action that an edit may state: {', '.join(strange)}")


def _readable(parent: Path, media_type: str, studio: Studio) -> Credential | None:
    """The parent's credential; None where it has none, which an ingredient may."""
    found = studio.desk.workers.run(tasks.read_credential, str(parent), media_type, None)
    if isinstance(found, Unreadable):
        raise InputError(str(parent), f"its credential is damaged ({found.explanation}); sign the edit on its own")
    return None if isinstance(found, Remote) else found


def _carrier(request: EditRequest, media_type: str, parent: Credential | None, scratch: Path, studio: Studio) -> Carrier:
    kept = _kept_mark(request, media_type, parent, studio)
    if kept is not None and not request.redact:
        view = studio.desk.workers.run(tasks.view, str(request.edited))
        return Carrier(request.edited, media_type, kept, False, view)
    ask = SignRequest(
        request.edited,
        request.destination,
        mark=NONE if kept is not None else request.mark,
        redact=request.redact,
    )
    carrier = carry(ask, media_type, scratch, studio)
    return carrier if kept is None else replace(carrier, binding=kept)


def _kept_mark(request: EditRequest, media_type: str, parent: Credential | None, studio: Studio) -> SoftBinding | None:
    """The parent's mark, if the edited pixels still carry it."""
    if request.mark == NONE or parent is None or media_type not in MARKABLE or not parent.manifest.bindings:
        return None
    try:
        pixels = studio.desk.workers.run(tasks.read_pixels, str(request.edited), studio.desk.mark_keys)
    except (BudgetError, DamagedMediaError, UnsupportedMediaError):
        return None
    if pixels.detection.mark_id is None:
        return None
    read = binding(pixels.detection.alg, pixels.detection.mark_id)
    return read if read in parent.manifest.bindings else None


def _ingredient(parent: Path, media_type: str) -> tuple[Mapping[str, Any], str, str]:
    return Parent(parent.name, media_type).ingredient(), media_type, str(parent)


def _registered(parent: Credential | None, studio: Studio) -> str | None:
    if parent is None or studio.desk.registry is None:
        return None
    record = studio.desk.registry.by_manifest(parent.active)
    return record.asset_id if record else None
