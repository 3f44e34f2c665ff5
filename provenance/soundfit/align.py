"""Where in a reference each half second of a copy lies: candidate shifts by correlation, then the best path. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from provenance.soundfit.envelope import FRAMES_PER_SECOND, Levels

BLOCK = FRAMES_PER_SECOND // 2
"""Frames that get one answer: half a second."""
_SPAN = 3 * BLOCK  # frames that answer is looked for in: the block and one on either side
_FLOOR_DB = 45.0  # below the loudest: what lies deeper is noise of the codec, or silence
_LOCAL = 6 * FRAMES_PER_SECOND  # levels count against their mean over this long: equalisers and compressors leave that alone
_CLIP_DB = 15.0
_NOISE_DB = 2.0  # what a codec does to a level, about
_STEADY_DB = 3.2  # levels that move less are steady: wind, insects, a hum; nothing can be told by them
_WINDOW = 4 * FRAMES_PER_SECOND
_SEARCHES = 48
_PEAKS = 3
_NEAR = 2  # frames by which a shift may wander from one block to the next: the clock of a copy is not ours

AGREES = 0.55
"""Correlation from which a block agrees."""
_JUMP = 1.2  # cost of another shift, in units of correlation
_LEAVE = 0.3  # cost of beginning or ending a stretch that lies nowhere

Real = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """The answer for each block of a copy.

    Attributes:
        shifts: Shape (blocks,): frames of the reference (at the copy's speed) minus frames of the copy; NOWHERE without one.
        scores: Shape (blocks,), correlation 0–1 at that shift; of the best candidate where there is none.
        told: Shape (blocks,), whether there is anything to compare: not silent, not steady.
    """

    shifts: NDArray[np.int64]
    scores: Real
    told: NDArray[np.bool_]


NOWHERE = np.iinfo(np.int64).min


def shape(levels: Levels) -> Real:
    """Return how levels stand out of their neighbourhood in time, in dB, clipped: what survives equaliser and compressor."""
    if not len(levels):
        return np.zeros_like(levels)
    floored = np.maximum(levels, levels.max() - _FLOOR_DB)
    reach = min(_LOCAL, len(floored))
    sums = np.cumsum(np.pad(floored, ((1, 0), (0, 0))), axis=0, dtype=np.float64)
    starts = np.clip(np.arange(len(floored)) - reach // 2, 0, len(floored) - reach)
    mean = (sums[starts + reach] - sums[starts]) / reach
    return np.asarray(np.clip(floored - mean, -_CLIP_DB, _CLIP_DB), np.float32)


def align(copy: Real, ref: Real) -> Path:
    """Follow a copy through a reference.

    Args:
        copy: Shape (frames, bands), from `shape`.
        ref: The same of the reference, at the copy's speed.
    """
    blocks = max(1, len(copy) // BLOCK)
    energy = _spanned(np.square(copy).sum(axis=1), blocks)
    told = energy > copy.shape[1] * _SPAN * _STEADY_DB**2
    shifts = _candidates(copy, ref, blocks, told)
    if not len(shifts):
        return Path(np.full(blocks, NOWHERE), np.zeros(blocks, np.float32), told)
    scores = np.stack([block_scores(copy, ref, int(s), blocks) for s in shifts])
    return _best_path(shifts, scores, told)


def block_scores(copy: Real, ref: Real, shift: int, blocks: int) -> Real:
    """Return the correlation of every block of a copy with a reference moved by some frames: (blocks,), −1 … 1."""
    moved = np.zeros_like(copy)
    first, last = max(0, -shift), min(len(copy), len(ref) - shift)
    if last > first:
        moved[first:last] = ref[first + shift : last + shift]
    both = _spanned((copy * moved).sum(axis=1), blocks)
    mine = _spanned(np.square(copy).sum(axis=1), blocks)
    theirs = _spanned(np.square(moved).sum(axis=1), blocks)
    floor = np.float32(copy.shape[1] * _SPAN * _NOISE_DB**2)
    return np.asarray(both / (np.sqrt(mine * theirs) + floor / 2), np.float32)


def _spanned(per_frame: Real, blocks: int) -> Real:
    """Add up a quantity over each block and its two neighbours: (frames,) → (blocks,)."""
    whole = np.zeros(blocks * BLOCK, np.float64)
    whole[: min(len(per_frame), len(whole))] = per_frame[: len(whole)]
    each = whole.reshape(blocks, BLOCK).sum(axis=1)
    padded = np.pad(each, 1)
    return np.asarray(padded[:-2] + padded[1:-1] + padded[2:], np.float32)


def _candidates(copy: Real, ref: Real, blocks: int, told: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Shifts worth trying: of the whole copy, then of windows that none so far explains."""
    size = 1 << int(np.ceil(np.log2(len(copy) + len(ref))))
    spectrum = np.conj(np.fft.rfft(ref, size, axis=0))
    found = list(_peaks(copy, spectrum, size, len(ref), 0))
    best = _best(copy, ref, found, blocks)
    searches = 0
    for block in range(0, blocks, _WINDOW // BLOCK // 2):
        part = slice(block, block + _WINDOW // BLOCK)
        if not told[part].any() or best[part].max() >= AGREES + 0.2:
            continue
        start = block * BLOCK
        fresh = [s for s in _peaks(copy[start : start + _WINDOW], spectrum, size, len(ref), start) if s not in found]
        if fresh:
            best = np.maximum(best, _best(copy, ref, fresh, blocks))
            found += fresh
        searches += 1
        if searches >= _SEARCHES:
            break
    near = np.arange(-_NEAR, _NEAR + 1)
    good = [s for s in found if block_scores(copy, ref, s, blocks).max() >= AGREES]
    return np.unique((np.array(good, np.int64)[:, None] + near).reshape(-1)) if good else np.empty(0, np.int64)


def _best(copy: Real, ref: Real, shifts: list[int], blocks: int) -> Real:
    return np.max([block_scores(copy, ref, s, blocks) for s in shifts], axis=0) if shifts else np.zeros(blocks, np.float32)


def _peaks(part: Real, spectrum: NDArray[np.complexfloating], size: int, length: int, start: int) -> list[int]:
    """Return the shifts at which a part of the copy, beginning at frame `start`, correlates most with the reference."""
    raw = np.fft.irfft((np.fft.rfft(part, size, axis=0) * spectrum).sum(axis=1), size)
    # at lag k: Σ part[t] ref[t − k]; the part's first frame lies at −k in the reference
    places = np.concatenate([raw[: len(part)][::-1], raw[size - length + 1 :][::-1]])
    first = -(len(part) - 1)
    found = []
    for _ in range(_PEAKS):
        at = int(places.argmax())
        found.append(at + first - start)
        places[max(0, at - _NEAR) : at + _NEAR + 1] = -np.inf
    return found


def _best_path(shifts: NDArray[np.int64], scores: Real, told: NDArray[np.bool_]) -> Path:
    """Viterbi over blocks: states are the shifts and "nowhere"; staying is free, wandering by a frame or two nearly so."""
    count, blocks = scores.shape
    apart = np.abs(shifts[:, None] - shifts)
    cost = np.zeros((count + 1, count + 1), np.float32)
    cost[:count, :count] = np.where(apart == 0, 0.0, np.where(apart <= _NEAR, 0.1, _JUMP))
    cost[:count, count] = cost[count, :count] = _LEAVE
    gain = np.vstack([scores - AGREES, np.zeros((1, blocks), np.float32)])
    gain[:, ~told] = 0.0
    total = gain[:, 0].copy()
    came = np.zeros((blocks, count + 1), np.int64)
    for block in range(1, blocks):
        options = total[:, None] - cost
        came[block] = options.argmax(axis=0)
        total = options.max(axis=0) + gain[:, block]
    state = int(total.argmax())
    states = np.empty(blocks, np.int64)
    for block in range(blocks - 1, -1, -1):
        states[block] = state
        state = int(came[block, state])
    inside = states < count
    rows = np.where(inside, states, scores.argmax(axis=0))
    return Path(
        np.where(inside, shifts[np.minimum(states, count - 1)], NOWHERE),
        np.clip(scores[rows, np.arange(blocks)], 0, 1),
        told,
    )
