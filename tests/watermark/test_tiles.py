"""Laying a copy on the plane of tiles: as many samples as show something, and sums over tiles 16 apart."""

from __future__ import annotations

import numpy as np
import pytest
from mark_scenes import KEY, scenery

from watermark.lattice import TILES, lattice
from watermark.mask import whiten
from watermark.reading import gather
from watermark.tiles import TILE, Tiles, despread, flatten


@pytest.mark.parametrize(("scale", "samples"), [(0.45, 40), (0.58, 48), (0.68, 56), (0.9, TILE)])
def test_tiles_of_few_pixels_are_sampled_less_and_show_the_same(scale: float, samples: int) -> None:
    layout = lattice(KEY)
    white = whiten(scenery(240, 200, 3)[..., 1].astype(np.float32))
    plane = np.array([[scale, 0.05, 3.3], [-0.05, scale, 7.1], [0, 0, 1]])
    few = despread(white, layout.carriers, plane)
    flat, first = flatten(white, plane)
    assert few.first == first
    assert few.values.shape[:2] == (flat.shape[0] // TILE, flat.shape[1] // TILE)
    y, x = np.mgrid[:TILE, :TILE] + 0.5
    low = np.hypot(*layout.carriers.T) / TILE / scale < 0.2  # cycles per pixel: well inside what pixels show
    waves = np.exp(-2j * np.pi / TILE * (layout.carriers[low, 0, None, None] * x + layout.carriers[low, 1, None, None] * y))
    tiles = flat.reshape(few.values.shape[0], TILE, -1, TILE)
    exact = np.einsum("rycx,kyx->rck", tiles, waves)
    apart = np.linalg.norm(few.values[..., low] - exact) / np.linalg.norm(exact)
    assert apart < (1e-4 if samples == TILE else 0.3)  # a twentieth of the power: 0.2 dB


@pytest.mark.parametrize("first", [(0, 0), (5, -3), (-20, 31)])
def test_tiles_that_lie_sixteen_apart_add_up(first: tuple[int, int]) -> None:
    rng, layout = np.random.default_rng(5), lattice(KEY)
    values = (rng.normal(size=(19, 3, 640)) + 1j * rng.normal(size=(19, 3, 640))).astype(np.complex64)
    sums = gather(Tiles(values, first), layout)
    wanted = np.zeros(640, complex)
    for row in range(19):
        for column in range(3):
            wanted += (
                values[row, column] * layout.tile_phase[(first[0] + row - 4) % TILES, (first[1] + column - 9) % TILES].conj()
            )
    wanted /= np.sqrt((np.abs(values) ** 2).sum((0, 1)))
    assert np.allclose(sums[4, 9], wanted, atol=1e-4)
