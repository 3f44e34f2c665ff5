"""The image mark, carried through `transfer` and `encode` into every container, is read back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.media.samples import psnr, saved, saved_deep, saved_heic
from watermark import image, media, payload
from watermark.media import profile

DEMO = Path(__file__).parents[2] / "api" / "demo" / "media"
MARK = 0x0123_4567_89AB_CDEF
Make = Callable[[Path, NDArray[np.uint8]], Path]

CARRIERS: dict[str, Make] = {
    "jpeg in P3, on its side": lambda d, p: saved(
        d / "a.jpg", p, "JPEG", quality=80, icc_profile=profile.matrix_profile(12), exif=b"Exif\0\0" + turned(6)
    ),
    "cmyk jpeg": lambda d, p: cmyk(d / "a.jpg", p),
    "grey png": lambda d, p: saved(d / "a.png", np.asarray(Image.fromarray(p).convert("L")), "PNG"),
    "16-bit png": lambda d, p: saved_deep(d / "a.png", p.astype(np.uint16) * 257),
    "webp": lambda d, p: saved(d / "a.webp", p, "WEBP", quality=60),
    "avif": lambda d, p: saved(d / "a.avif", p, "AVIF", quality=55),
    "heic": lambda d, p: saved_heic(d / "a.heic", p),
    "tiff": lambda d, p: saved(d / "a.tif", p, "TIFF", compression="tiff_lzw"),
}


def cmyk(path: Path, pixels: NDArray[np.uint8]) -> Path:
    Image.fromarray(pixels).convert("CMYK").save(path, "JPEG", quality=90)
    return path


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()[6:]


@pytest.mark.slow
@pytest.mark.parametrize("carrier", CARRIERS)
def test_the_mark_reaches_the_new_file(carrier: str, tmp_path: Path) -> None:
    photo = np.asarray(Image.open(DEMO / "astronaut.png").convert("RGB"))
    source = CARRIERS[carrier](tmp_path, photo)
    picture = media.decode(source)
    before = media.rgb8(picture)
    after = image.embed(before, MARK, key=payload.PUBLIC_KEY)
    out = tmp_path / f"out{source.suffix}"
    media.encode(picture, media.transfer(picture, before, after), out)
    written = media.load_rgb8(out)
    assert image.detect(written, keys=[payload.PUBLIC_KEY]).mark_id == MARK
    assert psnr(written, before) > 28


@pytest.mark.slow
def test_a_coarse_jpeg_needs_finer_steps(tmp_path: Path) -> None:
    """Samples on the grid of a coarse quantiser fall back onto it: why `fineness` exists."""
    photo = np.asarray(Image.open(DEMO / "astronaut.png").convert("RGB"))
    source, out = saved(tmp_path / "a.jpg", photo, "JPEG", quality=50), tmp_path / "out.jpg"
    picture = media.decode(source)
    before = media.rgb8(picture)
    marked = media.transfer(picture, before, image.embed(before, MARK, key=payload.PUBLIC_KEY))
    media.encode(picture, marked, out, fineness=1.5)
    assert image.detect(media.load_rgb8(out), keys=[payload.PUBLIC_KEY]).mark_id == MARK
    assert out.stat().st_size < 1.25 * source.stat().st_size
