"""Find how a copy was scaled, turned, mirrored and stretched, from the pilots' power alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from watermark.lattice import TILE, Complex, Lattice, Real

Matrix = NDArray[np.float64]

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
        turned: Complex = np.where(flip, total.conj(), total)
        return turned

    def _bin(self, x: NDArray[np.int64], y: NDArray[np.int64]) -> Complex:
        mirrored = x < 0
        found = self.values[np.where(mirrored, -y, y) % self.shape[0], np.minimum(np.abs(x), self.shape[1] // 2)]
        turned: Complex = np.where(mirrored, found.conj(), found)
        return turned


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
    values = _transform(field)
    values /= np.sqrt(_background(values))
    return Spectrum(values, (tall, wide))


def _transform(field: Real) -> Complex:
    """Half of the two-dimensional transform, as `numpy.fft.rfft2` but for the first and last column, which stay 0.

    OpenCV's packed form is several times faster to compute; no line of a mark lies on the axis or at the Nyquist frequency.
    """
    packed = cv2.dft(field)
    tall, wide = field.shape
    values = np.zeros((tall, wide // 2 + 1), np.complex64)
    values.view(np.float32)[:, 2:wide] = packed[:, 1 : wide - 1]
    return values


def _taper(size: int, ramp: int = 12) -> Real:
    edge = np.minimum(np.arange(size) + 0.5, size - 0.5 - np.arange(size)) / min(ramp, size / 2)
    return np.asarray(np.sin(np.minimum(edge, 1) * np.pi / 2) ** 2, np.float32)


def _background(values: Complex) -> Real:
    """Local mean power, lines left out by holding each bin to four times a first mean."""
    power = values.real**2 + values.imag**2
    size = max(9, power.shape[1] // 25 | 1), max(9, power.shape[0] // 50 | 1)
    mean = cv2.blur(power, size) + np.float32(1e-12)
    return np.asarray(cv2.blur(np.minimum(power, 4 * mean), size) + 1e-12, np.float32)


def _cubic(place: NDArray[np.float64]) -> list[Real]:
    """Catmull–Rom weights of the four samples around places 0–1 between the middle two."""
    t = place.astype(np.float32)
    taps = (((2 - t) * t - 1) * t / 2, ((3 * t - 5) * t * t + 2) / 2, ((4 - 3 * t) * t + 1) * t / 2, (t - 1) * t * t / 2)
    return [np.asarray(tap, np.float32) for tap in taps]


STRETCH = 0.16
"""Half the largest logarithm of the aspect ratio that is searched."""
LISTED = 80
"""Poses of each band and mirroring that are taken from power alone; twice as many in all are tested in phase."""
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


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """A pose with its place on the tile.

    Attributes:
        waves: Shape (2, 2): canonical frequency (cycles per unit, (x, y)) → cycles per copy pixel.
        centre: Canonical position (x, y), modulo the tile, of the copy's middle pixel.
        z: How well the pilots' phases agree, in standard deviations.
    """

    waves: Matrix
    centre: NDArray[np.float64]
    z: float


class PoseSearch:
    """All similarities, and stretched upright poses, of one spectrum, as shifts of its log-polar map.

    In polar coordinates with a logarithmic radius, turning and scaling are shifts, so the score of every pose is a sum of 40
    shifted copies of one map: no hypothesis costs more than 40 additions of bytes.
    """

    def __init__(self, found: Spectrum, unit: float, bands: Sequence[tuple[float, float]]) -> None:
        """Make the maps.

        Args:
            found: Spectrum of the copy.
            unit: Copy pixels per canonical unit if the copy were the whole marked picture.
            bands: Scales to search, times that; each band has steps of its own.
        """
        self._found = found
        power = found.values.real**2 + found.values.imag**2
        power[:2] = power[-1:] = power[:, :2] = 1
        levels = np.minimum(power * np.float32(31), np.float32(31 * CEILING)).astype(np.uint8)
        self._maps = [_PolarMap(np.fft.fftshift(levels, axes=0), found.shape, unit, low, high) for low, high in bands]

    def upright(self, layout: Lattice) -> list[Alignment]:
        """Poses turned by 0 or 90°, mirrored or not, of every scale."""
        return _best(self._found, layout, [c for each in self._maps for c in each.strip(layout, np.zeros(1))])

    def stretched(self, layout: Lattice) -> list[Alignment]:
        """Upright poses with every aspect ratio."""
        return _best(self._found, layout, [c for each in self._maps for c in each.strip(layout, each.stretches())])

    def turned(self, layout: Lattice) -> list[Alignment]:
        """Poses of every angle and scale."""
        return _best(self._found, layout, [c for each in self._maps for c in each.full(layout)])


def _best(found: Spectrum, layout: Lattice, candidates: list[Candidate], most: int = 5) -> list[Alignment]:
    """The candidates whose pilots agree best in phase too, refined, no two alike within 1 %.

    Power alone ranks millions of poses cheaply; agreement in phase is the sharper test, and affordable for hundreds.
    """
    candidates = sorted(candidates, key=lambda c: -c.z)[: 2 * LISTED]
    every = np.array([c.matrix for c in candidates] + [-c.matrix for c in candidates])
    values = _limited(found.at(np.einsum("nij,pj->npi", every, layout.pilots / TILE)))
    grid = np.zeros((len(every), TILE, TILE), np.complex64)
    grid[:, layout.pilots[:, 1] % TILE, layout.pilots[:, 0]] = values * layout.pilot_phase.conj()
    scores = np.fft.fft2(grid).real.reshape(len(every), -1)
    peaks = scores.argmax(1)
    z = scores[np.arange(len(every)), peaks] / _level(values)
    kept: list[tuple[Matrix, int]] = []
    for n in np.argsort(-z):
        size = 0.01 * np.abs(every[n]).max()
        if all(np.abs(every[n] - matrix).max() > size for matrix, _ in kept):
            kept.append((every[n], int(n)))
            if len(kept) == most:
                break
    starts = [Alignment(matrix, np.array([peaks[n] % TILE, peaks[n] // TILE], float), float(z[n])) for matrix, n in kept]
    return sorted((_refine(found, layout, start) for start in starts), key=lambda a: -a.z)


def _refine(found: Spectrum, layout: Lattice, start: Alignment) -> Alignment:
    """Turn, scale, stretch, shear and shift a pose a little, until its pilots agree best."""
    lines = layout.pilots / TILE
    bins = np.median(np.hypot(*(lines @ start.waves.T).T)) * max(found.shape)
    waves, centre, step, shift = start.waves, start.centre, 0.7 / bins, 0.5
    reached = 0.0
    while step > 0.04 / bins:
        before = reached
        for moves in (_SIMILAR, _SKEW):
            tries = waves @ (np.eye(2) + step * moves)
            values = _limited(found.at(np.einsum("nij,pj->npi", tries, lines)))
            fit = (values * (layout.pilot_phase * np.exp(2j * np.pi * lines @ centre)).conj()).real.sum(1)
            waves = tries[int(fit.argmax())]
        values = _limited(found.at(lines @ waves.T)) * layout.pilot_phase.conj()
        around = centre + shift * _AROUND
        fit = (values * np.exp(-2j * np.pi * around @ lines.T)).real.sum(1)
        centre, reached = around[int(fit.argmax())], float(fit.max())
        if reached <= before * 1.001:
            step, shift = step / 2, shift / 2
    return Alignment(waves, centre % TILE, reached / float(_level(values)))


def _moves(first: list[list[int]], second: list[list[int]]) -> NDArray[np.float64]:
    """The nine sums of two small changes of a matrix, none first."""
    one, two = np.array(first, float), np.array(second, float)
    return np.array([i * one + j * two for i in (0, -1, 1) for j in (0, -1, 1)])


_SIMILAR = _moves([[1, 0], [0, 1]], [[0, -1], [1, 0]])
_SKEW = _moves([[1, 0], [0, -1]], [[0, 1], [1, 0]])
_AROUND = np.array([(x, y) for x in (0, -1, 1) for y in (0, -1, 1)], float)


def _limited(values: Complex) -> Complex:
    """Hold each line to 4 times the mean amplitude: one strong line must not decide alone."""
    return np.asarray(values / np.maximum(1, np.abs(values) / 4), np.complex64)


def _level(values: Complex) -> Real:
    """Standard deviation of a sum of the lines' real parts under random phases."""
    return np.asarray(np.sqrt((np.abs(values) ** 2).sum(-1) / 2) + 1e-9, np.float32)


