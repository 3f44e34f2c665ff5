"""Put a mark into a still picture, at the source's own quality, and make what is kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from provenance import fingerprint
from provenance.errors import UnmarkableError
from provenance.tasks.animating import mark_frames, references, rewrite
from provenance.tasks.rim import PICTURE_SIDE, Clock, Rgb, load, media_errors, writing
from watermark import engines, holding, imwatermark, media
from watermark.media import moving

_THUMBNAIL_SIDE = 256
# How much finer than the source a copy may be encoded so that its mark can be read; the first that does is taken.
_FINENESS = (1.0, 1.25, 1.5)
# Far below what a detector accepts: what is only just readable here would not live through a platform.
_SURE = 1e-30


@dataclass(frozen=True, slots=True)
class MarkJob:
    """A mark to be put into a still picture, or only its upright view to be taken (`mark_id` None)."""

    source: str
    destination: str
    alg: str
    mark_id: int | None
    key: bytes
    strength: float | None
    redact: frozenset[str]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A picture or a sound ready to be signed, and what is kept of it; what a sound has none of is None."""

    width: int | None
    height: int | None
    thumbnail: bytes | None
    reference: bytes
    code: str | None
    steps_ms: Mapping[str, float]
    reference_media_type: str = "image/webp"
    duration_ms: int | None = None
    notes: tuple[str, ...] = ()


def prepare(job: MarkJob) -> Prepared:
    """Decode, mark and encode again at the source's own quality, and read the mark back; the source is not touched.

    A coarse quantiser can round the mark away: then, and only then, the copy is encoded more finely than the source was.

    Raises:
        DamagedMediaError, UnsupportedMediaError: the source cannot be decoded.
        CarrierTooSmallError: it cannot hold a mark (watermark.errors).
        UnmarkableError: it holds none that can be read back.
        OutputError: the copy cannot be written.
    """
    clock = Clock()
    with media_errors(job.source):
        found = media.animation(Path(job.source))
        if found is not None:
            return _prepare_moving(found, job, clock)
        picture = media.decode(Path(job.source))
    before = media.rgb8(picture)
    clock.lap("decode")
    if job.mark_id is None:
        _encode(picture, picture.pixels, job, 1.0)
        after = before
    else:
        after = _engine(job.alg).embed(before, job.mark_id, key=job.key, strength=job.strength)
        clock.lap("mark")
        _encode_readably(picture, media.transfer(picture, before, after), job, job.mark_id)
    clock.lap("encode")
    prepared = _copies(after)
    clock.lap("reference")
    return replace(prepared, steps_ms=clock.laps, notes=_weaknesses(after, job))


def _prepare_moving(found: moving.Moving, job: MarkJob, clock: Clock) -> Prepared:
    """The same for an animation, whose poster stands for it."""
    mark_id = job.mark_id
    if mark_id is None:
        rewrite(job.source, found, job.destination, job.redact)
    else:
        engine = _engine(job.alg)

        def embed(picture: Rgb, strength: float | None) -> Rgb:
            ours = job.strength is None and job.alg == engines.default("image").alg
            wanted = strength if ours else job.strength
            return np.asarray(engine.embed(picture, mark_id, key=job.key, strength=wanted), np.uint8)

        mark_frames(job.source, found, job.destination, embed, lambda rgb: _surely_read(rgb, job, mark_id), job.redact)
    clock.lap("mark")
    with media_errors(job.destination):
        made = media.animation(Path(job.destination))
        assert made is not None
        poster = moving.poster(made)
        prepared = _moving_copies(made, poster)
    clock.lap("reference")
    return replace(prepared, steps_ms=clock.laps, notes=_weaknesses(poster, job))


def view(path: str) -> Prepared:
    """The small copies of a picture that is signed as it is; of one that moves, frames to compare with."""
    with media_errors(path):
        found = media.animation(Path(path))
        if found is not None:
            return _moving_copies(found, moving.poster(found))
    return _copies(load(path))


def _engine(alg: str) -> engines.Engine:
    """An engine by name; those of invisible-watermark mark where they are asked for, and are never looked for."""
    peers: list[engines.Engine] = []
    imwatermark.plug_in(peers.append)
    return next((peer for peer in peers if peer.alg == alg), None) or engines.get(alg)


def _weaknesses(marked: Rgb, job: MarkJob) -> tuple[str, ...]:
    """What the signer should know of a mark of ours that is not going to last."""
    if job.mark_id is None or job.alg != engines.default("image").alg:
        return ()
    lost = holding.lost_after(marked, job.mark_id, key=job.key)
    return (f"this picture cannot hold a mark that survives {' or '.join(lost)}",) if lost else ()


def _encode(picture: media.Picture, pixels: Any, job: MarkJob, fineness: float) -> None:
    with writing(job.destination):
        media.encode(picture, pixels, Path(job.destination), redact=job.redact, fineness=fineness)


def _encode_readably(picture: media.Picture, pixels: Any, job: MarkJob, mark_id: int) -> None:
    for fineness in _FINENESS:
        _encode(picture, pixels, job, fineness)
        if _surely_read(load(job.destination), job, mark_id):
            return
    raise UnmarkableError(job.source, "its quality is too low to hold a mark that can be read back")


def _surely_read(rgb: Rgb, job: MarkJob, mark_id: int) -> bool:
    read = _engine(job.alg).detect(rgb, keys=(job.key,))
    return read.mark_id == mark_id and (read.p_false <= _SURE or job.alg != engines.default("image").alg)


def _moving_copies(found: moving.Moving, poster: Rgb) -> Prepared:
    """Those of its poster; and of one that does move, frames to compare with."""
    prepared = _copies(poster)
    return prepared if len(found.parts) == 1 else replace(prepared, reference=references(found))


def _copies(rgb: Rgb) -> Prepared:
    """The small copies of a picture, all from one that is already small."""
    height, width = rgb.shape[:2]
    scale = PICTURE_SIDE / max(height, width)
    small = rgb
    if scale < 1:
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    thumbnail = media.thumbnail(small, max_side=_THUMBNAIL_SIDE)
    reference = media.reference(small, max_side=PICTURE_SIDE)
    return Prepared(width, height, thumbnail, reference, fingerprint.image_code(small), {})
