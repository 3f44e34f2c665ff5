"""Which seconds of a film still carry its mark, once it was read: frame by frame against the pattern that is then known."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from watermark import code, payload
from watermark.detection import Transform
from watermark.image import shrink
from watermark.lattice import TILES, Lattice, lattice
from watermark.mask import whiten
from watermark.tiles import Matrix, despread
from watermark.video.detect import Frame
from watermark.video.detection import Span, VideoDetection

AREA = 160_000
"""Pixels at which frames are looked at."""
STRONG = 4.0
"""Standard deviations from which a frame alone carries the mark."""
WINDOW_S = 0.75
"""Frames this near, before and after, count together where they are weak alone; strong ones do not speak for their neighbours."""
JOINT = 4.5
"""Standard deviations of their sum from which they carry it."""
FAINT = 0.1
"""Share of what strong frames usually have below which a frame has only what an encoder carried over from its neighbours, where
nothing moves."""
SHORTEST_S = 1.5
"""A shorter gap is none: a fade, a black frame, a few frames that the encoder spoiled."""


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
    alone = scores[scores >= STRONG]
    least = FAINT * float(np.median(alone)) if len(alone) else 0.0
    strong = scores >= max(STRONG, least)
    near = (np.abs(places[:, None] - places) <= WINDOW_S) & ~strong
    count = np.maximum(near.sum(1), 1)
    total = near @ scores
    return np.asarray(strong | ((total / np.sqrt(count) >= JOINT) & (total / count >= least)))


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
    """Runs of equal verdicts, borders half way between frames; a gap that is too short is none."""
    borders = [0.0, *((places[1:] + places[:-1]) / 2).tolist(), end_s]
    out: list[Span] = []
    at = 0
    for here, group in groupby(marked.tolist()):
        count = len(list(group))
        start, end = borders[at], borders[at + count]
        at += count
        carries = bool(here) or (end - start < SHORTEST_S and len(places) > count)
        if out and out[-1].marked == carries:
            out[-1] = Span(out[-1].start_s, round(end, 3), carries)
        else:
            out.append(Span(round(start, 3), round(end, 3), carries))
    return tuple(out)
