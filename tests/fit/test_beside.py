"""What of a copy is not the reference, as boxes."""

from __future__ import annotations

import numpy as np
import pytest

from provenance.fit import Change, Fit, beside
from provenance.fit.result import NOT_ALIGNED

REFERENCE, COPY = (100, 200, 3), (100, 400, 3)


def laid(pose: list[list[float]], *changes: Change) -> Fit:
    return Fit(1.0, True, 0.5, 1.0, 1.0, 0.0, False, 1.0, False, changes, None, np.array(pose, np.float64))


AS_IT_IS = [[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1]]


def test_beside_the_left_half_lies_the_right_half() -> None:
    (part,) = beside(laid(AS_IT_IS), REFERENCE, COPY)
    assert part == pytest.approx((0.5, 0, 0.5, 1))


@pytest.mark.parametrize("shift", [0.0, 200.0])
def test_all_of_a_mirrored_reference_is_seen_where_it_lies(shift: float) -> None:
    mirrored = [[-1.0, 0, 199 + shift], [0, 1.0, 0], [0, 0, 1]]
    (part,) = beside(laid(mirrored), REFERENCE, COPY)
    assert part == pytest.approx((0.5 if shift == 0 else 0, 0, 0.5, 1))


def test_a_frame_all_around_is_four_strips() -> None:
    parts = beside(laid([[0.5, 0, 150], [0, 0.5, 25], [0, 0, 1]]), REFERENCE, COPY)
    assert len(parts) == 4
    for part, wanted in zip(
        parts, [(0, 0, 0.376, 1), (0.626, 0, 0.374, 1), (0, 0, 1, 0.2525), (0, 0.7525, 1, 0.2475)], strict=True
    ):
        assert part == pytest.approx(wanted, abs=0.005)


def test_a_copy_that_shows_a_piece_of_the_reference_has_nothing_beside_it() -> None:
    assert beside(laid([[8.0, 0, -300], [0, 8.0, -200], [0, 0, 1]]), REFERENCE, COPY) == ()


def test_changed_places_count_from_a_twentieth_of_the_copy() -> None:
    whole = [[2.0, 0, 0.5], [0, 1.0, 0], [0, 0, 1]]
    found = beside(laid(whole, Change(0.1, 0.1, 0.3, 0.4, 0.9, 0.1), Change(0.6, 0.6, 0.1, 0.1, 0.9, 0.01)), REFERENCE, COPY)
    assert found == ((0.1, 0.1, 0.3, 0.4),)


def test_of_what_was_laid_on_nothing_nothing_is_beside() -> None:
    assert beside(NOT_ALIGNED, REFERENCE, COPY) == ()
