"""Find how a copy was scaled, turned, mirrored and stretched: candidates by the pilots' power, the best by their phases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from watermark.lattice import TILE, Complex, Lattice, Real
from watermark.polar import LISTED, Candidate, Matrix, PolarMap, levels
from watermark.spectrum import Spectrum, spectrum

TESTED = 2 * LISTED
"""Candidates of a family whose phases are looked at."""
REFINED = 6
"""Poses of a family that are refined, together."""
APART = 0.01
"""Relative difference under which two poses are one."""
COARSEST, FINEST = 0.7, 0.04
"""First and last step of the refinement, bins of the doubled spectrum by which a typical pilot moves."""


Moves = NDArray[np.float64]
"""Small changes of a matrix, none first: shape (n, 2, 2)."""


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
    """The search of one spectrum at the scales for which it is right, family by family of poses."""

    def __init__(self, white: Real, unit: float, bands: Sequence[tuple[float, float]]) -> None:
        """Prepare a search; the spectrum and its maps are made when poses are first asked for.

        Args:
            white: Shape (H, W), the whitened copy.
            unit: Copy pixels per canonical unit if the copy were the whole marked picture.
            bands: Scales to search, times that; each band has steps of its own.
        """
        self._white, self._unit, self._bands = white, unit, bands

    @cached_property
    def _found(self) -> Spectrum:
        return spectrum(self._white)

    @cached_property
    def _maps(self) -> list[PolarMap]:
        power = levels(self._found)
        return [PolarMap(power, self._found.shape, self._unit, low, high) for low, high in self._bands]

    def upright(self, layout: Lattice) -> list[Alignment]:
        """Poses turned by 0 or 90°, mirrored or not, of every scale, and only that: the best first.

        Most cuts are so, and what is not fitted is not fitted wrongly: faint ones are read a decibel better.
        """
        return _best(self._found, layout, [c for each in self._maps for c in each.upright(layout)], (_SCALE,))

    def turned(self, layout: Lattice) -> list[Alignment]:
        """Poses of every angle and scale."""
        return _best(self._found, layout, [c for each in self._maps for c in each.full(layout)])

    def stretched(self, layout: Lattice) -> list[Alignment]:
        """Upright poses with every aspect ratio."""
        return _best(self._found, layout, [c for each in self._maps for c in each.stretched(layout)])


def _best(found: Spectrum, layout: Lattice, candidates: list[Candidate], moves: Sequence[Moves] | None = None) -> list[Alignment]:
    """The candidates whose pilots agree best in phase too, refined, no two alike.

    Power alone ranks millions of poses cheaply; agreement in phase is the sharper test, and affordable for hundreds.
    """
    candidates = sorted(candidates, key=lambda c: -c.z)[:TESTED]
    every = np.array([c.matrix for c in candidates])
    z, centres = _placed(_pilots(found, every, layout), layout)
    every = np.concatenate([every, -every])
    kept: list[int] = []
    for n in np.argsort(-z).tolist():
        size = APART * np.abs(every[n]).max()
        if all(np.abs(every[n] - every[other]).max() > size for other in kept):
            kept.append(n)
            if len(kept) == REFINED:
                break
    return sorted(_refine(found, layout, every[kept], centres[kept], moves or (_SIMILAR, _SKEW)), key=lambda a: -a.z)


def _placed(values: Complex, layout: Lattice) -> tuple[Real, NDArray[np.float64]]:
    """How well pilots agree at the best whole place on the tile, and that place, then the same turned by 180°.

    Args:
        values: Shape (n, 40); upside down they are the conjugate.
        layout: The key's layout.
    Returns:
        Shapes (2 n,), (2 n, 2).
    """
    real, imaginary = _places(layout)
    along, across = np.ascontiguousarray(values.real) @ real, np.ascontiguousarray(values.imag) @ imaginary
    level, every, scores = _level(values), np.arange(len(values)), np.empty_like(along)
    z, peaks = [], []
    for combine in (np.add, np.subtract):
        combine(along, across, out=scores)
        peaks.append(scores.argmax(1))
        z.append(scores[every, peaks[-1]] / level)
    place = np.concatenate(peaks)
    return np.concatenate(z), np.stack([place % TILE, place // TILE], axis=1).astype(np.float64)


@lru_cache(maxsize=16)
def _places(layout: Lattice) -> tuple[Real, Real]:
    """Real and imaginary parts of pilots at each of 64 × 64 places on the tile: two of shape (40, 4096)."""
    y, x = np.mgrid[:TILE, :TILE].reshape(2, -1)
    waves = layout.pilot_phase[:, None] * np.exp(2j * np.pi / TILE * (layout.pilots @ np.stack([x, y])))
    return waves.real.astype(np.float32), waves.imag.astype(np.float32)


def _refine(
    found: Spectrum, layout: Lattice, waves: Matrix, centres: NDArray[np.float64], ways: Sequence[Moves]
) -> list[Alignment]:
    """Shift poses a little, and turn, scale, stretch and shear them in the ways given, until their pilots agree best."""
    lines = layout.pilots / TILE
    bins = np.median(np.hypot(*np.moveaxis(waves @ lines.T, 1, 0)), axis=1) * max(found.shape)
    step, shift = COARSEST / bins, np.full(len(waves), 0.5)
    reached, first = np.zeros(len(waves)), np.arange(len(waves))
    while np.any(step > FINEST / bins):
        before = reached
        phase = layout.pilot_phase * _turns(centres, lines)
        for moves in ways:
            tries = waves[:, None] @ (np.eye(2) + step[:, None, None, None] * moves)
            fit = (_pilots(found, tries, layout) * phase[:, None].conj()).real.sum(2)
            waves = tries[first, fit.argmax(1)]
        values = _pilots(found, waves, layout) * layout.pilot_phase.conj()
        around = centres[:, None] + shift[:, None, None] * _AROUND
        fit = (values[:, None] * _turns(-around, lines)).real.sum(2)
        centres, reached = around[first, fit.argmax(1)], fit.max(1)
        done = reached <= before * 1.001
        step, shift = np.where(done, step / 2, step), np.where(done, shift / 2, shift)
    z = reached / _level(values)
    return [Alignment(waves[n], centres[n] % TILE, float(z[n])) for n in first]


def _moves(first: list[list[int]], second: list[list[int]]) -> NDArray[np.float64]:
    """The nine sums of two small changes of a matrix, none first."""
    one, two = np.array(first, float), np.array(second, float)
    return np.array([i * one + j * two for i in (0, -1, 1) for j in (0, -1, 1)])


_SIMILAR = _moves([[1, 0], [0, 1]], [[0, -1], [1, 0]])
_SCALE = np.array([np.zeros((2, 2)), -np.eye(2), np.eye(2)])
_SKEW = _moves([[1, 0], [0, -1]], [[0, 1], [1, 0]])
_AROUND = np.array([(x, y) for x in (0, -1, 1) for y in (0, -1, 1)], float)


def _turns(places: NDArray[np.float64], lines: NDArray[np.float64]) -> Complex:
    """Phase of each line at places in canonical units: (…, 2) → (…, lines)."""
    return np.asarray(np.exp(1j * (2 * np.pi * places @ lines.T).astype(np.float32)), np.complex64)


def _pilots(found: Spectrum, waves: Matrix, layout: Lattice) -> Complex:
    """The pilots under poses, shape (…, 2, 2) → (…, 40), none above 4 times the mean: one line must not decide alone."""
    places = waves @ (layout.pilots.T / TILE)
    values = found.at(places[..., 0, :], places[..., 1, :])
    return np.asarray(values / np.maximum(1, np.abs(values) / 4), np.complex64)


def _level(values: Complex) -> Real:
    """Standard deviation of a sum of the lines' real parts under random phases."""
    return np.asarray(np.sqrt((np.abs(values) ** 2).sum(-1) / 2) + 1e-9, np.float32)
