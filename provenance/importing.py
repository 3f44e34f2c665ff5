"""Import a folder of files that others signed: each becomes an asset with the whole history of its ingredients.

    file ─► worker: digest, type, credential, small copies ─► known already? ─► mark ─► register, join to kin ─► journal

It can be stopped anywhere and begun again: a file that is in the journal, unchanged in size and time, is not opened again, and
one that is registered is found by its digest. What cannot be taken in is told with its reason, and the rest goes on.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from provenance import appraisal, tasks
from provenance.credential import Credential, Remote, Unreadable
from provenance.desk import Desk
from provenance.errors import BudgetError, ConflictError, DamagedMediaError, ProvenanceError, UnsupportedMediaError
from provenance.inferring import inferred
from provenance.isolation import Pending
from provenance.judge import Evidence, judge
from provenance.sdk import VALIDATOR, readable_types
from provenance.store.records import Ingredient, Kin
from provenance.store.registry import Binding, Registration
from provenance.verdict import AssetFacts, Signature, Verdict
from provenance.verdict import Binding as Match
from provenance.verify import revocations
from watermark.media import MARKABLE

NEW, KNOWN, UNSIGNED, FAILED = "new", "known", "unsigned", "failed"
_AHEAD = 4  # files in work for each worker


@dataclass(frozen=True, slots=True)
class Looked:
    """What a worker found in a file."""

    sha256: str
    media_type: str | None
    credential: Credential | Unreadable | Remote | None
    view: tasks.Prepared | None
    size: tuple[int | None, int | None, int | None]


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one file: new | known | unsigned | failed."""

    path: Path
    result: str
    asset_id: str | None = None
    why: str | None = None
    inferred: str | None = None  # asset that only a mark in the pixels tells it comes from


