"""How strong the mark may be, place by place, in a film: where texture and motion hide it, low-passed in time."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from watermark.detection import CANONICAL_AREA
from watermark.lattice import Real

CELL = 4
"""Canonical units between the mask's samples."""
RISE_S, FALL_S = 0.6, 0.2
"""Time constants: grain may come up slowly where texture comes, and must go quickly where it goes."""
CONTRAST = 0.4
"""Power of a place's activity by which its amplitude rises: at 0.6 grain of one RMS is seen more, and read less."""
TYPICAL = 1.8
"""Mean of the unscaled mask over films of all kinds."""
BALANCE = 0.5
"""How far a film's own mean counts rather than the typical one: 1 gives all films one strength, 0 spares the smooth ones most."""
CEILING = 3.5
"""Largest amplitude, times the mean."""
STILL, MOVING = 0.5, 7.0
"""Mean change of coarse luma from frame to frame, code values, of a film that hardly moves, and of one that moves much."""
SPARED, HIDDEN = 0.8, 1.4
"""Factors of the amplitude then. What stands still is looked at longest; motion hides grain, and codecs take most of it away."""

_ACTIVITY = 0.6
"""Power under which detail is averaged into activity: a lone edge counts little."""

_POWER = np.power(np.arange(256, dtype=np.float32), _ACTIVITY)[None]


class Mask:
    """The amplitude of a film's mark, frame by frame; holds one small map."""

    def __init__(self, shape: tuple[int, int]) -> None:
        """Args:
        shape: (height, width) of the frames as coded.
        """
        height, width = shape
        scale = min(1.0, (CANONICAL_AREA / (height * width)) ** 0.5)
        self._size = max(CELL, round(width * scale)), max(CELL, round(height * scale))
        self._cells = max(1, self._size[0] // CELL), max(1, self._size[1] // CELL)
        self._held: Real | None = None
        self._factor = SPARED

    def follow(self, luma: NDArray[np.uint8], after_s: float, cut: bool, motion: float = 0.0) -> Real:
        """Return the mask of a frame: shape about (height, width) / (4 units), mean about 1 in a film that moves a little.

        Args:
            luma: Shape (height, width).
            after_s: Seconds since the last call.
            cut: Whether a new scene begins here: what was before then does not count.
            motion: By how much coarse luma lately changed from frame to frame, code values.
        """
        fresh, factor = self._fresh(luma), motion_factor(motion)
        rise, fall = (1 - math.exp(-max(after_s, 0.0) / time) for time in (RISE_S, FALL_S))
        self._factor += (factor - self._factor) * (rise if factor > self._factor else fall)
        if self._held is None or cut:
            self._held = fresh
        else:
            step = fresh - self._held
            self._held = np.asarray(self._held + step * np.where(step > 0, rise, fall), np.float32)
        mean = float(self._held.mean())
        scale = self._factor / (mean**BALANCE * TYPICAL ** (1 - BALANCE))
        return np.asarray(np.minimum(self._held, CEILING * mean) * np.float32(scale), np.float32)

    def _fresh(self, luma: NDArray[np.uint8]) -> Real:
        """As `watermark.mask.visibility`, coarser and many times faster."""
        small = cv2.resize(luma, self._size, interpolation=cv2.INTER_AREA) if luma.shape[::-1] != self._size else luma
        detail = cv2.absdiff(small, cv2.blur(small, (7, 7)))
        busy = cv2.resize(cv2.LUT(detail, _POWER), self._cells, interpolation=cv2.INTER_AREA)
        activity = cv2.pow(cv2.GaussianBlur(busy, (0, 0), 3.5 / CELL), 1 / _ACTIVITY)
        grey = cv2.resize(small, self._cells, interpolation=cv2.INTER_AREA).astype(np.float32)
        tone = (cv2.GaussianBlur(grey, (0, 0), 1.0) - 127) / 128
        return np.asarray(cv2.pow(activity + 1, CONTRAST) * (1 + 0.35 * tone * tone), np.float32)


def motion_factor(motion: float) -> float:
    """Return by how much motion raises the amplitude.

    Args:
        motion: Mean change of coarse luma from frame to frame, 8-bit code values.
    """
    share = min(1.0, max(0.0, (motion - STILL) / (MOVING - STILL)))
    return SPARED + share * (HIDDEN - SPARED)
