"""What an animation shows, frame by frame, and a change of that carried back to the parts that it is drawn from."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from watermark.media.moving.parts import After, Moving, Part, Rgba

Rgb8 = NDArray[np.uint8]

LOOKED_AT = 8
"""Frames, evenly spread, among which the poster is looked for."""
TELLING = 12.0
"""Standard deviation of a frame's samples from which it shows something: many an animation begins with nothing."""


def shown(moving: Moving) -> Iterator[tuple[Part, Rgba, Rgb8]]:
    """Yield every part with its own samples and what is seen while it is shown, over white: shape (height, width, 3).

    Raises:
        ValueError, OSError …: a part is damaged; `read`'s callers word it.
    """
    canvas: Rgba = np.zeros((moving.height, moving.width, 4), np.uint8)
    for part in moving.parts:
        own = part.load()
        ground = np.zeros_like(canvas) if part.apart else canvas
        area, inside = _areas(part, moving)
        before = ground[area].copy()
        ground[area] = _over(own[inside], before) if part.over else own[inside]
        yield part, own, _on_white(ground)
        if part.after is After.CLEAR:
            ground[area] = 0
        elif part.after is After.RESTORE:
            ground[area] = before


def changed(moving: Moving, change: Callable[[Rgb8], Rgb8]) -> Iterator[Rgba]:
    """Yield new samples of every part, such that what is shown is changed as asked.

    Where a part is transparent it shows what was drawn, and changed, before.

    Args:
        moving: The animation.
        change: Gives what is to be seen instead of what is seen; the same for what is the same.
    """
    for part, own, seen in shown(moving):
        delta = change(seen).astype(np.int16) - seen
        area, inside = _areas(part, moving)
        new = own.copy()
        colour, alpha = new[inside][..., :3], new[inside][..., 3:]
        colour[...] = np.where(alpha > 0, np.clip(colour + delta[area], 0, 255), colour)
        yield new


def poster(moving: Moving) -> Rgb8:
    """Return the frame that stands for an animation: the first of a few that shows something, else the first of all."""
    first = None
    for seen in some(moving, LOOKED_AT):
        if float(seen[::4, ::4].std()) >= TELLING:
            return seen
        first = seen if first is None else first
    assert first is not None
    return first


def some(moving: Moving, most: int) -> Iterator[Rgb8]:
    """Yield what is seen of so many frames at most, evenly spread from the first to the last."""
    wanted = {round(place) for place in np.linspace(0, len(moving.parts) - 1, most)}
    return (seen for number, (_, _, seen) in enumerate(shown(moving)) if number in wanted)


def _areas(part: Part, moving: Moving) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """A part's rectangle on the canvas, and what of the part is in it."""
    right, bottom = min(part.left + part.width, moving.width), min(part.top + part.height, moving.height)
    wide, tall = max(0, right - part.left), max(0, bottom - part.top)
    return np.s_[part.top : part.top + tall, part.left : part.left + wide], np.s_[:tall, :wide]


def _over(upper: Rgba, lower: Rgba) -> Rgba:
    """Blend two pictures, alpha not premultiplied (W3C PNG, third edition, §13.16)."""
    alpha = upper[..., 3:]
    if not bool(((alpha > 0) & (alpha < 255)).any()):
        return np.asarray(np.where(alpha > 0, upper, lower), np.uint8)
    over, under = alpha / np.float32(255), lower[..., 3:] / np.float32(255) * (1 - alpha / np.float32(255))
    total = over + under
    colour = (over * upper[..., :3] + under * lower[..., :3]) / np.maximum(total, np.float32(1e-6))
    return np.asarray(np.rint(np.concatenate([colour, 255 * total], axis=2)), np.uint8)


def _on_white(canvas: Rgba) -> Rgb8:
    alpha = canvas[..., 3:].astype(np.uint16)
    return ((canvas[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
