"""How strong a mark must be for one picture: the weakest that survives some hard treatments, tried on a small proxy."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from watermark.lattice import COARSE_SHARE, PILOT_SHARE, TILES, Complex, Lattice, Real
from watermark.mask import CONTRAST, luma_and_hues, whiten
from watermark.reading import soft_values
from watermark.tiles import Matrix, despread

WEAKEST, STRONGEST = 1.25, 1.99
"""RMS change of luma in code values: 46.0 and, with the rounding to whole levels, 42.05 dB."""
TARGET = 16.0
"""Score wanted under the worst treatment, in standard deviations; reading fails at about 12."""
WHOLE_JPEG, WHOLE_TARGET = 10, 13.0
"""Quality at which the whole is tried, and the score wanted."""
FINER = 1.25
"""Power of the unit by which JPEG's steps count less; measured at 0.8 to 4.7 pixels to the unit it is 1.3 to 1.6."""
MOST_RAISED = 2.0
CUT, CUT_TARGET = 0.32, 14.0
"""Side of the smallest cut, of nine places, and the score wanted of the worst."""
CUT_TILES = 10
"""Tiles that a cut has at least: fewer hold no id, so small pictures are tried in larger cuts."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How a mark's energy is shared out.

    Attributes:
        coarse: Share of the carriers' energy in the half of long waves.
        contrast: Power of a place's activity by which its amplitude rises.
        pilots: Share of all energy in the pilots, which only copies that are not whole need.
    """

    coarse: float
    contrast: float
    pilots: float


USUAL = Shape(COARSE_SHARE, CONTRAST, PILOT_SHARE)
FOR_CUTS, FOR_WHOLE = Shape(0.35, 0.35, 0.25), Shape(0.65, CONTRAST, 0.12)
"""For pictures of which even the strongest usual mark is lost by a cut, and by what is done to the whole: half a decibel."""


def choose(
    picture: Real, shaped: Callable[[Shape], Real], layout: Lattice, word: NDArray[np.uint8], mark_id: int, unit: float
) -> tuple[Real, float]:
    """Return the mark for a picture, and how strong it must be.

    Two strengths are tried and the score is taken to be linear between them, which it nearly is. On white pages half of the
    mark is clipped away: there both are raised until what is left has their strength. Where the strongest falls short,
    another shape is tried, for what it falls short of.

    Args:
        picture: Shape (H, W) or (H, W, 3), 0–255, canonical resolution.
        shaped: Makes the mark of a shape: (H, W), of RMS 1.
        layout: The key's layout.
        word: Shape (640,), the code word that the mark carries.
        mark_id: Its id.
        unit: Pixels of the full picture per canonical unit: a codec's blocks are small on a large one.
    Returns:
        A mark of RMS 1, and its RMS after clipping, between `WEAKEST` and `STRONGEST`.
    """
    luma = luma_and_hues(picture)[0]

    def scores(mark: Real, strength: float) -> tuple[float, float]:
        raised = strength * _clipping(luma, strength * mark)
        return _scores(picture, raised * mark, layout, word, mark_id, unit)

    mark = shaped(USUAL)
    cut, whole = scores(mark, STRONGEST)
    high = min(cut, whole)
    if high < TARGET:
        return shaped(FOR_CUTS if cut < whole else FOR_WHOLE), STRONGEST
    low = min(scores(mark, WEAKEST))
    share = (TARGET - low) / (high - low) if high > low else 1.0
    return mark, float(WEAKEST + np.clip(share, 0, 1) * (STRONGEST - WEAKEST))


def _clipping(luma: Real, mark: Real) -> float:
    """By what factor a mark must grow for its RMS to be the same after clipping to 0–255, at most `MOST_RAISED`."""
    wanted, factor = float(np.sqrt((mark**2).mean())), 1.0
    for _ in range(4):
        left = np.clip(luma + factor * mark, 0, 255) - luma
        factor = min(MOST_RAISED, factor * wanted / max(float(np.sqrt((left**2).mean())), 1e-6))
    return factor


def _scores(
    picture: Real, mark: Real, layout: Lattice, word: NDArray[np.uint8], mark_id: int, unit: float
) -> tuple[float, float]:
    """The lowest score of the middle quarter at JPEG 60 and nine cuts to a tenth; and of the whole at JPEG 10 and at 30 %."""
    marked = np.clip(np.rint(picture + (mark if picture.ndim == 2 else mark[..., None])), 0, 255).astype(np.float32)
    grey = np.rint(luma_and_hues(marked)[0]).astype(np.uint8)
    tall, wide = grey.shape
    top, left = tall // 4, wide // 4
    middle = grey[top : top + max(8, tall // 2), left : left + max(8, wide // 2)]
    small = cv2.resize(marked, (max(8, round(0.3 * wide)), max(8, round(0.3 * tall))), interpolation=cv2.INTER_AREA)
    shrinking = np.diag([small.shape[1] / wide, small.shape[0] / tall, 1.0])
    moving = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]], float)
    copies = (
        (_jpeg(middle, 60, unit), moving),
        (_jpeg(grey, WHOLE_JPEG, unit), np.eye(3)),
        (np.asarray(small, np.float32), shrinking),
    )
    middle_score, jpeg_score, small_score = (
        _score(_carriers(copy, plane, layout, mark_id), layout, word) for copy, plane in copies
    )
    whole = _carriers(marked, np.eye(3), layout, mark_id)
    side = min(1.0, max(CUT, math.sqrt(CUT_TILES / (whole.shape[0] * whole.shape[1]))))
    rows, columns = (max(1, round(side * n)) for n in whole.shape[:2])
    cuts = [
        _score(whole[row : row + rows, column : column + columns], layout, word)
        for row in np.linspace(0, len(whole) - rows, 3).astype(int)
        for column in np.linspace(0, whole.shape[1] - columns, 3).astype(int)
    ]
    return min(middle_score, min(cuts) + TARGET - CUT_TARGET), min(jpeg_score + TARGET - WHOLE_TARGET, small_score)


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


def _jpeg(grey: NDArray[np.uint8], quality: int, unit: float) -> Real:
    """Do to a canonical picture about what JPEG would do to the full one, whose waves are longer and quantised less."""
    step = (5000 / quality if quality < 50 else 200 - 2 * quality) / unit**FINER
    done, data = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, round(5000 / step if step > 100 else 100 - step / 2)])
    assert done
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.float32)
