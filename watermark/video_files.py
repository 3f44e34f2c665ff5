"""Film files: the mark written into MP4, MOV, MKV and WebM, picture and sound, and read from those, AVI, GIF and more.

Streams at constant memory. The new file is written beside its place and renamed into it; the source is never touched.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from watermark.errors import CarrierTooSmallError, MediaDecodeError, UnsupportedError
from watermark.video.detect import detect
from watermark.video.detection import VideoDetection
from watermark.video.encoding import CRF_LEAST, CRF_MOST
from watermark.video.frames import chosen, evenly, length_s
from watermark.video.layout import LEAST_S
from watermark.video.opened import film_streams, opened
from watermark.video.priority import kept_priority
from watermark.video.spans import spans
from watermark.video.tracks import Copied, Film, Sound, Track

WRITABLE = frozenset({"video/mp4", "video/quicktime", "video/x-m4v", "video/webm", "video/x-matroska"})
"""Media types that `mark_file` writes."""
READABLE = WRITABLE | frozenset({"video/x-msvideo", "video/ogg", "image/gif"})
"""Media types in which `detect_file` looks."""
SPANS_PER_S = 4.0
FOLLOWED = 1_200
"""Frames at most that are looked at for spans; never fewer than one a second."""

_CONTAINERS = {"mov": "mov", "qt": "mov", "mp4": "mp4", "m4v": "mp4", "webm": "webm", "matroska": "matroska"}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long piece of work is.

    Attributes:
        share: Done, 0–1; 0 where the length is unknown.
        seconds: Of film done so far.
        speed: Seconds of film per second of time.
        left_s: Time that the rest will take; None where the length is unknown.
    """

    share: float
    seconds: float
    speed: float
    left_s: float | None


@dataclass(frozen=True, slots=True)
class Marked:
    """What was written.

    Attributes:
        films: How many film tracks carry the mark.
        sounds: How many sound tracks carry it.
        copied: How many tracks were copied as they were.
        left_out: Tracks that the container cannot take, in words.
        encoder: FFmpeg's name of the encoder of the largest film.
        crf: Its constant rate factor.
    """

    films: int
    sounds: int
    copied: int
    left_out: tuple[str, ...]
    encoder: str
    crf: int


