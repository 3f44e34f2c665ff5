"""Small pictures made from large ones: thumbnails for people, references for comparing copies."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image

from watermark.media.picture import Rgb8


def thumbnail(rgb: Rgb8, *, max_side: int, quality: int = 80) -> bytes:
    """Return a small JPEG in sRGB, free of metadata.

    Args:
        rgb: Upright sRGB picture, shape (H, W, 3).
        max_side: Longest side in pixels, > 0; smaller pictures keep their size.
        quality: 1–95, libjpeg's scale.
    """
    out = io.BytesIO()
    _shrunk(rgb, max_side).save(out, "JPEG", quality=quality, optimize=True)
    return out.getvalue()


def reference(rgb: Rgb8, *, max_side: int = 1024) -> bytes:
    """Return what a registry keeps of a picture to compare copies with: a WebP, 40–200 KB at 1024 pixels."""
    out = io.BytesIO()
    _shrunk(rgb, max_side).save(out, "WEBP", quality=82, method=4)
    return out.getvalue()


def reference_frames(frames: Sequence[Rgb8], *, max_side: int = 640) -> bytes:
    """Return what a registry keeps of an animation: its frames as a WebP that shows each for a second."""
    first, *others = (_shrunk(rgb, max_side) for rgb in frames)
    out = io.BytesIO()
    first.save(out, "WEBP", quality=75, method=2, save_all=True, append_images=others, duration=1000)
    return out.getvalue()


def _shrunk(rgb: Rgb8, max_side: int) -> Image.Image:
    image = Image.fromarray(rgb)
    image.thumbnail((max_side, max_side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return image
