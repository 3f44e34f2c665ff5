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
WHOLE_JPEG, MIDDLE_JPEG = 10, 60
"""Qualities at which the whole and its middle quarter are tried."""
FINER = 1.25
"""Power of the unit by which JPEG's steps count less; measured at 0.8 to 4.7 pixels to the unit it is 1.3 to 1.6."""
SMALL = 0.3
MOST_RAISED = 2.0
"""By how much a mark is raised at most where clipping takes of it."""
SETTLED = 1e-4
CUT = 0.32
"""Side of the smallest cut, of nine places."""
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

    Two strengths are tried and scores are taken to be linear between them, which they nearly are; the weaker one only under
    treatments that the stronger does not survive so well that the weaker must. On white pages half of the
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

    def tried(mark: Real, strength: float) -> _Copy:
        return _Copy(picture, unclipped(luma, mark, strength) * mark, layout, word, mark_id, unit)

    mark = shaped(USUAL)
    copy = tried(mark, STRONGEST)
    most = {trial: trial.score(copy) - trial.wanted for trial in TRIALS}
    if min(most.values()) < 0:
        cut, whole = (min(left for trial, left in most.items() if trial.cuts is cuts) for cuts in (True, False))
        return shaped(FOR_CUTS if cut < whole else FOR_WHOLE), STRONGEST
    wanted = WEAKEST
    if close := [trial for trial in TRIALS if most[trial] < trial.clear]:
        copy = tried(mark, WEAKEST)
        for trial in close:
            if (least := trial.score(copy) - trial.wanted) < 0:
                wanted = max(wanted, WEAKEST - least / (most[trial] - least) * (STRONGEST - WEAKEST))
    return mark, wanted


def unclipped(picture: Real, change: Real, wanted: float) -> float:
    """By what factor a change of a picture must grow for its RMS to be as wanted after clipping to 0–255.

    At most `MOST_RAISED` times what it would be without: of pages that are white nothing may be left.

    Args:
        picture, change: Of one shape.
        wanted: RMS in code values.
    """
    size = math.sqrt(change.size)
    factor = plain = wanted / max(float(cv2.norm(change)) / size, 1e-6)
    for _ in range(4):
        moved = cv2.scaleAdd(change, factor, picture)
        np.clip(moved, 0, 255, out=moved)
        grown = wanted / max(float(cv2.norm(moved, picture)) / size, 1e-6)
        factor = min(MOST_RAISED * plain, factor * grown)
        if abs(grown - 1) < SETTLED:
            break
    return factor


class _Copy:
    """A canonical picture that carries a mark, and what it scores, in standard deviations, after each treatment."""

    def __init__(self, picture: Real, mark: Real, layout: Lattice, word: NDArray[np.uint8], mark_id: int, unit: float) -> None:
        """Add a mark, shape (H, W), to a picture, shape (H, W) or (H, W, 3); the rest as for `choose`."""
        self._layout, self._word, self._mark_id, self._unit = layout, word, mark_id, unit
        change = mark if picture.ndim == 2 else cv2.merge([mark] * 3)
        self._marked: NDArray[np.uint8] = np.asarray(cv2.add(picture, change, dtype=cv2.CV_8U), np.uint8)
        self._grey = self._marked if picture.ndim == 2 else np.asarray(cv2.cvtColor(self._marked, cv2.COLOR_RGB2GRAY), np.uint8)

    def middle(self) -> float:
        """The middle quarter as a JPEG."""
        tall, wide = self._grey.shape
        top, left = tall // 4, wide // 4
        middle = self._grey[top : top + max(8, tall // 2), left : left + max(8, wide // 2)]
        moving = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]], float)
        return self._score(self._carriers(_jpeg(middle, MIDDLE_JPEG, self._unit), moving))

    def whole(self) -> float:
        """The whole as a coarse JPEG."""
        return self._score(self._carriers(_jpeg(self._grey, WHOLE_JPEG, self._unit), np.eye(3)))

    def small(self) -> float:
        """The whole, reduced; without its colours, which would help and are seldom needed."""
        tall, wide = self._grey.shape
        size = max(8, round(SMALL * wide)), max(8, round(SMALL * tall))
        small = np.asarray(cv2.resize(self._grey, size, interpolation=cv2.INTER_AREA), np.float32)
        return self._score(self._carriers(small, np.diag([size[0] / wide, size[1] / tall, 1.0])))

    def cuts(self) -> float:
        """The worst of nine cuts."""
        whole = self._carriers(self._marked.astype(np.float32), np.eye(3))
        side = min(1.0, max(CUT, math.sqrt(CUT_TILES / (whole.shape[0] * whole.shape[1]))))
        rows, columns = (max(1, round(side * n)) for n in whole.shape[:2])
        return min(
            self._score(whole[row : row + rows, column : column + columns])
            for row in np.linspace(0, len(whole) - rows, 3).astype(int)
            for column in np.linspace(0, whole.shape[1] - columns, 3).astype(int)
        )

    def _carriers(self, copy: Real, plane: Matrix) -> Complex:
        """Carriers of a copy of known pose, tile by tile, the tiles' phases undone: shape (rows, columns, 640)."""
        layout = self._layout
        tiles = despread(whiten(copy), layout.carriers, plane)
        row, column = (place + first for place, first in zip(layout.origin(self._mark_id), tiles.first, strict=True))
        rows, columns, _ = tiles.values.shape
        places = np.ix_((row + np.arange(rows)) % TILES, (column + np.arange(columns)) % TILES)
        return np.asarray(tiles.values * layout.tile_phase[places].conj(), np.complex64)

    def _score(self, carriers: Complex) -> float:
        """How far received carriers agree with the true word."""
        noise = np.sqrt((np.abs(carriers) ** 2).sum((0, 1))) + np.float32(1e-9)
        soft = soft_values(carriers.sum((0, 1)) / noise, self._layout)
        agreed = soft @ (1 - 2 * self._word[self._layout.order].astype(np.float32))
        return float(agreed / math.sqrt(float(soft @ soft) + 1e-9))


@dataclass(frozen=True, slots=True)
class _Trial:
    """A treatment that a mark has to survive.

    Attributes:
        score: What a copy scores after it.
        wanted: The score wanted; reading fails at about 12.
        clear: By how much more the strongest mark scores where the weakest is sure to score enough. In 57 photos and parts of
            them the largest lead lost was 10.6 in the middle, 6.0 elsewhere.
        cuts: Whether it leaves a part only.
    """

    score: Callable[[_Copy], float]
    wanted: float
    clear: float
    cuts: bool


TRIALS = (
    _Trial(_Copy.middle, 16.0, 12.0, True),
    _Trial(_Copy.cuts, 14.0, 8.0, True),
    _Trial(_Copy.whole, 13.0, 8.0, False),
    _Trial(_Copy.small, 16.0, 8.0, False),
)


def _jpeg(grey: NDArray[np.uint8], quality: int, unit: float) -> Real:
    """Do to a canonical picture about what JPEG would do to the full one, whose waves are longer and quantised less."""
    step = (5000 / quality if quality < 50 else 200 - 2 * quality) / unit**FINER
    done, data = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, round(5000 / step if step > 100 else 100 - step / 2)])
    assert done
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.float32)
