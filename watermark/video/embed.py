"""Writing the mark: luma planes in, the same planes changed in place out, one after another, at constant memory."""

from __future__ import annotations

import statistics
from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray

from watermark.detection import CANONICAL_AREA
from watermark.errors import CarrierTooSmallError
from watermark.video.layout import SMALLEST, Form, laid
from watermark.video.masking import Mask

STRENGTH = 1.35
"""RMS change of luma in 8-bit code values, for a film of typical texture that moves a little, of 640 × 640 pixels or more."""
SMALL = 0.3, 1.5
"""Smaller films have fewer places to carry it: the strength rises with this power of the area that they lack, so far at most."""
STRONGEST = 8.0
REFRESH_S = 0.3
"""Seconds between two looks at what the mask should be."""
CUT = 14.0
"""Mean change of coarse luma from frame to frame, 8-bit code values, above which a new scene begins."""
LATELY = 9
"""Frames over which motion is judged."""
GLANCE = 48
"""Lines of the coarse luma."""

Plane = NDArray[np.uint8] | NDArray[np.uint16]


class Embedder:
    """Marks a film's frames in the order in which they are shown."""

    def __init__(self, form: Form, mark_id: int, key: bytes, strength: float | None = None) -> None:
        """Args:
            form: How the frames are stored.
            mark_id: 0 ≤ id < 2⁶⁴.
            key: At least 16 bytes; the same is needed to detect.
            strength: RMS change of luma in 8-bit code values, 0 < strength ≤ 8; None for the default.
        Raises:
            CarrierTooSmallError: fewer than 64 pixels on the short side.
            ValueError: id, key or strength out of range.
        """
        if min(form.width, form.height) < SMALLEST:
            raise CarrierTooSmallError(min(form.width, form.height), SMALLEST, "pixels on the short side")
        strength = default_strength(form) if strength is None else strength
        if not 0 < strength <= STRONGEST:
            raise ValueError(f"strength is 0–{STRONGEST} code values, not {strength}")
        self._form = form
        self._pattern = laid(mark_id, key, form) * np.float32(strength * 2 ** (form.depth - 8))
        self._mask = Mask((form.height, form.width))
        self._step = max(1, min(form.height, form.width) // GLANCE)
        self._glance: NDArray[np.uint8] | None = None
        self._since: float | None = None
        self._changes: deque[float] = deque([0.0] * LATELY, LATELY)
        self._up = self._down = np.zeros((0, 0), np.uint8 if form.depth == 8 else np.uint16)

    def mark(self, luma: Plane, time_s: float) -> None:
        """Change a luma plane in place.

        Args:
            luma: Shape (height, width), uint8 for a depth of 8, otherwise uint16; rows may lie apart.
            time_s: When the frame is shown.
        """
        cut = self._changed(luma) > CUT
        if self._since is None or cut or not 0 <= time_s - self._since < REFRESH_S:
            self._refresh(luma, 0.0 if self._since is None else time_s - self._since, cut)
            self._since = time_s
        cv2.add(luma, self._up, dst=luma)
        cv2.subtract(luma, self._down, dst=luma)
        if self._form.depth > 8:
            np.minimum(luma, 2**self._form.depth - 1, out=luma)

    def _changed(self, luma: Plane) -> float:
        """Mean change of coarse luma since the frame before, 8-bit code values; it is kept to tell how much moves."""
        glance = (luma[:: self._step, :: self._step] >> (self._form.depth - 8)).astype(np.uint8)
        before, self._glance = self._glance, glance
        if before is None:
            return 0.0
        self._changes.append(cv2.norm(glance, before, cv2.NORM_L1) / glance.size)
        return self._changes[-1]

    def _refresh(self, luma: Plane, after_s: float, cut: bool) -> None:
        eight = luma if self._form.depth == 8 else cv2.convertScaleAbs(luma, alpha=2.0 ** (8 - self._form.depth))
        # the median: a cut is no motion
        mask = self._mask.follow(np.asarray(eight, np.uint8), after_s, cut, statistics.median(self._changes))
        amplitude = cv2.resize(mask, (self._form.width, self._form.height), interpolation=cv2.INTER_LINEAR)
        # a product of unsigned type is rounded, and what is negative becomes 0
        kind = cv2.CV_8U if self._form.depth == 8 else cv2.CV_16U
        self._up, self._down = (
            np.asarray(cv2.multiply(amplitude, self._pattern, scale=sign, dtype=kind), self._up.dtype) for sign in (1.0, -1.0)
        )


def default_strength(form: Form) -> float:
    """Return the strength for a film of typical texture."""
    power, most = SMALL
    return STRENGTH * float(min(most, max(1.0, CANONICAL_AREA / (form.width * form.height)) ** power))
