"""From disagreement per pixel to regions: two thresholds, connected components, a least size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from provenance.fit.pose import Field

SEED, GROW = 0.5, 0.33  # disagreement at which a region starts, and down to which it grows
LEAST_AREA = 0.005  # of the compared area, at SEED: smaller ones are codec accidents
_LEFT = 0.15  # least share of a region that tightening leaves
LEAST_CELLS = 9  # … and at least this many cells, whatever the size of the picture


@dataclass(frozen=True, eq=False)
class Region:
    """Cells that disagree.

    mask: (rows, cols) bool, the cells; halo: cells around them into which the filters only spread the change; score:
    median disagreement of the cells that started the region.
    """

    mask: NDArray[np.bool_]
    halo: NDArray[np.bool_]
    score: float


def regions(heat: Field, difference: Field) -> tuple[Region, ...]:
    """Changed regions, largest first.

    Args:
        heat: (rows, cols), disagreement 0–1; NaN where not compared.
        difference: (rows, cols), plain mean distance of the pixels in 8-bit levels, which knows edges better.
    """
    known = ~np.isnan(heat)
    values = np.where(known, heat, 0).astype(np.float32)
    # opening removes threads one or two cells wide, such as an edge that a resampler drew a little differently
    seeds = np.asarray(cv2.morphologyEx((values >= SEED).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)))
    least = max(LEAST_CELLS, LEAST_AREA * int(known.sum()))
    return tuple(sorted(_grown(values, difference, seeds > 0, least), key=lambda r: -int(r.mask.sum())))


def edge_of(score: float) -> float:
    """Disagreement at the rim of a region of a given score.

    A strong change bleeds through the filters into its surroundings: the rim is where a third of its strength is left.
    Disagreement is z²/(1 + z²), so a third of z is a ninth of the odds.
    """
    odds = score / max(1 - score, 1e-6) / 9
    return max(GROW, odds / (1 + odds))


def _grown(values: Field, difference: Field, seeds: NDArray[np.bool_], least: float) -> Iterator[Region]:
    _, found = cv2.connectedComponents((values >= GROW).astype(np.uint8), connectivity=8)
    labels = np.asarray(found)
    for label in np.flatnonzero(np.bincount(labels[seeds], minlength=1) >= least):
        grown = labels == label
        score = float(np.median(values[grown & seeds]))
        mask = _tight(grown & (values >= edge_of(score)), difference)
        yield Region(mask, grown & ~mask, score)


def _tight(mask: NDArray[np.bool_], difference: Field) -> NDArray[np.bool_]:
    """The part of a mask whose pixels really differ, gaps closed; all of it where that would leave little."""
    differs = mask & (difference > max(6.0, 0.3 * float(np.quantile(difference[mask], 0.8))))
    closed = cv2.morphologyEx(differs.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    tight = mask & (np.asarray(closed) > 0)
    return np.asarray(tight if tight.sum() > _LEFT * mask.sum() else mask)
