"""Detail in windows: is there any, and does it correlate."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from provenance.fit import pose as poses
from provenance.fit.pose import Field, Gray

MIN_WINDOWS = 10  # fewer textured windows than this prove nothing
_LEAST_DETAIL = 2.0  # rms luma levels of detail in a textured window: twice a mark and a codec's noise


def windows(a: Gray, b: Gray, seen: NDArray[np.bool_]) -> tuple[Field, NDArray[np.bool_]]:
    """ZNCC of detail in windows side by side, and which of them carry texture in either picture and are seen.

    The correlation is damped by one level of noise, so that windows without detail give 0 and not chance.
    """
    side = int(np.clip(min(a.shape) // 8, 4, 12))
    da, db = _detail(a), _detail(b)
    aa, bb, ab, share = (_means(m, side) for m in (da * da, db * db, da * db, seen.astype(np.float32)))
    textured = (np.maximum(aa, bb) > _LEAST_DETAIL**2) & (share > 0.95)
    return np.asarray(ab / np.sqrt((aa + 1) * (bb + 1)), dtype=np.float32), np.asarray(textured)


def is_plain(luma: Gray) -> bool:
    """Whether a picture has too little detail for any comparison of structure."""
    small, _ = poses.shrink(luma, 256)
    _, textured = windows(small, small, np.ones(small.shape, dtype=bool))
    return int(textured.sum()) < MIN_WINDOWS


def _detail(luma: Gray) -> Gray:
    return np.asarray(cv2.GaussianBlur(luma, (0, 0), 0.8) - cv2.GaussianBlur(luma, (0, 0), 4.0), dtype=np.float32)


def _means(field: Field, side: int) -> Field:
    rows, cols = field.shape[0] // side, field.shape[1] // side
    cut = field[: rows * side, : cols * side]
    return np.asarray(cut.reshape(rows, side, cols, side).mean(axis=(1, 3)), dtype=np.float32)
