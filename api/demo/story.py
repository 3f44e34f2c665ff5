"""The story, step by step: what is done to photos, a recording and a film, and what `verify` says of it then.

Nothing here decides what a step shows: each status, sentence and picture is what verification returned. A step only
knows which statuses the story expects, so that a run in which the house does not do its work ends as a failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
from PIL import Image

from api.demo import films, sounds
from api.demo.cast import Cast
from api.demo.pictures import (
    AMPLIFIED,
    as_on_a_platform,
    difference,
    jpeg,
    small,
    upright,
    with_another_face,
    with_copied_mark,
)
from api.wiring import House
from provenance.capture import SignRequest, sign
from provenance.finishing import Signed
from provenance.verdict import Status
from provenance.verify import Pictures, Verification, verify


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture of a step: a small JPEG and what it is of."""

    caption: str
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class Step:
    """One turn of the story.

    Attributes:
        title: What was done, in few words.
        done: The same in a sentence.
        file: The file that was verified.
        verification: What came out.
        expected: The statuses that keep the story's promise.
        figures: In the order in which they are looked at.
    """

    title: str
    done: str
    file: Path
    verification: Verification
    expected: frozenset[Status]
    figures: tuple[Figure, ...]

    @property
    def status(self) -> Status:
        return self.verification.verdict.status

    @property
    def as_told(self) -> bool:
        return self.status in self.expected


def tell(house: House, cast: Cast, folder: Path, *, clock: Callable[[], datetime]) -> Iterator[Step]:
    """Play the story in a folder, yielding each step as it ends.

    Raises:
        ProvenanceError, KeysError, WatermarkError: a step could not be done at all.
    """

    def look(title: str, done: str, file: Path, *expected: Status) -> Step:
        found = verify(file, house.desk, at=clock(), pictures=True)
        return Step(title, done, file, found, frozenset(expected), tuple(_figures(found.pictures)))

    still, portrait, stranger, bystander = (
        upright(path.read_bytes()) for path in (cast.still, cast.portrait, cast.stranger, cast.bystander)
    )

    signed = sign(SignRequest(source=cast.still, destination=folder / "signed.jpg"), house.studio(), at=clock())
    first = look("marked and signed", _how_signed(signed), signed.path, Status.TRUSTED, Status.VALID)
    yield replace(first, figures=_before_and_after(still, upright(signed.path.read_bytes())))

    shared = folder / "shared.jpg"
    shared.write_bytes(as_on_a_platform(signed.path.read_bytes()))
    side = max(upright(shared.read_bytes()).size)
    done = f"As a platform would: resized to {side} pixels, JPEG at quality 75, all metadata stripped."
    yield look("shared on a platform", done, shared, Status.RECOVERED)

    sitter = sign(SignRequest(source=cast.portrait, destination=folder / "portrait.png"), house.studio(), at=clock())
    marked = upright(sitter.path.read_bytes())
    forged = folder / "forged.jpg"
    forged.write_bytes(as_on_a_platform(jpeg(with_another_face(marked, stranger, cast.eyes, cast.other), 90)))
    done = "A portrait, marked and signed like the first photo, was given another face, then shared on the platform."
    yield look("another face pasted in", done, forged, Status.ALTERED)

    unmarked = folder / "unmarked.jpg"
    unmarked.write_bytes(as_on_a_platform(cast.bystander.read_bytes()))
    done = "A photo that was never marked and never signed went through the same platform."
    yield look("a photo nobody signed", done, unmarked, Status.NONE)

    copied = folder / "copied-mark.jpg"
    copied.write_bytes(jpeg(with_copied_mark(portrait, marked, bystander), 92))
    done = "Somebody who had the portrait before and after lifted the mark off it and laid it over that photo."
    yield look("a mark copied onto it", done, copied, Status.CONFLICT)

    yield from _heard(house, cast, folder, clock)
    yield from _seen(house, cast, folder, clock)


def _heard(house: House, cast: Cast, folder: Path, clock: Callable[[], datetime]) -> Iterator[Step]:
    """The same with sound: a voice note that leads back, and one that says something else."""

    def listen(title: str, done: str, file: Path, expected: Status) -> Step:
        found = verify(file, house.desk, at=clock())
        legend = "the sound; under it, in green, where the mark runs" + ("; framed: changed" if found.verdict.changes else "")
        picture = Figure(legend, sounds.timeline(*sounds.read(file), found.verdict))
        return Step(title, done, file, found, frozenset({expected}), (picture,))

    signed = sign(SignRequest(source=cast.speech, destination=folder / "speech.flac"), house.studio(), at=clock())
    speech, rate = sounds.read(signed.path)
    note = folder / "voice-note.ogg"
    sounds.send_voice_note(speech, rate, note)
    done = f"A speech, marked and signed, was sent as a voice note: mono, Opus at {sounds.VOICE_KBPS} kbit/s, no metadata."
    yield listen("a speech as a voice note", done, note, Status.RECOVERED)

    reordered = folder / "other-words.ogg"
    sounds.send_voice_note(sounds.with_other_words(speech, rate, cast.words), rate, reordered)
    done = "Words from its end were put over words from its middle, in the speaker's own voice, and it was sent again."
    yield listen("its words in another order", done, reordered, Status.ALTERED)


def _seen(house: House, cast: Cast, folder: Path, clock: Callable[[], datetime]) -> Iterator[Step]:
    """The same with a film: a platform's copy that leads back, and one into which another scene was cut."""

    def watch(title: str, done: str, file: Path, expected: Status) -> Step:
        found = verify(file, house.desk, at=clock())
        legend = "the film; under it, in green, where the mark runs" + ("; framed: changed" if found.verdict.changes else "")
        return Step(title, done, file, found, frozenset({expected}), (Figure(legend, films.timeline(file, found.verdict)),))

    signed = sign(SignRequest(source=cast.film, destination=folder / "film.mp4"), house.studio(), at=clock())
    uploaded = folder / "film-shared.mp4"
    films.send_to_platform(signed.path, uploaded)
    again = f"H.264 at CRF {films.CRF}, AAC at {films.KBPS} kbit/s"
    done = f"A film, marked in picture and sound and signed, was uploaded: {again}, no metadata."
    yield watch("a film on a platform", done, uploaded, Status.RECOVERED)

    cut_in = folder / "other-scene.mp4"
    start, end = cast.replaced
    films.send_to_platform(signed.path, cut_in, films.Scene(start, end, np.asarray(upright(cast.bystander.read_bytes()))))
    done = f"Another scene was put over {end - start:g} seconds of it, the sound was left, and it was uploaded again."
    yield watch("another scene cut in", done, cut_in, Status.ALTERED)


def _before_and_after(before: Image.Image, after: Image.Image) -> tuple[Figure, ...]:
    added = small(difference(before, after))
    return (
        Figure("before", small(before)),
        Figure("after", small(after)),
        Figure(f"what the mark added, {AMPLIFIED} times as strong", added),
    )


def _figures(pictures: Pictures) -> Iterator[Figure]:
    if pictures.copy:
        yield Figure("the file", pictures.copy)
    if pictures.reference:
        yield Figure("the registered picture", pictures.reference)
    if pictures.changes:
        yield Figure("where they differ", pictures.changes)


def _how_signed(signed: Signed) -> str:
    mark = "an invisible mark was embedded, then the photo" if signed.binding else "the photo"
    stamp = {"trusted": "and time-stamped", "queued": "with its time stamp still to come"}
    return f"As a camera would: {mark} was signed {stamp.get(signed.time_state, 'without a time stamp')}."
