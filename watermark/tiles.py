"""Lay a whitened copy back on the plane of tiles, and take from each tile the few waves that a mark uses."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from watermark.lattice import HIGHEST, TILE, Complex, Real

MOST_TILES = 40
SAMPLES, FINER = (40, 48, 56, TILE), 1.25
"""Samples of a tile each way that are worth taking, and how many a copy's pixel is given at least: more show nothing more."""
REACH = int(HIGHEST * TILE)

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


def despread(white: Real, lines: NDArray[np.int64], plane: Matrix) -> Tiles:
    """Lay a whitened copy on the plane of tiles and take some lines of each.

    Args:
        white: Shape (H, W).
        lines: Shape (lines, 2): (kx, ky), such as a layout's carriers.
        plane: Shape (3, 3), homography: canonical units → copy pixels (corners at integers), tile corners at multiples of 64.
    """
    pixels = FINER * TILE * float(np.linalg.norm(plane[:2, :2] / plane[2, 2], 2))
    samples = next((count for count in SAMPLES if count >= pixels), TILE)
    flat, first = flatten(white, plane, samples)
    rows, columns = (size // samples for size in flat.shape)
    waves = _waves(flat, rows, columns).reshape(rows, columns, -1)
    return Tiles(np.take(waves, (lines[:, 1] + REACH) * (REACH + 1) + lines[:, 0], axis=2, mode="clip"), first)


def flatten(white: Real, plane: Matrix, samples: int = TILE) -> tuple[Real, tuple[int, int]]:
    """Lay a copy on the plane of tiles: shape (samples · rows, samples · columns), 0 beyond the copy's edges.

    Args:
        white: Shape (H, W).
        plane: Shape (3, 3), canonical units → copy pixels.
        samples: To a tile, each way; 64 are one at the centre of each unit.
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
    step = TILE / samples
    into = _shift(-0.5, -0.5) @ plane @ _shift(TILE * low[0], TILE * low[1]) @ np.diag([step, step, 1.0]) @ _shift(0.5, 0.5)
    size, flags = ((high[0] - low[0]) * samples, (high[1] - low[1]) * samples), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    if np.abs(into[2, :2]).max() < 1e-9:
        flat = cv2.warpAffine(white, into[:2] / into[2, 2], size, flags=flags)
    else:
        flat = cv2.warpPerspective(white, into, size, flags=flags)
    return np.asarray(flat, np.float32), (low[1], low[0])


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


def _waves(flat: Real, rows: int, columns: int) -> Complex:
    """Fourier coefficients of each tile at ky = −16 … 16, kx = 0 … 16: shape (rows, columns, 33, 17).

    As products with the few waves that are wanted, which is faster than whole transforms.
    """
    samples = flat.shape[0] // rows
    across, down = _bases(samples)
    tiles = (flat.reshape(-1, samples) @ across).view(np.complex64).reshape(rows, samples, columns * (REACH + 1))
    found = np.matmul(down, tiles).reshape(rows, 2 * REACH + 1, columns, REACH + 1)
    return np.asarray(found.transpose(0, 2, 1, 3), np.complex64)


@lru_cache(maxsize=len(SAMPLES))
def _bases(samples: int) -> tuple[Real, Complex]:
    """Waves along a tile's rows, as real parts beside imaginary ones, and down its columns; of one size however many samples."""
    places = (np.arange(samples) + 0.5) / samples
    across = np.exp(-2j * np.pi * np.outer(places, np.arange(REACH + 1))) * (TILE / samples)
    down = np.exp(-2j * np.pi * np.outer(np.arange(-REACH, REACH + 1), places)) * (TILE / samples)
    return across.astype(np.complex64).view(np.float32), down.astype(np.complex64)


def _shift(x: float, y: float) -> Matrix:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], float)
