"""Find how a copy was scaled, turned, mirrored and stretched, from the pilots' power alone."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from watermark.lattice import TILE, Complex, Lattice, Real

CEILING = 8.0
"""Power of one bin, in units of the mean, above which it counts no more: one stray line is not a lattice."""


@dataclass(frozen=True, slots=True, eq=False)
class Spectrum:
    """Whitened spectrum of a whitened picture, its centre at the origin of phase.

    Attributes:
        values: Shape (P, Q // 2 + 1), complex64, mean power about 1; row is the vertical frequency, wrapped.
        shape: (P, Q): cycles per pixel are row / P, column / Q.
    """

    values: Complex
    shape: tuple[int, int]

    def at(self, frequencies: NDArray[np.float64]) -> Complex:
        """Interpolate at frequencies, shape (…, 2), (x, y) in cycles per pixel, |f| < ½: complex64 of shape (…)."""
        flip = frequencies[..., 0] < 0
        f = np.where(flip[..., None], -frequencies, frequencies)
        x, y = f[..., 0] * self.shape[1], f[..., 1] * self.shape[0]
        x0, y0 = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
        wx, wy = _cubic(x - x0), _cubic(y - y0)
        total = np.zeros(x.shape, np.complex64)
        for j in range(4):
            for i in range(4):
                total += wx[i] * wy[j] * self._bin(x0 + i - 1, y0 + j - 1)
        return np.where(flip, total.conj(), total)

    def _bin(self, x: NDArray[np.int64], y: NDArray[np.int64]) -> Complex:
        mirrored = x < 0
        found = self.values[np.where(mirrored, -y, y) % self.shape[0], np.minimum(np.abs(x), self.shape[1] // 2)]
        return np.where(mirrored, found.conj(), found)


def spectrum(white: Real) -> Spectrum:
    """Return the spectrum of a whitened picture, zero-padded to twice its size."""
    height, width = white.shape
    tapered = white * _taper(height)[:, None] * _taper(width)
    tall, wide = (cv2.getOptimalDFTSize(2 * size) for size in (height, width))
    wide += wide % 2
    field = np.zeros((tall, wide), np.float32)
    top, left = height // 2, width // 2
    field[: height - top, : width - left] = tapered[top:, left:]
    field[: height - top, wide - left :] = tapered[top:, :left]
    field[tall - top :, : width - left] = tapered[:top, left:]
    field[tall - top :, wide - left :] = tapered[:top, :left]
    values = np.fft.rfft2(field).astype(np.complex64)
    return Spectrum(values / np.sqrt(_background(values)), (tall, wide))


def _taper(size: int, ramp: int = 12) -> Real:
    edge = np.minimum(np.arange(size) + 0.5, size - 0.5 - np.arange(size)) / min(ramp, size / 2)
    return np.sin(np.minimum(edge, 1) * np.pi / 2).astype(np.float32) ** 2


def _background(values: Complex) -> Real:
    """Local mean power, lines left out by holding each bin to four times a first mean."""
    power = values.real**2 + values.imag**2
    size = tuple(max(9, n // 50 | 1) for n in (power.shape[1] * 2, power.shape[0]))
    mean = cv2.blur(power, size) + np.float32(1e-12)
    return cv2.blur(np.minimum(power, 4 * mean), size) + np.float32(1e-12)


def _cubic(t: NDArray[np.float64]) -> list[Real]:
    t = t.astype(np.float32)
    return [
        ((2 - t) * t - 1) * t / 2,
        ((3 * t - 5) * t * t + 2) / 2,
        ((4 - 3 * t) * t + 1) * t / 2,
        (t - 1) * t * t / 2,
    ]


BANDS = ((0.45, 0.8), (0.8, 1.6), (1.6, 3.4))
"""Scales that are searched, times the one that an uncropped copy would have; each band with steps of its own."""
STRETCH = 0.16
"""Half the largest logarithm of the aspect ratio that is searched."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A pose worth a closer look.

    Attributes:
        matrix: Shape (2, 2): canonical frequency (cycles per unit, (x, y)) → cycles per copy pixel.
        z: How far its pilots' power stands above that of its neighbours, in standard deviations.
    """

    matrix: NDArray[np.float64]
    z: float


class PoseSearch:
    """All similarities, and stretched upright poses, of one spectrum, as shifts of its log-polar map.

    In polar coordinates with a logarithmic radius, turning and scaling are shifts, so the score of every pose is a sum of 40
    shifted copies of one map: no hypothesis costs more than 40 additions of bytes.
    """

    def __init__(self, found: Spectrum, unit: float) -> None:
        """Make the maps.

        Args:
            found: Spectrum of the copy.
            unit: Copy pixels per canonical unit if the copy were the whole marked picture.
        """
        power = found.values.real**2 + found.values.imag**2
        power[:2], power[-1:], power[:, :2] = 1, 1, 1
        levels = np.minimum(power * np.float32(31), np.float32(31 * CEILING)).astype(np.uint8)
        self._maps = [_PolarMap(np.fft.fftshift(levels, axes=0), found.shape, unit, low, high) for low, high in BANDS]

    def upright(self, layout: Lattice) -> list[Candidate]:
        """Poses turned by 0 or 90° (± 1 step), mirrored or not."""
        return _distinct([c for each in self._maps for c in each.strip(layout, np.zeros(1))])

    def stretched(self, layout: Lattice) -> list[Candidate]:
        """Upright poses with every aspect ratio."""
        return _distinct([c for each in self._maps for c in each.strip(layout, each.stretches())])

    def turned(self, layout: Lattice) -> list[Candidate]:
        """Poses of every angle."""
        return _distinct([c for each in self._maps for c in each.full(layout)])


def _distinct(candidates: list[Candidate], most: int = 8) -> list[Candidate]:
    """The best, no two alike within 1 %."""
    kept: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda c: -c.z):
        size = np.abs(candidate.matrix).max()
        if all(
            min(np.abs(candidate.matrix - k.matrix).max(), np.abs(candidate.matrix + k.matrix).max()) > 0.01 * size for k in kept
        ):
            kept.append(candidate)
            if len(kept) == most:
                break
    return kept


class _PolarMap:
    """The log-polar map for one band of scales."""

    def __init__(self, levels: NDArray[np.uint8], shape: tuple[int, int], unit: float, low: float, high: float) -> None:
        self.low, self.high, self.unit = low, high, unit
        typical = 0.16 / (unit * np.sqrt(low * high)) * max(shape)
        self.turns = int(np.ceil(np.pi / (0.5 / typical)))
        self.step = np.pi / self.turns
        self.first = np.log(0.03 / (unit * high))
        last = np.log(0.31 / (unit * low))
        radius = np.exp(self.first + self.step * np.arange(int((last - self.first) / self.step) + 2)).astype(np.float32)
        angle = (-np.pi / 2 + self.step * np.arange(self.turns)).astype(np.float32)
        across = np.cos(angle)[:, None] * (radius * np.float32(shape[1]))
        down = np.sin(angle)[:, None] * (radius * np.float32(shape[0])) + np.float32(shape[0] // 2)
        # beyond the Nyquist frequency there is nothing: mean power
        sampled = cv2.remap(levels, across, down, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=31)
        self.map = np.concatenate([sampled, sampled])
        self.scales = int(np.log(high / low) / self.step)

    def stretches(self) -> NDArray[np.float64]:
        return np.arange(-STRETCH, STRETCH, self.step)

    def _polar(self, lines: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows (modulo half a turn) and first columns of lines given in cycles per canonical unit, for the largest scale."""
        angle = np.arctan2(lines[..., 1], lines[..., 0]) + np.pi / 2
        rows = np.round(angle / self.step).astype(np.int64) % self.turns
        radius = np.log(np.hypot(lines[..., 0], lines[..., 1]) / (self.unit * self.high))
        return rows, np.round((radius - self.first) / self.step).astype(np.int64)

    def _scale(self, column: int) -> float:
        return float(self.unit * self.high * np.exp(-self.step * column))

    def full(self, layout: Lattice) -> list[Candidate]:
        found = []
        for mirror in (1, -1):
            rows, columns = self._polar(layout.pilots * (mirror / TILE, 1 / TILE))
            total = np.zeros((self.turns, self.scales), np.uint16)
            for row, column in zip(rows, columns, strict=True):
                total += self.map[row : row + self.turns, column : column + self.scales]
            z = _standardise(total)
            for place in np.argpartition(z.ravel(), -24)[-24:]:
                turn, column = divmod(int(place), self.scales)
                matrix = _rotation(turn * self.step) * (mirror, 1) / self._scale(column)
                found.append(Candidate(matrix, float(z[turn, column])))
        return found

    def strip(self, layout: Lattice, stretches: NDArray[np.float64]) -> list[Candidate]:
        """Score angles 0 and 90° with the given stretches (logarithms)."""
        shapes = []
        for quarter in (0, 1):
            for mirror in (1, -1):
                for off in (-1, 0, 1):
                    turn = _rotation(quarter * np.pi / 2 + off * self.step)
                    shapes += [turn @ np.diag([mirror * np.exp(s), np.exp(-s)]) for s in stretches]
        every = np.array(shapes)
        rows, columns = self._polar(np.einsum("sij,pj->psi", every, layout.pilots / TILE))
        width = self.map.shape[1]
        flat = self.map.reshape(-1)
        run = np.arange(self.scales)
        total = np.zeros((len(every), self.scales), np.uint16)
        for row, column in zip(rows, columns, strict=True):
            total += flat[np.clip(column[:, None] + run, 0, width - 1) + row[:, None] * width]
        z = _standardise(total)
        best = np.argpartition(z.ravel(), -24)[-24:]
        places = [divmod(int(place), self.scales) for place in best]
        return [Candidate(every[s] / self._scale(column), float(z[s, column])) for s, column in places]


def _rotation(angle: float) -> NDArray[np.float64]:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _standardise(total: NDArray[np.uint16]) -> Real:
    """Deviations from the median, each scale in units of its own spread."""
    sample = total if len(total) < 256 else total[:: len(total) // 128]
    low, middle, high = np.percentile(sample, (16, 50, 84), axis=0)
    spread = (high - low) / 2
    # neighbouring scales share one spread: a column of 12 upright poses is too short for its own
    middle, spread = (cv2.blur(v.astype(np.float32)[None], (61, 1))[0] for v in (middle, spread))
    return (total - middle) / np.maximum(spread, 1)


def refine(found: Spectrum, layout: Lattice, start: Candidate) -> NDArray[np.float64]:
    """Return the affine matrix near a candidate under which the pilots' power is greatest: shape (2, 2)."""
    lines = layout.pilots / TILE
    basis = np.array([[[1, 0], [0, 1]], [[0, -1], [1, 0]], [[1, 0], [0, -1]], [[0, 1], [1, 0]]], float)
    weights = np.stack(np.meshgrid(*[[0, -1, 1]] * 4, indexing="ij"), axis=-1).reshape(-1, 4)
    moves = np.einsum("nb,bij->nij", weights, basis)
    bins = np.median(np.hypot(*(lines @ start.matrix.T).T)) * max(found.shape)
    matrix, step = start.matrix, 0.7 / bins
    while step > 0.04 / bins:
        tries = matrix @ (np.eye(2) + step * moves)
        where = np.einsum("nij,pj->npi", tries, lines)
        power = np.abs(found.at(where)) ** 2
        best = int(np.minimum(power, 40).sum(1).argmax())
        matrix = tries[best]
        if best == 0:
            step /= 2
        else:
            step *= 0.8
    return matrix


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """A pose with its place on the tile.

    Attributes:
        matrix: Shape (2, 2): canonical units → copy pixels.
        centre: Canonical position (x, y), modulo the tile, of the copy's middle pixel.
        z: How well the pilots' phases agree, in standard deviations.
    """

    matrix: NDArray[np.float64]
    centre: NDArray[np.float64]
    z: float


def align(found: Spectrum, layout: Lattice, matrix: NDArray[np.float64]) -> list[Alignment]:
    """Return the places, one for each half turn, at which the pilots' phases agree best."""
    lines = layout.pilots
    values = found.at(lines / TILE @ matrix.T)
    # one strong line must not decide alone
    values = values / np.maximum(1, np.abs(values) / 4)
    level = float(np.sqrt((np.abs(values) ** 2).sum() / 2)) + 1e-9
    results = []
    for half in (1, -1):
        turned = (values if half == 1 else values.conj()) * layout.pilot_phase.conj()
        grid = np.zeros((4 * TILE, 4 * TILE), np.complex64)
        grid[lines[:, 1] % (4 * TILE), lines[:, 0]] = turned
        score = np.fft.fft2(grid).real
        row, column = np.unravel_index(int(score.argmax()), score.shape)
        place = np.array([column, row]) / 4.0
        for step in (0.125, 0.06, 0.03):
            around = place + step * np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1]), -1).reshape(-1, 2)
            fit = (turned * np.exp(-2j * np.pi * around @ lines.T / TILE)).real.sum(1)
            place = around[int(fit.argmax())]
        results.append(Alignment(np.linalg.inv(half * matrix).T, place % TILE, float(fit.max()) / level))
    return sorted(results, key=lambda a: -a.z)
