"""Rank millions of poses by the pilots' power: in a log-polar map of a spectrum, turning and scaling are shifts.

The score of every pose is a sum of 40 shifted copies of one map of bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from watermark.lattice import TILE, Lattice, Real
from watermark.spectrum import Spectrum

Matrix = NDArray[np.float64]

CEILING = 8.0
"""Power of one bin, in units of the mean, above which it counts no more: one stray line is not a lattice."""
LEVEL = 31
"""Byte that stands for mean power."""
STRETCH = 0.16
"""Half the largest logarithm of the aspect ratio that is searched."""
LISTED = 80
"""Poses of each band and mirroring that are taken from power alone."""
ROWS = 64
"""Angles whose scores are summed at a time."""
STEP = 0.7
"""Bins of the doubled spectrum by which a typical pilot moves from one pose to the next."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A pose worth a closer look.

    Attributes:
        matrix: Shape (2, 2): canonical frequency (cycles per unit, (x, y)) → cycles per copy pixel.
        z: How far its pilots' power stands above that of other poses, in standard deviations.
    """

    matrix: Matrix
    z: float


def levels(found: Spectrum) -> NDArray[np.uint8]:
    """Power of each bin as a byte, zero frequency in the middle of the left edge, the axes at mean power."""
    power = found.values.real**2 + found.values.imag**2
    power[:2] = power[-1:] = power[:, :2] = 1
    return np.fft.fftshift(np.minimum(power * np.float32(LEVEL), np.float32(LEVEL * CEILING)).astype(np.uint8), axes=0)


class PolarMap:
    """The log-polar map of a spectrum for one band of scales."""

    def __init__(self, power: NDArray[np.uint8], shape: tuple[int, int], unit: float, low: float, high: float) -> None:
        """Make the map.

        Args:
            power: What `levels` returns.
            shape: That of the spectrum.
            unit: Copy pixels per canonical unit if the copy were the whole marked picture.
            low, high: Scales to search, times that.
        """
        self.high, self.unit = high, unit
        typical = 0.16 / (unit * np.sqrt(low * high)) * max(shape)
        self.turns = int(np.ceil(np.pi * typical / STEP))
        self.step = np.pi / self.turns
        self.first = np.log(0.03 / (unit * high))
        last = np.log(0.31 / (unit * low))
        radius = np.exp(self.first + self.step * np.arange(int((last - self.first) / self.step) + 2)).astype(np.float32)
        angle = (-np.pi / 2 + self.step * np.arange(self.turns)).astype(np.float32)
        across = np.cos(angle)[:, None] * (radius * np.float32(shape[1]))
        down = np.sin(angle)[:, None] * (radius * np.float32(shape[0])) + np.float32(shape[0] // 2)
        # beyond the Nyquist frequency there is nothing: mean power
        sampled = cv2.remap(power, across, down, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=LEVEL)
        # sums are of 16 bits, and adding like to like is several times faster
        self.map = np.concatenate([sampled, sampled]).astype(np.uint16)
        self.scales = int(np.log(high / low) / self.step)

    def full(self, layout: Lattice) -> list[Candidate]:
        """Score every angle and scale, mirrored and not."""
        found = []
        for mirror in (1, -1):
            rows, columns = self._polar(layout.pilots * (mirror / TILE, 1 / TILE))
            total = np.zeros((self.turns, self.scales), np.uint16)
            for top in range(0, self.turns, ROWS):  # so few at a time that the sum stays in the processor's cache
                sums = total[top : top + ROWS]
                for row, column in zip((rows + top).tolist(), columns.tolist(), strict=True):
                    sums += self.map[row : row + len(sums), column : column + self.scales]
            z, places = _listed(total)
            turns, scales = np.divmod(places, self.scales)
            matrices = _rotation(turns * self.step) * (mirror, 1) / self._scale(scales)[:, None, None]
            found += list(map(Candidate, matrices, z.tolist()))
        return found

    def upright(self, layout: Lattice) -> list[Candidate]:
        """Score angles 0 and 90°, mirrored and not, at every scale."""
        return self._strip(layout, np.zeros(1))

    def stretched(self, layout: Lattice) -> list[Candidate]:
        """Score the same with every aspect ratio."""
        return self._strip(layout, np.arange(-STRETCH, STRETCH, self.step))

    def _strip(self, layout: Lattice, stretches: NDArray[np.float64]) -> list[Candidate]:
        across, down = np.exp(stretches), np.exp(-stretches)
        shapes = [_rotation(q * np.pi / 2) * np.stack([m * across, down], axis=1)[:, None] for q in (0, 1) for m in (1, -1)]
        every = np.concatenate(shapes)
        rows, columns = self._polar(np.einsum("sij,pj->psi", every, layout.pilots / TILE))
        runs = np.lib.stride_tricks.sliding_window_view(self.map.reshape(-1), self.scales)
        total = np.zeros((len(every), self.scales), np.uint16)
        for start in np.minimum(rows * self.map.shape[1] + columns, len(runs) - 1):
            total += runs[start]
        z, places = _listed(total)
        shape, scales = np.divmod(places, self.scales)
        return list(map(Candidate, every[shape] / self._scale(scales)[:, None, None], z.tolist()))

    def _polar(self, lines: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows (modulo half a turn) and first columns of lines given in cycles per canonical unit, for the largest scale."""
        angle = np.arctan2(lines[..., 1], lines[..., 0]) + np.pi / 2
        rows = np.round(angle / self.step).astype(np.int64) % self.turns
        radius = np.log(np.hypot(lines[..., 0], lines[..., 1]) / (self.unit * self.high))
        return rows, np.round((radius - self.first) / self.step).astype(np.int64)

    def _scale(self, columns: NDArray[np.int64]) -> Matrix:
        return np.asarray(self.unit * self.high * np.exp(-self.step * columns), np.float64)


def _rotation(angle: Matrix | float) -> Matrix:
    """Matrices that turn by angles of any shape: shape (…, 2, 2)."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.moveaxis(np.array([[cosine, -sine], [sine, cosine]]), (0, 1), (-2, -1))


def _listed(total: NDArray[np.uint16]) -> tuple[Real, NDArray[np.int64]]:
    """The highest deviations of sums, and their places in them, in no order."""
    z = _standardise(total).ravel()
    places = np.argpartition(z, -LISTED)[-LISTED:]
    return z[places], places


def _standardise(total: NDArray[np.uint16]) -> Real:
    """Deviations from the median, each scale in units of its own spread."""
    sample = total if len(total) < 128 else total[:: len(total) // 64]
    low, middle, high = np.percentile(sample, (16, 50, 84), axis=0)
    spread = (high - low) / 2
    # neighbouring scales share one spread: a column of 12 upright poses is too short for its own
    middle, spread = (cv2.blur(v.astype(np.float32)[None], (61, 1))[0] for v in (middle, spread))
    return np.asarray((total - middle) / np.maximum(spread, 1), np.float32)