class _PolarMap:
    """The log-polar map for one band of scales."""

    def __init__(self, levels: NDArray[np.uint8], shape: tuple[int, int], unit: float, low: float, high: float) -> None:
        self.low, self.high, self.unit = low, high, unit
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
        sampled = cv2.remap(levels, across, down, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=31)
        self.map = np.concatenate([sampled, sampled])
        self.scales = int(np.log(high / low) / self.step)

    def stretches(self) -> NDArray[np.float64]:
        return np.arange(-STRETCH, STRETCH, self.step)

    def _polar(self, lines: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
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
            for place in np.argpartition(z.ravel(), -LISTED)[-LISTED:]:
                turn, column = divmod(int(place), self.scales)
                matrix = _rotation(turn * self.step) * (mirror, 1) / self._scale(column)
                found.append(Candidate(matrix, float(z[turn, column])))
        return found

    def strip(self, layout: Lattice, stretches: NDArray[np.float64]) -> list[Candidate]:
        """Score angles 0 and 90° with the given stretches (logarithms)."""
        shapes = []
        for quarter in (0, 1):
            for mirror in (1, -1):
                turn = _rotation(quarter * np.pi / 2)
                shapes += [turn @ np.diag([mirror * np.exp(s), np.exp(-s)]) for s in stretches]
        every = np.array(shapes)
        rows, columns = self._polar(np.einsum("sij,pj->psi", every, layout.pilots / TILE))
        width = self.map.shape[1]
        flat = self.map.reshape(-1)
        run = np.arange(self.scales, dtype=np.int32)
        total = np.zeros((len(every), self.scales), np.uint16)
        for start in (rows * width + columns).astype(np.int32):
            total += np.take(flat, start[:, None] + run, mode="clip")
        z = _standardise(total)
        best = np.argpartition(z.ravel(), -LISTED)[-LISTED:]
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
    return np.asarray((total - middle) / np.maximum(spread, 1), np.float32)
