"""Which seconds of a film still carry its mark, once it was read: frame by frame against the pattern that is then known."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from watermark import code, payload
from watermark.detection import Transform
from watermark.image import shrink
from watermark.lattice import TILES, Lattice, lattice
from watermark.mask import whiten
from watermark.reading import Matrix, despread
from watermark.video.detect import Frame
from watermark.video.detection import Span, VideoDetection

AREA = 160_000
"""Pixels at which frames are looked at."""
WINDOW_S = 0.75
"""Frames this near, before and after, count together."""
PRESENT = 5.0
"""Standard deviations by which the mark of a window stands out."""
SHARE = 0.3
"""Share of a film's typical score below which a window has lost the mark, where that is more than `PRESENT`."""
SHORTEST_S = 1.0
"""What is shorter counts as what is around it."""


def spans(frames: Iterable[Frame], found: VideoDetection, key: bytes, length_s: float) -> tuple[Span, ...]:
    """Return spans that carry the mark that was found, and gaps, in order, without holes.

    Args:
        frames: Of the whole film, in order, at least two a second, of the size that `found` speaks of.
        found: What `detect` answered.
        key: The key that read it.
        length_s: Where the last span ends.
    """
    if found.mark_id is None or found.transform is None:
        raise ValueError("only a mark that was found is followed")
    score = _Score(lattice(key), found.mark_id, found.transform)
    places, scores = [], []
    for frame in frames:
        places.append(frame.time_s)
        scores.append(score(frame.luma))
    if not places:
        return ()
    marked = decide(np.array(places), np.array(scores))
    return _runs(np.array(places), marked, max(length_s, places[-1]))


def decide(places: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return for each frame whether the mark is there.

    Args:
        places: Seconds, rising.
        scores: Of each frame, in standard deviations of chance.
    """
    near = np.abs(places[:, None] - places) <= WINDOW_S
    joint = (near @ scores) / np.sqrt(near.sum(1))
    level = max(PRESENT, SHARE * float(np.median(joint[joint > PRESENT]))) if (joint > PRESENT).any() else PRESENT
    # a frame belongs to a gap where it and its neighbours are weak, or where it alone is far too weak for its surroundings
    single = scores < level / math.sqrt(float(np.median(near.sum(1)))) * 0.5
    return np.asarray((joint >= level) & ~(single & _lonely(single, places)))


def _lonely(weak: NDArray[np.bool_], places: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where a run of weak frames lasts a second or more."""
    out = np.zeros_like(weak)
    start = None
    for n in range(len(weak) + 1):
        if n < len(weak) and weak[n]:
            start = n if start is None else start
        elif start is not None:
            if places[n - 1] - places[start] >= SHORTEST_S * 0.8:
                out[start:n] = True
            start = None
    return out


class _Score:
    """How strongly single frames carry a known mark in a known pose."""

    def __init__(self, layout: Lattice, mark_id: int, transform: Transform) -> None:
        self._layout = layout
        self._symbols = layout.symbols(code.encode(payload.pack(mark_id)))
        self._origin = layout.origin(mark_id)
        self._plane = _plane(transform)

    def __call__(self, luma: NDArray[np.uint8]) -> float:
        scale = min(1.0, math.sqrt(AREA / luma.size))
        height, width = (max(1, round(size * scale)) for size in luma.shape)
        plane = np.diag([width / luma.shape[1], height / luma.shape[0], 1.0]) @ self._plane
        tiles = despread(whiten(shrink(luma, width, height)), self._layout.carriers, plane)
        rows, columns, _ = tiles.values.shape
        places = np.ix_(
            (self._origin[0] + tiles.first[0] + np.arange(rows)) % TILES,
            (self._origin[1] + tiles.first[1] + np.arange(columns)) % TILES,
        )
        agreed = (tiles.values * (self._layout.tile_phase[places] * self._symbols).conj()).real
        size = float(np.sqrt((np.abs(tiles.values) ** 2).sum() / 2))
        return float(agreed.sum()) / (size + 1e-9)


def _plane(transform: Transform) -> Matrix:
    if transform.homography is not None:
        return np.reshape(transform.homography, (3, 3))
    (a, b, c, d), (x, y) = transform.matrix, transform.offset or (0.0, 0.0)
    return np.array([[a, b, x], [c, d, y], [0, 0, 1]])


def _runs(places: NDArray[np.float64], marked: NDArray[np.bool_], end_s: float) -> tuple[Span, ...]:
    """Runs of equal verdicts; borders half way between frames, short runs given to their neighbours."""
    found: list[list[float | bool]] = []
    for place, here in zip(places.tolist(), marked.tolist(), strict=True):
        if found and found[-1][2] == here:
            found[-1][1] = place
        else:
            found.append([place, place, here])
    for n in range(1, len(found)):
        found[n][0] = found[n - 1][1] = (found[n][0] + found[n - 1][1]) / 2
    found[0][0], found[-1][1] = 0.0, end_s
    kept: list[list[float | bool]] = []
    for run in found:
        if kept and (run[1] - run[0] < SHORTEST_S or kept[-1][2] == run[2]):
            kept[-1][1] = run[1]
        elif kept and kept[-1][1] - kept[-1][0] < SHORTEST_S:
            kept[-1][1:] = run[1:]
        else:
            kept.append(run)
    merged: list[list[float | bool]] = []
    for run in kept:
        if merged and merged[-1][2] == run[2]:
            merged[-1][1] = run[1]
        else:
            merged.append(run)
    return tuple(Span(round(float(a), 3), round(float(b), 3), bool(c)) for a, b, c in merged)
