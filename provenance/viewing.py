"""What runs inside a killable worker for films: marking, looking, comparing. Values in, values out (see `tasks`)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from provenance import filmfit, soundfit
from provenance.errors import DamagedMediaError, UnmarkableError, UnsupportedMediaError
from provenance.filmfit import Reel
from provenance.fit.result import Agreement
from provenance.hearing import SoundFacts, hear, read_sound
from provenance.progress import tell
from provenance.running import MarkedRun, MarkJob
from provenance.tasks import Clock, Compared, Prepared, dimensions, media_errors, writing
from provenance.verdict import Change
from watermark import media, several, sound_files, video_files
from watermark.detection import Transform
from watermark.errors import MediaDecodeError, UnsupportedError
from watermark.film import VideoDetection
from watermark.sound.detection import AudioDetection
from watermark.video.embed import STRENGTH
from watermark.video.frames import evenly, length_s, picture
from watermark.video.opened import NO_FILM

_THUMBNAIL_SIDE = 256
# How much stronger than asked a mark may be made so that it can be read back; the first strength that does is taken.
_FIRMER = (1.0, 1.5)
_SURE = 1e-15
_ENCODING_MOST_S, _LOOKING_MOST_S = 4 * 3600.0, 900.0


@dataclass(frozen=True, slots=True)
class FilmFacts:
    """What a film says, picture first, then sound. Fields of `tasks.PixelFacts` that a film has none of are empty."""

    width: int | None
    height: int | None
    duration_ms: int | None
    detection: VideoDetection | AudioDetection
    codes: tuple[str, ...] = ()
    generator: None = None
    others: tuple[VideoDetection | AudioDetection, ...] = ()  # read under further keys


def read_film(path: str, keys: Sequence[bytes]) -> FilmFacts | SoundFacts:
    """Look for marks in a film's frames, then in its sound, and where in time they are.

    Raises:
        DamagedMediaError, UnsupportedMediaError: it cannot be decoded, or has neither film nor sound; or its film is of a kind
            that is not read here, and no mark was heard.
    """
    try:
        with media_errors(path):
            found = several.under_each_key(lambda some: video_files.detect_file(Path(path), some, locate=True), keys)
    except UnsupportedMediaError as error:
        sound = read_sound(path, keys)
        if sound.detection.found or error.why == NO_FILM:
            return sound
        raise  # there is a film, which nobody looked at
    width, height, duration = dimensions(path)
    if not found[0].found and (heard := _heard(path, keys)):
        return FilmFacts(width, height, duration, heard[0], others=heard[1:])
    return FilmFacts(width, height, duration, found[0], others=found[1:])


def _heard(path: str, keys: Sequence[bytes]) -> tuple[AudioDetection, ...]:
    """Marks in the sound of a film; none where there is no sound, or none in it."""
    try:
        heard = several.under_each_key(lambda some: sound_files.detect_file(Path(path), some, locate=True), keys)
    except (MediaDecodeError, UnsupportedError):
        return ()
    return heard if heard[0].found else ()


def prepare_film(job: MarkJob) -> MarkedRun:
    """Write a marked copy in the source's own container and read the mark back; the source is not touched.

    Raises:
        DamagedMediaError, UnsupportedMediaError: the source cannot be decoded, or is of a kind that is not written.
        CarrierTooSmallError: it is too short or too small to hold a mark (watermark.errors).
        UnmarkableError: it holds none that can be read back.
        OutputError: the copy cannot be written.
    """
    clock = Clock()
    source, destination = Path(job.source), Path(job.destination)
    for factor in _FIRMER:
        strength = job.strength if factor == 1.0 else (job.strength or STRENGTH) * factor
        with media_errors(job.source), writing(job.destination):
            written = video_files.mark_file(
                source,
                destination,
                job.mark_id,
                job.key,
                strength,
                crf=job.crf,
                progress=lambda so_far: tell(job.progress, so_far.share, so_far.speed),
            )
        clock.lap("mark")
        found = video_files.detect_file(destination, (job.key,))
        if found.mark_id == job.mark_id and found.p_false <= _SURE:
            break
    else:
        destination.unlink(missing_ok=True)
        raise UnmarkableError(job.source, "too short, too plain or coded too low to hold a mark that can be read back")
    sound = written.sounds > 0 and _hears(destination, job)
    clock.lap("read back")
    prepared = view_film(job.destination)
    clock.lap("reference")
    quality = f"encoded again with {written.encoder}, CRF {written.crf}"
    notes = (quality, *(f"left out, as this container cannot hold it: {track}" for track in written.left_out))
    # its frames are pictures, too
    return MarkedRun(replace(prepared, steps_ms=clock.laps, notes=notes), ("image", "audio") if sound else ("image",))


def _hears(path: Path, job: MarkJob) -> bool:
    """Whether the sound carries the id; music that is too soft or too short does not keep a film from being marked."""
    try:
        return sound_files.detect_file(path, (job.key,)).mark_id == job.mark_id
    except (MediaDecodeError, UnsupportedError):
        return False


def view_film(path: str) -> Prepared:
    """What is kept of a film that is signed as it is.

    Raises:
        DamagedMediaError, UnsupportedMediaError: it cannot be decoded.
    """
    with media_errors(path):
        length = length_s(Path(path))
        step = max(1 / filmfit.PER_SECOND, length / filmfit.MOST)
        with closing(evenly(Path(path), 1 / step)) as frames:
            try:
                reel = Reel.of(frames, step, _sound(path))
            except ValueError as error:
                raise MediaDecodeError(path, str(error)) from error
    return Prepared(
        width=reel.width,
        height=reel.height,
        thumbnail=thumbnail(path, length / 3),
        reference=reel.to_bytes(),
        code=None,
        steps_ms={},
        reference_media_type=filmfit.MEDIA_TYPE,
        duration_ms=dimensions(path)[2] or round(1000 * reel.seconds),
    )


def view(path: str) -> Prepared:
    """The same, also of sound alone in a container for films."""
    try:
        return view_film(path)
    except UnsupportedMediaError:
        return hear(path)


def _sound(path: str) -> bytes:
    try:
        return soundfit.of_file(Path(path)).to_bytes()
    except (MediaDecodeError, UnsupportedError):
        return b""


def thumbnail(path: str, at_s: float) -> bytes:
    """A frame from near a time: a credential shows what it is about."""
    return media.thumbnail(picture(Path(path), at_s), max_side=_THUMBNAIL_SIDE)


def compare_film(path: str, reference: bytes, where: Transform | None, *, kind: str) -> Compared:
    """Measure how well a file agrees with a stored reel.

    Args:
        where: How the mark lies in the copy, where one was read.
        kind: "film", "still" for a picture that was taken out, "sound" for a file without frames.
    """
    try:
        reel = Reel.from_bytes(reference)
    except ValueError as error:
        raise DamagedMediaError("stored reference", str(error)) from error
    if kind == "sound":
        return _compare_sound(path, reel)
    with media_errors(path):
        found = _fit(path, reel, where, still=kind == "still")
    return _compared(
        str(found.agreement),
        found.score,
        found.coverage,
        found.kept,
        tuple(Change(0.0, 0.0, 1.0, 1.0, c.score, "replaced", c.start_s, c.end_s) for c in found.changes),
    )


def _fit(path: str, reel: Reel, where: Transform | None, *, still: bool) -> filmfit.FilmFit:
    """Lay the copy where its mark says; where nothing agrees there, in less special ways: what agrees then is no accident.

    A weak reading can be right about the id and wrong about a bend or the place.
    """
    found = _fit_laid(path, reel, where, still=still)
    if where is None or found.agreement in (Agreement.FITS, Agreement.CHANGED):
        return found
    for way in [replace(where, homography=None), None] if where.homography else [None]:
        plainer = _fit_laid(path, reel, way, still=still)
        if plainer.agreement is Agreement.FITS:
            return plainer
    return found


def _fit_laid(path: str, reel: Reel, where: Transform | None, *, still: bool) -> filmfit.FilmFit:
    if still:
        rgb = media.load_rgb8(Path(path))
        frames = filmfit.still(np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8))
        return filmfit.measure(filmfit.sights(frames, reel, where), reel)
    rate = min(filmfit.PER_SECOND, filmfit.MOST / max(length_s(Path(path)), 1e-3))
    with closing(evenly(Path(path), rate, hasty=True)) as seen:
        return filmfit.measure(filmfit.sights(seen, reel, where), reel)


def _compare_sound(path: str, reel: Reel) -> Compared:
    if not reel.sound:
        return _compared(str(Agreement.UNDECIDED), 0.0, 0.0, 0.0, ())
    with media_errors(path):
        heard = soundfit.of_file(Path(path))
    found = soundfit.measure(heard, soundfit.Envelope.from_bytes(reel.sound))
    changes = tuple(Change(0.0, 0.0, 1.0, 1.0, c.score, c.kind, c.start_s, c.end_s) for c in found.changes)
    return _compared(str(found.agreement), found.score, found.coverage, found.kept, changes)


def _compared(agreement: str, score: float, coverage: float, kept: float, changes: tuple[Change, ...]) -> Compared:
    return Compared(agreement, score, coverage, kept, False, 0.0, 0.0, False, changes)


def time_for(length_ms: int | None, *, encoding: bool = False) -> float:
    """Seconds that work on a film may take, whatever length its header claims.

    Args:
        encoding: Whether every frame is marked and encoded, which may be twenty times slower than the film runs.
    """
    length_s = (length_ms or 0) / 1000
    return 60 + min(20 * length_s, _ENCODING_MOST_S) if encoding else 60 + min(length_s / 5, _LOOKING_MOST_S)
