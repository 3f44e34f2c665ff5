"""From a pose to an id: lay the copy back on the tiles, undo the carriers' keyed phases, decode, and bound chance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from watermark import code, payload
from watermark.lattice import CARRIERS, CODE_BITS, HALF, HIGHEST, TILE, TILES, Complex, Lattice, Real

MOST_TILES = 40
GATE = 3.0
"""Standard deviations by which the carriers' energy must stand out at one of the 256 tile offsets to be worth decoding."""

NEARBY = 2.0
"""Standard deviation, cycles per tile, of the weights with which the amplitude at a frequency is averaged."""
OWN = 0.6
"""Trust in that average; the rest goes to the mean over all frequencies, which is steadier where the mark is faint."""
LIMIT = 2.0
"""A received value counts no more than this many times their rms."""

_LOG_IDS = 64 * math.log(2)

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Tiles:
    """Lines of a copy, tile by tile.

    Attributes:
        values: Shape (rows, columns, lines), complex64: Fourier coefficients of the whitened copy.
        first: Tile (row, column) of the alignment's plane that `values[0, 0]` is.
    """

    values: Complex
    first: tuple[int, int]


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


def despread(white: Real, lines: NDArray[np.int64], plane: Matrix) -> Tiles:
    """Lay a whitened copy on the plane of tiles and take some lines of each.

    Args:
        white: Shape (H, W).
        lines: Shape (lines, 2): (kx, ky), such as a layout's carriers.
        plane: Shape (3, 3), homography: canonical units → copy pixels (corners at integers), tile corners at multiples of 64.
    """
    flat, first = flatten(white, plane)
    waves = _waves(flat, flat.shape[0] // TILE, flat.shape[1] // TILE)
    return Tiles(waves[:, :, lines[:, 1] + REACH, lines[:, 0]], first)


def flatten(white: Real, plane: Matrix) -> tuple[Real, tuple[int, int]]:
    """Lay a copy on the plane of tiles: samples at unit centres, shape (64 rows, 64 columns), 0 beyond the copy's edges.

    Returns:
        The samples, and the tile (row, column) of the plane that the first ones belong to.
    """
    height, width = white.shape
    low, high = extent(plane, width, height)
    scale = math.sqrt(abs(np.linalg.det(plane[:2, :2] / plane[2, 2])))
    if scale > 1.5:  # more pixels than units: average first, or what lies above the band folds into it
        small = (max(1, round(width * 1.25 / scale)), max(1, round(height * 1.25 / scale)))
        white = np.asarray(cv2.resize(white, small, interpolation=cv2.INTER_AREA), np.float32)
        plane = np.diag([small[0] / width, small[1] / height, 1.0]) @ plane
    into = _shift(-0.5, -0.5) @ plane @ _shift(0.5 + TILE * low[0], 0.5 + TILE * low[1])
    size, flags = ((high[0] - low[0]) * TILE, (high[1] - low[1]) * TILE), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    if np.abs(into[2, :2]).max() < 1e-9:
        flat = cv2.warpAffine(white, into[:2] / into[2, 2], size, flags=flags)
    else:
        flat = cv2.warpPerspective(white, into, size, flags=flags)
    return np.asarray(flat, np.float32), (low[1], low[0])


def _waves(flat: Real, rows: int, columns: int) -> Complex:
    """Fourier coefficients of each tile at ky = −16 … 16, kx = 0 … 16: shape (rows, columns, 33, 17).

    As products with the few waves that are wanted, which is faster than whole transforms.
    """
    across = (flat.reshape(-1, TILE) @ _ACROSS).view(np.complex64)  # (rows · 64 · columns, 17)
    tiles = across.reshape(rows, TILE, columns * (REACH + 1))
    found = np.matmul(_DOWN, tiles).reshape(rows, 2 * REACH + 1, columns, REACH + 1)
    return np.asarray(found.transpose(0, 2, 1, 3), np.complex64)


REACH = int(HIGHEST * TILE)
_CENTRES = (np.arange(TILE) + 0.5) / TILE
_ACROSS = np.exp(-2j * np.pi * np.outer(_CENTRES, np.arange(REACH + 1))).astype(np.complex64).view(np.float32)
_DOWN = np.exp(-2j * np.pi * np.outer(np.arange(-REACH, REACH + 1), _CENTRES)).astype(np.complex64)


def extent(plane: Matrix, width: int, height: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """First tile and the one after the last, (column, row), that a copy covers; at most 40 each way, about its middle."""
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1], [width / 2, height / 2, 1]]).T
    places = np.linalg.solve(plane, corners)
    places = places[:2] / places[2]
    middle = np.floor(places[:, 4] / TILE).astype(int)
    low = np.maximum(np.floor(places.min(1) / TILE).astype(int), middle - MOST_TILES // 2)
    high = np.minimum(np.ceil(places.max(1) / TILE).astype(int), middle + MOST_TILES // 2)
    high = np.maximum(high, low + 1)
    return (int(low[0]), int(low[1])), (int(high[0]), int(high[1]))


def gather(tiles: Tiles, layout: Lattice) -> Complex:
    """Sum the tiles at each of the 256 offsets, in units of each carrier's own noise: shape (16, 16, 640).

    Entry (a, b) supposes that tile (r, c) carries the phases of tile (r − a, c − b) of the layout.
    """
    rows, columns, _ = tiles.values.shape
    folded = np.zeros((TILES, TILES, CARRIERS), np.complex64)
    places = (tiles.first[0] + np.arange(rows)) % TILES, (tiles.first[1] + np.arange(columns)) % TILES
    if rows <= TILES and columns <= TILES:
        folded[np.ix_(*places)] = tiles.values
    else:
        np.add.at(folded, np.ix_(*places), tiles.values)
    noise = np.sqrt((np.abs(tiles.values) ** 2).sum((0, 1))) + np.float32(1e-9)
    folded /= noise
    return _over_tiles(_BACK, layout.tile_spectrum * _over_tiles(_FORTH, folded))


def _over_tiles(matrix: Complex, values: Complex) -> Complex:
    """Apply a 16 × 16 matrix along both axes of tiles."""
    down = (matrix @ values.reshape(TILES, -1)).reshape(TILES, TILES, -1)
    return np.asarray(np.matmul(matrix, down), np.complex64)


_FORTH = np.exp(-2j * np.pi * np.outer(np.arange(TILES), np.arange(TILES)) / TILES).astype(np.complex64)
_BACK = (_FORTH.conj() / TILES).astype(np.complex64)


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


def likely_offsets(sums: Complex, layout: Lattice, most: int) -> list[tuple[tuple[int, int], float]]:
    """Tile offsets (row, column) at which most energy is, and by how many standard deviations it stands out.

    By turns the best in energy over all carriers, and the best where energy may be in some frequencies only.
    """
    power = np.minimum(np.abs(sums) ** 2, 8)
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
    this key's mark these signs are fair coins ε, whatever the picture, so the score of a fixed word is Σ εᵢ |sᵢ|, and by
    Chernoff P(Σ εᵢ |sᵢ| ≥ T) ≤ exp(Σ ln cosh(λ |sᵢ|) − λ T) for every λ > 0. The best λ of a few is taken (each is valid).

    Returns:
        Natural logarithm of the bound, ≤ 0, for one word; add the logarithm of the number of words.
    """
    return _log_bound(np.abs(soft).astype(np.float64), float(soft @ signs))


def _log_bound(size: NDArray[np.float64], total: float) -> float:
    """The same from the sizes of the received values and their sum over the word."""
    if total <= 0:
        return 0.0
    rate = total / float((size**2).sum())
    exponents = [0.0]
    for factor in np.linspace(1.0, 4.0, 31):
        x = factor * rate * size
        exponents.append(float((x + np.log1p(np.exp(-2 * x)) - math.log(2)).sum()) - factor * rate * total)
    return min(exponents)


def _shift(x: float, y: float) -> Matrix:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], float)
