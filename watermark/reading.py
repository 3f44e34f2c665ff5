"""From a pose to an id: lay the copy back on the tiles, undo the carriers' keyed phases, decode, and bound chance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from watermark import code, payload
from watermark.lattice import CARRIERS, CODE_BITS, HALF, TILES, Complex, Lattice, Real
from watermark.tiles import Matrix, Tiles, despread

GATE = 3.0
"""Standard deviations by which the carriers' energy must stand out at one of the 256 tile offsets to be worth decoding."""

NEARBY = 2.0
"""Standard deviation, cycles per tile, of the weights with which the amplitude at a frequency is averaged."""
OWN = 0.6
"""Trust in that average; the rest goes to the mean over all frequencies, which is steadier where the mark is faint."""
LAMBDAS = 6
"""Values of λ for which the bound on chance is computed; every one is valid."""
BERRY_ESSEEN = 0.56
LIMIT = 2.0
"""A received value counts no more than this many times their rms."""

_LOG_IDS = 64 * math.log(2)


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """An id that was read.

    Attributes:
        mark_id: The id.
        log_chance: Natural logarithm of the bound on the chance that one reading of an unmarked copy scores so high for any id.
        bit_errors: Dimensions, of 1280, whose sign was wrong.
        corner: Tile (row, column) of the alignment's plane at the marked picture's top left corner, modulo 16.
        shift: Tile offset at which the carriers' energy stood out.
        energy: By how many standard deviations.
    """

    mark_id: int
    log_chance: float
    bit_errors: int
    corner: tuple[int, int]
    shift: tuple[int, int]
    energy: float


def gather(tiles: Tiles, layout: Lattice) -> Complex:
    """Sum the tiles at each of the 256 offsets, in units of each carrier's own noise: shape (16, 16, carriers).

    Entry (a, b) supposes that tile (r, c) carries the phases of tile (r − a, c − b) of the layout.

    Args:
        tiles: The carriers of a copy, or the first of them for a quicker look.
        layout: The key's layout.
    """
    values = tiles.values
    power = (values.real**2 + values.imag**2).sum((0, 1))
    values = values / (np.sqrt(power) + np.float32(1e-9))
    # a transform of period 16 adds up what lies 16 tiles apart
    rows, columns = (_waves_over(start + np.arange(count)) for start, count in zip(tiles.first, values.shape[:2], strict=True))
    spectrum = _over_tiles(rows, columns, values)
    spectrum *= layout.tile_spectrum[..., : values.shape[2]]
    return _over_tiles(_BACK, _BACK, spectrum)


def _over_tiles(down: Complex, across: Complex, values: Complex) -> Complex:
    """Apply matrices along rows and columns of tiles: shapes (16, rows), (16, columns), (rows, columns, 640) → (16, 16, 640)."""
    rows, columns, carriers = values.shape
    summed = (down @ values.reshape(rows, -1)).reshape(TILES, columns, carriers)
    return np.asarray(np.matmul(across, summed), np.complex64)


def _waves_over(places: NDArray[np.int64]) -> Complex:
    """The sixteen waves of the super-tile at places counted in tiles: shape (16, places)."""
    return np.asarray(np.exp(-2j * np.pi * np.outer(np.arange(TILES), places % TILES) / TILES), np.complex64)


_BACK = (_waves_over(np.arange(TILES)).conj() / TILES).astype(np.complex64)


def soft_values(sums: Complex, layout: Lattice) -> Real:
    """Return the received values of the 1280 dimensions, signs undone: positive where a 0 is likelier.

    Each carrier counts by the amplitude found around its frequency, so what a copy lost to scaling counts for nothing.
    """
    power = np.abs(sums) ** 2 - 1
    power = OWN * (_nearby(layout) @ power) + (1 - OWN) * power.mean()
    values = layout.dimensions(sums * np.sqrt(np.maximum(power, 0.02)))
    limit = LIMIT * np.sqrt((values**2).mean())
    return np.asarray(np.clip(values, -limit, limit) * layout.signs, np.float32)


@lru_cache(maxsize=16)
def _nearby(layout: Lattice) -> Real:
    """Weights of a mean over carriers of like frequency in the same half: shape (640, 640)."""
    radius = np.hypot(layout.carriers[:, 0], layout.carriers[:, 1])
    radius[HALF:] += 100
    weights = np.exp(-((radius[:, None] - radius) ** 2) / (2 * NEARBY**2))
    return np.asarray(weights / weights.sum(1, keepdims=True), np.float32)


def read(white: Real, layout: Lattice, plane: Matrix, limit: float = 0.0, *, most: int = 1) -> Reading | None:
    """Read the id under a pose, or return None where no code word with a good check stands out.

    Args:
        white: Shape (H, W), the whitened copy.
        layout: The key's layout.
        plane: Shape (3, 3), canonical units → copy pixels.
        limit: What `log_chance` of a reading may be at most.
        most: Tile offsets that are decoded. With one, only where the carriers' energy stands out by `GATE`; more are for poses
            that are likely in themselves: at the limit of what can be decoded the right offset is often not the first.
    """
    sums = gather(despread(white, layout.carriers, plane), layout)
    for (a, b), energy in likely_offsets(sums, layout, most):
        found = _decode(soft_values(sums[a, b], layout), layout, limit) if most > 1 or energy >= GATE else None
        if found:
            mark_id, chance, errors = found
            origin = layout.origin(mark_id)
            corner = (origin[0] + a) % TILES, (origin[1] + b) % TILES
            return Reading(mark_id, chance, errors, corner, (a, b), energy)
    return None


