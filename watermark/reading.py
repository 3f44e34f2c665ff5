"""From a pose to an id: lay the copy back on the tiles, undo the carriers' keyed phases, decode, and bound chance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from watermark import code, payload
from watermark.lattice import CARRIERS, CODE_BITS, TILE, TILES, Complex, Lattice, Real
from watermark.pattern import centre_phase

MOST_TILES = 40
GATE = 3.0
"""Standard deviations by which the carriers' energy must stand out at one of the 256 tile offsets to be worth decoding."""

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Tiles:
    """The carriers of a copy, tile by tile.

    Attributes:
        values: Shape (rows, columns, 320), complex64: Fourier coefficients of the whitened copy.
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
        bit_errors: Code bits, of 640, whose sign was wrong.
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


def despread(white: Real, layout: Lattice, plane: Matrix) -> Tiles:
    """Lay a whitened copy on the plane of tiles and take the carriers of each.

    Args:
        white: Shape (H, W).
        layout: The key's layout.
        plane: Shape (3, 3), homography: canonical units → copy pixels (corners at integers), tile corners at multiples of 64.
    """
    height, width = white.shape
    low, high = extent(plane, width, height)
    scale = math.sqrt(abs(np.linalg.det(plane[:2, :2] / plane[2, 2])))
    if scale > 1.5:  # more pixels than units: average first, or what lies above the band folds into it
        small = (max(1, round(width * 1.25 / scale)), max(1, round(height * 1.25 / scale)))
        white = cv2.resize(white, small, interpolation=cv2.INTER_AREA)
        plane = np.diag([small[0] / width, small[1] / height, 1.0]) @ plane
    rows, columns = high[1] - low[1], high[0] - low[0]
    into = _shift(-0.5, -0.5) @ plane @ _shift(0.5 + TILE * low[0], 0.5 + TILE * low[1])
    size, flags = (columns * TILE, rows * TILE), cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    if np.abs(into[2, :2]).max() < 1e-9:
        flat = cv2.warpAffine(white, into[:2] / into[2, 2], size, flags=flags)
    else:
        flat = cv2.warpPerspective(white, into, size, flags=flags)
    waves = np.fft.rfft2(flat.reshape(rows, TILE, columns, TILE).transpose(0, 2, 1, 3))
    lines = layout.carriers
    return Tiles(waves[:, :, lines[:, 1] % TILE, lines[:, 0]] * centre_phase(lines).conj(), (low[1], low[0]))


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
    """Sum the tiles at each of the 256 offsets, in units of each carrier's own noise: shape (16, 16, 320).

    Entry (a, b) supposes that tile (r, c) carries the phases of tile (r − a, c − b) of the layout.
    """
    rows, columns, _ = tiles.values.shape
    folded = np.zeros((TILES, TILES, CARRIERS), np.complex64)
    place = np.ix_((tiles.first[0] + np.arange(rows)) % TILES, (tiles.first[1] + np.arange(columns)) % TILES)
    np.add.at(folded, place, tiles.values)
    noise = np.sqrt((np.abs(tiles.values) ** 2).sum((0, 1))) + np.float32(1e-9)
    pattern = np.fft.fft2(layout.tile_phase, axes=(0, 1))
    return (np.fft.ifft2(pattern.conj() * np.fft.fft2(folded, axes=(0, 1)), axes=(0, 1)) / noise).astype(np.complex64)


def soft_values(sums: Complex, layout: Lattice) -> Real:
    """Return the received word, shape (640,), in the code's order: positive where a 0 is likelier.

    Each carrier counts by the amplitude found around its frequency, so what a copy lost to scaling counts for nothing.
    """
    power = np.abs(sums) ** 2 - 1
    amplitude = np.sqrt(np.maximum(np.convolve(np.pad(power, 16, mode="edge"), np.full(33, 1 / 33), "valid"), 0.02))
    values = np.concatenate([sums.real * amplitude, sums.imag * amplitude]).astype(np.float32)
    limit = 3 * np.sqrt((values**2).mean())
    soft = np.empty(CODE_BITS, np.float32)
    soft[layout.order] = np.clip(values, -limit, limit) * layout.signs
    return soft


def read(white: Real, layout: Lattice, plane: Matrix) -> Reading | None:
    """Read the id under a pose, or return None where no code word with a good check stands out.

    The caller judges `log_chance`.
    """
    sums = gather(despread(white, layout, plane), layout)
    energy = np.minimum(np.abs(sums) ** 2, 8).sum(2)
    energy = (energy - np.median(energy)) / math.sqrt(CARRIERS)
    a, b = divmod(int(energy.argmax()), TILES)
    if energy[a, b] < GATE:
        return None
    soft = soft_values(sums[a, b], layout)
    for bits in code.decode(soft):
        mark_id = payload.unpack(bits)
        if mark_id is None:
            continue
        signs = 1 - 2 * code.encode(bits).astype(np.float32)
        origin = layout.origin(mark_id)
        return Reading(
            mark_id=mark_id,
            log_chance=min(0.0, log_chance(soft, signs) + 64 * math.log(2)),
            bit_errors=int((soft * signs < 0).sum()),
            corner=((origin[0] + a) % TILES, (origin[1] + b) % TILES),
            shift=(a, b),
            energy=float(energy[a, b]),
        )
    return None


def log_chance(soft: Real, signs: Real) -> float:
    """Bound the chance that random signs agree with one code word as well as a received word does.

    The layout gives every dimension a keyed sign that nothing before the decoder looks at. For a copy that does not carry
    this key's mark these signs are fair coins ε, whatever the picture, so the score of a fixed word is Σ εᵢ |sᵢ|, and by
    Chernoff P(Σ εᵢ |sᵢ| ≥ T) ≤ exp(Σ ln cosh(λ |sᵢ|) − λ T) for every λ > 0. The best λ of a few is taken (each is valid).

    Returns:
        Natural logarithm of the bound, ≤ 0, for one word; add the logarithm of the number of words.
    """
    size = np.abs(soft).astype(np.float64)
    total = float((soft * signs).sum())
    if total <= 0:
        return 0.0
    rate = total / float((size**2).sum())
    exponents = []
    for factor in np.linspace(1.0, 4.0, 31):
        x = factor * rate * size
        exponents.append(float((x + np.log1p(np.exp(-2 * x)) - math.log(2)).sum()) - factor * rate * total)
    return min(0.0, *exponents)


def _shift(x: float, y: float) -> Matrix:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], float)
