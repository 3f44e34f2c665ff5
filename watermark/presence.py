"""Which regions of a copy still carry its mark: a hint, with no original at hand, of what was pasted, painted or replaced."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from watermark import code, payload
from watermark.detection import Detection, Transform
from watermark.image import WORK_AREA, luma_of, shrink
from watermark.lattice import TILE, Real, lattice
from watermark.mask import whiten
from watermark.pattern import synthesise
from watermark.tiles import Matrix, flatten

WINDOW = 28.0
"""Standard deviation, canonical units, of the window that is looked at: a picture of 3 : 2 is 784 × 522 units."""
CELL = 16.0
DECOYS = ((5, 3), (3, 11), (10, 6), (13, 13))
"""Tile offsets at which the mark certainly is not: what chance gives there tells what it gives anywhere."""
MISSING = 4.0
"""Nats of `absence` from which a region is said to have lost the mark."""


def presence(pixels: NDArray[np.uint8], detection: Detection, key: bytes) -> NDArray[np.float32]:
    """Return how strongly each region of a copy carries the mark that was found in it.

    Args:
        pixels: The copy, as given to `image.detect`.
        detection: What that returned.
        key: The key that read it.
    Returns:
        Shape (rows, columns), float32, over the whole copy in equal cells of about 16 canonical units: correlation with the known
        mark in standard deviations of chance, about N(0, 1) where the mark is not. Smooth, over windows of about 70 units.
        Flat or saturated regions hold little mark and score little, too: `absence` takes that into account.
    Raises:
        ValueError: nothing was found, or not where.
    """
    return _maps(pixels, detection, key)[0]


def absence(pixels: NDArray[np.uint8], detection: Detection, key: bytes) -> NDArray[np.float32]:
    """Return how much likelier it is, region by region, that the mark is not there than that it is.

    What a matched filter gives of the mark is proportional to what it gives of chance, in variance: how much is to be expected
    in each region, if the mark is there, follows from its noise and one factor for the whole copy, the regions' median.

    Args and raises: as `presence`.

    Returns:
        Shape of `presence`: logarithm of the likelihood ratio, nats; where little is to be expected it is near 0.
    """
    score, spread = _maps(pixels, detection, key)
    telling = spread >= np.median(spread)
    expected = spread * max(0.0, float(np.median(score[telling] / np.maximum(spread[telling], 1e-12))))
    return np.asarray(expected * (expected / 2 - score), np.float32)


def _maps(pixels: NDArray[np.uint8], detection: Detection, key: bytes) -> tuple[Real, Real]:
    """Correlation with the known mark in deviations of chance, and what such a deviation is, cell by cell of the copy."""
    if detection.mark_id is None or detection.transform is None or detection.transform.offset is None:
        raise ValueError("only a mark that was found, and placed, is looked for by region")
    luma = luma_of(pixels)
    height, width = luma.shape
    factor = max(1.0, math.sqrt(luma.size / WORK_AREA))
    wide, tall = max(1, round(width / factor)), max(1, round(height / factor))
    smaller = np.diag([wide / width, tall / height, 1.0])
    plane, unit = smaller @ _plane(detection.transform), _unit(detection.transform, smaller)
    flat, first = flatten(whiten(shrink(luma, wide, tall)), plane)
    score, spread = _correlated(flat, first, detection.mark_id, key)
    columns, rows = (max(1, round(size / unit / CELL)) for size in (wide, tall))
    cell = np.diag([wide / columns, tall / rows, 1.0])
    # cell centres → copy → canonical samples
    to_cells = np.linalg.inv(_shift(0.5)) @ np.linalg.inv(cell) @ plane @ _shift(0.5, TILE * first[1], TILE * first[0])
    laid = (cv2.warpPerspective(each, to_cells, (columns, rows), flags=cv2.INTER_LINEAR) for each in (score, spread))
    found, deviation = (np.asarray(each, np.float32) for each in laid)
    return found, deviation


def _correlated(flat: Real, first: tuple[int, int], mark_id: int, key: bytes) -> tuple[Real, Real]:
    layout = lattice(key)
    symbols = layout.symbols(code.encode(payload.pack(mark_id)))
    origin = layout.origin(mark_id)
    rows, columns = (size // TILE for size in flat.shape)

    def correlation(row: int, column: int) -> Real:
        _, carriers = synthesise(layout, symbols, (origin[0] + first[0] + row, origin[1] + first[1] + column), rows, columns)
        return np.asarray(cv2.GaussianBlur(carriers * flat, (0, 0), WINDOW), np.float32)

    chance = np.mean([correlation(*decoy) ** 2 for decoy in DECOYS], axis=0)
    spread = np.sqrt(cv2.GaussianBlur(chance, (0, 0), 2 * WINDOW))
    spread = np.maximum(spread, np.float32(1e-3 * float(spread.max()) + 1e-12))
    return np.asarray(correlation(0, 0) / spread, np.float32), np.asarray(spread, np.float32)


def _plane(where: Transform) -> Matrix:
    if where.homography is not None:
        return np.array(where.homography).reshape(3, 3)
    assert where.offset is not None
    (a, b, c, d), (x, y) = where.matrix, where.offset
    return np.array([[a, b, x], [c, d, y], [0, 0, 1]])


def _unit(where: Transform, smaller: Matrix) -> float:
    """Samples to the canonical unit, in the copy's middle: seen in perspective, it is another one in each corner."""
    return math.sqrt(abs(float(np.linalg.det(smaller[:2, :2] @ np.array(where.matrix).reshape(2, 2)))))


def _shift(half: float, x: float = 0.0, y: float = 0.0) -> Matrix:
    return np.array([[1, 0, half + x], [0, 1, half + y], [0, 0, 1]])
