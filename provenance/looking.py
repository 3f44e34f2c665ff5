"""Looking for marks in a file, in a killable worker, and what the answer comes to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from provenance import hearing, tasks, viewing
from provenance.credential import SoftBinding
from provenance.desk import Desk
from provenance.errors import BudgetError, DamagedMediaError, UnsupportedMediaError
from provenance.isolation import Pending
from provenance.marks import MarkReading, OwnedMark
from provenance.soft_binding import binding
from provenance.verdict import SpanFacts
from watermark.detection import Detection
from watermark.film import VideoDetection
from watermark.media import MARKABLE
from watermark.sound.detection import AudioDetection
from watermark.sound_files import READABLE as AUDIBLE
from watermark.video_files import WRITABLE as FILMS

Facts = tasks.PixelFacts | hearing.SoundFacts | viewing.FilmFacts
"""What the content of a file said."""

Looking = Pending[tasks.PixelFacts] | Pending[hearing.SoundFacts] | Pending[viewing.FilmFacts | hearing.SoundFacts]


def look(name: str, media_type: str | None, desk: Desk) -> Looking | None:
    """Begin to look for marks in a file; None for a medium that has none to look for."""
    if media_type in MARKABLE:
        return desk.workers.start(tasks.read_pixels, name, desk.mark_keys)
    if media_type in FILMS:
        duration_ms = desk.workers.run(tasks.dimensions, name)[2]
        return desk.workers.start_within(viewing.time_for(duration_ms), viewing.read_film, name, desk.mark_keys)
    if media_type in AUDIBLE:
        duration_ms = desk.workers.run(tasks.dimensions, name)[2]
        return desk.workers.start_within(hearing.patience(duration_ms), hearing.read_sound, name, desk.mark_keys)
    return None


def read_mark(facts: Facts | None) -> MarkReading:
    """The first mark that was read, or that none was."""
    return MarkReading(looked=False) if facts is None else reading_of(facts.detection)


def reading_of(found: Detection) -> MarkReading:
    """What one detector's answer comes to."""
    if found.mark_id is None:
        return MarkReading(looked=True, too_short=isinstance(found, AudioDetection | VideoDetection) and found.too_short)
    read = MarkReading(True, binding(found.alg, found.mark_id), found.p_false, found.bit_errors)
    if not isinstance(found, AudioDetection | VideoDetection):
        return read
    spans = tuple(SpanFacts(s.start_s, s.end_s, s.marked) for s in found.spans)
    return replace(read, spans=spans, speed=found.speed if isinstance(found, AudioDetection) else None)


def other_marks(facts: Facts | None) -> tuple[OwnedMark, ...]:
    """Marks that were read under further keys; nobody asked yet whose they are."""
    return tuple(OwnedMark(reading_of(found)) for found in facts.others) if facts else ()


def carried(path: Path, media_type: str | None, desk: Desk) -> SoftBinding | None:
    """The mark that a file's content carries, as a claim would state it; what cannot be decoded carries none."""
    looking = look(str(path), media_type, desk)
    if looking is None:
        return None
    try:
        return read_mark(looking.result()).binding
    except (BudgetError, DamagedMediaError, UnsupportedMediaError):
        return None
