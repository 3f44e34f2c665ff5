"""WebP: lossless stays lossless, lossy is encoded at the quality that gives the size it had (RFC 9649)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray
from PIL import Image

from watermark.errors import UnsupportedError
from watermark.media import exif, guard, xmp
from watermark.media.lossy import matching_quality
from watermark.media.picture import LossySource, Picture, Pixels

_METHOD = 4
LOSSLESS = {"lossless": True, "quality": 80, "exact": True}


def read(data: bytes, max_pixels: int) -> Picture:
    """Decode a WebP; see `Picture`."""
    chunks = list(chunks_of(data))
    if any(kind in (b"ANIM", b"ANMF") for kind, _ in chunks):
        raise UnsupportedError("", "animated WebP")
    image = guard.open_image(data, "WEBP", max_pixels)
    image.load()
    if image.mode not in ("RGB", "RGBA"):
        image = image.convert("RGB")
    found = dict(chunks)
    block = exif.bare(found.get(b"EXIF", b""))
    coded = sum(len(content) for kind, content in chunks if kind in (b"VP8 ", b"VP8L", b"ALPH"))
    return Picture(
        media_type="image/webp",
        pixels=guard.samples(image),
        space="rgba" if image.mode == "RGBA" else "rgb",
        orientation=exif.orientation(block),
        icc=found.get(b"ICCP", b""),
        exif=block,
        xmp=found.get(b"XMP ", b""),
        source=LossySource(lossless=b"VP8L" in found, coded_bytes=coded),
    )


def write(picture: Picture, pixels: Pixels, redact: frozenset[str], fineness: float) -> bytes:
    """Encode pixels as a WebP of the same kind."""
    source, places = picture.source, "gps" in redact
    assert isinstance(source, LossySource)
    options: dict[str, Any] = LOSSLESS
    if not source.lossless:
        options = {"quality": matching_quality(_size, picture.pixels, source.coded_bytes * fineness, range(10, 101))}
    return encoded(
        pixels,
        **options,
        icc_profile=picture.icc,
        exif=exif.carried(picture.exif, places=places),
        xmp=xmp.pruned(picture.xmp, places=places),
    )


def _size(pixels: NDArray[Any], quality: int) -> int:
    return len(encoded(pixels, quality=quality))


def encoded(pixels: NDArray[Any], **options: object) -> bytes:
    """Pixels as a WebP of one frame, with Pillow's options."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "WEBP", method=_METHOD, **options)
    return out.getvalue()


def chunks_of(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (FourCC, content); raise ValueError where the file ends early."""
    end = 8 + int.from_bytes(data[4:8], "little")
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or end > len(data) + 1:
        raise ValueError("the WebP is cut off")
    yield from sub_chunks(data, 12, end)


def sub_chunks(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    """The same of the chunks between two places."""
    while at + 8 <= end:
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + size > len(data):
            raise ValueError("the WebP is cut off")
        yield data[at : at + 4], data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
