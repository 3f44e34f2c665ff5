"""Whatever a file holds, there is a picture or one clear error; what cannot be written leaves nothing behind."""

from __future__ import annotations

import errno
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.media.samples import exif_block, saved, saved_deep, saved_heic, scene
from watermark import media
from watermark.errors import MediaDecodeError, UnsupportedError
from watermark.media import files
from watermark.media.png import SIGNATURE, as_chunk

FORMS = ["a.jpg", "a.png", "deep.png", "a.webp", "a.avif", "a.tif", "lzw.tif", "deep.tif", "a.heic", "a.gif", "a.bmp"]


def small(folder: Path, name: str) -> Path:
    path, pixels = folder / name, scene(20, 24)
    if name.startswith("deep"):
        return saved_deep(path, scene(20, 24, deep=True))
    if name == "a.heic":
        return saved_heic(path, pixels, exif=exif_block())
    form = {"jpg": "JPEG", "tif": "TIFF"}.get(path.suffix[1:], path.suffix[1:].upper())
    options: dict[str, Any] = {} if form in ("GIF", "BMP") else {"exif": b"Exif\0\0" + exif_block()}
    return saved(path, pixels, form, **{"compression": "tiff_lzw"} if name == "lzw.tif" else options)


def attempt(path: Path) -> None:
    """Decode, show, measure and encode; only our own errors may come out."""
    try:
        media.dimensions(path)
    except MediaDecodeError as error:
        assert error.path == str(path)
    try:
        picture = media.decode(path)
    except (MediaDecodeError, UnsupportedError) as error:
        assert error.path == str(path)
        assert 0 < len(error.what) < 400
        return
    assert media.rgb8(picture).shape == (picture.height, picture.width, 3)


@pytest.mark.parametrize("name", FORMS)
def test_truncation_anywhere_gives_a_picture_or_our_error(name: str, tmp_path: Path) -> None:
    data = small(tmp_path, name).read_bytes()
    path = tmp_path / f"cut{Path(name).suffix}"
    for length in range(1, len(data), 7):
        path.write_bytes(data[:length])
        attempt(path)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "deep.png", "a.webp", "a.tif", "deep.tif", "lzw.tif", "a.heic"])
def test_a_file_cut_in_half_is_not_taken_for_whole(name: str, tmp_path: Path) -> None:
    path = small(tmp_path, name)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(MediaDecodeError):
        media.decode(path)


