"""Finding the quality at which a re-encoded picture is as large, and so about as good, as the file it came from.

WebP, AVIF and HEIC do not record the encoder's quality setting. Matching the bytes finds one of the same worth: the
second encoder sees a picture that is already smoothed, so at equal size it loses little (measured in README.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEADROOM = 1.15
"""Bytes over those of the source. At equal size the quantiser is the source's own, and rounds a small change away."""
_TILE, _TILES = 128, 5  # a 5 × 5 mosaic of tiles: 0.4 megapixels stand for the whole


def matching_quality(
    encode: Callable[[NDArray[Any], int], int], pixels: NDArray[Any], target_bytes: float, qualities: range
) -> int:
    """Return the lowest quality at which the picture takes a little more room than before.

    Args:
        encode: Gives the size in bytes of an array at a quality; grows with the quality.
        pixels: The source's own samples, shape (H, W[, C]).
        target_bytes: Size of the source's coded picture; `HEADROOM` comes on top.
        qualities: Candidates, ascending.
    Returns:
        One of the candidates; the last if none is large enough.
    """
    sample = mosaic(pixels)
    target = target_bytes * HEADROOM * (sample.shape[0] * sample.shape[1]) / (pixels.shape[0] * pixels.shape[1])
    low, high = 0, len(qualities) - 1
    while low < high:
        middle = (low + high) // 2
        if encode(sample, qualities[middle]) >= target:
            high = middle
        else:
            low = middle + 1
    return qualities[low]


def mosaic(pixels: NDArray[Any]) -> NDArray[Any]:
    """Join evenly spread tiles of a large picture into a small one of the same texture; small ones come back whole."""
    height, width = pixels.shape[:2]
    side = _TILE * _TILES
    if height * width <= side * side:
        return pixels
    rows, columns = _positions(height), _positions(width)
    picked = pixels[rows][:, columns]
    return np.ascontiguousarray(picked)


def _positions(length: int) -> NDArray[np.intp]:
    if length <= _TILE * _TILES:
        return np.arange(length)
    starts = np.linspace(0, length - _TILE, _TILES).astype(np.intp) // 16 * 16  # on the coder's own block grid
    return np.concatenate([np.arange(start, start + _TILE) for start in starts])
