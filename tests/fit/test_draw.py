"""Pictures of where a copy was changed: right size, marks where the change is, nothing else touched."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from fit_scenes import scene, turned
from numpy.typing import NDArray

from provenance.fit import Fit, laid, measure, picture, side_by_side

Rgb = NDArray[np.uint8]


@pytest.fixture(scope="module")
def changed(photo: Rgb) -> Rgb:
    out = photo.copy()
    out[280:380, 380:500] = scene(9)[200:300, :120]
    return out


@pytest.fixture(scope="module")
def fit(changed: Rgb, reference: Rgb) -> Fit:
    return measure(changed, reference)


def test_the_change_is_tinted_and_the_rest_is_left(changed: Rgb, fit: Fit) -> None:
    drawn = picture(changed, fit)
    assert drawn.shape == changed.shape
    assert drawn.dtype == np.uint8
    far = np.abs(drawn.astype(int) - changed).max(axis=2)
    assert (far[290:370, 390:490] > 0).mean() > 0.95
    assert far[:200].max() <= 1
    assert far[:, :300].max() <= 1


def test_the_outline_shows_on_black_and_on_white(changed: Rgb, fit: Fit) -> None:
    for ground in (0, 255):
        drawn = picture(np.full_like(changed, ground), fit)
        assert np.ptp(drawn.astype(int).sum(axis=2)) > 500


@pytest.mark.parametrize("side", [64, 333, 5000])
def test_the_long_side_is_kept_within_the_limit(changed: Rgb, fit: Fit, side: int) -> None:
    drawn = picture(changed, fit, max_side=side)
    assert max(drawn.shape) == min(side, 640)


def test_a_fit_without_comparison_leaves_the_copy_plain(reference: Rgb) -> None:
    other = scene(33)
    fit = measure(other, reference)
    assert not fit.aligned
    assert (picture(other, fit) == other).all()


def test_what_lies_beside_the_reference_is_darkened(photo: Rgb, reference: Rgb) -> None:
    framed = np.pad(photo, ((200, 200), (0, 0), (0, 0)), constant_values=240)
    drawn = picture(framed, measure(framed, reference))
    assert drawn[:150].mean() < 140
    assert np.abs(drawn[220:640].astype(int) - framed[220:640]).max() <= 1


@pytest.mark.parametrize("handled", [lambda a: a[::-1, ::-1], lambda a: a[60:440, 100:600], lambda a: turned(a, 5)])
def test_a_reference_is_laid_where_the_copy_shows_it(photo: Rgb, reference: Rgb, handled: Callable[[Rgb], Rgb]) -> None:
    copy = np.ascontiguousarray(handled(photo))
    over = laid(copy, reference, measure(copy, reference))
    assert over.shape == copy.shape
    middle = tuple(slice(n // 4, 3 * n // 4) for n in copy.shape[:2])
    assert np.abs(over[middle].astype(int) - copy[middle]).mean() < 6


def test_beside_the_reference_the_copy_shows_dark_and_without_colour(photo: Rgb, reference: Rgb) -> None:
    framed = np.pad(photo, ((200, 200), (0, 0), (0, 0)), constant_values=240)
    over = laid(framed, reference, measure(framed, reference))
    assert np.ptp(over[:150].astype(int), axis=2).max() == 0
    assert over[:150].mean() < 120


def test_what_was_not_found_is_shown_as_it_is(reference: Rgb) -> None:
    other = scene(33)
    assert (laid(other, reference, measure(other, reference)) == reference).all()


def test_three_panels_of_one_height(changed: Rgb, photo: Rgb, fit: Fit) -> None:
    row = side_by_side(changed, photo[:, :300], fit, height=120)
    assert row.shape == (120, 75 + 160 + 160 + 2 * 4, 3)


def test_a_one_pixel_copy_can_be_drawn(reference: Rgb) -> None:
    dot = np.zeros((1, 1, 3), np.uint8)
    assert picture(dot, measure(dot, reference)).shape == (1, 1, 3)
