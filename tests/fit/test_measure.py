"""Fit: honest copies are clean, changed copies say where, other pictures are foreign, and nothing makes it raise."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from fit_scenes import captioned, encoded, resized, scene, turned
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from provenance.fit import Agreement, Fit, Hint, Kind, classify, fits, measure

Rgb = NDArray[np.uint8]

HONEST: dict[str, Callable[[Rgb], Rgb]] = {
    "same": lambda p: p,
    "jpeg 75": lambda p: encoded(p, "JPEG", 75),
    "jpeg 20": lambda p: encoded(p, "JPEG", 20),
    "webp 50": lambda p: encoded(p, "WEBP", 50),
    "half": lambda p: resized(p, 0.5),
    "a third": lambda p: resized(p, 1 / 3),
    "double": lambda p: resized(p, 2.0),
    "crop": lambda p: p[60:400, 150:560],
    "small crop": lambda p: p[200:360, 300:510],
    "turned 5": lambda p: turned(p, 5),
    "turned 90": lambda p: turned(p, 90),
    "turned 180": lambda p: turned(p, 180),
    "mirrored": lambda p: p[:, ::-1],
    "wide": lambda p: cv2.resize(p, (768, 480)),
    "darker": lambda p: (p * 0.75).astype(np.uint8),
    "gamma": lambda p: (255 * (p / 255.0) ** 0.7).astype(np.uint8),
    "grey": lambda p: np.repeat(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2),
    "blurred": lambda p: cv2.GaussianBlur(p, (0, 0), 1.5),
    "noisy": lambda p: np.clip(p + np.random.default_rng(0).normal(0, 6, p.shape), 0, 255).astype(np.uint8),
    "screenshot": lambda p: np.pad(p, ((120, 200), (30, 30), (0, 0)), constant_values=245),
}


@pytest.mark.parametrize("name", HONEST)
def test_honest_copies_fit(photo: Rgb, reference: Rgb, name: str) -> None:
    fit = measure(np.ascontiguousarray(HONEST[name](photo)), reference)
    assert classify(fit) is Agreement.FITS, fit.changes
    assert fits(fit)
    assert fit.score > 0.95
    assert not fit.changes


def test_geometry_is_told_at_registered_size(photo: Rgb, reference: Rgb) -> None:
    fit = measure(turned(resized(photo, 0.5), 30)[:, ::-1], reference, full_size=(6400, 4800))
    assert fit.scale == pytest.approx(0.05, rel=0.01)
    assert fit.flipped
    assert fit.rotation_deg == pytest.approx(-30, abs=0.3)
    assert fit.kept == pytest.approx(1, abs=0.01)


def test_crop_and_border_are_measured_not_reported_as_changes(photo: Rgb, reference: Rgb) -> None:
    crop = measure(photo[:, :320], reference)
    assert crop.kept == pytest.approx(0.5, abs=0.01)
    assert crop.coverage == pytest.approx(1, abs=0.01)
    framed = measure(np.pad(photo, ((240, 240), (0, 0), (0, 0))), reference)
    assert framed.coverage == pytest.approx(0.5, abs=0.01)
    assert framed.kept == pytest.approx(1, abs=0.01)
    assert framed.heat is not None
    assert np.isnan(framed.heat).mean() == pytest.approx(0.5, abs=0.04)


def _square(picture: Rgb, x: int, y: int, side: int, content: Rgb) -> Rgb:
    out = picture.copy()
    out[y : y + side, x : x + side] = content[:side, :side]
    return out


@pytest.mark.parametrize("handling", ["same", "jpeg 20", "half", "mirrored", "gamma", "screenshot"])
def test_a_pasted_square_is_found_where_it_is(photo: Rgb, reference: Rgb, handling: str) -> None:
    x, y, side = 400, 260, 90
    edited = _square(photo, x, y, side, scene(9)[200:])
    truth = _square(np.zeros_like(photo), x, y, side, np.full_like(photo, 255))
    truth = np.pad(truth, ((120, 200), (30, 30), (0, 0))) if handling == "screenshot" else HONEST[handling](truth)
    fit = measure(np.ascontiguousarray(HONEST[handling](edited)), reference)
    assert classify(fit) is Agreement.CHANGED
    assert len(fit.changes) == 1
    change = fit.changes[0]
    rows, cols = np.nonzero(truth[..., 0] > 128)
    h, w = truth.shape[:2]
    assert change.x * w == pytest.approx(cols.min(), abs=0.03 * w)
    assert change.y * h == pytest.approx(rows.min(), abs=0.03 * h)
    assert (change.x + change.w) * w == pytest.approx(cols.max(), abs=0.03 * w)
    assert (change.y + change.h) * h == pytest.approx(rows.max(), abs=0.03 * h)
    assert 0.5 <= change.score <= 1


def test_words_over_a_photo_are_told_from_a_replaced_part(photo: Rgb, reference: Rgb) -> None:
    words = captioned(photo, "BREAKING NEWS 2026")
    assert {c.kind for c in measure(encoded(words, "JPEG", 75), reference).changes} == {Kind.OVERLAID}
    bar = photo.copy()
    bar[250:330, 100:400] = 0
    assert {c.kind for c in measure(encoded(bar, "JPEG", 75), reference).changes} == {Kind.COVERED}
    pasted = _square(photo, 300, 250, 120, scene(9)[200:])
    assert {c.kind for c in measure(pasted, reference).changes} == {Kind.REPLACED}


def test_two_changes_are_two_regions(photo: Rgb, reference: Rgb) -> None:
    edited = _square(_square(photo, 60, 300, 80, scene(5)[150:]), 480, 120, 80, scene(6)[150:])
    assert len(measure(edited, reference).changes) == 2


@pytest.mark.parametrize("seed", range(20, 28))
def test_other_pictures_are_foreign(reference: Rgb, seed: int) -> None:
    fit = measure(scene(seed), reference)
    assert classify(fit) is Agreement.FOREIGN
    assert fit.score < 0.5
    assert not fits(fit)


def test_a_copied_mark_does_not_make_a_picture_fit(photo: Rgb, reference: Rgb) -> None:
    noise = photo.astype(np.float32) - cv2.GaussianBlur(photo, (0, 0), 2).astype(np.float32)
    forged = np.clip(scene(31) + np.clip(noise, -2, 2), 0, 255).astype(np.uint8)
    for hint in (None, Hint((1.0, 0.0, 0.0, 1.0))):
        assert classify(measure(forged, reference, hint=hint)) is Agreement.FOREIGN


def test_mostly_replaced_content_is_foreign(photo: Rgb, reference: Rgb) -> None:
    edited = photo.copy()
    edited[:, 130:] = scene(40)[:, 130:]
    assert classify(measure(edited, reference)) is Agreement.FOREIGN


WRONG_HINTS = [(0.5, 0.0, 0.0, 0.5), (0.0, 0.0, 0.0, 0.0), (-3.0, 1.0, 0.2, 4.0), (float("nan"), 0.0, 0.0, 1e99)]


@pytest.mark.parametrize("matrix", WRONG_HINTS)
def test_a_wrong_hint_does_no_harm(photo: Rgb, reference: Rgb, matrix: tuple[float, float, float, float]) -> None:
    assert fits(measure(photo, reference, hint=Hint(matrix)))


def test_a_hint_finds_a_small_part(photo: Rgb, reference: Rgb) -> None:
    part = resized(photo[250:380, 200:400], 1.5)
    fit = measure(part, reference, full_size=(1280, 960), hint=Hint((0.75, 0.0, 0.0, 0.75)))
    assert fits(fit)
    assert fit.scale == pytest.approx(0.75, rel=0.01)


# Pictures with nothing to align.


def test_plain_pictures_are_compared_by_colour_with_low_confidence() -> None:
    grey = np.full((300, 400, 3), 128, np.uint8)
    same = measure(encoded(resized(grey, 0.5), "JPEG", 50), grey)
    assert fits(same)
    assert same.textured == 0
    assert same.score <= 0.75
    assert same.heat is None
    assert classify(measure(np.full_like(grey, 200), grey)) is Agreement.UNDECIDED


def test_detail_on_a_plain_reference_is_foreign(photo: Rgb, reference: Rgb) -> None:
    grey = np.full((480, 640, 3), 128, np.uint8)
    assert classify(measure(photo, grey)) is Agreement.FOREIGN
    assert classify(measure(grey, reference)) is Agreement.UNDECIDED


def test_a_crop_of_plain_sky_is_left_open() -> None:
    sky = scene(2)
    sky[:200] = np.linspace((90, 140, 220), (120, 165, 230), 200).astype(np.uint8)[:, None]
    fit = measure(sky[10:150, 100:400], encoded(sky, "WEBP", 80))
    assert classify(fit) is Agreement.UNDECIDED
    assert fit.score == 0
    assert not fits(fit)


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (16, 16), (7, 3000), (40, 2)])
def test_tiny_and_extreme_shapes_give_an_answer(photo: Rgb, reference: Rgb, size: tuple[int, int]) -> None:
    small = np.ascontiguousarray(np.resize(photo, (*size, 3)))
    for fit in (measure(small, reference), measure(photo, small), measure(small, small)):
        _sound(fit)


def test_a_thumbnail_still_fits(photo: Rgb, reference: Rgb) -> None:
    assert fits(measure(resized(photo, 0.15), reference))


# Contract.


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 0, 3), np.uint8),
    ],
)
def test_wrong_arrays_are_refused(bad: NDArray[np.uint8]) -> None:
    good = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(ValueError, match="copy"):
        measure(bad, good)
    with pytest.raises(ValueError, match="reference"):
        measure(good, bad)


def test_an_empty_full_size_is_refused(photo: Rgb) -> None:
    with pytest.raises(ValueError, match="full_size"):
        measure(photo, photo, full_size=(0, 480))


def test_inputs_are_left_alone_and_answers_repeat(photo: Rgb, reference: Rgb) -> None:
    copy = resized(photo, 0.6)
    before = copy.copy(), reference.copy()
    first, second = measure(copy, reference), measure(copy, reference)
    assert (copy == before[0]).all()
    assert (reference == before[1]).all()
    assert first.score == second.score
    assert first.changes == second.changes


def _sound(fit: Fit) -> None:
    assert 0 <= fit.score <= 1
    assert 0 <= fit.coverage <= 1
    assert 0 <= fit.kept <= 1
    assert 0 <= fit.textured <= 1
    assert -180 < fit.rotation_deg <= 180
    assert fit.aligned or (fit.score == 0 and fit.heat is None and not fit.changes)
    assert fit.aligned or classify(fit) in (Agreement.FOREIGN, Agreement.UNDECIDED)
    for c in fit.changes:
        assert 0 <= c.x < c.x + c.w <= 1 + 1e-9
        assert 0 <= c.y < c.y + c.h <= 1 + 1e-9
        assert 0 < c.area <= c.w * c.h + 1e-9
        assert 0.5 <= c.score <= 1
    if fit.heat is not None:
        known = fit.heat[~np.isnan(fit.heat)]
        assert ((known >= 0) & (known <= 1)).all()


sides = st.integers(1, 90)


@settings(max_examples=60, deadline=None)
@given(sides, sides, sides, sides, st.integers(0, 2**32 - 1), st.sampled_from(["noise", "few", "smooth"]))
def test_any_two_arrays_give_a_sound_fit(h: int, w: int, rh: int, rw: int, seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)

    def draw(shape: tuple[int, int, int]) -> Rgb:
        levels = 256 if kind == "noise" else 2
        picture = rng.integers(0, levels, shape).astype(np.uint8) * (1 if kind == "noise" else 255)
        return cv2.GaussianBlur(picture, (0, 0), 3) if kind == "smooth" else picture

    _sound(measure(draw((h, w, 3)), draw((rh, rw, 3))))


@settings(max_examples=25, deadline=None)
@given(st.tuples(*[st.floats(allow_nan=True, allow_infinity=True)] * 4))
def test_any_hint_gives_a_sound_fit(matrix: tuple[float, float, float, float]) -> None:
    small = scene(3, (120, 90))
    _sound(measure(small, small, hint=Hint(matrix)))
