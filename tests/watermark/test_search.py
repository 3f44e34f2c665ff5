"""The search: spectra between their bins, what is given up early, and how many readings one picture costs."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mark_scenes import KEY, OTHER_KEY, scenery

from watermark import code, image
from watermark.lattice import lattice
from watermark.spectrum import spectrum


@pytest.mark.parametrize("shape", [(301, 444), (96, 500), (512, 333)])
def test_spectrum_between_its_bins(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    found = spectrum(rng.normal(size=shape).astype(np.float32))
    tall, wide = found.shape
    y, x = rng.integers(-tall // 2 + 4, tall // 2 - 4, 200), rng.integers(-wide // 2 + 4, wide // 2 - 4, 200)
    stored = np.where(x >= 0, found.values[y % tall, np.abs(x)], found.values[-y % tall, np.abs(x)].conj())
    assert np.allclose(found.at(x / wide, y / tall), stored, atol=1e-5)
    across, down = rng.uniform(-0.4, 0.4, (2, 300))
    across[:100] /= 100  # where both halves meet
    assert np.allclose(found.at(across, down), found.at(-across, -down).conj(), atol=1e-4)


def test_spectrum_between_bins_is_the_transform() -> None:
    # a picture of one wave whose frequency lies between bins: its line is found there, with its phase at the middle
    height, width = 256, 320
    y, x = np.mgrid[:height, :width]
    across, down, phase = 0.1237, -0.0711, 0.7
    wave = np.cos(2 * np.pi * (across * (x - width // 2) + down * (y - height // 2)) + phase)
    found = spectrum((wave + 0.01 * np.random.default_rng(1).normal(size=wave.shape)).astype(np.float32))
    line = found.at(np.array([[across, across + 2 / width]]), np.array([[down, down]]))[0]
    assert abs(np.angle(line[0] * np.exp(-1j * phase))) < 0.05
    assert abs(line[1]) < 0.5 * abs(line[0])


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.3, 3))
def test_no_word_exceeds_what_the_first_turn_says(seed: int, noise: float) -> None:
    rng = np.random.default_rng(seed)
    word = 1 - 2 * code.encode(rng.integers(0, 2, 80, dtype=np.uint8)).astype(np.float32)
    soft = (word + noise * rng.normal(size=word.size)).astype(np.float32)
    told: list[float] = []
    found = list(code.decode(soft, most=4, worth=lambda most: told.append(most) or True))
    assert len(told) == 1
    assert told[0] >= float(soft @ word) - 1e-2
    assert all(told[0] >= float(soft @ (1 - 2 * code.encode(bits).astype(np.float32))) - 1e-2 for bits in found)


def test_what_cannot_be_a_word_is_not_decoded() -> None:
    soft = np.random.default_rng(5).normal(size=640).astype(np.float32)
    assert list(code.decode(soft, worth=lambda most: False)) == []
    assert len(list(code.decode(soft, worth=lambda most: True))) > 0


@pytest.mark.parametrize("seed", [1, 2])
def test_one_search_reads_no_more_poses_than_its_bound_counts(seed: int) -> None:
    source = scenery(500, 400, seed)
    for pixels in (source, image.embed(source, 5, key=KEY)):
        views = image.Views([image.luma_of(pixels)])
        used = Counter(kind for _, _, kind in image._poses(views, lattice(OTHER_KEY)))
        assert all(used[kind] <= kind.readings for kind in image.ALLOWANCES)


def test_the_kinds_of_poses_share_the_allowed_chance() -> None:
    assert sum(kind.share for kind in image.ALLOWANCES) == pytest.approx(1)
    assert sum(kind.offsets * kind.readings / kind.weight for kind in image.ALLOWANCES) == pytest.approx(1)
    assert len(set(image.ALLOWANCES)) == len(image.ALLOWANCES)  # they are told apart by their values
