"""Finding the pose of a mark: pitch, stretch and place of the tile, from the pilots alone (SOUND.md §5).

Everything here looks at pilot chips and features, never at data chips; `decide` rests on that.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from watermark.sound.analysis import Real
from watermark.sound.layout import BANDS, PERIOD, STEPS, Layout, layout

BLOCK = 125
"""Hops that are correlated at once: half a second, over which a stretch of 2.5 % moves less than a cell."""
_REACH = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 4.0, 3.0, 2.0, 1.0]) / 25
"""Pilot scores of single bands are mostly noise: they are averaged over nine."""
_DOUBT = 0.1
"""Share of the mean score that every band counts at least."""


@dataclass(frozen=True, slots=True)
class Pose:
    """Where a tile lies in a run of features.

    Attributes:
        pitch: Frequencies of the copy over those of the marked sound.
        stretch: Duration of the copy over that of the marked sound.
        offset: Tile hop, 0–1199, at the run's first feature row.
        score: Pilot correlation in deviations.
    """

    pitch: float
    stretch: float
    offset: int
    score: float


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive features of one pitch, ready to be compared with a tile.

    Attributes:
        pairs: Shape (T, 24): sums of two neighbouring rows, so that row t covers the middle of a cell.
    """

    pairs: Real

    @classmethod
    def of(cls, features: Real) -> Run:
        return cls(features[:-1] + features[1:])

    def fold(self, stretch: float) -> Real:
        """Add up all periods: shape (1200, 24), row j holding what lies j hops (of the marked sound) after a period's start."""
        total = np.zeros((PERIOD, BANDS), np.float32)
        periods = int(len(self.pairs) / (PERIOD * stretch)) + 1
        for period in range(periods):
            rows = np.rint((period * PERIOD + np.arange(PERIOD)) * stretch).astype(np.int64)
            inside = int(np.searchsorted(rows, len(self.pairs)))
            total[:inside] += self.pairs[rows[:inside]]
        return total


@lru_cache(maxsize=8)
def pilot_spectrum(key: bytes) -> NDArray[np.complex64]:
    """Return the conjugate spectrum over time of the pilots, one sample in the middle of a cell: shape (601, 24)."""
    place: Layout = layout(key)
    return comb_spectrum(place.chips * place.pilot)


def comb_spectrum(cells: Real) -> NDArray[np.complex64]:
    """Return the conjugate spectrum of cells (400, 24) laid out in hops: shape (601, 24)."""
    comb = np.zeros((PERIOD, BANDS), np.float32)
    comb[1::STEPS] = cells
    return np.asarray(np.conj(np.fft.rfft(comb, axis=0)))


def correlate(fold: Real, spectrum: NDArray[np.complex64], weights: Real | None = None) -> Real:
    """Return the score of each offset, in deviations over all offsets: (1200, 24) → (1200,)."""
    found = np.fft.rfft(fold if weights is None else fold * weights, axis=0)
    raw = np.fft.irfft((found * spectrum).sum(axis=1), PERIOD)
    return _standard(_by_offset(raw))


def _by_offset(raw: NDArray[np.floating]) -> Real:
    """Turn Σ fold[j] pilot[j − s] at s into the score of offset o = −s."""
    return np.roll(raw[::-1], 1).astype(np.float32)


def _standard(raw: Real) -> Real:
    spread = float(raw.std())
    return (raw - raw.mean()) / np.float32(spread) if spread > 0 else np.zeros_like(raw)


def best_stretches(run: Run, key: bytes, pitch: float, stretches: NDArray[np.float64], most: int) -> list[Pose]:
    """Try all stretches on one run, each offset at once, and return the best few poses.

    Blocks of half a second are correlated with the pilots once; a stretch is then a sum over blocks, each shifted to where
    that stretch would have it.

    Args:
        run: At most some twenty seconds: the steps between stretches must keep the ends within a hop.
        pitch: Stands in the poses.
        stretches: Each about 1.
        most: Number of poses, best first, no two of one neighbourhood.
    """
    blocks = len(run.pairs) // BLOCK
    padded = np.zeros((blocks, PERIOD, BANDS), np.float32)
    padded[:, :BLOCK] = run.pairs[: blocks * BLOCK].reshape(blocks, BLOCK, BANDS)
    raw = np.fft.irfft(np.einsum("bfk,fk->bf", np.fft.rfft(padded, axis=1), pilot_spectrum(key)), PERIOD)
    twice = np.concatenate([raw, raw], axis=1)
    middles = (np.arange(blocks) + 0.5) * BLOCK
    scores = np.empty((len(stretches), PERIOD), np.float32)
    for row, stretch in enumerate(stretches):
        # a block that begins h hops after the run has its tile offset h / stretch further on
        starts = np.rint(middles / stretch - BLOCK / 2).astype(np.int64)
        total = np.zeros(PERIOD, np.float32)
        for block, start in enumerate(starts):
            at = -start % PERIOD
            total += twice[block, at : at + PERIOD]
        scores[row] = _standard(_by_offset(total))
    return _peaks(scores, pitch, stretches, most)


def _peaks(scores: Real, pitch: float, stretches: NDArray[np.float64], most: int) -> list[Pose]:
    poses = []
    left = scores.copy()
    for _ in range(most):
        row, offset = np.unravel_index(int(left.argmax()), left.shape)
        poses.append(Pose(pitch, float(stretches[row]), int(offset), float(left[row, offset])))
        near = (np.arange(-4, 5) + offset) % PERIOD
        left[max(0, row - 3) : row + 4, near] = -np.inf
    return poses


def cells_at(fold: Real, offset: int) -> Real:
    """Return the feature of every cell of the tile: (1200, 24) → (400, 24)."""
    return fold[(np.arange(1, PERIOD, STEPS) - offset) % PERIOD]


def band_weights(cells: Real, place: Layout) -> Real:
    """Return how much each band counts: its pilots' correlation, smoothed over bands and shrunk, ≥ 0, mean square 1.

    With noise of equal power in all bands, as features have, the best weight of a band is its gain; a codec that leaves a
    band empty leaves it no weight.
    """
    signal = (cells * place.chips * place.pilot).sum(axis=0)
    noise = np.sqrt((np.square(cells) * place.pilot).sum(axis=0))
    score = np.divide(signal, noise, out=np.zeros(BANDS, np.float32), where=noise > 0)
    smooth = np.convolve(np.pad(score, len(_REACH) // 2, mode="edge"), _REACH, "valid")
    overall = max(float(score.mean()), 0.0)
    weights = np.maximum(smooth, 0) + _DOUBT * overall
    size = float(np.sqrt(np.square(weights).mean()))
    return (weights / size if size > 0 else np.ones(BANDS)).astype(np.float32)
