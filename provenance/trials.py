"""One step of a ladder, inside a killable worker: treat a marked copy, and look for its mark again.

A medium takes part with two tasks and its ladders: `MEDIA` is the registry. Copies wait as bare samples between the tasks, so
that nothing is decoded twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from provenance.tasks import media_errors
from watermark import engines, media
from watermark import ladder as ladders

SEED = 7
"""Where cuts lie, and the like: fixed, so that the same file gives the same table."""
PICTURE_SIDE = 320

Rgb = NDArray[np.uint8]


class Rung(Protocol):
    """A step of a ladder, as whoever prints it sees it."""

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...


class Course(Protocol):
    """A ladder, as whoever prints it sees it."""

    @property
    def name(self) -> str: ...

    @property
    def medium(self) -> str: ...

    @property
    def steps(self) -> Sequence[Rung]: ...


@dataclass(frozen=True, slots=True)
class Start:
    """A marked copy that is ready to be treated.

    Attributes:
        mark_id: The id that it carries.
        key_index: Which of the keys reads it.
        marked_now: The file carried none of our marks, so the copy was given one.
        picture: A small JPEG of it, where there is something to see.
    """

    mark_id: int
    key_index: int
    marked_now: bool
    picture: bytes | None


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of the mark after one step.

    Attributes:
        found: The very id was read.
        p_false: Bound on the chance that this was chance, where it was read.
        bit_errors: Channel bits that the code corrected, where it was read.
        picture: A small JPEG of the treated copy, if asked for.
    """

    found: bool
    p_false: float | None
    bit_errors: int | None
    picture: bytes | None


@dataclass(frozen=True, slots=True)
class Medium:
    """How files of one medium are put through ladders; both functions run in a worker.

    Attributes:
        alg: Engine whose mark is tried.
        start: (path, folder for samples, keys, id for a file that has none) → Start.
        trial: (that folder, ladder, step, id, keys, whether a picture is wanted) → Trial.
        ladders: By name; the first is the default.
        seconds: That either may take, where that is longer than the workers' budget.
    """

    alg: str
    start: Callable[[str, str, Sequence[bytes], int], Start]
    trial: Callable[[str, str, str, int, Sequence[bytes], bool], Trial]
    ladders: Mapping[str, Course]
    seconds: float = 0.0


def start_picture(path: str, folder: str, keys: Sequence[bytes], mark_id: int) -> Start:
    """Decode a picture, and mark it under the first key if it carries no mark of ours.

    Raises:
        DamagedMediaError, UnsupportedMediaError: it cannot be decoded.
        CarrierTooSmallError: it carries no mark, and is too small for one.
    """
    with media_errors(path):
        rgb = media.load_rgb8(Path(path))
    engine = engines.default("image")
    found = engine.detect(rgb, keys=keys)
    if found.mark_id is None:
        rgb = engine.embed(rgb, mark_id, key=keys[0])
    np.save(_samples(folder), rgb, allow_pickle=False)
    read, index = (mark_id, 0) if found.mark_id is None else (found.mark_id, found.key_index or 0)
    return Start(read, index, not found.found, _small(rgb))


def try_picture(folder: str, ladder: str, step: str, mark_id: int, keys: Sequence[bytes], picture: bool) -> Trial:
    """Treat the copy as a step says, and look for its id."""
    rgb: Rgb = np.load(_samples(folder), allow_pickle=False)
    chosen = next(one for one in ladders.ladder(ladder).steps if one.name == step)
    copy = chosen.apply(rgb, SEED)
    found = engines.default("image").detect(copy, keys=keys)
    shot = _small(copy) if picture else None
    if found.mark_id != mark_id:
        return Trial(False, None, None, shot)
    return Trial(True, found.p_false, found.bit_errors, shot)


def _samples(folder: str) -> Path:
    return Path(folder, "samples.npy")


def _small(rgb: Rgb) -> bytes:
    height, width = rgb.shape[:2]
    scale = min(1.0, PICTURE_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return media.thumbnail(np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8), max_side=PICTURE_SIDE)


IMAGE = Medium(
    alg=engines.default("image").alg,
    start=start_picture,
    trial=try_picture,
    ladders={one.name: one for one in (ladders.IMAGE_2026, ladders.FIRST_LIGHT)},
)
MEDIA: Mapping[str, Medium] = {"image": IMAGE}
"""By the first half of a media type."""
