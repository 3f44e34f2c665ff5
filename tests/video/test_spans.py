"""Which seconds carry the mark, from how strongly single frames do."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from watermark.video.spans import JOINT, SHORTEST_S, STRONG, decide


def at_four_a_second(*levels: tuple[float, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    scores = np.concatenate([np.full(count, level, np.float64) for level, count in levels])
    return np.arange(len(scores)) / 4, scores


@pytest.mark.parametrize("strength", [STRONG, 5.0, 20.0])
def test_a_gap_of_two_seconds_is_as_long_as_it_is(strength: float) -> None:
    """Strong frames on either side do not speak for those between."""
    marked = decide(*at_four_a_second((strength, 12), (0.0, 8), (strength, 12)))
    assert np.flatnonzero(~marked).tolist() == list(range(12, 20))


def test_weak_frames_carry_it_together() -> None:
    assert decide(*at_four_a_second((2.5, 40))).all()
    assert not decide(*at_four_a_second((1.0, 40))).any()


def test_what_an_encoder_carried_over_is_no_mark() -> None:
    """A still scene replaced by itself without the mark: blocks that do not move are copied across the cut."""
    leaking = [(7.3, 1), (5.0, 1), (4.7, 3), (1.6, 1), (1.0, 1), (-0.7, 1)]
    marked = decide(*at_four_a_second((75.0, 12), *leaking, (60.0, 12)))
    assert np.flatnonzero(~marked).tolist() == list(range(13, 20))
    assert SHORTEST_S < 7 / 4


def test_a_scene_that_carries_less_carries_it_still() -> None:
    assert decide(*at_four_a_second((40.0, 40), (6.0, 12), (20.0, 20))).all()


def test_a_frame_far_from_all_others_needs_to_be_strong() -> None:
    places = np.arange(10.0)
    assert not decide(places, np.full(10, STRONG - 0.1)).any()
    assert decide(places, np.full(10, STRONG)).all()


def test_a_weak_frame_between_strong_ones_is_too_short_for_a_gap() -> None:
    marked = decide(*at_four_a_second((9.0, 4), (1.0, 1), (9.0, 4)))
    assert int((~marked).sum()) / 4 < SHORTEST_S


def test_chance_seldom_makes_a_mark() -> None:
    places = np.arange(4_000) / 4
    marked = decide(places, np.random.default_rng(1).standard_normal(len(places)))
    assert marked.sum() <= 2
    assert JOINT >= STRONG


def test_nothing_in_nothing_out() -> None:
    assert decide(np.empty(0), np.empty(0)).shape == (0,)
