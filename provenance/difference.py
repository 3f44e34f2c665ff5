"""What changed between two registered assets: the actions that claims state, the pixels, the metadata."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from provenance import tasks
from provenance.desk import Desk
from provenance.errors import NotFoundError, StoreError
from provenance.lineage import Lineage, lineage
from provenance.store.registry import AssetRecord
from provenance.verdict import Change, iso

_FIELDS = ("media_type", "width", "height", "duration_ms", "signer_name", "action")


@dataclass(frozen=True)
class Difference:
    """What is otherwise in `new`.

    Attributes:
        related: ancestor | descendant | kin | none: what `old` is to `new`.
        actions: What claims on the way from `old` to `new` state was done, oldest first; empty where there is no way.
        metadata: Field → value in `old`, value in `new`; only those that differ.
        score: Agreement of the contents, 0 to 1; None where there is nothing to compare.
        agreement: fits | changed | foreign; None as above.
        changes: Where the pixels differ, as fractions of `new`.
        picture: JPEG of `new` with those places marked; `copy` is `new` as it is, `laid` is `old` as it lies in it.
    """

    old: str
    new: str
    related: str
    actions: tuple[tuple[str, str], ...]
    metadata: tuple[tuple[str, Any, Any], ...]
    agreement: str | None
    score: float | None
    changes: tuple[Change, ...]
    picture: bytes | None
    copy: bytes | None = None
    laid: bytes | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "old": self.old,
            "new": self.new,
            "related": self.related,
            "actions": [{"manifest_id": label, "action": action} for label, action in self.actions],
            "metadata": [{"field": name, "old": was, "new": now} for name, was, now in self.metadata],
            "content": None
            if self.agreement is None
            else {
                "agreement": self.agreement,
                "score": self.score,
                "changes": [{"x": c.x, "y": c.y, "w": c.w, "h": c.h, "score": c.score, "kind": c.kind} for c in self.changes],
            },
        }


def difference(old: str, new: str, desk: Desk, *, at: datetime, file: Path | None = None) -> Difference:
    """Compare two assets.

    Args:
        file: The new asset's own file; without it the small copies are compared with each other.
    Raises:
        NotFoundError: one of them is not registered.
        BudgetError: as the workers.
    """
    registry = desk.registry
    assert registry is not None
    first, second = registry.asset(old), registry.asset(new)
    for record, named in ((first, old), (second, new)):
        if record is None:
            raise NotFoundError("asset", named[:64])
    assert first is not None
    assert second is not None
    graph = lineage(new, desk, at=at)
    related, actions = _related(graph, first, second)
    compared = _compare(first, second, desk, file)
    return Difference(
        old=old,
        new=new,
        related=related,
        actions=actions,
        metadata=_metadata(first, second),
        agreement=compared.agreement if compared else None,
        score=round(compared.score, 4) if compared else None,
        changes=compared.changes if compared else (),
        picture=compared.picture if compared else None,
        copy=compared.copy if compared else None,
        laid=compared.laid if compared else None,
    )


def _related(graph: Lineage, old: AssetRecord, new: AssetRecord) -> tuple[str, tuple[tuple[str, str], ...]]:
    way = graph.path(old.manifest_id, new.manifest_id)
    if len(way) > 1:
        return "ancestor", tuple((label, action) for label in way[1:] for action in graph.nodes[label].actions)
    if len(graph.path(new.manifest_id, old.manifest_id)) > 1:
        return "descendant", ()
    return ("kin" if old.manifest_id in graph.nodes else "none"), ()


def _metadata(old: AssetRecord, new: AssetRecord) -> tuple[tuple[str, Any, Any], ...]:
    pairs = [(name, getattr(old, name), getattr(new, name)) for name in _FIELDS]
    pairs.append(("signed_at", iso(old.signed_at), iso(new.signed_at)))
    marks = [", ".join(f"{b.alg} {b.value}" for b in record.bindings) or None for record in (old, new)]
    pairs.append(("marks", marks[0], marks[1]))
    return tuple(pair for pair in pairs if pair[1] != pair[2])


def _compare(old: AssetRecord, new: AssetRecord, desk: Desk, file: Path | None) -> tasks.Compared | None:
    registry = desk.registry
    assert registry is not None
    try:
        reference = registry.reference(old.asset_id)
        copy = None if file else registry.reference(new.asset_id)
    except StoreError:  # erased or damaged
        return None
    if reference is None or not old.width or not old.height or (file is None and copy is None):
        return None
    size = (old.width, old.height)
    if file is not None:
        return desk.workers.run(tasks.compare, str(file), reference, size, None, True)
    with tempfile.TemporaryDirectory(prefix="colophon-diff-") as folder:
        path = Path(folder) / "copy.webp"
        path.write_bytes(copy or b"")
        return desk.workers.run(tasks.compare, str(path), reference, size, None, True)
