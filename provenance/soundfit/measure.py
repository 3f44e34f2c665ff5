"""From the path of a copy through its reference to what a verdict needs: does it fit, how much of it, and where not. Pure.

    levels ─► shape ─► path (align.py) ─► runs of blocks ─► changes ─► fits | changed | foreign | undecided

Sound before the reference's beginning or after its end was added around it and is no change; anything else that does not
follow the reference is one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray

from provenance.fit.result import Agreement
from provenance.soundfit.align import BLOCK, NOWHERE, Path, align, shape
from provenance.soundfit.envelope import FRAMES_PER_SECOND, Envelope, Levels

BLOCK_S = BLOCK / FRAMES_PER_SECOND
_LEAST_S = 1.0  # shorter disagreements are codec accidents
_JOINT = 4  # frames by which the place in the reference must jump to be called a cut
_CORE_S = 2.0  # agreement that is needed to speak of this recording at all
_LONG = 2 * FRAMES_PER_SECOND  # frames from which a mean spectrum means something
_SILENT_DB = -70.0
_COLOUR_DB = 6.0  # by how much mean spectra may differ, the gain being equal
_HALF = 0.5
_FIRM = 0.76  # mean correlation of what agrees: honest copies have .8 and more, a mark lifted off and laid over other sound less
_SILENCED_DB = 25.0  # by how much a place must be softer than the reference, the rest being equal


@dataclass(frozen=True, slots=True)
class SoundChange:
    """A stretch of the copy that does not follow the reference.

    Attributes:
        start_s, end_s: Seconds of the copy, start < end.
        score: How sure, 0–1.
        kind: "replaced" (other sound), "silenced", or "cut" (the sound goes on at another place of the reference).
    """

    start_s: float
    end_s: float
    score: float
    kind: str


@dataclass(frozen=True, slots=True)
class SoundFit:
    """How a copy's sound agrees with its reference.

    Attributes:
        agreement: What that means for a verdict.
        score: Share of the comparable copy that agrees, 0–1.
        coverage: Share of the copy that lies where the reference has sound, 0–1.
        kept: Share of the reference that the copy has, 0–1.
        starts_s: Second of the reference at which the copy begins; None where it is not found in it.
        changes: In order.
    """

    agreement: Agreement
    score: float
    coverage: float
    kept: float
    starts_s: float | None
    changes: tuple[SoundChange, ...]


def measure(copy: Envelope, reference: Envelope, *, speed: float = 1.0) -> SoundFit:
    """Compare a copy with what is stored of the original.

    Args:
        copy: Of the file in question.
        reference: Of the registered asset.
        speed: How many times as fast the copy runs; a mark tells, .9–1.1 or so.
    """
    levels = _at_speed(reference.levels, speed)
    mine = shape(copy.levels)
    path = align(mine, shape(levels))
    silenced = _silenced(copy.levels, levels, path)
    follows = path.shifts != NOWHERE
    comparable = path.told | silenced
    if comparable.sum() * BLOCK_S < _CORE_S and len(copy.levels) >= _LONG:
        return _by_colour(copy.levels, levels)
    agreeing = follows & path.told & ~silenced
    around = _around(path, len(levels))
    inside = comparable & ~around
    score = float((agreeing & inside).sum() / max(1, inside.sum()))
    coverage = float(1 - (around & comparable).sum() / comparable.sum())
    if not comparable.any():
        return SoundFit(Agreement.UNDECIDED, 0.0, 0.0, 0.0, None, ())
    if agreeing.sum() * BLOCK_S < min(_CORE_S, comparable.sum() * BLOCK_S / 2):
        return SoundFit(Agreement.FOREIGN, 0.0, 0.0, 0.0, None, ())
    if score < _HALF and float(path.scores[agreeing].mean()) < _FIRM:
        # little, and weakly: what a mark lifted off this recording and laid over another carries of it
        told = path.told.mean() >= _HALF
        return SoundFit(Agreement.FOREIGN, 0.0, 0.0, 0.0, None, ()) if told else _by_colour(copy.levels, levels)
    changes = tuple(sorted(_changes(path, silenced, around), key=lambda c: c.start_s))
    first = int(path.shifts[follows][0])
    return SoundFit(
        Agreement.CHANGED if changes else Agreement.FITS,
        score,
        coverage,
        _kept(path, len(levels)),
        round(max(first, 0) / FRAMES_PER_SECOND * speed, 2),
        changes,
    )


def _by_colour(copy: Levels, ref: Levels) -> SoundFit:
    """Judge sound that never changes, such as wind, by its mean spectrum alone: little to go by, but not nothing."""
    if copy.max() < _SILENT_DB or not len(ref):
        return SoundFit(Agreement.UNDECIDED, 0.0, 0.0, 0.0, None, ())
    apart = copy.mean(axis=0) - ref.mean(axis=0)
    distance = float(np.sqrt(np.square(apart - apart.mean()).mean()))
    if distance > _COLOUR_DB:
        return SoundFit(Agreement.FOREIGN, 0.0, 0.0, 0.0, None, ())
    kept = min(1.0, len(copy) / len(ref))
    return SoundFit(Agreement.FITS, round(1 - distance / (2 * _COLOUR_DB), 3), 1.0, kept, None, ())


def _at_speed(levels: Levels, speed: float) -> Levels:
    """Return levels as a copy that runs faster has them: fewer frames."""
    if abs(speed - 1) < 2e-4 or len(levels) < 2:
        return levels
    places = np.arange(int(len(levels) / speed)) * speed
    low = np.minimum(places.astype(np.int64), len(levels) - 2)
    part = (places - low)[:, None].astype(np.float32)
    return np.asarray(levels[low] * (1 - part) + levels[low + 1] * part, np.float32)


def _silenced(copy: Levels, ref: Levels, path: Path) -> NDArray[np.bool_]:
    """Blocks that follow the reference by their neighbours, and have nothing where it has sound."""
    out = np.zeros(len(path.shifts), np.bool_)
    if not len(copy) or not len(ref):
        return out
    apart = []
    for block, shift in enumerate(path.shifts):
        start = block * BLOCK
        theirs = ref[max(0, start + shift) : max(0, start + shift + BLOCK)] if shift != NOWHERE else ref[:0]
        mine = copy[start : start + BLOCK]
        apart.append(float(theirs.max() - mine.max()) if len(theirs) == BLOCK and theirs.max() > ref.max() - 40 else np.nan)
    gaps = np.array(apart)
    if np.isnan(gaps).all():
        return out
    return np.asarray(np.nan_to_num(gaps - np.nanmedian(gaps), nan=0.0) > _SILENCED_DB)


def _around(path: Path, length: int) -> NDArray[np.bool_]:
    """Blocks before the reference's beginning or after its end, as the nearest block that follows it has them."""
    out = np.zeros(len(path.shifts), np.bool_)
    known = np.flatnonzero(path.shifts != NOWHERE)
    if not len(known):
        return out
    first, last = int(known[0]), int(known[-1])
    blocks = np.arange(len(out))
    out[:first] = (blocks[:first] + 1) * BLOCK + path.shifts[first] <= BLOCK
    out[last + 1 :] = blocks[last + 1 :] * BLOCK + path.shifts[last] >= length - BLOCK
    return out