def glimpse(coarse: Real, layout: Lattice, plane: Matrix) -> float:
    """By how many standard deviations the energy of the long waves stands out at the best tile offset; by chance it is about 3.

    Args:
        coarse: The whitened copy, reduced.
        layout: The key's layout.
        plane: Shape (3, 3), canonical units → pixels of `coarse`.
    """
    sums = gather(despread(coarse, layout.carriers[:HALF], plane), layout)
    energy = np.minimum(sums.real**2 + sums.imag**2, 8).sum(2)
    return float(energy.max() - np.median(energy)) / math.sqrt(HALF)


def likely_offsets(sums: Complex, layout: Lattice, most: int) -> list[tuple[tuple[int, int], float]]:
    """Tile offsets (row, column) at which most energy is, and by how many standard deviations it stands out.

    By turns the best in energy over all carriers, and the best where energy may be in some frequencies only.
    """
    power = np.minimum(sums.real**2 + sums.imag**2, 8)
    flat = power.sum(2)
    flat = (flat - np.median(flat)) / math.sqrt(CARRIERS)
    bands, counts = _bands(layout)
    uneven = (np.maximum((power - 1) @ bands / np.sqrt(counts), 0) ** 2).sum(2)
    ranks = [np.argsort(-score, axis=None, kind="stable")[:most].tolist() for score in (flat, uneven)]
    places = list(dict.fromkeys(place for pair in zip(*ranks, strict=True) for place in pair))[:most]
    return [(divmod(place, TILES), float(flat.flat[place])) for place in places]


@lru_cache(maxsize=16)
def _bands(layout: Lattice) -> tuple[Real, Real]:
    """Which carriers belong to each of seven bands of frequency, shape (640, 7), and how many they are."""
    radius = np.hypot(layout.carriers[:, 0], layout.carriers[:, 1])
    inside = (np.digitize(radius, _BAND_EDGES)[:, None] == np.arange(len(_BAND_EDGES) + 1)).astype(np.float32)
    return inside, inside.sum(0)


_BAND_EDGES = (5, 7, 9, 11, 13, 15)


def _decode(soft: Real, layout: Lattice, limit: float) -> tuple[int, float, int] | None:
    """The id of received values, the logarithm of its chance (at most `limit`), and how many signs were wrong."""
    word = np.bincount(layout.order, soft, CODE_BITS).astype(np.float32)
    size = np.abs(soft).astype(np.float64)
    for bits in code.decode(word, worth=lambda most: _log_bound(size, most) + _LOG_IDS <= limit):
        mark_id = payload.unpack(bits)
        if mark_id is None:
            continue
        signs = 1 - 2 * code.encode(bits)[layout.order].astype(np.float32)
        chance = min(0.0, log_chance(soft, signs) + _LOG_IDS)
        if chance <= limit:
            return mark_id, chance, int((soft * signs < 0).sum())
    return None


def log_chance(soft: Real, signs: Real) -> float:
    """Bound the chance that random signs agree with one code word as well as a received word does.

    The layout gives every dimension a keyed sign that nothing before the decoder looks at. For a copy that does not carry
    this key's mark these signs are fair coins ε, whatever the picture, so the score of a fixed word is S = Σ εᵢ |sᵢ|. For
    every λ > 0, tilting the coins towards agreement by exp(λ εᵢ |sᵢ|) gives

        P(S ≥ T) = exp(Σ ln cosh(λ |sᵢ|) − λ T) · E[exp(−λ (S − T)); S ≥ T],

    and the expectation, over the tilted coins, is at most 1 (Chernoff). It is also ∫ λ exp(−λ x) P(T ≤ S ≤ T + x) dx, where
    by Berry and Esseen an interval of length x has at most the chance x / (σ √2π) + 2 C L: hence at most
    1 / (λ σ √2π) + 2 C L, with σ² the tilted variance, L the sum of third absolute moments over σ³, and C = 0.56 for
    summands of unlike size (Shevtsova 2010). The best λ of a few is taken (each is valid).

    Returns:
        Natural logarithm of the bound, ≤ 0, for one word; add the logarithm of the number of words.
    """
    return _log_bound(np.abs(soft).astype(np.float64), float(soft @ signs))


def _log_bound(size: NDArray[np.float64], total: float) -> float:
    """The same from the sizes of the received values and their sum over the word."""
    energy = float((size**2).sum())
    if total <= 0 or energy <= 0:
        return 0.0
    rate, found = total / energy, 0.0
    for _ in range(LAMBDAS):
        x = rate * size
        slope = np.tanh(x)
        # the exponent is convex in λ: Newton's steps reach its least soon
        bend = max(float((size**2 * (1 - slope**2)).sum()), 1e-12)
        beyond = (
            1 / (rate * math.sqrt(2 * math.pi * bend)) + 2 * BERRY_ESSEEN * float((size**3 * (1 - slope**4)).sum()) / bend**1.5
        )
        tilted = float((x + np.log1p(np.exp(-2 * x)) - math.log(2)).sum()) - rate * total
        found = min(found, tilted + min(0.0, math.log(beyond)))
        rate = max(rate / 2, min(2 * rate, rate + (total - float(size @ slope)) / bend))
    return found
