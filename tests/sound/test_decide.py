"""The bound: what chance can do, and that the decision looks at nothing it must not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from watermark.sound import sync
from watermark.sound.decide import BOUND, _ln_tail, chance, read
from watermark.sound.layout import BANDS, COLUMNS, layout

ID = 0xFEED_F00D
PLACE = layout(b"k")
EVEN = np.ones(BANDS, np.float32)


def received(score: float, seed: int) -> np.ndarray:
    """Cells of noise with the mark in them, about `score` deviations strong over the data cells."""
    noise = np.random.default_rng(seed).standard_normal((COLUMNS, BANDS)).astype(np.float32)
    return noise + PLACE.tile(ID) * np.float32(score / math.sqrt((~PLACE.pilot).sum()))


@pytest.mark.parametrize("seed", range(5))
def test_a_strong_mark_is_read(seed: int) -> None:
    found = read(received(16, seed), EVEN, PLACE, 1)
    assert found
    assert found.mark_id == ID
    assert found.p_false <= BOUND


@pytest.mark.parametrize("seed", range(10))
def test_noise_is_not_read(seed: int) -> None:
    assert read(received(0, seed), EVEN, PLACE, 1) is None


@pytest.mark.parametrize("seed", range(5))
def test_a_mark_below_the_bound_is_refused_however_well_it_decodes(seed: int) -> None:
    assert read(received(7, seed), EVEN, PLACE, 1) is None


def test_silence_is_not_read() -> None:
    assert read(np.zeros((COLUMNS, BANDS), np.float32), EVEN, PLACE, 1) is None


def test_the_first_attempt_needs_eleven_and_a_quarter_deviations() -> None:
    assert chance(11.28, 1) <= BOUND < chance(11.26, 1)


def test_the_tail_does_not_jump_where_its_formula_changes() -> None:
    assert _ln_tail(30.0) == pytest.approx(_ln_tail(29.999999), abs=1e-2)
    assert _ln_tail(30.0) >= math.log(math.erfc(30 / math.sqrt(2)) / 2)


@given(st.floats(-5, 60), st.integers(1, 10_000))
def test_chance_is_a_probability_that_falls_with_the_score_and_grows_with_attempts(score: float, attempt: int) -> None:
    assert 0 <= chance(score, attempt) <= 1
    assert chance(score + 1, attempt) <= chance(score, attempt) <= chance(score, attempt + 1)


def test_the_bounds_of_all_attempts_add_up_to_one_bound() -> None:
    assert sum(1 / (n * (n + 1)) for n in range(1, 100_000)) <= 1


def test_the_tail_bound_holds_for_features_of_any_shape() -> None:
    draw = np.random.default_rng(3)
    for _ in range(3):
        values = draw.standard_t(2, 7680)
        signs = draw.choice([-1.0, 1.0], (4000, 7680))
        scores = signs @ values / np.sqrt(np.square(values).sum())
        for score in (1.0, 2.0, 3.0):
            assert (scores >= score).mean() <= 3.178 * math.exp(_ln_tail(score))


def test_pose_and_weights_do_not_look_at_data_cells() -> None:
    """Flipping all data cells leaves weights as they are: the proof of `chance` rests on it."""
    cells = received(20, 1)
    flipped = np.where(PLACE.pilot, cells, -cells)
    assert np.array_equal(sync.band_weights(cells, PLACE), sync.band_weights(flipped, PLACE))
    spectrum = sync.pilot_spectrum(b"k")
    comb = np.zeros((COLUMNS * 3, BANDS), np.float32)
    comb[1::3] = np.where(PLACE.pilot, 0, cells)
    assert abs(float(np.fft.irfft((np.fft.rfft(comb, axis=0) * spectrum).sum(1), COLUMNS * 3)[0])) < 1e-2


@pytest.mark.slow
def test_random_keys_read_nothing_in_a_marked_tile() -> None:
    cells = received(30, 2)
    for key in range(60):
        other = layout(key.to_bytes(2, "big"))
        assert read(cells, sync.band_weights(cells, other), other, 1) is None