class Journal:
    """What was done already: one line of JSON a file, appended; a torn last line is as if it were not there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._done: dict[str, tuple[int, int, str]] = {}
        if path.exists():
            for line in path.read_bytes().split(b"\n"):
                try:
                    name, size, modified, result = json.loads(line)
                    self._done[str(name)] = (int(size), int(modified), str(result))
                except (ValueError, TypeError):
                    continue
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")
        if path.stat().st_size:
            self._file.write(b"\n")  # behind a torn line

    def done(self, path: Path) -> str | None:
        """What is to be said of a file that was dealt with as it is now: known | unsigned; None: look at it."""
        *state, result = self._done.get(str(path), (0, 0, FAILED))
        if result == FAILED or tuple(state) != _state(path):
            return None
        return UNSIGNED if result == UNSIGNED else KNOWN

    def add(self, taken: Taken) -> None:
        """Note what became of a file; one that failed is looked at again the next time."""
        self._file.write(json.dumps([str(taken.path), *_state(taken.path), taken.result]).encode() + b"\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def files_in(folder: Path) -> tuple[Path, ...]:
    """Every plain file below a folder, in a fixed order; names that begin with a dot are left out."""
    found = (
        p for p in sorted(folder.rglob("*")) if p.is_file() and not any(s.startswith(".") for s in p.relative_to(folder).parts)
    )
    return tuple(found)


def bring_in(
    paths: Sequence[Path],
    desk: Desk,
    *,
    at: Callable[[], datetime],
    new_asset_id: Callable[[], str],
    journal: Journal | None = None,
    marks: bool = True,
) -> Iterator[Taken]:
    """Take files in, in order, several at once in the workers; tells of each as it is done.

    Args:
        marks: Whether to look for marks in still pictures, which joins what lost its parents' manifests.
    Raises:
        StoreError: the registry cannot be written; what was taken in before stays.
    """
    waiting: deque[tuple[Path, Pending[Looked]]] = deque()
    for path in paths:
        if journal is not None and (before := journal.done(path)):
            yield Taken(path, before)
            continue
        waiting.append((path, desk.workers.start(look, str(path))))
        if len(waiting) >= _AHEAD:
            yield _next(waiting, desk, at, new_asset_id, journal, marks)
    while waiting:
        yield _next(waiting, desk, at, new_asset_id, journal, marks)


def look(path: str) -> Looked:
    """Everything about a file that needs its bytes; runs in a worker.

    Raises:
        InputError: it cannot be read.
    """
    seen = tasks.probe(path)
    credential = tasks.read_credential(path, seen.media_type if seen.media_type in readable_types() else None, None)
    view: tasks.Prepared | None = None
    if isinstance(credential, Credential) and seen.media_type in MARKABLE:
        with suppress(DamagedMediaError, UnsupportedMediaError):
            view = tasks.view(path)
    size = (view.width, view.height, None) if view else tasks.dimensions(path)
    return Looked(seen.sha256, seen.media_type, credential, view, size)


def _next(
    waiting: deque[tuple[Path, Pending[Looked]]],
    desk: Desk,
    at: Callable[[], datetime],
    new_asset_id: Callable[[], str],
    journal: Journal | None,
    marks: bool,
) -> Taken:
    path, pending = waiting.popleft()
    try:
        taken = _take(path, pending.result(), desk, at(), new_asset_id, marks)
    except (BudgetError, ConflictError) as error:
        taken = Taken(path, FAILED, why=str(error))
    except ProvenanceError as error:
        if not hasattr(error, "where"):  # not this file's fault: the registry's
            raise
        taken = Taken(path, FAILED, why=str(getattr(error, "why", error)))
    if journal is not None:
        journal.add(taken)
    return taken


def _take(path: Path, seen: Looked, desk: Desk, at: datetime, new_asset_id: Callable[[], str], marks: bool) -> Taken:
    registry = desk.registry
    assert registry is not None
    known = registry.by_sha256(seen.sha256)
    if known is not None:
        return Taken(path, KNOWN, known.asset_id)
    credential = seen.credential
    if isinstance(credential, Remote):
        return Taken(path, UNSIGNED, why="it only points to a credential elsewhere")
    if isinstance(credential, Unreadable) and not credential.unsupported:
        return Taken(path, FAILED, why=f"its credential cannot be read: {credential.explanation}")
    if not isinstance(credential, Credential):
        return Taken(path, UNSIGNED)
    asset_id = new_asset_id()
    facts = AssetFacts(seen.sha256, seen.media_type, asset_id, *seen.size)
    evidence = Evidence(facts, credential, revocations=revocations([credential], registry))
    verdict = judge(evidence, lists=desk.lists, at=at, validator=VALIDATOR)
    wrong = _wrong(verdict)
    if wrong is not None:
        return Taken(path, FAILED, why=wrong)
    parent = inferred(path, seen.media_type, credential, desk, registry) if marks else None
    receipt = registry.register(_registration(asset_id, path, seen, credential, verdict, parent, at), at=at)
    if not receipt.new:
        return Taken(path, KNOWN, receipt.asset_id)
    return Taken(path, NEW, asset_id, inferred=parent)


def _wrong(verdict: Verdict) -> str | None:
    """Why a file is not taken in: what fails must not stand for the manifest whose label it bears."""
    credential = verdict.credential
    faults = verdict.history[0].faults if verdict.history else ("claimSignature.missing",)
    if credential.signature is not Signature.VERIFIED:
        return "its signature does not hold"
    if credential.binding is not None and credential.binding is not Match.MATCH:
        return "its content is not what was signed"
    broken = [code for code in faults if code != "signingCredential.ocsp.revoked"]
    return f"parts of its credential are not what was signed: {', '.join(broken)}" if broken else None


def _registration(
    asset_id: str, path: Path, seen: Looked, credential: Credential, verdict: Verdict, parent: str | None, at: datetime
) -> Registration:
    signer = verdict.credential.signer
    stamp = verdict.credential.time
    view = seen.view
    return Registration(
        asset_id=asset_id,
        sha256=seen.sha256,
        media_type=seen.media_type or "application/octet-stream",
        manifest_id=credential.active,
        manifest_store=credential.store,
        signer_name=signer.name if signer else (credential.manifest.issuer or ""),
        signer_fingerprint=signer.fingerprint.removeprefix("sha256:") if signer else "none",
        signed_at=stamp.at or at,
        time_state=stamp.state,
        action="registered",
        width=seen.size[0],
        height=seen.size[1],
        duration_ms=seen.size[2],
        kin=(Kin(parent, "parentOf", inferred=True),) if parent else (),
        ingredients=tuple(Ingredient(*edge) for edge in credential.edges()),
        bindings=tuple(dict.fromkeys(Binding(b.alg, b.value) for b in credential.manifest.bindings if b.alg and b.value)),
        reference=view.reference if view else None,
        reference_media_type="image/webp" if view else None,
        fingerprint=view.code if view else None,
        summary={"manifest": credential.active, "sha256": seen.sha256, "status": str(verdict.status), "imported": True},
        development=signer.development if signer else False,
        stamp_due=None if stamp.state == "trusted" else appraisal.leaf_end(credential.manifest),
    )


def _state(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return -1, -1
    return found.st_size, found.st_mtime_ns


def count(taken: Iterable[Taken]) -> dict[str, Any]:
    """How many files came to what."""
    totals = dict.fromkeys((NEW, KNOWN, UNSIGNED, FAILED), 0)
    for one in taken:
        totals[one.result] += 1
    return totals
