"""Animations: every frame shows the change; times, loops, rectangles and disposal stay; what is broken is refused."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from tests.media.samples import scene
from watermark import media
from watermark.errors import MediaDecodeError, UnsupportedError
from watermark.media.moving import Moving, changed, shown
from watermark.media.moving.parts import After, Part
from watermark.media.png import as_chunk, chunks_of

TIMES = [100, 250, 40, 90]
FORMS = ["GIF", "PNG", "WEBP", "lossy"]


def film(path: Path, form: str, *, clear: bool = True) -> Path:
    """Four frames: a ball that moves over a still ground, or over nothing; encoders store only what changes."""
    frames = []
    for n in range(4):
        rgba = np.dstack([scene(60, 80), np.full((60, 80), 255, np.uint8)])
        rgba[20:40, 10 + 12 * n : 30 + 12 * n, :3] = (220, 40 + 30 * n, 30)
        if clear:
            rgba[:8, :, 3] = 0
            rgba[44:, : 10 + 9 * n, 3] = 0
        frames.append(Image.fromarray(rgba if clear else rgba[..., :3].copy()))
    options: dict[str, object] = (
        {"lossless": True, "exact": True} if form == "WEBP" else {"quality": 85} if form == "lossy" else {}
    )
    if form in ("GIF", "PNG"):
        options["disposal"] = [1, 2, 2, 1] if form == "GIF" else [0, 1, 1, 0]
    kind = "WEBP" if form == "lossy" else form
    frames[0].save(path, kind, save_all=True, append_images=frames[1:], duration=TIMES, loop=3, **options)
    return path


def seen(path: Path) -> list[NDArray[np.uint8]]:
    """Every frame as Pillow composes it: an implementation that is not ours."""
    with Image.open(path) as opened:
        return [np.asarray(frame.convert("RGBA")) for frame in ImageSequence.Iterator(opened)]


def brighter(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.clip(rgb.astype(int) + 9, 0, 255).astype(np.uint8)


def taken_apart(path: Path) -> Moving:
    found = media.animation(path)
    assert found is not None
    return found


@pytest.mark.parametrize("clear", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_what_is_shown_is_what_another_decoder_shows(form: str, clear: bool, tmp_path: Path) -> None:
    path = film(tmp_path / "a", form, clear=clear)
    ours, theirs = [rgb for _, _, rgb in shown(taken_apart(path))], seen(path)
    assert len(ours) == len(theirs) == 4
    for one, other in zip(ours, theirs, strict=True):
        opaque = other[..., 3] == 255
        assert np.abs(one[opaque].astype(int) - other[opaque][:, :3]).max() <= 1
        assert (one[other[..., 3] == 0] == 255).all()


@pytest.mark.parametrize("clear", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_every_frame_is_changed_and_nothing_else(form: str, clear: bool, tmp_path: Path) -> None:
    path, out = film(tmp_path / "a", form, clear=clear), tmp_path / "b"
    found = taken_apart(path)
    media.change_animation(path, found, brighter, out, redact=frozenset())
    made = taken_apart(out)
    assert [(p.left, p.top, p.width, p.height, p.after, p.over, p.delay_ms) for p in found.parts] == [
        (p.left, p.top, p.width, p.height, p.after, p.over, p.delay_ms) for p in made.parts
    ]
    assert made.duration_ms == sum(TIMES)
    with Image.open(out) as opened:
        assert opened.info["loop"] == 3
    for before, after in zip(seen(path), seen(out), strict=True):
        assert np.array_equal(before[..., 3] > 0, after[..., 3] > 0)
        wanted, got = (rgba[before[..., 3] > 0][:, :3].astype(float) for rgba in (before, after))
        moved = (got - np.minimum(wanted + 9, 255)).mean()
        apart = np.abs(got - np.minimum(wanted + 9, 255))
        assert apart.max() == 0 if form in ("PNG", "WEBP") else abs(moved) < 1.5


@pytest.mark.parametrize("form", FORMS)
def test_no_change_is_none(form: str, tmp_path: Path) -> None:
    path, out = film(tmp_path / "a", form), tmp_path / "b"
    media.change_animation(path, taken_apart(path), lambda rgb: rgb, out, redact=frozenset())
    for before, after in zip(seen(path), seen(out), strict=True):
        opaque = before[..., 3] > 0
        apart = np.abs(after[opaque].astype(int) - before[opaque])
        assert apart.mean() < 6 if form == "lossy" else apart.max() == 0


@pytest.mark.parametrize("form", FORMS)
def test_files_cut_off_or_damaged_are_one_clear_error(form: str, tmp_path: Path) -> None:
    data, path = film(tmp_path / "a", form).read_bytes(), tmp_path / "b"
    rng, refused = np.random.default_rng(7), 0
    broken = [data[: len(data) * n // 12] for n in range(1, 12)]
    for _ in range(16):
        mutant = bytearray(data)
        mutant[int(rng.integers(6, len(data)))] ^= int(rng.integers(1, 256))
        broken.append(bytes(mutant))
    for each in broken:
        path.write_bytes(each)
        try:
            found = media.animation(path)
            media.load_rgb8(path)
            if found is not None:
                media.change_animation(path, found, brighter, tmp_path / "c", redact=frozenset())
        except (MediaDecodeError, UnsupportedError) as error:
            refused += 1
            assert str(path) in str(error)
    assert refused >= 8
    assert {p.name for p in tmp_path.iterdir()} <= {"a", "b", "c"}


def test_bombs_are_refused_before_they_are_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "many.gif"
    head, frame = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6), b",\0\0\0\0\1\0\1\0\0\2\2L\1\0"
    path.write_bytes(head + 1_501 * frame + b";")
    with pytest.raises(MediaDecodeError, match="1,501 frames are more than the 1,500 allowed"):
        media.animation(path)
    path.write_bytes(b"GIF89a" + struct.pack("<HHBBB", 60_000, 60_000, 0x80, 0, 0) + bytes(6) + frame + b";")
    with pytest.raises(MediaDecodeError, match="3,600,000,000 pixels in 1 frames are more than"):
        media.load_rgb8(path)


def test_a_picture_that_does_not_move_is_no_animation(tmp_path: Path) -> None:
    for form in ("PNG", "WEBP", "JPEG"):
        Image.fromarray(scene()).save(tmp_path / form, form)
        assert media.animation(tmp_path / form) is None
    Image.fromarray(scene()).save(tmp_path / "GIF", "GIF")
    assert len(taken_apart(tmp_path / "GIF").parts) == 1


def test_sixteen_bits_are_not_animated_here(tmp_path: Path) -> None:
    data = film(tmp_path / "a", "PNG", clear=False).read_bytes()
    chunks = list(chunks_of(data))
    header = bytearray(chunks[0][1])
    header[8] = 16
    (tmp_path / "b").write_bytes(data[:8] + b"".join(as_chunk(*c) for c in [(b"IHDR", bytes(header)), *chunks[1:]]))
    with pytest.raises(UnsupportedError, match="16 bits"):
        media.animation(tmp_path / "b")


def test_a_default_image_that_is_not_shown_is_changed_by_itself(tmp_path: Path) -> None:
    one, two = film(tmp_path / "a", "PNG", clear=False), tmp_path / "b"
    frames = [Image.open(io.BytesIO(one.read_bytes())) for _ in range(2)]
    frames[0].save(two, "PNG", save_all=True, append_images=frames[1:], default_image=True)
    found = taken_apart(two)
    assert [part.apart for part in found.parts][:2] == [True, False]
    media.change_animation(two, found, brighter, tmp_path / "c", redact=frozenset())
    with Image.open(two) as before, Image.open(tmp_path / "c") as after:
        pair = np.asarray(before.convert("RGB")).astype(int), np.asarray(after.convert("RGB")).astype(int)
        assert np.array_equal(np.minimum(pair[0] + 9, 255), pair[1])


def test_half_transparent_parts_blend_over_what_is_there() -> None:
    rng = np.random.default_rng(3)
    samples = [rng.integers(0, 256, (6, 8, 4), dtype=np.uint8) for _ in range(2)]
    samples[0][..., 3] = 255
    parts = tuple(Part(0, 0, 8, 6, True, After.KEEP, 10, lambda s=s: s) for s in samples)  # type: ignore[misc]
    moving = Moving("image/png", 8, 6, parts, lambda new, redact, fineness: b"")
    alpha = samples[1][..., 3:] / 255
    wanted = alpha * samples[1][..., :3] + (1 - alpha) * samples[0][..., :3]
    assert np.abs([rgb for _, _, rgb in shown(moving)][1] - wanted).max() <= 1
    new = list(changed(moving, lambda rgb: rgb))
    assert all(np.array_equal(one, other) for one, other in zip(new, samples, strict=True))


def test_a_part_may_reach_beyond_the_canvas() -> None:
    own = np.full((6, 8, 4), 200, np.uint8)
    moving = Moving("image/gif", 5, 4, (Part(3, 2, 8, 6, True, After.RESTORE, 10, lambda: own),), lambda *_: b"")
    ((_, _, rgb),) = shown(moving)
    assert rgb.shape == (4, 5, 3)
    assert (rgb[:2] == 255).all()
    ((new),) = changed(moving, brighter)
    assert (new[:2, :2, 0] == 209).all()
    assert (new[2:, 2:, 0] == 200).all()
