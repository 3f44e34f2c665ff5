"""Lay a copy on a stored reference, and draw what a person is shown."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageSequence

from provenance import fit as fitting
from provenance.errors import DamagedMediaError
from provenance.tasks.choosing import best_of
from provenance.tasks.rim import PICTURE_SIDE, Rgb, load
from provenance.verdict import Change, Part
from watermark import media


@dataclass(frozen=True, slots=True)
class Compared:
    """A copy laid on the reference of a registered asset; a sound has neither pose nor pictures."""

    agreement: str
    score: float
    coverage: float  # share of the copy that the reference covers
    kept: float  # share of the reference that the copy shows
    aligned: bool
    scale: float
    rotation_deg: float
    flipped: bool
    changes: tuple[Change, ...]
    copy: bytes | None = None
    reference: bytes | None = None
    picture: bytes | None = None
    laid: bytes | None = None  # the reference as it lies in the copy
    beside: tuple[Part, ...] = ()  # what of the copy is not the reference


def compare(
    path: str,
    reference: bytes,
    full_size: tuple[int, int],
    hint: tuple[float, float, float, float] | None,
    pictures: bool,
) -> Compared:
    """Measure how well a file's content agrees with a stored reference."""
    copy, frames = load(path), _decode_reference(reference)
    stored, measured = best_of(copy, frames, full_size, fitting.Hint(hint) if hint else None)
    shots: tuple[bytes | None, bytes | None, bytes | None, bytes | None] = (None, None, None, None)
    if pictures:
        drawn = _shot(fitting.picture(copy, measured, max_side=PICTURE_SIDE)) if measured.changes else None
        laid = _shot(fitting.laid(copy, stored, measured, max_side=PICTURE_SIDE)) if measured.pose is not None else None
        shots = (_shot(copy), _shot(stored), drawn, laid)
    return Compared(
        str(fitting.classify(measured)),
        measured.score,
        measured.coverage,
        measured.kept,
        measured.aligned,
        measured.scale,
        measured.rotation_deg,
        measured.flipped,
        tuple(Change(c.x, c.y, c.w, c.h, c.score, str(c.kind)) for c in measured.changes),
        *shots,
        beside=fitting.beside(measured, stored.shape, copy.shape),
    )


def picture_of(path: str) -> bytes:
    """A small JPEG of a still picture, upright, in sRGB."""
    return _shot(load(path))


def _shot(rgb: Rgb) -> bytes:
    return media.thumbnail(rgb, max_side=PICTURE_SIDE)


def _decode_reference(data: bytes) -> list[Rgb]:
    """The frames of a reference, mostly one: our own encoding, checked against its digest when it was fetched."""
    try:
        with Image.open(io.BytesIO(data)) as opened:
            return [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(opened)]
    except (OSError, SyntaxError, ValueError) as error:
        raise DamagedMediaError("stored reference", "cannot be decoded") from error
