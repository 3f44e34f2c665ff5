"""Put a mark into every frame of an animation, one strength for all, and read it back from a few."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from provenance.errors import UnmarkableError
from provenance.tasks.rim import Rgb, media_errors, writing
from watermark import media
from watermark.media import moving

# How much stronger, and a lossy frame finer, than the content asks for, where the mark is not read back at first.
_STRONGER = (1.0, 1.25, 1.5)
_CHECKED = 3
KEPT = 48
"""Frames that are kept of an animation."""

Embed = Callable[[Rgb, float | None], Rgb]
Reads = Callable[[Rgb], bool]


def mark_frames(source: str, found: moving.Moving, destination: str, embed: Embed, reads: Reads, redact: frozenset[str]) -> None:
    """Write an animation again with a mark in every frame.

    Args:
        source: Where it came from.
        found: What `media.animation` returned for it.
        destination: Where to put it.
        embed: Marks a picture with a strength; None lets its content decide.
        reads: Whether the mark is surely read from a picture.
        redact: Metadata to leave out.
    Raises:
        DamagedMediaError: a frame cannot be decoded.
        UnmarkableError: no strength left a mark that is read back.
        OutputError: the copy cannot be written.
    """
    with media_errors(source):
        usual = _strength(moving.poster(found), embed)
    for more in _STRONGER:
        _write(source, found, lambda seen, s=usual * more: embed(seen, s), destination, redact, more)  # type: ignore[misc]
        if _holds(destination, reads):
            return
    raise UnmarkableError(source, "its frames are too small, or of too few colours, to hold a mark that can be read back")


def rewrite(source: str, found: moving.Moving, destination: str, redact: frozenset[str]) -> None:
    """Write an animation again as it is, without what is redacted."""
    _write(source, found, lambda seen: seen, destination, redact, 1.0)


def references(found: moving.Moving) -> bytes:
    """What is kept of an animation to compare copies with, that may show any of its frames: evenly spread ones, small."""
    return media.reference_frames(list(moving.some(found, KEPT)))


def _write(
    source: str, found: moving.Moving, change: Callable[[Rgb], Rgb], destination: str, redact: frozenset[str], fineness: float
) -> None:
    with writing(destination), media_errors(source):
        media.change_animation(Path(source), found, change, Path(destination), redact=redact, fineness=fineness)


def _strength(picture: Rgb, embed: Embed) -> float:
    """What the content of the most telling frame asks for: one strength for all, or a still background would flicker."""
    change = embed(picture, None).astype(np.float32) - picture
    return max(0.5, float(np.sqrt((change.mean(axis=2) ** 2).mean())))


def _holds(destination: str, reads: Reads) -> bool:
    """Whether the mark is read from frames here and there, all that show something."""
    with media_errors(destination):
        made = media.animation(Path(destination))
        assert made is not None
        frames = [seen for seen in moving.some(made, _CHECKED) if seen.std() >= moving.TELLING] or [moving.poster(made)]
    return all(reads(seen) for seen in frames)
