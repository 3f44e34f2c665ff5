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
        self.map = np.concatenate([sampled, sampled])
        self.scales = int(np.log(high / low) / self.step)

    def full(self, layout: Lattice) -> list[Candidate]:
        """Score every angle and scale, mirrored and not."""
        found = []
        for mirror in (1, -1):
            rows, columns = self._polar(layout.pilots * (mirror / TILE, 1 / TILE))
            total = np.zeros((self.turns, self.scales), np.uint16)
            for row, column in zip(rows, columns, strict=True):
                total += self.map[row : row + self.turns, column : column + self.scales]
            z = _standardise(total)
            for place in np.argpartition(z.ravel(), -LISTED)[-LISTED:]:
                turn, column = divmod(int(place), self.scales)
                matrix = _rotation(turn * self.step) * (mirror, 1) / self._scale(column)
                found.append(Candidate(matrix, float(z[turn, column])))
        return found

    def upright(self, layout: Lattice) -> list[Candidate]:
        """Score angles 0 and 90°, mirrored and not, at every scale."""
        return self._strip(layout, np.zeros(1))

    def stretched(self, layout: Lattice) -> list[Candidate]:
        """Score the same with every aspect ratio."""
        return self._strip(layout, np.arange(-STRETCH, STRETCH, self.step))

    def _strip(self, layout: Lattice, stretches: NDArray[np.float64]) -> list[Candidate]:
        shapes = []
        for quarter in (0, 1):
            for mirror in (1, -1):
                turn = _rotation(quarter * np.pi / 2)
                shapes += [turn @ np.diag([mirror * np.exp(s), np.exp(-s)]) for s in stretches]
        every = np.array(shapes)
        rows, columns = self._polar(np.einsum("sij,pj->psi", every, layout.pilots / TILE))
        runs = np.lib.stride_tricks.sliding_window_view(self.map.reshape(-1), self.scales)
        total = np.zeros((len(every), self.scales), np.uint16)
        for start in np.minimum(rows * self.map.shape[1] + columns, len(runs) - 1):
            total += runs[start]
        z = _standardise(total)
        best = np.argpartition(z.ravel(), -LISTED)[-LISTED:]
        places = [divmod(int(place), self.scales) for place in best]
        return [Candidate(every[s] / self._scale(column), float(z[s, column])) for s, column in places]

    def _polar(self, lines: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows (modulo half a turn) and first columns of lines given in cycles per canonical unit, for the largest scale."""
        angle = np.arctan2(lines[..., 1], lines[..., 0]) + np.pi / 2
        rows = np.round(angle / self.step).astype(np.int64) % self.turns
        radius = np.log(np.hypot(lines[..., 0], lines[..., 1]) / (self.unit * self.high))
        return rows, np.round((radius - self.first) / self.step).astype(np.int64)

    def _scale(self, column: int) -> float:
        return float(self.unit * self.high * np.exp(-self.step * column))


def _rotation(angle: float) -> Matrix:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _standardise(total: NDArray[np.uint16]) -> Real:
    """Deviations from the median, each scale in units of its own spread."""
    sample = total if len(total) < 256 else total[:: len(total) // 128]
    low, middle, high = np.percentile(sample, (16, 50, 84), axis=0)
    spread = (high - low) / 2
    # neighbouring scales share one spread: a column of 12 upright poses is too short for its own
    middle, spread = (cv2.blur(v.astype(np.float32)[None], (61, 1))[0] for v in (middle, spread))
    return np.asarray((total - middle) / np.maximum(spread, 1), np.float32)
