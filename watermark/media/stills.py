"""GIF and BMP: read for what they show, never written."""

from __future__ import annotations

from watermark.media import guard
from watermark.media.picture import Picture


def read_gif(data: bytes, max_pixels: int) -> Picture:
    """Decode a GIF of one frame."""
    return _read(data, "GIF", "image/gif", max_pixels)


def read_bmp(data: bytes, max_pixels: int) -> Picture:
    """Decode a BMP."""
    return _read(data, "BMP", "image/bmp", max_pixels)


def _read(data: bytes, form: str, media_type: str, max_pixels: int) -> Picture:
    image = guard.open_image(data, form, max_pixels)
    image.load()
    mode = "L" if image.mode in ("1", "L") else "RGBA" if image.has_transparency_data else "RGB"
    image = image if image.mode == mode else image.convert(mode)
    return Picture(
        media_type=media_type,
        pixels=guard.samples(image),
        space="grey" if mode == "L" else "rgba" if mode == "RGBA" else "rgb",
    )
