"""Measure a pose far more finely than it was searched, and see perspective, by the phases of known lines in every tile.

Where a tile lies δ beside its place, line k is turned by 2π k·δ / 64. The displacements of all tiles are fitted together, by
Newton's method on the likelihood, with six parameters, or eight where a perspective fits better. Before an id is read only the
pilots are known; after it, all 640 carriers are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from watermark import code, payload
from watermark.lattice import CARRIERS, HALF, PILOTS, TILE, TILES, Complex, Lattice, Real
from watermark.reading import Reading
from watermark.tiles import Matrix, Tiles, despread

CARRIER_ROUNDS = (HALF,) * 5 + (CARRIERS,) * 5
PILOT_ROUNDS = (PILOTS // 2, PILOTS // 2, PILOTS)
"""How many lines each round looks at: the coarse ones first, whose phases do not wrap so soon."""
CLOSE = 0.02
"""Canonical units by which a round may move the corners for the search to end."""
PERSPECTIVE_GAIN = 12.0
"""By how many nats a pose in perspective must fit better than an affine one to be believed (two more parameters)."""
SPAN = 256.0
LONGEST = 4.0
"""Canonical units by which one step may move a tile at `SPAN` from the middle: where little agrees, steps have no bound."""

Array = NDArray[np.float64]


def follow_pilots(white: Real, layout: Lattice, plane: Matrix, gain: float = PERSPECTIVE_GAIN) -> Matrix:
    """Return the pose near one that was searched under which the pilots of all tiles agree best.

    Args:
        white: Shape (H, W), the whitened copy.
        layout: The key's layout.
        plane: Shape (3, 3), canonical units → copy pixels.
        gain: By how many nats a pose in perspective must fit better than an affine one to be believed.
    Returns:
        Shape (3, 3), with the tile grid of `plane`.
    """
    tiles = despread(white, layout.pilots, plane)
    places = _centres(tiles)
    middle = places.mean(0)
    agreed = _agreed(tiles, layout.pilot_phase)
    for count in PILOT_ROUNDS:
        parameters = _fit(agreed[:, :count], layout.pilots[:count], (places - middle) / SPAN, gain)
        plane = np.asarray(plane @ _moved(parameters, middle), np.float64)
        # what the copy would show if it were laid out anew; within a tile the change is small
        shifts = _displaced(parameters, (places - middle) / SPAN)
        agreed = agreed * np.exp(-2j * np.pi / TILE * (shifts @ layout.pilots.T)).astype(np.complex64)
    return np.asarray(plane / plane[2, 2], np.float64)


def settle(white: Real, layout: Lattice, plane: Matrix, reading: Reading) -> Matrix:
    """Return the pose near one that was read under which the known carriers agree best; as `follow_pilots`.

    Where another mark of the same key covers much of the copy the fit can lead away: of all poses on the way the best counts.
    """
    symbols = layout.symbols(code.encode(payload.pack(reading.mark_id)))

    def phases(tiles: Tiles) -> Complex:
        rows, columns, _ = tiles.values.shape
        row, column = tiles.first[0] + np.arange(rows), tiles.first[1] + np.arange(columns)
        turns = layout.tile_phase[np.ix_((row - reading.shift[0]) % TILES, (column - reading.shift[1]) % TILES)]
        return np.asarray(turns * symbols, np.complex64)

    best, most = plane, 0.0
    for count in CARRIER_ROUNDS:
        tiles = despread(white, layout.carriers, plane)
        places = _centres(tiles)
        middle = places.mean(0)
        agreed = _agreed(tiles, phases(tiles))
        score = float(agreed.real.sum())
        if score > most:
            best, most = plane, score
        parameters = _fit(agreed[:, :count], layout.carriers[:count], (places - middle) / SPAN)
        plane = np.asarray(plane @ _moved(parameters, middle), np.float64)
        if count == CARRIERS and np.abs(parameters).max() < CLOSE:
            best = plane
            break
    return np.asarray(best / best[2, 2], np.float64)


def _agreed(tiles: Tiles, phases: Complex) -> Complex:
    """Lines of all tiles in units of each line's noise, their known phases undone: shape (tiles, lines)."""
    noise = np.sqrt((np.abs(tiles.values) ** 2).mean((0, 1))) + np.float32(1e-9)
    return np.asarray((tiles.values * phases.conj() / noise).reshape(-1, noise.size), np.complex64)


def _centres(tiles: Tiles) -> Array:
    """Canonical (x, y) of the tiles' middles: shape (tiles, 2)."""
    rows, columns, _ = tiles.values.shape
    grid = np.meshgrid((tiles.first[1] + np.arange(columns) + 0.5) * TILE, (tiles.first[0] + np.arange(rows) + 0.5) * TILE)
    return np.stack(grid, axis=-1).reshape(-1, 2)


def _fit(agreed: Complex, lines: NDArray[np.int64], places: Array, least: float = PERSPECTIVE_GAIN) -> Array:
    """One Newton step for the displacement: shift, change along x, change along y, keystone; each (x, y), canonical units."""
    waves = 2 * np.pi / TILE * lines
    strength = max(float(agreed.real.mean()), 1e-6)
    slope, curve = agreed.imag @ waves, strength * waves.T @ waves
    u, v = places[:, 0], places[:, 1]
    shapes = np.stack([np.ones_like(u), u, v], axis=1)
    affine = np.einsum("tp,ij->tipj", shapes, np.eye(2)).reshape(-1, 2, 6)
    keystone = np.stack([np.stack([u * u, u * v], 1), np.stack([u * v, v * v], 1)], axis=1)
    plain, gain = _solve(affine, slope, curve)
    rich, more = _solve(np.concatenate([affine, keystone], axis=2), slope, curve)
    step = rich if strength * (more - gain) > least else np.concatenate([plain, np.zeros(2)])
    return np.asarray(step * min(1.0, LONGEST / max(float(np.abs(step).max()), 1e-9)), np.float64)


def _solve(basis: Array, slope: Array, curve: Array) -> tuple[Array, float]:
    """Parameters of the best quadratic fit, and its gain in units of the slope."""
    tilted = np.einsum("tip,ij->tjp", basis, curve)
    total = np.tensordot(tilted, basis, axes=((0, 1), (0, 1))) + 1e-3 * np.eye(basis.shape[2])
    pull = np.tensordot(slope, basis, axes=((0, 1), (0, 1)))
    parameters: Array = np.asarray(np.linalg.solve(total, pull), np.float64)
    return parameters, float(pull @ parameters)


def _displaced(parameters: Array, places: Array) -> Array:
    """The displacement of each place, in canonical units, as it was fitted: shape (places, 2)."""
    shift, along, down, keystone = parameters.reshape(4, 2)
    u, v = places[:, :1], places[:, 1:]
    return np.asarray(shift + along * u + down * v + places * (places @ keystone)[:, None], np.float64)


def _moved(parameters: Array, middle: Array) -> Matrix:
    """The map of canonical units that undoes a displacement, to second order.

    A tile at u shows what belongs to u + δ(u): the copy point of canonical place u is the old plane's point of u − δ.
    """
    shift, along, down, keystone = (parameters / SPAN).reshape(4, 2)
    back = np.eye(3)
    back[:2, :2] -= np.stack([along, down], axis=1)
    back[:2, 2] = -shift
    back[2, :2] = keystone
    to_unit = np.array([[1 / SPAN, 0, -middle[0] / SPAN], [0, 1 / SPAN, -middle[1] / SPAN], [0, 0, 1]])
    return np.asarray(np.linalg.inv(to_unit) @ back @ to_unit)
