"""How strong a mark must be for one picture: the weakest that survives three hard treatments, tried on a small proxy."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from watermark.lattice import TILES, Lattice, Real
from watermark.mask import whiten
from watermark.reading import Matrix, despread, gather, soft_values

WEAKEST, STRONGEST = 1.25, 1.99
"""RMS change of luma in code values: 46.0 and, with the rounding to whole levels, 42.05 dB."""
TARGET = 16.0
"""Score wanted under the worst treatment, in standard deviations; reading fails at about 12."""


def choose(luma: Real, mark: Real, layout: Lattice, word: NDArray[np.uint8], mark_id: int) -> float:
    """Return the strength for a picture.

    Two strengths are tried and the score is taken to be linear between them, which it nearly is.

    Args:
        luma: Shape (H, W), 0–255, canonical resolution.
        mark: Same shape, of RMS 1.
        layout: The key's layout.
        word: Shape (640,), the code word that the mark carries.
        mark_id: Its id.
    Returns:
        RMS change of luma, between `WEAKEST` and `STRONGEST`.
    """
    low, high = (_worst(luma, strength * mark, layout, word, mark_id) for strength in (WEAKEST, STRONGEST))
    if high <= max(low, TARGET):
        return STRONGEST
    share = (TARGET - low) / (high - low)
    return float(WEAKEST + np.clip(share, 0, 1) * (STRONGEST - WEAKEST))


def _worst(luma: Real, mark: Real, layout: Lattice, word: NDArray[np.uint8], mark_id: int) -> float:
    """The lowest score of: the middle quarter at JPEG 60, the whole at JPEG 15, the whole at 30 % of its size."""
    marked = np.clip(np.rint(luma + mark), 0, 255).astype(np.uint8)
    tall, wide = marked.shape
    top, left = tall // 4, wide // 4
    middle = marked[top : top + max(8, tall // 2), left : left + max(8, wide // 2)]
    small = cv2.resize(marked, (max(8, round(0.3 * wide)), max(8, round(0.3 * tall))), interpolation=cv2.INTER_AREA)
    shrinking = np.diag([small.shape[1] / wide, small.shape[0] / tall, 1.0])
    moving = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]], float)
    copies = ((_jpeg(middle, 60), moving), (_jpeg(marked, 15), np.eye(3)), (small.astype(np.float32), shrinking))
    return min(_score(copy, plane, layout, word, mark_id) for copy, plane in copies)


def _score(copy: Real, plane: Matrix, layout: Lattice, word: NDArray[np.uint8], mark_id: int) -> float:
    """How far a copy's received word agrees with the true one, in standard deviations; the pose is known."""
    row, column = layout.origin(mark_id)
    sums = gather(despread(whiten(copy), layout.carriers, plane), layout)[-row % TILES, -column % TILES]
    soft = soft_values(sums, layout)
    return float((soft * (1 - 2 * word[layout.order].astype(np.float32))).sum() / math.sqrt(float((soft**2).sum()) + 1e-9))


def _jpeg(grey: NDArray[np.uint8], quality: int) -> Real:
    done, data = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.float32)
