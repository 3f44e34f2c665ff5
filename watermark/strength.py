"""How strong a mark must be for one picture: the weakest that survives some hard treatments, tried on a small proxy."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from watermark.lattice import TILES, Complex, Lattice, Real
from watermark.mask import whiten
from watermark.reading import Matrix, despread, soft_values

WEAKEST, STRONGEST = 1.25, 1.99
"""RMS change of luma in code values: 46.0 and, with the rounding to whole levels, 42.05 dB."""
TARGET = 16.0
"""Score wanted under the worst treatment, in standard deviations; reading fails at about 12."""
MOST_RAISED = 2.0
CUT, CUT_TARGET = 0.32, 14.0
"""Side of the smallest cut, of nine places, and the score wanted of the worst."""


def choose(luma: Real, mark: Real, layout: Lattice, word: NDArray[np.uint8], mark_id: int) -> float:
    """Return the strength for a picture.

    Two strengths are tried and the score is taken to be linear between them, which it nearly is. On white pages half of the
    mark is clipped away: there both are raised until what is left has their strength.

    Args:
        luma: Shape (H, W), 0–255, canonical resolution.
        mark: Same shape, of RMS 1.
        layout: The key's layout.
        word: Shape (640,), the code word that the mark carries.
        mark_id: Its id.
    Returns:
        Factor of the mark: its RMS before clipping; after it, between `WEAKEST` and `STRONGEST`.
    """
    weakest, strongest = (wanted * _clipping(luma, wanted * mark) for wanted in (WEAKEST, STRONGEST))
    low, high = (_worst(luma, strength * mark, layout, word, mark_id) for strength in (weakest, strongest))
    if high <= max(low, TARGET):
        return strongest
    share = (TARGET - low) / (high - low)
    return float(weakest + np.clip(share, 0, 1) * (strongest - weakest))


def _clipping(luma: Real, mark: Real) -> float:
    """By what factor a mark must grow for its RMS to be the same after clipping to 0–255, at most `MOST_RAISED`."""
    wanted, factor = float(np.sqrt((mark**2).mean())), 1.0
    for _ in range(4):
        left = np.clip(luma + factor * mark, 0, 255) - luma
        factor = min(MOST_RAISED, factor * wanted / max(float(np.sqrt((left**2).mean())), 1e-6))
    return factor


def _worst(luma: Real, mark: Real, layout: Lattice, word: NDArray[np.uint8], mark_id: int) -> float:
    """The lowest score of: the middle quarter at JPEG 60, the whole at JPEG 15, the whole at 30 %, cuts to a tenth."""
    marked = np.clip(np.rint(luma + mark), 0, 255).astype(np.uint8)
    tall, wide = marked.shape
    top, left = tall // 4, wide // 4
    middle = marked[top : top + max(8, tall // 2), left : left + max(8, wide // 2)]
    small = cv2.resize(marked, (max(8, round(0.3 * wide)), max(8, round(0.3 * tall))), interpolation=cv2.INTER_AREA)
    shrinking = np.diag([small.shape[1] / wide, small.shape[0] / tall, 1.0])
    moving = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]], float)
    copies = ((_jpeg(middle, 60), moving), (_jpeg(marked, 15), np.eye(3)), (small.astype(np.float32), shrinking))
    scores = [_score(_carriers(copy, plane, layout, mark_id), layout, word) for copy, plane in copies]
    whole = _carriers(marked.astype(np.float32), np.eye(3), layout, mark_id)
    rows, columns = (max(1, round(CUT * n)) for n in whole.shape[:2])
    for row in np.linspace(0, len(whole) - rows, 3).astype(int):
        for column in np.linspace(0, whole.shape[1] - columns, 3).astype(int):
            cut = whole[row : row + rows, column : column + columns]
            scores.append(_score(cut, layout, word) + TARGET - CUT_TARGET)
    return min(scores)


def _carriers(copy: Real, plane: Matrix, layout: Lattice, mark_id: int) -> Complex:
    """Carriers of a copy of known pose, tile by tile, the tiles' phases undone: shape (rows, columns, 640)."""
    tiles = despread(whiten(copy), layout.carriers, plane)
    row, column = layout.origin(mark_id)
    rows, columns, _ = tiles.values.shape
    places = np.ix_((row + tiles.first[0] + np.arange(rows)) % TILES, (column + tiles.first[1] + np.arange(columns)) % TILES)
    return np.asarray(tiles.values * layout.tile_phase[places].conj(), np.complex64)


def _score(carriers: Complex, layout: Lattice, word: NDArray[np.uint8]) -> float:
    """How far a copy's received word agrees with the true one, in standard deviations."""
    noise = np.sqrt((np.abs(carriers) ** 2).sum((0, 1))) + np.float32(1e-9)
    soft = soft_values(carriers.sum((0, 1)) / noise, layout)
    return float(soft @ (1 - 2 * word[layout.order].astype(np.float32)) / math.sqrt(float(soft @ soft) + 1e-9))


def _jpeg(grey: NDArray[np.uint8], quality: int) -> Real:
    done, data = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.float32)
