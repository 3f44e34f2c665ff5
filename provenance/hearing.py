"""What runs inside a killable worker for sound: marking, listening, comparing. Values in, values out (see `tasks`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from provenance import soundfit
from provenance.errors import DamagedMediaError, UnmarkableError
from provenance.progress import tell
from provenance.running import MarkedRun, MarkJob
from provenance.tasks import Clock, Compared, Prepared, dimensions, media_errors, writing
from provenance.verdict import Change
from watermark import several, sound_files
from watermark.audio import AudioDetection

# How much stronger than asked a mark may be made so that it can be read back; the first strength that does is taken.
_FIRMER = (1.0, 1.4, 2.0)
_DEFAULT_DB = 0.85
_SHORT_S = 10.0
_SEARCHED_S = 600.0  # of all keys together: a full search runs at some forty times real time
_MOST_S = 900.0


@dataclass(frozen=True, slots=True)
class SoundFacts:
    """What a file's sound says. The fields of `tasks.PixelFacts` that a sound has none of are there, and empty."""

    duration_ms: int | None
    detection: AudioDetection
    width: None = None
    height: None = None
    codes: tuple[str, ...] = ()
    generator: None = None
    others: tuple[AudioDetection, ...] = ()  # read under further keys


def patience(duration_ms: int | None) -> float:
    """Seconds that work on a recording may take: a minute, and one for each twenty of its own, up to a quarter of an hour."""
    return min(60 + (duration_ms or 0) / 20_000, _MOST_S)


def read_sound(path: str, keys: Sequence[bytes]) -> SoundFacts:
    """Look for a mark in the first sound track of a file, and where in time it is.

    Raises:
        DamagedMediaError, UnsupportedMediaError: it cannot be decoded, or has no sound.
    """
    with media_errors(path):
        detection, *others = several.under_each_key(
            lambda some: sound_files.detect_file(Path(path), some, locate=True, search_s=_SEARCHED_S / max(1, len(keys))), keys
        )
    return SoundFacts(dimensions(path)[2], detection, others=tuple(others))


def compare_sound(path: str, reference: bytes, speed: float | None) -> Compared:
    """Measure how well a file's sound agrees with a stored reference.

    Args:
        speed: At which the mark says that the copy runs; None where there is none.
    """
    try:
        stored = soundfit.Envelope.from_bytes(reference)
    except ValueError as error:
        raise DamagedMediaError("stored reference", str(error)) from error
    with media_errors(path):
        heard = soundfit.of_file(Path(path))
    found = soundfit.measure(heard, stored, speed=speed or 1.0)
    return Compared(
        str(found.agreement),
        found.score,
        found.coverage,
        found.kept,
        aligned=False,  # that is: there is no pose to tell of
        scale=0.0,
        rotation_deg=0.0,
        flipped=False,
        changes=tuple(Change(0.0, 0.0, 1.0, 1.0, c.score, c.kind, c.start_s, c.end_s) for c in found.changes),
    )


def prepare_sound(job: MarkJob) -> MarkedRun:
    """Write a marked copy in the source's own format and read the mark back; the source is not touched.

    Raises:
        DamagedMediaError, UnsupportedMediaError: the source cannot be decoded, or is of a kind that is not written.
        CarrierTooSmallError: it is too short to hold a mark (watermark.errors).
        UnmarkableError: it holds none that can be read back.
        OutputError: the copy cannot be written.
    """
    clock = Clock()
    source, destination = Path(job.source), Path(job.destination)
    for factor in _FIRMER:
        strength = None if job.strength is None and factor == 1.0 else (job.strength or _DEFAULT_DB) * factor
        with media_errors(job.source), writing(job.destination):
            sound_files.mark_file(source, destination, job.mark_id, job.key, strength, partial(tell, job.progress))
        clock.lap("mark")
        found = sound_files.detect_file(destination, (job.key,))
        if found.mark_id == job.mark_id:
            break
    else:
        destination.unlink(missing_ok=True)
        raise UnmarkableError(job.source, "too short, too even or coded too low to hold a mark that can be read back")
    clock.lap("read back")
    prepared = hear(job.destination)
    clock.lap("reference")
    return MarkedRun(replace(prepared, steps_ms=clock.laps, notes=_note_on_length(prepared.duration_ms)))


def hear(path: str) -> Prepared:
    """What is kept of a sound that is signed as it is.

    Raises:
        DamagedMediaError, UnsupportedMediaError: it cannot be decoded, or is cut off.
    """
    with media_errors(path):
        envelope = soundfit.of_file(Path(path))
        sound_files.check_whole(Path(path), envelope.seconds)
    return Prepared(
        width=None,
        height=None,
        thumbnail=None,
        reference=envelope.to_bytes(),
        code=None,
        steps_ms={},
        reference_media_type=soundfit.MEDIA_TYPE,
        duration_ms=dimensions(path)[2] or round(envelope.seconds * 1000),
    )


def _note_on_length(duration_ms: int | None) -> tuple[str, ...]:
    """What must be said of a mark in very little sound."""
    if duration_ms is None or duration_ms >= 1000 * _SHORT_S:
        return ()
    return (f"only {duration_ms / 1000:.1f} s: the mark may not live through strong compression",)
