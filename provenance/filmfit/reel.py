"""What a registry keeps of a film: grey frames of 48 columns, two a second, and the levels of its sound. Enough to compare."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from watermark.detection import Transform, canonical_unit
from watermark.video.detect import Frame

MEDIA_TYPE = "application/vnd.colophon.film-reel"
COLUMNS = 48
PER_SECOND = 2.0
MOST = 1_200
"""Frames that are kept of one film; a longer one is sampled more sparsely."""
_MAGIC = b"CFR1"
_HEAD = struct.Struct(">4sBBIdHHI")
_MOST_BYTES = MOST * COLUMNS * 255

Grey = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Reel:
    """A film in small.

    Attributes:
        frames: Shape (count, rows, 48), uint8: luma of upright frames.
        step_s: Seconds between two of them.
        width, height: Of the film as shown, pixels.
        sound: A `soundfit.Envelope` as bytes; empty where it has no sound.
    """

    frames: Grey
    step_s: float
    width: int
    height: int
    sound: bytes = field(default=b"", repr=False)

    @property
    def seconds(self) -> float:
        return len(self.frames) * self.step_s

    @classmethod
    def of(cls, frames: Iterable[Frame], step_s: float, sound: bytes = b"") -> Reel:
        """Return the reel of frames that come every `step_s` seconds. Raises ValueError where there are none."""
        small: list[Grey] = []
        size = (0, 0)
        for frame in frames:
            size = size if small else (frame.luma.shape[0], frame.luma.shape[1])
            rows = _rows(size[1], size[0])
            small.append(np.asarray(cv2.resize(frame.luma, (COLUMNS, rows), interpolation=cv2.INTER_AREA), np.uint8))
            if len(small) == MOST:
                break
        if not small:
            raise ValueError("a film without frames")
        return cls(np.stack(small), step_s, size[1], size[0], sound)

    def to_bytes(self) -> bytes:
        """`CFR1`, columns, rows (a byte each), number of frames (32 bits), step (64-bit floating point), width, height
        (16 bits), length of the sound (32 bits), all big-endian; the sound; then zlib of the differences in time, modulo 256."""
        count, rows, columns = self.frames.shape
        head = _HEAD.pack(_MAGIC, columns, rows, count, self.step_s, self.width, self.height, len(self.sound))
        steps = np.diff(self.frames, axis=0, prepend=np.zeros((1, rows, columns), np.uint8))
        return head + self.sound + zlib.compress(steps.tobytes(), 9)

    @classmethod
    def from_bytes(cls, data: bytes) -> Reel:
        """Raises ValueError for what `to_bytes` did not write."""
        try:
            magic, columns, rows, count, step_s, width, height, length = _HEAD.unpack_from(data)
            body = data[_HEAD.size + length :]
            size = count * rows * columns
            if magic != _MAGIC or not 0 < size <= _MOST_BYTES or not width or not height or not 0 < step_s < 1e6:
                raise ValueError("not a reel")
            raw = zlib.decompressobj().decompress(body, size + 1)
        except (struct.error, zlib.error) as error:
            raise ValueError(f"a damaged reel: {error}") from error
        if len(raw) != size:
            raise ValueError("a damaged reel: wrong length")
        steps = np.frombuffer(raw, np.uint8).reshape(count, rows, columns)
        frames = np.add.accumulate(steps, axis=0, dtype=np.uint8)
        return cls(frames, step_s, width, height, data[_HEAD.size : _HEAD.size + length])


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """One frame of a copy, laid on the reference's own frame.

    Attributes:
        time_s: Seconds from the copy's first frame.
        grey: Shape (rows, 48), float32.
        seen: Shape (rows, 48): which cells the copy shows.
    """

    time_s: float
    grey: NDArray[np.float32]
    seen: NDArray[np.bool_]


def sights(frames: Iterable[Frame], reel: Reel, where: Transform | None) -> Iterator[Sight]:
    """Lay frames of a copy on the reference's frame.

    Args:
        frames: Upright.
        reel: The reference.
        where: How the mark lies in the copy; None where that is unknown: then the copy is taken to show the whole frame.
    """
    rows = reel.frames.shape[1]
    for frame in frames:
        height, width = frame.luma.shape
        cells = np.diag([width / COLUMNS, height / rows, 1.0])
        if where is not None:
            unit = canonical_unit(reel.width, reel.height)
            cells = _plane(where) @ np.diag([reel.width / COLUMNS / unit, reel.height / rows / unit, 1.0])
        half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])
        into = np.linalg.inv(half) @ cells @ half
        # shrunk first, so that a cell is the mean of what it covers
        factor = max(1.0, float(np.sqrt(abs(np.linalg.det(cells[:2, :2])))) / 2)
        small = frame.luma
        if factor > 1:
            size = max(2, round(width / factor)), max(2, round(height / factor))
            small = np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_AREA), np.uint8)
            shrink = np.diag([size[0] / width, size[1] / height, 1.0])
            into = np.linalg.inv(half) @ shrink @ cells @ half
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        grey = cv2.warpPerspective(small, into, (COLUMNS, rows), flags=flags).astype(np.float32)
        seen = cv2.warpPerspective(np.full(small.shape, 255, np.uint8), into, (COLUMNS, rows), flags=flags) > 250
        yield Sight(frame.time_s, grey, seen)


def still(luma: Grey) -> list[Frame]:
    """Return a still picture as a film of one frame."""
    return [Frame(luma, 0.0)]


def _rows(width: int, height: int) -> int:
    return int(min(max(round(COLUMNS * height / width), 12), 255))


def _plane(where: Transform) -> NDArray[np.float64]:
    if where.homography is not None:
        return np.reshape(where.homography, (3, 3))
    (a, b, c, d), (x, y) = where.matrix, where.offset or (0.0, 0.0)
    return np.array([[a, b, x], [c, d, y], [0.0, 0.0, 1.0]])
