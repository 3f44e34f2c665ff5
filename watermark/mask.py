"""Where change hides from the eye, and what the host's own noise is: the two faces of one local analysis of luma.

`visibility` is the embedder's amplitude map. `whiten` is the detector's matched filter: it divides each small block's
spectrum by the host's power there, so that a line of the mark stands against noise of one level everywhere, and multiplies by
the amplitude that the embedder would have used.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]

BLOCK = 16
HOP = 8
FLOOR = 2.5
"""Power per sample that a block is taken to have besides the host's: rounding, sensor, quantiser."""
OUTLIER = 2.5
"""A coefficient this many times its neighbourhood's rms is an edge, not mark, and is held to it."""


def visibility(luma: Plane) -> Plane:
    """Return the relative amplitude that a mark may have at each sample, mean about 1.

    Texture hides more than smooth areas, and a lone edge little: local activity is a low power mean of the high-pass. Dark and
    bright areas hide a little more than mid-grey.

    Args:
        luma: Shape (H, W), 0–255, near canonical resolution.
    Returns:
        Shape (H, W), float32, > 0.
    """
    detail = np.abs(luma - cv2.GaussianBlur(luma, (0, 0), 2.5))
    activity = cv2.pow(cv2.GaussianBlur(cv2.pow(detail, 0.6), (0, 0), 3.5), 1 / 0.6)
    amount = cv2.pow(activity + 1.0, 0.6)
    tone = (cv2.GaussianBlur(luma, (0, 0), 4.0) - 127.0) / 128.0
    amount *= 1.0 + 0.35 * tone * tone
    mean = float(amount.mean())
    relative: Plane = np.minimum(amount, np.float32(3.5 * mean)) / np.float32(mean)
    return relative


def whiten(luma: Plane) -> Plane:
    """Return a picture of which every block's spectrum is flat where the host's was not.

    Args:
        luma: Shape (H, W), 0–255.
    Returns:
        Shape (H, W), float32, mean about 0; of no particular unit.
    """
    height, width = luma.shape
    tall, wide = (-(-(size + HOP) // BLOCK) * BLOCK + BLOCK for size in (height, width))
    # reflected, so that no frame of black makes edges
    framed: Plane = np.pad(luma, ((HOP, tall - HOP - height), (HOP, wide - HOP - width)), mode="symmetric")
    amount: Plane = np.asarray(cv2.blur(visibility(framed), (BLOCK, BLOCK)), np.float32)
    padded: Plane = framed - cv2.blur(framed, (2 * BLOCK, 2 * BLOCK))
    out = np.zeros_like(padded)
    for top in (0, HOP):
        for left in (0, HOP):
            area = np.s_[top : top + tall - BLOCK * (top > 0), left : left + wide - BLOCK * (left > 0)]
            weight = amount[area][HOP::BLOCK, HOP::BLOCK]
            out[area] += _whiten_blocks(padded[area], weight)
    return out[HOP : HOP + height, HOP : HOP + width]


def _dct_matrix() -> Plane:
    place, wave = np.arange(BLOCK), np.arange(BLOCK)[:, None]
    matrix = np.sqrt(2 / BLOCK) * np.cos(np.pi * (place + 0.5) * wave / BLOCK)
    matrix[0] /= np.sqrt(2)
    return np.asarray(matrix, np.float32)


def _neighbours() -> Plane:
    """Mean over a frequency and its two neighbours, as a matrix."""
    band = np.eye(BLOCK) + np.eye(BLOCK, k=1) + np.eye(BLOCK, k=-1)
    return np.asarray(band / band.sum(1, keepdims=True), np.float32)


_WINDOW = np.sin(np.pi * (np.arange(BLOCK) + 0.5) / BLOCK).astype(np.float32)
_ANALYSE = (_dct_matrix() * _WINDOW).astype(np.float32)
_NEAR = _neighbours()


def _whiten_blocks(plane: Plane, weight: Plane) -> Plane:
    """Whiten non-overlapping 16 × 16 blocks; `weight` has one value a block. Windowed on the way in and on the way out."""
    tall, wide = plane.shape
    rows, columns = tall // BLOCK, wide // BLOCK
    spectrum = _separable(plane, _ANALYSE, rows, columns)
    power = _separable(spectrum * spectrum, _NEAR, rows, columns)
    power += FLOOR
    root = np.sqrt(power)
    # gain = weight / power, less where a coefficient stands out of its neighbourhood
    np.maximum(root, np.abs(spectrum) / OUTLIER, out=power)
    spectrum /= root * power
    blocks = spectrum.reshape(rows, BLOCK, columns, BLOCK)
    blocks *= weight[:, None, :, None]
    return _separable(spectrum, np.ascontiguousarray(_ANALYSE.T), rows, columns)


def _separable(plane: Plane, matrix: Plane, rows: int, columns: int) -> Plane:
    """Apply a 16 × 16 matrix along both axes of every block."""
    across = plane.reshape(-1, BLOCK) @ matrix.T
    down = np.matmul(matrix, across.reshape(rows, BLOCK, columns * BLOCK))
    return np.ascontiguousarray(down).reshape(plane.shape)
