"""Sign an edit as the child of its parent: `parentOf` ingredient, `c2pa.opened`, the stated actions, the mark kept.

A composite names what was placed in it as well: `componentOf` ingredients, each with its `c2pa.placed`. Where all that was done
makes a rendition (`actions.RENDITION`), the trail says rendition.

The mark that the parent carried usually lives through an edit. Where it can still be read, the edited pixels are signed as
they are and the child names the same mark; where it cannot, a new one is put in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from provenance import actions, hearing, tasks, viewing
from provenance.carrying import AUTO, NONE, Carrier, Wanted, carry
from provenance.claim import Input, edited, further
from provenance.credential import Credential, Remote, SoftBinding, Unreadable
from provenance.desk import Studio
from provenance.errors import InputError
from provenance.finishing import Draft, Signed, finish, placing, signable
from provenance.inferring import inferred
from provenance.looking import carried
from provenance.store.records import Kin
from watermark.media import MARKABLE
from watermark.sound_files import WRITABLE as SOUNDS
from watermark.video_files import WRITABLE as FILMS


@dataclass(frozen=True, slots=True)
class EditRequest:
    """An edited file and what it was made from.

    Attributes:
        parent: The file that the edit started from, with its credential.
        edited: The result as the editor saved it.
        actions: What was done, in order: members of `actions.EDIT_ACTIONS`; may be empty where something was placed.
        components: Files that were placed in it, signed or not.
        mark: "auto" keeps the parent's mark or puts a new one in; "none" leaves the content alone.
        assertions: Further assertions, as the builder takes them: a receipt of the parent (`trail.receipt.assertion`).
    """

    parent: Path
    edited: Path
    destination: Path
    actions: tuple[str, ...]
    components: tuple[Path, ...] = ()
    mark: str = AUTO
    redact: frozenset[str] = frozenset()
    register: bool = True
    title: str | None = None
    assertions: tuple[Mapping[str, Any], ...] = ()


def edit(request: EditRequest, studio: Studio, *, at: datetime) -> Signed:
    """Sign an edited file as a child.

    Raises:
        InputError: a file cannot be used, or the credential of one that it was made from is damaged.
        ValueError: an action that may not be stated, or none at all.
        OutputError, SigningError, StoreError: as `capture.sign`.
    """
    _check_actions(request)
    with placing(request.edited, request.destination) as scratch:
        workers = studio.desk.workers
        parent, parent_credential = _made_from(request.parent, Input(request.parent.name), request, studio)
        placed = [Input(path.name, n) for n, path in enumerate(request.components, 1)]
        components = [_made_from(path, one, request, studio) for path, one in zip(request.components, placed, strict=True)]
        media_type = signable(request.edited, workers.run(tasks.kind_of_whole, str(request.edited)))
        carrier = _carrier(request, media_type, parent_credential, scratch, studio)
        definition = edited(
            title=request.title or request.edited.name,
            names=request.actions,
            at=at,
            binding=carrier.binding,
            renewed=carrier.marked_now,
            thumbnail=carrier.thumbnail is not None,
            components=placed,
            assertions=(*(further(bound) for bound in carrier.also), *request.assertions),
        )
        draft = Draft(
            definition,
            action="rendition" if actions.makes_rendition(request.actions) and not placed else "edited",
            summary={
                "actions": list(request.actions),
                "parent": parent_credential.active if parent_credential else None,
                **({"components": [found.active if found else None for _, found in components]} if placed else {}),
            },
            made_from=(parent, *(made for made, _ in components)),
            parent_asset_id=_registered(parent_credential, studio),
            kin=_by_their_marks([(parent, parent_credential), *components], studio),
        )
        return finish(carrier, draft, scratch, studio, destination=request.destination, register=request.register, at=at)


def _check_actions(request: EditRequest) -> None:
    if not request.actions and not request.components:
        raise ValueError("say what was done: at least one action")
    strange = actions.unknown(request.actions)
    if strange:
        raise ValueError(f"not an action that an edit may state: {', '.join(strange)}")


def _made_from(path: Path, named: Input, request: EditRequest, studio: Studio) -> tuple[tasks.Made, Credential | None]:
    """A file as ingredient, and its credential; None where it has none, which an ingredient may."""
    if not path.exists():
        raise InputError(str(path), "no such file")
    if request.destination.exists() and request.destination.samefile(path):
        what = "the parent" if named.component is None else "a component"
        raise InputError(str(request.destination), f"would overwrite {what}")
    workers = studio.desk.workers
    media_type = signable(path, workers.run(tasks.kind_of_whole, str(path)))
    found = workers.run(tasks.read_credential, str(path), media_type, None)
    if isinstance(found, Unreadable):
        raise InputError(str(path), f"its credential is damaged ({found.explanation}); sign the edit on its own")
    made = tasks.Made(named.ingredient(), media_type, str(path))
    return made, None if isinstance(found, Remote) else found


def _carrier(request: EditRequest, media_type: str, parent: Credential | None, scratch: Path, studio: Studio) -> Carrier:
    kept = _kept_mark(request, media_type, parent, studio)
    if kept is not None and not request.redact:
        small = hearing.hear if media_type in SOUNDS else viewing.view_film if media_type in FILMS else tasks.view
        view = studio.desk.workers.run(small, str(request.edited))
        return Carrier(request.edited, media_type, kept, False, view, also=_also(kept, parent))
    wanted = Wanted(NONE if kept is not None else request.mark, request.redact)
    carrier = carry(request.edited, media_type, wanted, scratch, studio)
    return carrier if kept is None else replace(carrier, binding=kept, also=_also(kept, parent))


def _also(kept: SoftBinding, parent: Credential | None) -> tuple[SoftBinding, ...]:
    """The same id under the parent's other algorithms: a film's sound is kept with its picture."""
    claimed = parent.manifest.bindings if parent else ()
    return tuple(one for one in claimed if one.value == kept.value and one != kept)


def _kept_mark(request: EditRequest, media_type: str, parent: Credential | None, studio: Studio) -> SoftBinding | None:
    """The parent's mark, if the edited content still carries it."""
    if request.mark == NONE or parent is None or media_type not in MARKABLE | SOUNDS | FILMS or not parent.manifest.bindings:
        return None
    read = carried(request.edited, media_type, studio.desk)
    return read if read in parent.manifest.bindings else None


def _by_their_marks(made_from: Iterable[tuple[tasks.Made, Credential | None]], studio: Studio) -> tuple[Kin, ...]:
    """Registered assets that files without a credential are copies of, as their marks tell; flagged as inferred."""
    registry = studio.desk.registry
    if registry is None:
        return ()
    bare = ((made, made.ingredient["relationship"]) for made, credential in made_from if credential is None)
    found = ((inferred(Path(made.path), made.media_type, None, studio.desk, registry), how) for made, how in bare)
    return tuple(Kin(asset_id, how, inferred=True) for asset_id, how in dict(found).items() if asset_id is not None)


def _registered(parent: Credential | None, studio: Studio) -> str | None:
    if parent is None or studio.desk.registry is None:
        return None
    record = studio.desk.registry.by_manifest(parent.active)
    return record.asset_id if record else None
