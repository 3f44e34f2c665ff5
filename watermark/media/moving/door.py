"""One door for every animation: what it is, whether it moves, and whether it stays within its budget."""

from __future__ import annotations

from collections.abc import Callable

from watermark.media.moving.apng import read as read_png
from watermark.media.moving.gif import read as read_gif
from watermark.media.moving.parts import Moving
from watermark.media.moving.webp import read as read_webp

PIXELS_MOST = 60_000_000
"""Most pixels of all frames together: 100 of 960 × 620. They are decoded one by one, but all are marked and coded anew."""
PARTS_MOST = 1_500

_READERS: dict[str, Callable[[bytes], Moving | None]] = {
    "image/gif": read_gif,
    "image/png": read_png,
    "image/webp": read_webp,
}
CONTAINERS = frozenset(_READERS)
"""Types of file that can move."""


def read(data: bytes, media_type: str, *, pixels_most: int = PIXELS_MOST) -> Moving | None:
    """Take an animation apart; its samples are decoded when they are asked for.

    Every GIF counts as one, of a single frame too; a PNG or a WebP only where it says so.

    Returns:
        None for what does not move.
    Raises:
        ValueError, struct.error: damaged, or more frames or pixels than allowed.
        UnsupportedError: of a kind that is not written here.
    """
    reader = _READERS.get(media_type)
    moving = reader(data) if reader else None
    if moving is None:
        return None
    if not moving.parts:
        raise ValueError("the animation has no frames")
    if len(moving.parts) > PARTS_MOST:
        raise ValueError(f"{len(moving.parts):,} frames are more than the {PARTS_MOST:,} allowed")
    pixels = sum(max(moving.width * moving.height, part.width * part.height) for part in moving.parts)
    if pixels > pixels_most:
        raise ValueError(f"{pixels:,} pixels in {len(moving.parts):,} frames are more than the {pixels_most:,} allowed")
    return moving
