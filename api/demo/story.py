"""The story, step by step: what is done to a photo, and what `verify` says of it then.

Nothing here decides what a step shows: each status, sentence and picture is what verification returned. A step only
knows which statuses the story expects, so that a run in which the house does not do its work ends as a failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from PIL import Image

from api.demo.pictures import Oval, as_on_a_platform, jpeg, upright, with_another_head, with_copied_mark
from api.wiring import House
from provenance.capture import SignRequest, Signed, sign
from provenance.verdict import Status
from provenance.verify import Verification, verify


@dataclass(frozen=True, slots=True)
class Cast:
    """The bundled photos.

    Attributes:
        portrait: Signed and marked; `head` is where its head is.
        stranger: Another portrait, whose head is pasted; `other` is where that is.
        bystander: A photo that nobody ever signed.
    """

    portrait: Path
    head: Oval
    stranger: Path
    other: Oval
    bystander: Path


@dataclass(frozen=True, slots=True)
class Step:
    """One turn of the story.

    Attributes:
        name: Short, for the table.
        done: What was done to the file, one sentence.
        file: The file that was verified.
        verification: What came out.
        expected: The statuses that keep the story's promise.
    """

    name: str
    done: str
    file: Path
    verification: Verification
    expected: frozenset[Status]

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

    def look(name: str, done: str, file: Path, *expected: Status) -> Step:
        found = verify(file, house.desk, at=clock(), pictures=True)
        return Step(name, done, file, found, frozenset(expected))

    signed = _sign(house, cast.portrait, folder / "signed.jpg", clock())
    yield look("signed", _how_signed(signed), signed.path, Status.TRUSTED, Status.VALID)

    shared = folder / "shared.jpg"
    shared.write_bytes(as_on_a_platform(signed.path.read_bytes()))
    yield look("shared", _how_shared(shared), shared, Status.RECOVERED)

    forged = folder / "forged.jpg"
    stranger = upright(cast.stranger.read_bytes())
    forged.write_bytes(jpeg(with_another_head(upright(shared.read_bytes()), stranger, cast.head, cast.other), 88))
    yield look("forged", "Another head was pasted into that copy, its tone matched, its edge made soft.", forged, Status.ALTERED)

    unmarked = folder / "unmarked.jpg"
    unmarked.write_bytes(as_on_a_platform(cast.bystander.read_bytes()))
    yield look("unmarked", "A photo that nobody ever signed went the same way.", unmarked, Status.NONE)

    copied = folder / "copied-mark.jpg"
    photos = (upright(path.read_bytes()) for path in (cast.portrait, signed.path, cast.bystander))
    copied.write_bytes(jpeg(with_copied_mark(*photos), 92))
    done = "The mark was lifted off the signed photo and laid over that other photo."
    yield look("copied mark", done, copied, Status.CONFLICT)


def _sign(house: House, source: Path, destination: Path, at: datetime) -> Signed:
    return sign(SignRequest(source=source, destination=destination), house.studio(), at=at)


def _how_signed(signed: Signed) -> str:
    mark = "an invisible mark was embedded, then the photo" if signed.binding else "the photo"
    stamp = {"trusted": "and time-stamped", "queued": "with its time stamp still to come"}
    return f"As a camera would: {mark} was signed {stamp.get(signed.time_state, 'without a time stamp')}."


def _how_shared(file: Path) -> str:
    with Image.open(file) as image:
        width, height = image.size
    return f"As a platform would: resized to {width} × {height}, JPEG at quality 75, all metadata stripped."
