"""What sort of change a region is, where its pixels tell: words laid over a photo are not a replaced face."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from provenance.fit.compare import Canvas
from provenance.fit.pose import Field
from provenance.fit.result import Kind

_TOUCHED = 24.0  # RGB distance from the tone-matched reference from which a pixel was touched
_SAME_INK = 24.0  # RGB distance within which pixels have the same ink
_SHARP, _FLAT = 100.0, 30.0  # range of values in 3 × 3 pixels from which they are an edge, and up to which they are plain
_STROKES = 0.3  # share of edges among touched pixels that words have and photos have not
_TWO_INKS = 0.6  # … share of them that mix two inks
_PLAIN = 0.6  # … share that is plain and has one ink, as under a covering


def kind_of(c: Canvas, ref: Field, region: NDArray[np.bool_]) -> Kind:
    """Judge a region of a canvas against its tone-matched reference.

    Args:
        c: The canvas, (H, W, 3).
        ref: The tone-matched reference, (H, W, 3).
        region: (H, W), where they disagree.
    """
    touched = region & (np.linalg.norm(c.copy - ref, axis=2) > _TOUCHED)
    if int(touched.sum()) >= 20:
        square = np.ones((3, 3), np.uint8)
        span = (cv2.dilate(c.copy, square) - cv2.erode(c.copy, square)).max(axis=2)[touched]
        pixels = c.copy[touched]
        if (span > _SHARP).mean() >= _STROKES and _of_two_inks(pixels) >= _TWO_INKS:
            return Kind.OVERLAID
        plain = pixels[span < _FLAT]
        if len(plain) and (_distance(plain, _commonest(plain)) < _SAME_INK).sum() >= _PLAIN * len(pixels):
            return Kind.COVERED
    return Kind.REPLACED


def _of_two_inks(pixels: Field) -> float:
    """Share of pixels that are one of two colours or, as on the edge of a stroke, a mixture of them."""
    first = _commonest(pixels)
    others = pixels[_distance(pixels, first) > 2.5 * _SAME_INK]
    way = _commonest(others) - first if len(others) else np.zeros(3, np.float32)
    along = np.clip((pixels - first) @ way / max(float(way @ way), 1.0), 0, 1)
    return float((_distance(pixels, first + along[:, None].astype(np.float32) * way) < _SAME_INK).mean())


def _commonest(pixels: Field) -> Field:
    """Mean colour of the fullest of 8 × 8 × 8 bins."""
    bins = (pixels // 32).astype(np.int64) @ np.array([1, 8, 64])
    return np.asarray(pixels[bins == np.bincount(bins).argmax()].mean(axis=0), dtype=np.float32)


def _distance(pixels: Field, colour: Field) -> Field:
    return np.asarray(np.linalg.norm(pixels - colour, axis=1), dtype=np.float32)
