"""How strong a mark must be for one picture: the weakest that survives two hard treatments, tried on a small proxy."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from watermark.lattice import TILES, Lattice, Real
from watermark.mask import whiten
from watermark.reading import despread, gather, soft_values

WEAKEST, MIDDLE, STRONGEST = 1.15, 1.6, 2.02
"""RMS change of luma in code values: 46.9, 44.0 and 42.0 dB."""
TARGET = 15.0
"""Score wanted of the worst treatment, in standard deviations; reading starts to fail at 12."""


def choose(luma: Real, mark: Real, layout: Lattice, word: NDArray[np.uint8], mark_id: int) -> float:
    """Return the strength for a picture.

    Args:
        luma: Shape (H, W), 0–255, canonical resolution.
        mark: Same shape, of RMS 1.
        layout: The key's layout.
        word: Shape (640,), the code word that the mark carries.
        mark_id: Its id.
    Returns:
        RMS change of luma, between `WEAKEST` and `STRONGEST`.
    """
    tried = [(s, _worst(luma, s * mark, layout, word, mark_id)) for s in (MIDDLE,)]
    second = WEAKEST if tried[0][1] > TARGET else STRONGEST
    tried.append((second, _worst(luma, second * mark, layout, word, mark_id)))
    (s0, t0), (s1, t1) = sorted(tried)
    if t1 <= t0:
        return STRONGEST
    return float(np.clip(s0 + (TARGET - t0) * (s1 - s0) / (t1 - t0), WEAKEST, STRONGEST))


def _worst(luma: Real, mark: Real, layout: Lattice, word: NDArray[np.uint8], mark_id: int) -> float:
    marked = np.clip(np.rint(luma + mark), 0, 255).astype(np.uint8)
    tall, wide = marked.shape
    top, left = tall // 4, wide // 4
    middle = marked[top : top + tall // 2, left : left + wide // 2]
    return min(
        _score(_jpeg(middle, 60), left, top, layout, word, mark_id),
        _score(_jpeg(marked, 25), 0, 0, layout, word, mark_id),
    )


def _score(copy: Real, left: int, top: int, layout: Lattice, word: NDArray[np.uint8], mark_id: int) -> float:
    """How far a copy's received word agrees with the true one, in standard deviations; the pose is known."""
    plane = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]], float)
    row, column = layout.origin(mark_id)
    sums = gather(despread(whiten(copy), layout, plane), layout)[-row % TILES, -column % TILES]
    soft = soft_values(sums, layout)
    return float((soft * (1 - 2 * word.astype(np.float32))).sum() / math.sqrt(float((soft**2).sum()) + 1e-9))


def _jpeg(grey: NDArray[np.uint8], quality: int) -> Real:
    done, data = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE).astype(np.float32)
