"""What a person sees, and how a change to it finds its way back into the file's own samples."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from tests.media.samples import psnr, saved, saved_deep, scene
from watermark import media
from watermark.media import Picture, profile
from watermark.media.colour import stored, upright

P3 = profile.matrix_profile(12)


def picture(pixels: np.ndarray, space: str, **more: object) -> Picture:
    return Picture("image/png", pixels, space, **more)  # type: ignore[arg-type]


def test_display_p3_is_a_profile_that_others_read() -> None:
    read = ImageCms.ImageCmsProfile(io.BytesIO(P3))
    assert "Display P3" in ImageCms.getProfileDescription(read)
    red = read.profile.red_colorant
    assert red is not None
    assert np.allclose(red[0], (0.5151, 0.2412, -0.0011), atol=2e-4)  # as in Apple's own, D50
    white = sum(np.array(c[0]) for c in (red, read.profile.green_colorant, read.profile.blue_colorant))  # type: ignore[index]
    assert np.allclose(white, (0.9642, 1.0, 0.8249), atol=2e-4)


def test_wide_gamut_is_brought_to_srgb() -> None:
    colours = np.array([[[200, 100, 50], [128, 128, 128], [255, 255, 255], [0, 0, 0], [255, 0, 0]]], np.uint8)
    seen = media.rgb8(picture(colours, "rgb", icc=P3))
    assert np.allclose(seen[0, 0].astype(int), (215, 93, 31), atol=2)  # by the matrices of CSS Color 4 §10
    assert np.abs(seen[0, 1:4].astype(int) - colours[0, 1:4]).max() <= 1, "grey stays grey"
    assert tuple(seen[0, 4]) == (255, 0, 0), "out of gamut is clipped"


def test_srgb_and_damaged_and_foreign_profiles_change_nothing() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    for icc in (b"", b"not a profile", P3[:200], srgb, lab):
        assert np.array_equal(media.rgb8(picture(scene(), "rgb", icc=icc)), scene())


def test_alpha_lies_over_white() -> None:
    pixels = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [0, 0, 0, 128]]], np.uint8)
    assert media.rgb8(picture(pixels, "rgba"))[0].tolist() == [[10, 20, 30], [255, 255, 255], [127, 127, 127]]


def test_sixteen_bits_are_rounded() -> None:
    values = np.array([[0, 128, 129, 257, 32896, 65535]], np.uint16)
    assert media.rgb8(picture(values, "grey"))[0, :, 0].tolist() == [0, 0, 1, 1, 128, 255]


def test_ink_is_taken_off_white() -> None:
    ink = np.array([[[0, 0, 0, 0], [255, 0, 0, 0], [0, 0, 0, 255], [0, 255, 255, 0]]], np.uint8)
    assert media.rgb8(picture(ink, "cmyk"))[0].tolist() == [[255, 255, 255], [0, 255, 255], [0, 0, 0], [255, 0, 0]]


def test_a_cmyk_jpeg_shows_what_it_showed(tmp_path: Path) -> None:
    rgb = scene()
    Image.fromarray(rgb).convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    assert psnr(media.load_rgb8(tmp_path / "a.jpg"), rgb) > 33


@given(st.integers(1, 8), st.integers(1, 5), st.integers(1, 5))
def test_turning_there_and_back_is_nothing(orientation: int, height: int, width: int) -> None:
    pixels = np.arange(height * width * 3).reshape(height, width, 3)
    assert np.array_equal(stored(upright(pixels, orientation), orientation), pixels)


SHAPES = {"grey": (9, 12), "rgb": (9, 12, 3), "rgba": (9, 12, 4), "cmyk": (9, 12, 4)}


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(SHAPES)), st.integers(1, 8), st.booleans(), st.integers(0, 5))
def test_no_change_transfers_as_no_change(space: str, orientation: int, deep: bool, seed: int) -> None:
    rng, top = np.random.default_rng(seed), 65536 if deep else 256
    pixels = rng.integers(0, top, SHAPES[space], np.uint16 if deep else np.uint8)
    source = picture(pixels, space, orientation=orientation, icc=P3 if space == "rgb" else b"")
    seen = media.rgb8(source)
    assert np.array_equal(media.transfer(source, seen, seen), pixels)


@pytest.mark.parametrize("space", ["grey", "rgb", "rgba", "cmyk"])
@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("orientation", [1, 6, 7])
def test_a_change_arrives_where_and_as_it_was_made(space: str, deep: bool, orientation: int) -> None:
    top = 65535 if deep else 255
    pixels = np.full(SHAPES[space], top // 2, np.uint16 if deep else np.uint8)
    if space == "rgba":
        pixels[..., 3] = top
    if space == "cmyk":
        pixels[..., 3] = 0
    source = picture(pixels, space, orientation=orientation)
    before = media.rgb8(source)
    after = before.copy()
    after[:4, :3] += 9
    again = media.rgb8(source, media.transfer(source, before, after))
    assert np.abs(again.astype(int) - after).max() <= 1


def test_what_was_neither_converted_nor_turned_is_not_copied() -> None:
    plain, turned = (picture(np.full((8, 6, 3), 90, np.uint8), "rgb", orientation=n) for n in (1, 3))
    for source, same in ((plain, True), (turned, False)):
        before = media.rgb8(source)
        after = before.copy()
        after[2, 1] += 7
        given = media.transfer(source, before, after)
        assert (given is after) is same
        assert np.array_equal(media.rgb8(source, given), after)


def test_a_small_change_keeps_the_fine_steps_of_sixteen_bits() -> None:
    pixels = np.arange(1000, 2200, dtype=np.uint16).reshape(20, 20, 3)
    source = picture(pixels, "rgb")
    before = media.rgb8(source)
    assert np.array_equal(media.transfer(source, before, before + 2), pixels + 2 * 257)


def test_what_is_transparent_is_left_alone() -> None:
    pixels = np.zeros((2, 2, 4), np.uint8)
    source = picture(pixels, "rgba")
    before = media.rgb8(source)
    assert np.array_equal(media.transfer(source, before, before - 40), pixels)


def test_changes_are_clipped_and_sizes_must_agree() -> None:
    source = picture(np.full((4, 4), 250, np.uint8), "grey")
    before = media.rgb8(source)
    assert media.transfer(source, before - 100, before).max() == 255
    with pytest.raises(ValueError, match="size of the upright"):
        media.transfer(source, before, before[:2])


def test_thumbnails_and_references_are_small_srgb_and_bare(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.jpg", scene(600, 900), "JPEG", icc_profile=P3, exif=Image.Exif())
    rgb = media.load_rgb8(path)
    for data, form in ((media.thumbnail(rgb, max_side=256), "JPEG"), (media.reference(rgb, max_side=256), "WEBP")):
        image = Image.open(io.BytesIO(data))
        assert (image.format, image.size, image.mode) == (form, (256, 171), "RGB")
        assert not {"exif", "icc_profile", "xmp", "comment"} & set(image.info)
        assert len(data) < 30_000
        assert psnr(np.asarray(image), np.asarray(Image.fromarray(rgb).resize((256, 171), Image.Resampling.LANCZOS))) > 24
    assert Image.open(io.BytesIO(media.reference(rgb))).size == (900, 600), "never enlarged"


def test_deep_pictures_are_seen_as_their_shallow_twins(tmp_path: Path) -> None:
    deep = media.load_rgb8(saved_deep(tmp_path / "a.png", scene(deep=True)))
    shallow = media.load_rgb8(saved(tmp_path / "b.png", scene(), "PNG"))
    assert np.abs(deep.astype(int) - shallow).max() <= 1
