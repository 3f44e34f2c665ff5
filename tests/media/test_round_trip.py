"""What is decoded and encoded again is the same picture in the same container, at the same depth, with its data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageCms

from tests.media.samples import exif_block, jpeg_segment, psnr, saved, saved_deep, saved_heic, scene, with_segments
from watermark import media
from watermark.media import profile
from watermark.media.picture import JpegSource, LossySource, PngSource

P3 = profile.matrix_profile(12)
Make = Callable[[Path], Path]

LOSSLESS: dict[str, Make] = {
    "png grey": lambda d: saved(d / "a.png", scene(channels=1), "PNG"),
    "png rgb": lambda d: saved(d / "a.png", scene(), "PNG"),
    "png rgba": lambda d: saved(d / "a.png", scene(channels=4), "PNG"),
    "png 16 grey": lambda d: saved_deep(d / "a.png", scene(channels=1, deep=True)),
    "png 16 rgb": lambda d: saved_deep(d / "a.png", scene(deep=True)),
    "png 16 rgba": lambda d: saved_deep(d / "a.png", scene(channels=4, deep=True)),
    "webp lossless": lambda d: saved(d / "a.webp", scene(), "WEBP", lossless=True),
    "webp lossless alpha": lambda d: saved(d / "a.webp", scene(channels=4), "WEBP", lossless=True, exact=True),
    "tiff plain": lambda d: saved(d / "a.tif", scene(), "TIFF"),
    "tiff grey": lambda d: saved(d / "a.tif", scene(channels=1), "TIFF"),
    "tiff rgba": lambda d: saved(d / "a.tif", scene(channels=4), "TIFF"),
    "tiff lzw": lambda d: saved(d / "a.tif", scene(), "TIFF", compression="tiff_lzw"),
    "tiff deflate": lambda d: saved(d / "a.tif", scene(), "TIFF", compression="tiff_adobe_deflate"),
    "tiff jpeg": lambda d: saved(d / "a.tif", scene(), "TIFF", compression="jpeg"),
    "tiff 16 grey": lambda d: saved_deep(d / "a.tif", scene(channels=1, deep=True)),
    "tiff 16 rgb": lambda d: saved_deep(d / "a.tif", scene(deep=True)),
}
LOSSY: dict[str, tuple[Make, float]] = {
    "jpeg": (lambda d: saved(d / "a.jpg", scene(), "JPEG", quality=85), 38),
    "jpeg grey": (lambda d: saved(d / "a.jpg", scene(channels=1), "JPEG"), 45),
    "webp": (lambda d: saved(d / "a.webp", scene(96, 128), "WEBP", quality=85), 33),
    "avif": (lambda d: saved(d / "a.avif", scene(96, 128), "AVIF", quality=85), 33),
    "avif grey": (lambda d: saved(d / "a.avif", scene(96, 128, 1), "AVIF", quality=85), 33),
    "avif alpha": (lambda d: saved(d / "a.avif", scene(96, 128, 4), "AVIF", quality=85), 30),
    "heic": (lambda d: saved_heic(d / "a.heic", scene(96, 128)), 33),
    "heic grey": (lambda d: saved_heic(d / "a.heic", scene(96, 128, 1)), 38),
    "heic alpha": (lambda d: saved_heic(d / "a.heic", scene(96, 128, 4)), 33),
    "heic 10 bit": (lambda d: saved_heic(d / "a.heic", scene(96, 128, deep=True), bit_depth=10), 33),
    "heic tiles": (lambda d: saved_heic(d / "a.heic", scene(96, 192), tile_size=64), 33),
}


def recoded(source: Path, change: Callable[[NDArray[Any]], NDArray[Any]] = lambda p: p, **options: Any) -> media.Picture:
    picture = media.decode(source)
    target = source.with_name("out" + source.suffix)
    media.encode(picture, change(picture.pixels), target, **options)
    return media.decode(target)


@pytest.mark.parametrize("case", LOSSLESS)
def test_lossless_formats_give_back_every_bit(case: str, tmp_path: Path) -> None:
    source = LOSSLESS[case](tmp_path)
    before, after = media.decode(source), recoded(source)
    assert (after.media_type, after.space, after.pixels.dtype) == (before.media_type, before.space, before.pixels.dtype)
    assert np.array_equal(before.pixels, after.pixels)


@pytest.mark.parametrize("case", LOSSY)
def test_lossy_formats_stay_close(case: str, tmp_path: Path) -> None:
    make, least = LOSSY[case]
    source = make(tmp_path)
    before, after = media.decode(source), recoded(source)
    assert (after.media_type, after.space, after.pixels.dtype) == (before.media_type, before.space, before.pixels.dtype)
    assert psnr(before.pixels, after.pixels) > least
    if isinstance(before.source, LossySource) and isinstance(after.source, LossySource):
        assert (after.source.bit_depth, after.source.chroma) == (before.source.bit_depth, before.source.chroma)
        assert after.source.tile == before.source.tile


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    seed=st.integers(0, 9),
    form=st.sampled_from(["png1", "png3", "png4", "deep1", "deep3", "deep4", "tif1", "tif3", "tif4"]),
)
def test_any_small_picture_survives_lossless_coding(tmp_path: Path, height: int, width: int, seed: int, form: str) -> None:
    rng, channels = np.random.default_rng(seed), int(form[-1])
    shape = (height, width) if channels == 1 else (height, width, channels)
    if form.startswith("deep"):
        pixels: NDArray[Any] = rng.integers(0, 65536, shape, np.uint16)
        source = saved_deep(tmp_path / "a.png", pixels)
    else:
        pixels = rng.integers(0, 256, shape, np.uint8)
        source = saved(tmp_path / f"a.{form[:3]}", pixels, "PNG" if form[:3] == "png" else "TIFF")
    assert np.array_equal(media.decode(source).pixels, pixels)
    assert np.array_equal(recoded(source).pixels, pixels)


@pytest.mark.parametrize("quality", [30, 75, 95])
@pytest.mark.parametrize("sampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_keeps_its_tables_and_sampling(quality: int, sampling: str, progressive: bool, tmp_path: Path) -> None:
    options = {"quality": quality, "subsampling": sampling, "progressive": progressive, "optimize": quality == 75}
    source = saved(tmp_path / "a.jpg", scene(), "JPEG", **options)
    before, after = media.decode(source).source, recoded(source).source
    assert isinstance(before, JpegSource)
    assert isinstance(after, JpegSource)
    assert (after.tables, after.sampling, after.progressive) == (before.tables, before.sampling, before.progressive)
    assert after.optimized == before.optimized
    with Image.open(source) as old, Image.open(tmp_path / "out.jpg") as new:
        assert old.quantization == new.quantization  # type: ignore[attr-defined]


def test_fineness_divides_the_steps_of_a_jpeg(tmp_path: Path) -> None:
    source = saved(tmp_path / "a.jpg", scene(), "JPEG", qtables=[[1] * 32 + [10] * 32, [255] * 64])
    after = recoded(source, fineness=2.0).source
    assert isinstance(after, JpegSource)
    assert [sorted(set(table)) for table in after.tables[:2]] == [[1, 5], [128]]


@pytest.mark.parametrize("form", ["webp", "avif"])
def test_fineness_gives_the_others_more_room(form: str, tmp_path: Path) -> None:
    sizes = []
    for fineness in (1.0, 2.0):
        recoded(saved(tmp_path / f"a.{form}", scene(96, 128), form.upper(), quality=40), fineness=fineness)
        sizes.append((tmp_path / f"out.{form}").stat().st_size)
    assert sizes[1] > 1.3 * sizes[0]


@pytest.mark.parametrize("fineness", [0.99, 4.01, float("nan"), -1.0])
def test_coarser_than_the_source_is_not_on_offer(fineness: float, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="fineness"):
        recoded(saved(tmp_path / "a.png", scene(), "PNG"), fineness=fineness)


def test_three_tables_and_restart_markers_are_kept(tmp_path: Path) -> None:
    tables = [[q] * 64 for q in (3, 5, 9)]
    source = saved(tmp_path / "a.jpg", scene(), "JPEG", qtables=tables, restart_marker_blocks=4)
    after = recoded(source).source
    assert isinstance(after, JpegSource)
    assert [table[0] for table in after.tables] == [3, 5, 9]
    assert after.restart_interval == 4


@pytest.mark.parametrize("sampling", [(0x41, "4:1:1"), (0x12, "4:4:0")])
def test_rare_chroma_sampling_gets_a_finer_one(sampling: tuple[int, str], tmp_path: Path) -> None:
    import cv2

    code = {"4:1:1": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411, "4:4:0": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440}[sampling[1]]
    source = tmp_path / "a.jpg"
    source.write_bytes(bytes(cv2.imencode(".jpg", scene(), [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, code])[1]))
    before, after = media.decode(source), recoded(source)
    assert isinstance(before.source, JpegSource)
    assert isinstance(after.source, JpegSource)
    assert before.source.sampling[0] == divmod(sampling[0], 16)
    assert after.source.tables == before.source.tables
    assert after.source.sampling[0] == ((2, 1) if sampling[1] == "4:1:1" else (1, 1))
    assert psnr(before.pixels, after.pixels) > 35


@pytest.mark.parametrize("adobe", [True, False])
def test_cmyk_jpegs_keep_their_ink(adobe: bool, tmp_path: Path) -> None:
    ink = scene(channels=4)
    source = tmp_path / "a.jpg"
    Image.fromarray(ink, mode="CMYK").save(source, "JPEG", quality=95)
    if not adobe:
        data = source.read_bytes()
        at = data.index(b"\xff\xee")
        source.write_bytes(data[:at] + data[at + 16 :])
    before, after = media.decode(source), recoded(source)
    assert before.space == after.space == "cmyk"
    assert (b"Adobe" in (tmp_path / "out.jpg").read_bytes()) == adobe
    assert psnr(before.pixels, after.pixels) > 40


def test_an_rgb_jpeg_stays_rgb(tmp_path: Path) -> None:
    source = saved(tmp_path / "a.jpg", scene(), "JPEG", keep_rgb=True, quality=90)
    before, after = media.decode(source), recoded(source)
    assert isinstance(after.source, JpegSource)
    assert after.source.colour == "rgb"
    assert psnr(before.pixels, after.pixels) > 40


def test_noise_at_the_highest_quality_is_written_too(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (300, 300, 3), np.uint8)
    source = saved(tmp_path / "a.jpg", noise, "JPEG", qtables=[[1] * 64] * 2, subsampling=0)
    raw = media.decode(source)
    assert isinstance(raw.source, JpegSource)
    optimised = media.Picture(**{**vars(raw), "source": JpegSource(**{**vars(raw.source), "progressive": True})})
    media.encode(optimised, noise, tmp_path / "out.jpg")
    assert psnr(media.decode(tmp_path / "out.jpg").pixels, noise) > 40


def test_jpeg_segments_are_carried_byte_for_byte(tmp_path: Path) -> None:
    exif = exif_block(">", thumbnail=False)
    segments = [
        jpeg_segment(0xE1, b"Exif\0\0" + exif),
        jpeg_segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 40 + b"depth map"),
        jpeg_segment(0xE4, b"maker's own"),
        jpeg_segment(0xED, b"Photoshop 3.0\x008BIM\x03\xed\0\0\0\0\0\x10" + bytes(16)),
        jpeg_segment(0xFE, b"a comment"),
    ]
    source = saved(tmp_path / "a.jpg", scene(), "JPEG", icc_profile=P3)
    source.write_bytes(with_segments(source.read_bytes(), *segments))
    after = recoded(source)
    written = (tmp_path / "out.jpg").read_bytes()
    assert all(segment in written for segment in segments)
    assert (after.exif, after.icc) == (exif, P3)


def test_what_shows_the_old_pixels_or_signed_them_is_left_out(tmp_path: Path) -> None:
    jumbf = jpeg_segment(0xEB, b"JP\0\1\0\0\0\1\0\0\0\x20jumb...c2pa")
    second = jpeg_segment(0xE2, b"MPF\0II*\0")
    thumbnail = jpeg_segment(0xED, b"Photoshop 3.0\x008BIM\x04\x0c\0\0\0\0\0\x04JFIF8BIM\x03\xed\0\0\0\0\0\2ok")
    source = saved(tmp_path / "a.jpg", scene(), "JPEG")
    block = jpeg_segment(0xE1, b"Exif\0\0" + exif_block())
    source.write_bytes(with_segments(source.read_bytes(), block, jumbf, second, thumbnail) + b"TRAILER" * 9)
    after = recoded(source)
    written = (tmp_path / "out.jpg").read_bytes()
    assert after.exif == exif_block(thumbnail=False)
    assert written.count(b"\xff\xd8") == 1
    assert b"jumb" not in written
    assert b"MPF\0" not in written
    assert b"TRAILER" not in written
    assert b"8BIM\x04\x0c" not in written
    assert b"8BIM\x03\xed" in written


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_keeps_every_byte_where_it_was(order: str, tmp_path: Path) -> None:
    block = exif_block(order, orientation=6)
    source = saved(tmp_path / "a.jpg", scene(), "JPEG", exif=b"Exif\0\0" + block)
    after = recoded(source).exif
    assert after == exif_block(order, orientation=6, thumbnail=False)
    with Image.open(tmp_path / "out.jpg") as image:
        ifd = image.getexif().get_ifd(0x8769)
    assert ifd[0x927C] == b"maker note that stays"


def test_png_chunks_are_carried_and_the_store_is_not(tmp_path: Path) -> None:
    from watermark.media.png import as_chunk

    source = saved(tmp_path / "a.png", scene(), "PNG", icc_profile=P3, dpi=(300, 300))
    extra = [
        (b"tEXt", b"Author\0Ada Lens"),
        (b"caBX", b"manifest store"),
        (b"prVt", b"safe"),
        (b"prVT", b"unsafe"),
        (b"sBIT", b"\5\6\5"),
    ]
    data = source.read_bytes()
    source.write_bytes(data[:33] + b"".join(as_chunk(*chunk) for chunk in extra) + data[33:])
    after = recoded(source)
    assert isinstance(after.source, PngSource)
    kinds = [kind for kind, _ in after.source.before]
    assert {b"tEXt", b"prVt", b"iCCP", b"pHYs", b"sBIT"} <= set(kinds)
    assert b"caBX" not in kinds
    assert b"prVT" not in kinds
    assert after.icc == P3


@pytest.mark.parametrize("level", [1, 6, 9])
def test_png_effort_is_that_of_the_source(level: int, tmp_path: Path) -> None:
    after = recoded(saved(tmp_path / "a.png", scene(), "PNG", compress_level=level)).source
    assert isinstance(after, PngSource)
    assert after.compress_level == level


def test_palettes_and_colour_keys_become_colour_and_alpha(tmp_path: Path) -> None:
    image = Image.fromarray(scene()).quantize(16)
    image.save(tmp_path / "a.png")
    assert recoded(tmp_path / "a.png").space == "rgb"
    image.save(tmp_path / "b.png", transparency=3)
    keyed = media.decode(tmp_path / "b.png")
    assert keyed.space == "rgba"
    assert set(np.unique(keyed.pixels[..., 3])) <= {0, 255}
    assert np.array_equal(recoded(tmp_path / "b.png").pixels, keyed.pixels)


def test_grey_with_alpha_stays_grey_with_alpha(tmp_path: Path) -> None:
    two = np.ascontiguousarray(scene(channels=4)[..., [0, 3]])
    Image.fromarray(two, mode="LA").save(tmp_path / "a.png")
    after = recoded(tmp_path / "a.png")
    assert isinstance(after.source, PngSource)
    assert after.source.colour_type == 4
    assert np.array_equal(after.pixels[..., 0], two[..., 0])
    assert np.array_equal(after.pixels[..., 3], two[..., 1])


def test_bilevel_becomes_grey(tmp_path: Path) -> None:
    for name in ("a.png", "a.tif"):
        Image.fromarray(scene(channels=1) > 128).save(tmp_path / name)
        after = recoded(tmp_path / name)
        assert after.space == "grey"
        assert set(np.unique(after.pixels)) == {0, 255}


def meta_kept(path: Path) -> None:
    after = recoded(path)
    assert after.icc == P3
    assert b"Ada Lens" in after.xmp
    assert b"Colophon" in after.exif
    assert b"maker note that stays" in after.exif


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_profile_exif_and_xmp_are_kept(form: str, tmp_path: Path) -> None:
    packet = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><a>Ada Lens</a></x:xmpmeta>"
    block = exif_block(thumbnail=False)
    path = saved(tmp_path / f"a.{form.lower()}", scene(), form, icc_profile=P3, exif=b"Exif\0\0" + block, xmp=packet)
    if form == "PNG":
        from PIL import PngImagePlugin

        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", packet.decode())
        saved(path, scene(), form, icc_profile=P3, exif=b"Exif\0\0" + block, pnginfo=info)
    meta_kept(path)
    assert media.decode(path.with_name("out" + path.suffix)).exif == media.decode(path).exif


def test_profile_exif_and_xmp_are_kept_in_heic(tmp_path: Path) -> None:
    packet = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><a>Ada Lens</a></x:xmpmeta>"
    path = saved_heic(tmp_path / "a.heic", scene(), exif=exif_block(thumbnail=False), xmp=packet, icc_profile=P3)
    meta_kept(path)


def test_tags_exif_and_profile_are_kept_in_tiff(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0131], exif[0x0112] = "Colophon", "a camera", 6
    exif.get_ifd(0x8769)[0x9003] = "2026:11:21 10:00:00"
    exif.get_ifd(0x8825)[1] = "N"
    exif.load(exif.tobytes())  # only now does Pillow write the inner directories into a TIFF
    after = recoded(saved(tmp_path / "a.tif", scene(), "TIFF", exif=exif, icc_profile=P3, dpi=(300, 300)))
    assert (after.icc, after.orientation, after.pixels.shape) == (P3, 6, scene().shape)
    with Image.open(tmp_path / "out.tif") as image:
        again = image.getexif()
        assert (again[0x010F], again[0x0131]) == ("Colophon", "a camera")
        assert again.get_ifd(0x8769)[0x9003] == "2026:11:21 10:00:00"
        assert again.get_ifd(0x8825)[1] == "N"
        assert image.info["dpi"] == (300, 300)


def test_a_big_endian_16_bit_tiff_is_read_and_its_tags_are_turned(tmp_path: Path) -> None:
    import tifffile

    pixels = scene(deep=True)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels, byteorder=">", photometric="rgb", description="a caption", resolution=(300, 300))
    assert np.array_equal(media.decode(path).pixels, pixels)
    assert np.array_equal(recoded(path).pixels, pixels)
    with tifffile.TiffFile(tmp_path / "out.tif") as again:
        page = again.pages.first
        assert page.description == "a caption"
        assert page.tags["XResolution"].value == (300, 1)
        assert np.array_equal(page.asarray(), pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["jpg", "png", "webp", "avif", "tif", "heic"])
def test_orientation_is_kept_and_shown_upright(orientation: int, form: str, tmp_path: Path) -> None:
    """Exif 3.0: the tag says where row 0 and column 0 of what is stored belong; Pillow is the second opinion."""
    shape = (96, 64, 3)
    pixels = np.zeros(shape, np.uint8)
    pixels[:32, :, 0] = 200  # red on top, blue at the left: told apart in any position
    pixels[:, :24, 2] = 220
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{form}"
    if form == "heic":
        saved_heic(path, pixels, exif=exif.tobytes())
    else:
        saved(path, pixels, {"jpg": "JPEG", "tif": "TIFF"}.get(form, form.upper()), exif=exif)
    picture = media.decode(path)
    wide = orientation >= 5
    assert (picture.width, picture.height) == ((96, 64) if wide else (64, 96))
    assert media.dimensions(path)[:2] == (picture.width, picture.height)
    again = recoded(path)
    assert again.orientation == picture.orientation == (1 if form == "heic" else orientation)
    expected = np.asarray(turned(pixels, orientation))
    for shown in (media.rgb8(picture), media.rgb8(again)):
        assert shown.shape == expected.shape
        assert psnr(shown, expected) > 22


def turned(pixels: NDArray[np.uint8], orientation: int) -> Image.Image:
    moves = [
        None, None, Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_180, Image.Transpose.FLIP_TOP_BOTTOM,
        Image.Transpose.TRANSPOSE, Image.Transpose.ROTATE_270, Image.Transpose.TRANSVERSE, Image.Transpose.ROTATE_90,
    ]  # fmt: skip
    move = moves[orientation]
    image = Image.fromarray(pixels)
    return image if move is None else image.transpose(move)


def test_changed_pixels_are_what_is_written(tmp_path: Path) -> None:
    after = recoded(saved(tmp_path / "a.png", scene(), "PNG"), lambda pixels: 255 - pixels)
    assert np.array_equal(after.pixels, 255 - scene())


def test_srgb_profiles_are_kept_as_well(tmp_path: Path) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert recoded(saved(tmp_path / "a.jpg", scene(), "JPEG", icc_profile=srgb)).icc == srgb
