"""From disagreement per pixel to regions: two thresholds, connected components, a least size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from provenance.fit.pose import Field
from provenance.fit.result import Change

SEED, GROW = 0.5, 0.33  # heat at which a region starts, and down to which it grows
LEAST_AREA = 0.004  # of the compared area, at SEED: smaller ones are codec accidents
LEAST_CELLS = 9  # … and at least this many cells, whatever the size of the picture

_Labels = NDArray[np.integer[Any]]


def regions(heat: Field) -> tuple[Change, ...]:
    """Changed regions of a heat field (rows, cols; NaN where not compared), largest first."""
    known = ~np.isnan(heat)
    values = np.where(known, heat, 0).astype(np.float32)
    # opening removes threads one or two cells wide, such as an edge that a resampler drew a little differently
    seeds = np.asarray(cv2.morphologyEx((values >= SEED).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)))
    _, labels = cv2.connectedComponents((values >= GROW).astype(np.uint8), connectivity=8)
    least = max(LEAST_CELLS, LEAST_AREA * int(known.sum()))
    return tuple(sorted(_found(values, seeds > 0, np.asarray(labels), least), key=lambda c: -c.area))


def edge_of(score: float) -> float:
    """Heat at the rim of a region whose median heat is `score`.

    A strong change bleeds through the filters into its surroundings: the rim is where a third of its strength is left.
    Heat is z²/(1 + z²), so a third of z is a ninth of the odds.
    """
    odds = score / max(1 - score, 1e-6) / 9
    return max(GROW, odds / (1 + odds))


def _found(values: Field, seeds: NDArray[np.bool_], labels: _Labels, least: float) -> Iterator[Change]:
    rows, cols = values.shape
    strength = np.bincount(labels[seeds], minlength=1)
    for label in np.flatnonzero(strength >= least):
        inside = labels == label
        score = float(np.median(values[inside & seeds]))
        inside &= values >= edge_of(score)
        ys, xs = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        yield Change(
            x=float(xs[0] / cols),
            y=float(ys[0] / rows),
            w=float((xs[-1] + 1 - xs[0]) / cols),
            h=float((ys[-1] + 1 - ys[0]) / rows),
            score=score,
            area=float(inside.mean()),
        )