def _changes(path: Path, silenced: NDArray[np.bool_], around: NDArray[np.bool_]) -> Iterator[SoundChange]:
    nowhere = (path.shifts == NOWHERE) & path.told & ~around
    yield from _runs(_closed(nowhere, path.shifts == NOWHERE), path.scores, "replaced")
    yield from _runs(silenced, path.scores * 0, "silenced")
    yield from _moved(list(_joints(path, nowhere)))


@dataclass(frozen=True, slots=True)
class _Joint:
    """Where a copy goes on at another place of the reference: the blocks on either side and their shifts."""

    before: int
    after: int
    left: int
    entered: int


def _joints(path: Path, nowhere: NDArray[np.bool_]) -> Iterator[_Joint]:
    for before, after in pairwise(np.flatnonzero(path.shifts != NOWHERE)):
        left, entered = int(path.shifts[before]), int(path.shifts[after])
        if abs(entered - left) > _JOINT and nowhere[before:after].sum() * BLOCK_S < _LEAST_S:
            yield _Joint(int(before), int(after), left, entered)


def _moved(joints: list[_Joint]) -> Iterator[SoundChange]:
    """Two joints that lead away and back enclose sound from elsewhere in the recording; any other is a cut."""
    while joints:
        first, *joints = joints
        start = (first.before + 0.5) * BLOCK_S
        if joints and abs(joints[0].entered - first.left) <= _JOINT:
            second, *joints = joints
            yield SoundChange(start, (second.after + 0.5) * BLOCK_S, 0.8, "replaced")
        else:
            yield SoundChange(start, (first.after + 0.5) * BLOCK_S, 0.8, "cut")


def _closed(wrong: NDArray[np.bool_], allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Fill the holes between wrong blocks that nothing speaks against: pauses within replaced speech."""
    out = wrong.copy()
    for inside, run in groupby(range(len(wrong)), key=lambda i: bool(allowed[i])):
        places = list(run)
        hit = [i for i in places if wrong[i]]
        if inside and hit:
            out[hit[0] : hit[-1] + 1] = True
    return out


def _runs(where: NDArray[np.bool_], scores: NDArray[np.float32], kind: str) -> Iterator[SoundChange]:
    for on, run in groupby(range(len(where)), key=lambda i: bool(where[i])):
        places = list(run)
        if on and len(places) * BLOCK_S >= _LEAST_S:
            sure = float(1 - scores[places].mean())
            yield SoundChange(places[0] * BLOCK_S, (places[-1] + 1) * BLOCK_S, round(max(0.5, sure), 2), kind)


def _kept(path: Path, length: int) -> float:
    """Share of the reference's blocks that the copy follows."""
    blocks = max(1, length // BLOCK)
    seen = np.zeros(blocks, np.bool_)
    for block, shift in enumerate(path.shifts):
        at = (block * BLOCK + int(shift) + BLOCK // 2) // BLOCK if shift != NOWHERE else -1
        if 0 <= at < blocks:
            seen[at] = True
    return float(seen.mean())