@pytest.mark.parametrize("name", FORMS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_flipped_bytes_give_a_picture_or_our_error(name: str, tmp_path: Path, data: st.DataObject) -> None:
    source = tmp_path / name
    content = bytearray((source if source.exists() else small(tmp_path, name)).read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / f"flipped{source.suffix}"
    path.write_bytes(content)
    attempt(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([b"\xff\xd8\xff", SIGNATURE, b"RIFF\x40\0\0\0WEBP", b"II*\0\x08\0\0\0", b"GIF89a", b"\0\0\0\x14ftypheic"]),
    st.binary(max_size=120),
)
def test_noise_behind_a_magic_number_gives_our_error(tmp_path: Path, magic: bytes, noise: bytes) -> None:
    path = tmp_path / "noise"
    path.write_bytes(magic + noise)
    attempt(path)


def test_the_empty_the_folder_and_the_pipe_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    os.mkfifo(tmp_path / "pipe.jpg")
    for name, what in (("empty.jpg", "empty"), (".", "folder"), ("pipe.jpg", "regular")):
        with pytest.raises(MediaDecodeError, match=what):
            media.decode(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        media.decode(tmp_path / "missing.jpg")


@pytest.mark.parametrize(
    ("content", "error", "what"),
    [
        (b"just some text", MediaDecodeError, "known type"),
        (b"%PDF-1.7 ...", UnsupportedError, "application/pdf"),
        (b"fLaC" + bytes(40), UnsupportedError, "audio/flac"),
        (b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHII", 0xC612, 1, 4, 1) + bytes(4), UnsupportedError, "image/x-adobe-dng"),
        (b"II+\0\x08\0\0\0", UnsupportedError, "BigTIFF"),
    ],
)
def test_other_types_are_refused_by_name(content: bytes, error: type[Exception], what: str, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(content)
    with pytest.raises(error, match=what):
        media.decode(tmp_path / "photo.jpg")


def test_bombs_are_refused_before_they_are_unpacked(tmp_path: Path) -> None:
    rows = zlib.compress(bytes(60_000 * 40))  # 60,000 × 60,000 pixels announced
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    bomb = SIGNATURE + as_chunk(b"IHDR", header) + as_chunk(b"IDAT", rows) + as_chunk(b"IEND", b"")
    (tmp_path / "bomb.png").write_bytes(bomb)
    jpeg = saved(tmp_path / "bomb.jpg", scene(), "JPEG")
    data = bytearray(jpeg.read_bytes())
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", 65000, 65000)
    jpeg.write_bytes(data)
    for name in ("bomb.png", "bomb.jpg"):
        with pytest.raises(MediaDecodeError, match="more than the 200,000,000 allowed"):
            media.decode(tmp_path / name)


@pytest.mark.parametrize("name", FORMS)
def test_the_pixel_limit_is_the_callers_and_leaves_pillow_alone(name: str, tmp_path: Path) -> None:
    path, before = small(tmp_path, name), Image.MAX_IMAGE_PIXELS
    with pytest.raises(MediaDecodeError, match="pixels"):
        media.decode(path, max_pixels=479)
    assert media.decode(path, max_pixels=480).pixels.shape[:2] == (20, 24)
    assert before == Image.MAX_IMAGE_PIXELS


def test_a_text_bomb_in_a_png_does_not_fill_the_memory(tmp_path: Path) -> None:
    packed = zlib.compress(bytes(40 << 20), 9)
    path = saved(tmp_path / "a.png", scene(), "PNG")
    data = path.read_bytes()
    xmp = as_chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + packed)
    path.write_bytes(data[:33] + as_chunk(b"iCCP", b"x\0\0" + packed) + xmp + data[33:])
    try:
        picture = media.decode(path)
    except MediaDecodeError:
        return
    assert (picture.icc, picture.xmp) == (b"", b"")


@pytest.mark.parametrize("form", ["PNG", "WEBP", "GIF", "AVIF", "TIFF"])
def test_what_moves_or_has_pages_is_refused(form: str, tmp_path: Path) -> None:
    frames = [Image.fromarray(np.roll(scene(), 9 * i, axis=1)) for i in range(3)]
    path = tmp_path / f"a.{form.lower()}"
    frames[0].save(path, form, save_all=True, append_images=frames[1:])
    with pytest.raises(UnsupportedError, match="multi-page" if form == "TIFF" else "animated"):
        media.decode(path)
    assert media.dimensions(path) == (64, 48, None)


@pytest.mark.parametrize("depth", [12, 16])
def test_a_jpeg_of_another_depth_is_refused(depth: int, tmp_path: Path) -> None:
    path = saved(tmp_path / "a.jpg", scene(), "JPEG")
    data = bytearray(path.read_bytes())
    data[data.index(b"\xff\xc0") + 4] = depth
    path.write_bytes(data)
    with pytest.raises(UnsupportedError, match=f"{depth}-bit"):
        media.decode(path)


def test_float_tiffs_are_refused(tmp_path: Path) -> None:
    Image.fromarray(scene(channels=1).astype(np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(UnsupportedError, match="32 bits"):
        media.decode(tmp_path / "a.tif")


def test_encode_refuses_what_does_not_fit(tmp_path: Path) -> None:
    picture = media.decode(saved(tmp_path / "a.png", scene(), "PNG"))
    out = tmp_path / "out.png"
    with pytest.raises(ValueError, match="is not uint8"):
        media.encode(picture, picture.pixels[:-1], out)
    with pytest.raises(ValueError, match="is not uint8"):
        media.encode(picture, picture.pixels.astype(np.uint16), out)
    with pytest.raises(ValueError, match="unknown redaction: everything"):
        media.encode(picture, picture.pixels, out, redact=frozenset({"everything"}))
    gif = media.decode(saved(tmp_path / "a.gif", scene(), "GIF"))
    with pytest.raises(UnsupportedError, match="image/gif"):
        media.encode(gif, gif.pixels, out)
    assert not out.exists()


def test_the_source_is_never_touched(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.jpg", scene(), "JPEG")
    before, stamp = path.read_bytes(), path.stat().st_mtime_ns
    path.chmod(0o444)
    picture = media.decode(path)
    with pytest.raises(ValueError, match="read-only"):
        picture.pixels[0, 0] = 0
    media.encode(picture, 255 - picture.pixels, tmp_path / "out.jpg")
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (before, stamp)


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = media.decode(saved(tmp_path / "a.png", scene(), "PNG"))
    out = tmp_path / "out.png"
    out.write_bytes(b"old")
    monkeypatch.setattr(files.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        media.encode(picture, picture.pixels, out)
    assert out.read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "out.png"]


def test_a_really_full_disk_is_reported(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left"), Path("/dev/full").open("wb", buffering=0) as full:
        full.write(b"x")  # the platform reports it at write time, before the rename
    with pytest.raises(FileNotFoundError):
        files.write_new(tmp_path / "no such folder" / "a.png", b"x")


def test_new_files_have_ordinary_rights(tmp_path: Path) -> None:
    files.write_new(tmp_path / "a", b"x")
    (tmp_path / "b").touch()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode
