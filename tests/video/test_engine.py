"""The film mark on luma planes: what is written is read, and nothing else is."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.video.conftest import KEY, MARK_ID, OTHER, lumas, scene
from watermark import engines, film, image, quality
from watermark.errors import CarrierTooSmallError
from watermark.film import Frame


def frames(count: int, **options: int) -> list[Frame]:
    return [Frame(luma, number / 25) for number, luma in enumerate(lumas(count, **options))]


@pytest.fixture(scope="module")
def marked() -> list[Frame]:
    return film.embed(frames(24), MARK_ID, key=KEY)


def test_what_is_written_is_read(marked: list[Frame]) -> None:
    found = film.detect(marked, [OTHER, KEY])
    assert (found.mark_id, found.key_index) == (MARK_ID, 1)
    assert found.p_false <= 1e-9
    assert found.frames == 4, "an untouched film is read at the first look"


def test_the_place_of_the_frame_is_told(marked: list[Frame]) -> None:
    found = film.detect([Frame(f.luma[40:320, 100:580], f.time_s) for f in marked], [KEY])
    assert found.mark_id == MARK_ID
    assert found.transform is not None
    assert found.transform.offset is not None
    assert np.allclose(found.transform.offset, (-100, -40), atol=1.0)


def test_one_frame_reads_as_a_picture(marked: list[Frame]) -> None:
    assert image.detect(marked[7].luma, keys=[KEY]).mark_id == MARK_ID


@pytest.mark.parametrize("chosen", [slice(None, None, 3), slice(None, None, -1), slice(5, 9)])
def test_order_and_rate_do_not_matter(marked: list[Frame], chosen: slice) -> None:
    assert film.detect(marked[chosen], [KEY]).mark_id == MARK_ID


def test_noise_that_hides_it_in_one_frame_fades_over_many(marked: list[Frame]) -> None:
    rng = np.random.default_rng(0)
    noisy = [Frame(np.clip(f.luma + rng.normal(0, 90, f.luma.shape), 0, 255).astype(np.uint8), f.time_s) for f in marked]
    found = film.detect(noisy, [KEY])
    assert found.mark_id == MARK_ID
    assert found.frames > 4


def test_another_key_reads_nothing(marked: list[Frame]) -> None:
    found = film.detect(marked[:6], [OTHER])
    assert (found.found, found.p_false, found.frames) == (False, 1.0, 6)


def test_an_unmarked_film_has_none() -> None:
    assert not film.detect(frames(6), [KEY]).found


@pytest.mark.parametrize("luma", [np.zeros((360, 640), np.uint8), np.full((360, 640), 235, np.uint8)])
def test_a_film_of_nothing_has_none(luma: NDArray[np.uint8]) -> None:
    found = film.detect([Frame(luma, n / 25) for n in range(8)], [KEY])
    assert (found.found, found.frames) == (False, 0)


def test_frames_of_another_size_are_passed_over(marked: list[Frame]) -> None:
    mixed = [frame for pair in zip(marked, frames(24, height=180, width=320), strict=True) for frame in pair]
    found = film.detect(mixed, [KEY])
    assert (found.mark_id, found.frames) == (MARK_ID, 4)


def test_the_change_is_small_and_keeps_its_hands_off_what_it_was_given(marked: list[Frame]) -> None:
    plain = frames(24)
    before = [frame.luma.copy() for frame in plain]
    again = film.embed(plain, MARK_ID, key=KEY)
    assert all(np.array_equal(a.luma, b) for a, b in zip(plain, before, strict=True))
    assert all(np.array_equal(a.luma, b.luma) for a, b in zip(again, marked, strict=True)), "the same every time"
    assert np.mean([quality.psnr(a.luma, b.luma) for a, b in zip(plain, marked, strict=True)]) >= 44


def test_nothing_flickers_where_nothing_moves() -> None:
    still = scene(4, 360, 640)
    marked = film.embed([Frame(still, n / 25) for n in range(60)], MARK_ID, key=KEY)
    assert all(np.array_equal(marked[0].luma, frame.luma) for frame in marked)


def test_the_mask_follows_a_change_of_light_without_a_jump() -> None:
    fade = [Frame((scene(4, 360, 640) * (0.4 + 0.01 * n)).astype(np.uint8), n / 25) for n in range(40)]
    marks = [m.luma.astype(int) - f.luma for m, f in zip(film.embed(fade, MARK_ID, key=KEY), fade, strict=True)]
    assert max(np.abs(after - before).mean() for before, after in pairwise(marks)) < 0.25


def test_a_cut_takes_the_mask_with_it() -> None:
    flat, busy = np.full((360, 640), 128, np.uint8), scene(4, 360, 640)
    one = film.embed([Frame(busy, n / 25) for n in range(5)] + [Frame(flat, 0.2)], MARK_ID, key=KEY)[-1]
    other = film.embed([Frame(flat, 0.0)], MARK_ID, key=KEY)[0]
    assert np.array_equal(one.luma, other.luma), "the grain of the old scene must not stand over the new one"


def test_ten_bits_are_marked_in_their_own_steps() -> None:
    luma = (scene(4, 360, 640).astype(np.uint16) << 2) + 1
    before = luma.copy()
    film.Embedder(film.Form(640, 360, 10), MARK_ID, KEY).mark(luma, 0.0)
    change = luma.astype(int) - before
    assert np.any(change % 4), "finer than 8 bits"
    assert 2 < change.std() < 10


def test_ten_bits_never_overflow() -> None:
    luma = np.where(scene(4, 360, 640) > 120, 1023, 0).astype(np.uint16)
    film.Embedder(film.Form(640, 360, 10), MARK_ID, KEY, 8.0).mark(luma, 0.0)
    assert luma.max() <= 1023


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_turned_film_carries_it_upright(turn: int) -> None:
    form = film.Form(640, 360, rotation=turn)
    plane = scene(4, 360, 640)
    film.Embedder(form, MARK_ID, KEY).mark(plane, 0.0)
    found = image.detect(np.ascontiguousarray(np.rot90(plane, turn // 90)), keys=[KEY])
    assert found.mark_id == MARK_ID
    assert found.transform is not None
    assert found.transform.matrix[0] > 0
    assert abs(found.transform.matrix[1]) < 0.01


def test_pixels_that_are_not_square_are_marked_as_shown() -> None:
    plane = scene(4, 360, 480)
    film.Embedder(film.Form(480, 360, aspect=4 / 3), MARK_ID, KEY).mark(plane, 0.0)
    found = image.detect(np.asarray(cv2.resize(plane, (640, 360)), np.uint8), keys=[KEY])
    assert found.mark_id == MARK_ID
    assert found.transform is not None
    a, _, _, d = found.transform.matrix
    assert abs(a / d - 1) < 0.01


def test_too_small_is_said() -> None:
    with pytest.raises(CarrierTooSmallError, match="48 pixels on the short side; a mark needs 64"):
        film.embed([Frame(np.zeros((48, 200), np.uint8), 0.0)], MARK_ID, key=KEY)


@pytest.mark.parametrize(
    "wrong", [{"mark_id": -1}, {"mark_id": 1 << 64}, {"key": b"short"}, {"strength": 0.0}, {"strength": 9.0}]
)
def test_arguments_out_of_range(wrong: dict[str, object]) -> None:
    arguments: dict[str, object] = {"mark_id": MARK_ID, "key": KEY, **wrong}
    with pytest.raises(ValueError):
        film.embed(frames(1), **arguments)  # type: ignore[arg-type]  # that is the test


def test_frames_of_two_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="one size"):
        film.embed(frames(1) + frames(1, height=180), MARK_ID, key=KEY)


def test_the_engine_is_registered() -> None:
    assert engines.default("video") is film.ENGINE
    assert engines.get("org.colophon.mark.video.1").medium == "video"


def test_what_stands_still_is_spared_and_what_moves_hides_more() -> None:
    def change(step: int) -> float:
        plain = [Frame(luma, number / 25) for number, luma in enumerate(lumas(50, step=step))]
        pairs = list(zip(film.embed(plain, MARK_ID, key=KEY), plain, strict=True))[40:]
        return float(np.mean([(after.luma.astype(float) - before.luma).std() for after, before in pairs]))

    still, moved = change(0), change(20)
    assert 1.3 < moved / still < 1.8


def test_a_cut_is_no_motion() -> None:
    first, second = scene(4, 360, 640), 255 - scene(5, 360, 640)
    plain = [Frame(first, n / 25) for n in range(12)] + [Frame(second, n / 25) for n in range(12, 30)]
    cut = film.embed(plain, MARK_ID, key=KEY)
    alone = film.embed([Frame(second, n / 25) for n in range(18)], MARK_ID, key=KEY)
    assert all(np.array_equal(a.luma, b.luma) for a, b in zip(cut[12:], alone, strict=True))