def mark_file(
    src: Path,
    dst: Path,
    mark_id: int,
    key: bytes,
    strength: float | None = None,
    *,
    sound: bool = True,
    crf: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Marked:
    """Write a marked copy of a film in the source's own container.

    Kept: codec (H.264, H.265, VP9 and AV1; others become H.264), size, time stamps, rotation, colour tags, depth, chapters, tags,
    and every other track as it is.

    Args:
        src: MP4, MOV, M4V, MKV or WebM; left unchanged.
        dst: Where the copy goes; replaced if it exists, in one step, when everything is written.
        mark_id: 0 ≤ id < 2⁶⁴; the same goes into picture and sound.
        key: At least 16 bytes; the same is needed to detect.
        strength: RMS change of luma in 8-bit code values; None for the default.
        sound: Whether to mark sound tracks, too, which encodes them again.
        crf: Constant rate factor of the film, 0–51; None for visually lossless.
        progress: Told now and then.
    Raises:
        MediaDecodeError: the file does not decode.
        UnsupportedError: another container, no film in it, or a kind of film that is not written here.
        CarrierTooSmallError: less than half a second, or fewer than 64 pixels on the short side.
        OSError: the file cannot be read, or the copy not be written.
        ValueError: id, key, strength or constant rate factor out of range.
    """
    if crf is not None and not CRF_LEAST <= crf <= CRF_MOST:
        raise ValueError(f"a constant rate factor is {CRF_LEAST}–{CRF_MOST}, not {crf}")
    handle, name = tempfile.mkstemp(dir=dst.parent, prefix=f".{dst.name}.", suffix=".part")
    os.close(handle)
    part = Path(name)
    try:
        marked = _write(src, part, _Wanted(mark_id, key, strength, sound, crf), progress)
        shutil.copymode(src, part)
        part.replace(dst)
    finally:
        part.unlink(missing_ok=True)
    return marked


def detect_file(path: Path, keys: Sequence[bytes], *, locate: bool = False) -> VideoDetection:
    """Look for a mark in the largest film of a file; reading stops when one is found.

    Args:
        path: MP4, MOV, MKV, WebM, AVI, GIF, OGV.
        keys: Tried in order.
        locate: Read it all once more, and give the spans that carry the mark.
    Raises:
        MediaDecodeError: the file does not decode.
        UnsupportedError: no film in it.
    """
    length = length_s(path)
    with closing(chosen(path)) as frames:
        seen = _Seen()
        found = detect(seen.through(frames), keys)
    length = length or seen.last_s
    if seen.count == 0:
        raise MediaDecodeError(str(path), "no frame of it decodes")
    if seen.count == 1 and length < LEAST_S:
        length = 0.0
    found = replace(found, seen_s=round(length, 3))
    if not locate or found.key_index is None:
        return found
    rate = max(1.0, min(SPANS_PER_S, FOLLOWED / max(length, 1e-3)))
    with closing(evenly(path, rate, hasty=True)) as frames:
        return replace(found, spans=spans(frames, found, keys[found.key_index], length))


class _Seen:
    """Counts frames on their way."""

    def __init__(self) -> None:
        self.count, self.last_s = 0, 0.0

    def through(self, frames: Any) -> Any:
        for frame in frames:
            self.count += 1
            self.last_s = max(self.last_s, frame.time_s)
            yield frame


@dataclass(frozen=True, slots=True)
class _Wanted:
    mark_id: int
    key: bytes
    strength: float | None
    sound: bool
    crf: int | None


def _write(src: Path, part: Path, wanted: _Wanted, progress: Callable[[Progress], None] | None) -> Marked:
    with opened(src) as container:
        form = next((_CONTAINERS[name] for name in container.format.name.split(",") if name in _CONTAINERS), None)
        if form is None:
            raise UnsupportedError(str(src), "marks are written into MP4, MOV, MKV and WebM films only")
        if form == "mov" and "qt" not in container.metadata.get("major_brand", "qt"):
            form = "mp4"
        if form == "matroska" and src.suffix.lower() == ".webm":
            form = "webm"
        options = {"movflags": "+faststart+use_metadata_tags", "write_tmcd": "on"} if form in ("mov", "mp4") else {}
        with part.open("wb") as out, av.open(out, "w", format=form, options=options) as target:
            tracks, left_out = _tracks(container, target, form, src, wanted)
            target.metadata.update({k: v for k, v in container.metadata.items() if k not in _WRITTEN_ANEW})
            target.set_chapters(container.chapters())
            _pump(container, target, tracks, _Teller(progress, container.duration))
    films = [track for track in tracks.values() if isinstance(track, Film)]
    _check_length(films)
    return Marked(
        films=len(films),
        sounds=sum(isinstance(track, Sound) for track in tracks.values()),
        copied=sum(isinstance(track, Copied) for track in tracks.values()),
        left_out=left_out,
        encoder=films[0].encoder.name,
        crf=films[0].crf,
    )


_WRITTEN_ANEW = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder"})


def _tracks(container: Any, target: Any, form: str, src: Path, wanted: _Wanted) -> tuple[dict[int, Track], tuple[str, ...]]:
    """A handler for each track of the source, in their order."""
    films = {stream.index for stream in film_streams(container, src)}
    tracks: dict[int, Track] = {}
    left_out = []
    for stream in container.streams:
        if stream.codec_context is None and "timecode" in stream.metadata:
            continue  # written anew from the film's own tag
        try:
            if stream.index in films:
                tracks[stream.index] = Film(target, stream, form, wanted.mark_id, wanted.key, wanted.strength, wanted.crf)
            elif wanted.sound and Sound.takes(stream):
                tracks[stream.index] = Sound(target, stream, form, wanted.mark_id, wanted.key)
            else:
                tracks[stream.index] = Copied(target, stream)
        except (ValueError, av.error.FFmpegError) as error:
            if stream.index in films:
                raise
            left_out.append(f"track {stream.index} ({stream.type}): {error}")
    return tracks, tuple(left_out)


def _pump(container: Any, target: Any, tracks: dict[int, Track], teller: _Teller) -> None:
    """Carry every packet through its track's handler. Film frames come first once: the header needs their form."""
    waiting: list[Any] = []
    unready = [track for track in tracks.values() if isinstance(track, Film)]
    for packet in container.demux(*[s for s in container.streams if s.index in tracks]):
        track = tracks[packet.stream_index if packet.stream is None else packet.stream.index]
        if unready:
            if isinstance(track, Film):
                track.take(packet)
                unready = [film for film in unready if not film.ready]
            else:
                waiting.append(packet)
            if not unready:
                _flow(target, tracks, waiting)
            continue
        track.write(packet, target)
        teller.tell(packet)
    if unready:
        raise ValueError("a film track without a frame that decodes")
    for track in tracks.values():
        track.finish(target)


def _flow(target: Any, tracks: dict[int, Track], waiting: list[Any]) -> None:
    with kept_priority():
        target.start_encoding()
    for track in tracks.values():
        if isinstance(track, Film):
            track.catch_up(target)
    for packet in waiting:
        tracks[packet.stream.index].write(packet, target)


def _check_length(films: list[Film]) -> None:
    longest = max(film.seconds for film in films)
    if longest < LEAST_S:
        raise CarrierTooSmallError(round(1000 * longest), round(1000 * LEAST_S), "milliseconds of film")


class _Teller:
    """Tells how far the work is, no more than four times a second."""

    def __init__(self, progress: Callable[[Progress], None] | None, duration: int | None) -> None:
        self._progress = progress
        self._length = (duration or 0) / 1e6
        self._begun = self._told = time.monotonic()

    def tell(self, packet: Any) -> None:
        now = time.monotonic()
        if self._progress is None or now - self._told < 0.25 or packet.pts is None:
            return
        self._told = now
        done = float(packet.pts * Fraction(packet.time_base))
        speed = done / (now - self._begun)
        left = (self._length - done) / speed if self._length and speed > 0 else None
        share = min(1.0, done / self._length) if self._length else 0.0
        self._progress(Progress(share, done, speed, max(0.0, left) if left is not None else None))
