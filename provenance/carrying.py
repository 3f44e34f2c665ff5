"""Make a file ready for its claim: mark what can be marked, keep small copies of what cannot be kept whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from provenance import hearing, tasks, viewing
from provenance.credential import SoftBinding
from provenance.desk import Studio
from provenance.errors import UnmarkableError, UnsupportedMediaError
from provenance.progress import Watch, told
from provenance.running import MarkedRun, MarkJob, why_unmarked
from provenance.soft_binding import binding
from watermark import engines
from watermark.errors import CarrierTooSmallError
from watermark.media import MARKABLE
from watermark.sound_files import WRITABLE as SOUNDS
from watermark.video_files import WRITABLE as FILMS

AUTO, NONE = "auto", "none"
_PATIENCE = 300.0
"""Seconds that a picture may take: an animation has hundreds of frames to be marked and coded."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which mark a file is to carry, and how.

    Attributes:
        mark: "auto" marks what can be marked, "none" leaves the content alone, an algorithm's name insists.
        redact: Metadata to leave out of a re-encoded picture: "gps".
        strength: RMS luma change in 8-bit code values; None lets the content decide.
        crf: Constant rate factor of a film that is marked, 0–51; None for visually lossless.
    """

    mark: str = AUTO
    redact: frozenset[str] = frozenset()
    strength: float | None = None
    crf: int | None = None


@dataclass(frozen=True, slots=True)
class Carrier:
    """A file ready for its claim: marked or not, with the small copies kept of it."""

    path: Path
    media_type: str
    binding: SoftBinding | None
    marked_now: bool
    view: tasks.Prepared | None  # None: nothing is kept of it
    notes: tuple[str, ...] = ()
    also: tuple[SoftBinding, ...] = ()  # the same id under other algorithms: in the sound of a film, in its stills

    @property
    def bindings(self) -> tuple[SoftBinding, ...]:
        return (self.binding, *self.also) if self.binding else ()

    @property
    def thumbnail(self) -> bytes | None:
        return self.view.thumbnail if self.view else None


def carry(source: Path, media_type: str, wanted: Wanted, scratch: Path, studio: Studio, progress: Watch | None = None) -> Carrier:
    """Put the mark in, where one can be put in; redaction alone re-encodes too.

    Args:
        scratch: Where files grow (`finishing.placing`).
        progress: Told now and then how far the marking of a sound or a film is.
    Raises:
        UnsupportedMediaError: what was insisted on is not possible for this kind.
        CarrierTooSmallError, UnmarkableError: a mark was insisted on, and it holds none.
    """
    if media_type in SOUNDS:
        return _carry_running(source, media_type, wanted, _SOUND, scratch, studio, progress)
    if media_type in FILMS:
        return _carry_running(source, media_type, wanted, _FILM, scratch, studio, progress)
    if media_type in MARKABLE:
        return _carry_picture(source, media_type, wanted, scratch, studio)
    if wanted.mark not in (AUTO, NONE):
        raise UnsupportedMediaError(str(source), f"{media_type} cannot be marked yet")
    if wanted.redact:
        raise UnsupportedMediaError(str(source), f"nothing can be redacted from {media_type} yet")
    notes = (f"{media_type} is signed without a mark for now",) if wanted.mark != NONE else ()
    return Carrier(source, media_type, None, False, None, notes)


def _carry_picture(source: Path, media_type: str, wanted: Wanted, scratch: Path, studio: Studio) -> Carrier:
    if wanted.mark == NONE and not wanted.redact:
        return Carrier(source, media_type, None, False, _view(source, studio))
    alg = engines.default("image").alg if wanted.mark in (AUTO, NONE) else wanted.mark
    job = tasks.MarkJob(
        source=str(source),
        destination=str(scratch.with_suffix(".marked")),
        alg=alg,
        mark_id=studio.new_mark_id() if wanted.mark != NONE else None,
        key=studio.mark_key,
        strength=wanted.strength,
        redact=wanted.redact,
    )
    notes = tuple[str, ...]()
    try:
        view = studio.desk.workers.start_within(_PATIENCE, tasks.prepare, job).result()
    except (CarrierTooSmallError, UnmarkableError) as error:
        if wanted.mark != AUTO:
            raise
        why = error.why if isinstance(error, UnmarkableError) else str(error)
        notes = (f"no mark: {why}",)
        job = replace(job, mark_id=None)
        if not wanted.redact:
            return Carrier(source, media_type, None, False, _view(source, studio), notes)
        view = studio.desk.workers.start_within(_PATIENCE, tasks.prepare, job).result()
    bound = binding(alg, job.mark_id) if job.mark_id is not None else None
    return Carrier(Path(job.destination), media_type, bound, bound is not None, view, (*notes, *view.notes))


@dataclass(frozen=True, slots=True)
class _Running:
    """A medium that runs in time: what its workers do, and the seconds that they may take for a length in ms."""

    medium: str
    prepare: Callable[[MarkJob], MarkedRun]
    view: Callable[[str], tasks.Prepared]
    patience: Callable[[int | None], float]


_SOUND = _Running("audio", hearing.prepare_sound, hearing.hear, hearing.patience)
_FILM = _Running("video", viewing.prepare_film, viewing.view, partial(viewing.time_for, encoding=True))


def _carry_running(
    source: Path, media_type: str, wanted: Wanted, kind: _Running, scratch: Path, studio: Studio, progress: Watch | None
) -> Carrier:
    """The same for sound and film; what is too short to hold a mark is signed without, and says so."""
    if wanted.redact:
        raise UnsupportedMediaError(str(source), f"nothing can be redacted from {media_type} yet")
    alg = engines.default(kind.medium).alg
    if wanted.mark not in (AUTO, NONE, alg):
        raise UnsupportedMediaError(str(source), f"{media_type} cannot hold a mark {wanted.mark}")
    workers, notes = studio.desk.workers, tuple[str, ...]()
    seconds = kind.patience(workers.run(tasks.dimensions, str(source))[2])
    if wanted.mark != NONE:
        marked, so_far = scratch.with_suffix(".marked"), scratch.with_suffix(".told")
        job = MarkJob(
            source=str(source),
            destination=str(marked),
            mark_id=studio.new_mark_id(),
            key=studio.mark_key,
            strength=wanted.strength,
            crf=wanted.crf,
            progress=str(so_far),
        )
        try:
            run = workers.start_within(seconds, kind.prepare, job).result(_watching(so_far, progress))
            also = tuple(binding(engines.default(medium).alg, job.mark_id) for medium in run.also)
            return Carrier(marked, media_type, binding(alg, job.mark_id), True, run.view, run.view.notes, also)
        except (CarrierTooSmallError, UnmarkableError, UnsupportedMediaError) as error:
            if wanted.mark != AUTO:
                raise
            notes = (why_unmarked(error),)
    view = workers.start_within(seconds, kind.view, str(source)).result()
    return Carrier(source, media_type, None, False, view, notes)


def _watching(so_far: Path, progress: Watch | None) -> Callable[[], None] | None:
    """What to do while waiting: pass on what the worker wrote down."""
    if progress is None:
        return None

    def look() -> None:
        if found := told(so_far):
            progress(found)

    return look


def _view(source: Path, studio: Studio) -> tasks.Prepared:
    return studio.desk.workers.run(tasks.view, str(source))
