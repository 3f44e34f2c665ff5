"""From disagreement per pixel to regions: two thresholds, connected components, a least size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from provenance.fit.pose import Field

SEED, GROW = 0.5, 0.33  # disagreement at which a region starts, and down to which it grows
LEAST_AREA = 0.004  # of the compared area, at SEED: smaller ones are codec accidents
LEAST_CELLS = 9  # … and at least this many cells, whatever the size of the picture


@dataclass(frozen=True, eq=False)
class Region:
    """Cells that disagree, (rows, cols) bool, and the median disagreement of those that started the region."""

    mask: NDArray[np.bool_]
    score: float


def regions(heat: Field) -> tuple[Region, ...]:
    """Changed regions of a field of disagreement (rows, cols; NaN where not compared), largest first."""
    known = ~np.isnan(heat)
    values = np.where(known, heat, 0).astype(np.float32)
    # opening removes threads one or two cells wide, such as an edge that a resampler drew a little differently
    seeds = np.asarray(cv2.morphologyEx((values >= SEED).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)))
    least = max(LEAST_CELLS, LEAST_AREA * int(known.sum()))
    return tuple(sorted(_grown(values, seeds > 0, least), key=lambda r: -int(r.mask.sum())))


def edge_of(score: float) -> float:
    """Disagreement at the rim of a region of a given score.

    A strong change bleeds through the filters into its surroundings: the rim is where a third of its strength is left.
    Disagreement is z²/(1 + z²), so a third of z is a ninth of the odds.
    """
    odds = score / max(1 - score, 1e-6) / 9
    return max(GROW, odds / (1 + odds))


def _grown(values: Field, seeds: NDArray[np.bool_], least: float) -> Iterator[Region]:
    _, found = cv2.connectedComponents((values >= GROW).astype(np.uint8), connectivity=8)
    labels = np.asarray(found)
    for label in np.flatnonzero(np.bincount(labels[seeds], minlength=1) >= least):
        inside = labels == label
        score = float(np.median(values[inside & seeds]))
        yield Region(inside & (values >= edge_of(score)), score)
