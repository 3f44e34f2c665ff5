"""A mark id as a pattern on the plane, in canonical units, and its way onto pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from watermark.lattice import TILE, TILES, Complex, Lattice, Real


def synthesise(layout: Lattice, symbols: Complex, origin: tuple[int, int], rows: int, columns: int) -> tuple[Real, Real]:
    """Return pilots and carriers of a mark, sampled at the centres of unit squares.

    Args:
        layout: The key's layout.
        symbols: Shape (640,), or (rows, columns, 640) where they vary over the plane.
        origin: Tile (row, column) at the top left corner.
        rows, columns: How many tiles.
    Returns:
        Two arrays of shape (64 rows, 64 columns), float32; together of variance 1 for symbols of modulus 1.
    """
    pilots = _tiles(layout.pilots, layout.pilot_gain * layout.pilot_phase, (slice(None),), 1, 1)
    phases = layout.tile_phase[np.ix_((origin[0] + np.arange(rows)) % TILES, (origin[1] + np.arange(columns)) % TILES)]
    carriers = _tiles(layout.carriers, layout.carrier_gain * symbols * phases, layout.layers, rows, columns)
    return np.tile(pilots, (rows, columns)), carriers


def centre_phase(lines: NDArray[np.int64]) -> Complex:
    """Phase of each line half a unit right of and below a tile's corner, where its first sample lies."""
    return np.asarray(np.exp(1j * np.pi * lines.sum(1) / TILE), np.complex64)


def _tiles(lines: NDArray[np.int64], amplitudes: Complex, layers: tuple[slice, ...], rows: int, columns: int) -> Real:
    """Sum of a cos(2π k·u / 64 + arg) over lines, with amplitudes of shape (lines,) or (rows, columns, lines)."""
    spectrum = np.zeros((rows, columns, TILE, TILE // 2 + 1), np.complex64)
    waves = amplitudes * centre_phase(lines) * np.float32(TILE * TILE / 2)
    for layer in layers:
        spectrum[:, :, lines[layer, 1] % TILE, lines[layer, 0]] += waves[..., layer]
    tiles = np.fft.irfft2(spectrum, s=(TILE, TILE)).astype(np.float32)
    return np.ascontiguousarray(tiles.transpose(0, 2, 1, 3)).reshape(rows * TILE, columns * TILE)


def interpolation(size: int, unit: float, samples: int) -> Real:
    """Return weights that carry samples at unit centres to pixel centres, as a matrix of shape (size, samples).

    Catmull–Rom cubic, with the nearest sample repeated outside.

    Args:
        size: Pixels along this axis.
        unit: Pixels per canonical unit.
        samples: Canonical samples along this axis.
    """
    place = (np.arange(size) + 0.5) / unit - 0.5
    first = np.floor(place).astype(np.int64)
    t = (place - first).astype(np.float32)
    taps = (
        ((2 - t) * t - 1) * t / 2,
        ((3 * t - 5) * t * t + 2) / 2,
        ((4 - 3 * t) * t + 1) * t / 2,
        (t - 1) * t * t / 2,
    )
    weights = np.zeros((size, samples), np.float32)
    every = np.arange(size)
    for shift, tap in enumerate(taps):
        np.add.at(weights, (every, np.clip(first + shift - 1, 0, samples - 1)), tap)
    return weights
