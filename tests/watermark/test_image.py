"""The image mark: what it promises for odd pictures, wrong keys and no mark at all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mark_scenes import KEY, MARK_ID, OTHER_KEY, scenery
from numpy.typing import NDArray

from watermark import attacks, engines, image, quality
from watermark.errors import CarrierTooSmallError, UnknownEngineError, UnsupportedError


@pytest.fixture(scope="module")
def marked(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return image.embed(picture, MARK_ID, key=KEY)


def test_reads_what_was_embedded(picture: NDArray[np.uint8], marked: NDArray[np.uint8]) -> None:
    found = image.detect(marked, keys=[KEY])
    assert found.found
    assert found.mark_id == MARK_ID
    assert found.p_false < 1e-20
    assert found.key_index == 0
    assert 42 <= quality.psnr(picture, marked) <= 48


def test_second_key_is_told(marked: NDArray[np.uint8]) -> None:
    assert image.detect(marked, keys=[OTHER_KEY, KEY]).key_index == 1


def test_wrong_key_finds_nothing(marked: NDArray[np.uint8]) -> None:
    found = image.detect(marked, keys=[OTHER_KEY])
    assert (found.found, found.mark_id, found.p_false, found.transform) == (False, None, 1.0, None)


def test_no_keys_find_nothing(marked: NDArray[np.uint8]) -> None:
    assert not image.detect(marked, keys=[]).found


def test_unmarked_finds_nothing(picture: NDArray[np.uint8]) -> None:
    assert not image.detect(picture, keys=[KEY]).found


def test_the_argument_is_left_alone(picture: NDArray[np.uint8]) -> None:
    before = picture.copy()
    image.embed(picture, MARK_ID, key=KEY, strength=1.5)
    assert np.array_equal(picture, before)


def test_same_input_same_output(picture: NDArray[np.uint8], marked: NDArray[np.uint8]) -> None:
    assert np.array_equal(image.embed(picture, MARK_ID, key=KEY), marked)


@settings(max_examples=6, deadline=None)
@given(mark_id=st.integers(0, 2**64 - 1), key=st.binary(min_size=16, max_size=64))
def test_any_id_under_any_key(mark_id: int, key: bytes) -> None:
    marked = image.embed(scenery(320, 320), mark_id, key=key, strength=2.0)
    assert image.detect(marked, keys=[key]).mark_id == mark_id


def test_strength_is_the_rms_of_the_change(picture: NDArray[np.uint8]) -> None:
    for strength in (0.8, 1.5, 3.0):
        change = image.embed(picture, MARK_ID, key=KEY, strength=strength).astype(float) - picture
        assert np.sqrt((change**2).mean()) == pytest.approx(strength, rel=0.08, abs=0.1)


@pytest.mark.parametrize("form", ["grey", "rgb", "rgba", "grey16", "rgb16", "rgba16"])
def test_every_form_keeps_shape_and_type_and_reads(picture: NDArray[np.uint8], form: str) -> None:
    source = picture[..., 0] if form.startswith("grey") else picture
    if form.startswith("rgba"):
        source = np.dstack([source, np.full(source.shape[:2], 200, np.uint8)])
    if form.endswith("16"):
        source = source.astype(np.uint16) * 257 + 31
    marked = image.embed(source, MARK_ID, key=KEY)
    assert (marked.shape, marked.dtype) == (source.shape, source.dtype)
    assert image.detect(marked, keys=[KEY]).mark_id == MARK_ID


def test_alpha_and_transparent_pixels_stay(picture: NDArray[np.uint8]) -> None:
    alpha = np.full(picture.shape[:2], 255, np.uint8)
    alpha[:, 400:] = 0
    source = np.dstack([picture, alpha])
    marked = image.embed(source, MARK_ID, key=KEY)
    assert np.array_equal(marked[..., 3], alpha)
    assert np.array_equal(marked[:, 400:], source[:, 400:])
    assert not np.array_equal(marked[:, :400], source[:, :400])


def test_all_transparent_is_unchanged() -> None:
    source = np.zeros((128, 128, 4), np.uint8)
    assert np.array_equal(image.embed(source, MARK_ID, key=KEY), source)
    assert not image.detect(source, keys=[KEY]).found


@pytest.mark.parametrize("shape", [(1, 1), (1, 1, 3), (31, 400, 3), (400, 31), (1, 3000, 4)])
def test_too_small_is_said_so(shape: tuple[int, ...]) -> None:
    with pytest.raises(CarrierTooSmallError) as caught:
        image.embed(np.full(shape, 90, np.uint8), MARK_ID, key=KEY)
    assert caught.value.have == min(shape[:2])
    assert not image.detect(np.full(shape, 90, np.uint8), keys=[KEY]).found


@pytest.mark.parametrize("level", [0, 1, 128, 254, 255])
def test_constant_pictures(level: int) -> None:
    source = np.full((200, 333, 3), level, np.uint8)
    marked = image.embed(source, MARK_ID, key=KEY)
    assert marked.dtype == np.uint8
    assert not image.detect(source, keys=[KEY]).found


@pytest.mark.parametrize(("height", "width"), [(32, 32), (33, 2000), (1500, 40), (257, 511), (32, 33)])
def test_odd_shapes_never_fail(height: int, width: int) -> None:
    source = scenery(width, height)
    marked = image.embed(source, MARK_ID, key=KEY)
    assert marked.shape == source.shape
    found = image.detect(marked, keys=[KEY])
    assert found.mark_id in (None, MARK_ID)


@pytest.mark.parametrize(
    "source",
    [
        np.zeros((64, 64), np.float32),
        np.zeros((64, 64, 2), np.uint8),
        np.zeros((64,), np.uint8),
        np.zeros((2, 64, 64, 3), np.uint8),
        np.zeros((64, 64, 3), np.int16),
    ],
)
def test_other_arrays_are_refused(source: NDArray[np.uint8]) -> None:
    with pytest.raises(UnsupportedError):
        image.embed(source, MARK_ID, key=KEY)
    with pytest.raises(UnsupportedError):
        image.detect(source, keys=[KEY])


@pytest.mark.parametrize("strength", [0.0, -1.0, 8.5, float("nan"), float("inf")])
def test_strength_has_a_range(picture: NDArray[np.uint8], strength: float) -> None:
    with pytest.raises(ValueError, match="strength"):
        image.embed(picture, MARK_ID, key=KEY, strength=strength)


def test_short_keys_are_refused(picture: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        image.embed(picture, MARK_ID, key=b"short")


def test_empty_and_noise_arrays_do_not_read() -> None:
    assert not image.detect(np.zeros((0, 0, 3), np.uint8), keys=[KEY]).found
    assert not image.detect(np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8), keys=[KEY]).found


def test_pose_of_a_cut_and_scaled_mirror_image(marked: NDArray[np.uint8]) -> None:
    copy = attacks.mirror(attacks.scale(marked[60:440, 100:560].copy(), 0.7))
    found = image.detect(copy, keys=[KEY])
    assert found.transform is not None
    pose = found.transform.against(640, 480)
    assert pose.flipped
    assert pose.placed
    assert pose.scale == pytest.approx(0.7, rel=0.005)
    assert abs(pose.rotation_deg) < 0.2
    a, b, x, c, d, y = pose.matrix
    # the reference's pixel corner (330, 250) lies at 330 − 100 from the left before scaling and mirroring
    assert a * 330 + b * 250 + x == pytest.approx(copy.shape[1] - 0.7 * 230, abs=1.0)
    assert c * 330 + d * 250 + y == pytest.approx(0.7 * 190, abs=1.0)


def test_engine_registry() -> None:
    engine = engines.default("image")
    assert engine is engines.get(image.ALGORITHM)
    assert engine in engines.all()
    with pytest.raises(UnknownEngineError):
        engines.get("org.example.none")
    with pytest.raises(UnknownEngineError):
        engines.default("smell")
    with pytest.raises(ValueError, match="already"):
        engines.register(engines.FunctionEngine(image.ALGORITHM, "image", image.embed, image.detect))
