"""Which frames of a file to look at: a few from all over it, key frames first; all of a short one."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.video.frame import PictureType
from numpy.typing import NDArray

from watermark.containers import frames_of
from watermark.errors import MediaDecodeError
from watermark.video.detect import Frame
from watermark.video.layout import Form, upright
from watermark.video.opened import film_stream, form_of, luma, opened

PLACES = 12
"""Where a long film is looked at first."""
LONG_S = 20.0
"""Length from which it is worth jumping about."""
HASTE_S = 120.0
"""Length from which decoding every frame takes longer than anyone waits for an answer."""
PER_SECOND = 8.0
"""Frames that are looked at per second of what is read on end."""
_WEIGHTS: dict[int, float] = {PictureType.I: 4.0, PictureType.P: 2.0}
"""How much key frames and those foretold from earlier ones only count, beside 1 for what is foretold from both sides: an encoder
leaves the least of the mark there. Where much moves that is 3 dB."""


def length_s(path: Path) -> float:
    """Return how long a file's film says that it is; 0 where it does not say.

    Raises:
        MediaDecodeError, UnsupportedError: it cannot be read, or has no film.
    """
    with opened(path) as container:
        return _length(container, film_stream(container, path))


def chosen(path: Path) -> Generator[Frame]:
    """Yield frames of a file, those that tell most first.

    1. Of a long film: the key frames at twelve places spread over it. They are coded best, and are of different scenes.
    2. All of it, the best of each eighth of a second, from the beginning; of a long film from half way between places instead,
       place by place.

    Raises:
        MediaDecodeError, UnsupportedError: it cannot be read, or has no film.
    """
    with opened(path) as container:
        stream = film_stream(container, path)
        length = _length(container, stream)
        if length < LONG_S:
            yield from _best(container, stream, PER_SECOND)
            return
        stream.codec_context.skip_frame = "NONKEY"
        for place in range(PLACES):
            yield from _after(container, stream, length * (place + 0.3) / PLACES, 1)
    with opened(path) as container:
        stream = film_stream(container, path)
        for place in range(PLACES):
            yield from _after(container, stream, length * (place + 0.8) / PLACES, 7)


def evenly(path: Path, per_second: float, *, hasty: bool = False) -> Generator[Frame]:
    """Yield frames of a whole file in order, so many a second; of a long one, if in haste, key frames only.

    Raises:
        MediaDecodeError, UnsupportedError: as `chosen`.
    """
    with opened(path) as container:
        stream = film_stream(container, path)
        if hasty and _length(container, stream) > HASTE_S:
            stream.codec_context.skip_frame = "NONKEY"
        yield from _thinned(container, stream, per_second)


def shown(frame: av.VideoFrame, form: Form) -> NDArray[np.uint8]:
    """Return a frame's luma as people see it: upright, with square pixels."""
    seen = luma(frame)
    if form.aspect != 1.0:
        size = max(1, round(form.width * form.aspect)), form.height
        seen = np.asarray(cv2.resize(seen, size, interpolation=cv2.INTER_AREA), np.uint8)
    return np.ascontiguousarray(upright(seen, form), np.uint8)


def picture(path: Path, time_s: float) -> NDArray[np.uint8]:
    """Return one frame in colour, upright, with square pixels: the key frame near a time, or the first that decodes.

    Returns:
        sRGB as far as the film's tags tell, shape (height, width, 3), uint8; high dynamic range is not mapped down.
    Raises:
        MediaDecodeError, UnsupportedError: it cannot be read, or has no film.
    """
    with opened(path) as container:
        stream = film_stream(container, path)
        try:
            container.seek(int(time_s / stream.time_base) + (stream.start_time or 0), stream=stream)
            frame = next(frames_of(container, stream), None)
        except (av.error.FFmpegError, ValueError):
            frame = None  # it cannot be sought in
        if frame is not None:
            return _coloured(frame, form_of(frame, stream))
    with opened(path) as container:
        stream = film_stream(container, path)
        for frame in frames_of(container, stream):
            return _coloured(frame, form_of(frame, stream))
    raise MediaDecodeError(str(path), "no frame of it decodes")


def _coloured(frame: av.VideoFrame, form: Form) -> NDArray[np.uint8]:
    matrix = _MATRICES.get(int(frame.colorspace), "itu709" if form.height >= _HD else "itu601")
    rgb = frame.to_ndarray(format="rgb24", width=max(1, round(form.width * form.aspect)), src_colorspace=matrix)
    return np.ascontiguousarray(upright(rgb, form), np.uint8)


_HD = 720
"""Lines from which a film that does not tell its colour matrix has that of high definition."""
_MATRICES = {1: "itu709", 5: "itu601", 6: "itu601", 9: "bt2020", 10: "bt2020"}


def _length(container: InputContainer, stream: Any) -> float:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / 1e6 if container.duration else 0.0


def _thinned(container: InputContainer, stream: Any, per_second: float) -> Iterator[Frame]:
    due = 0.0
    for time_s, frame in _timed(container, stream):
        if time_s + 1e-6 >= due:
            due = max(due + 1 / per_second, time_s)
            yield Frame(shown(frame, form_of(frame, stream)), time_s)


def _best(container: InputContainer, stream: Any, per_second: float) -> Iterator[Frame]:
    """The frame of each stretch of time that was coded best, the first of equals."""
    for _, stretch in groupby(_timed(container, stream), lambda timed: int(timed[0] * per_second + 1e-6)):
        time_s, frame = max(stretch, key=lambda timed: _weight(timed[1]))
        yield Frame(shown(frame, form_of(frame, stream)), time_s, _weight(frame))


def _weight(frame: av.VideoFrame) -> float:
    return _WEIGHTS.get(frame.pict_type, 1.0)


def _timed(container: InputContainer, stream: Any) -> Iterator[tuple[float, av.VideoFrame]]:
    """All frames, each with its seconds from the first."""
    stream.thread_type = "AUTO"
    first = None
    for number, frame in enumerate(frames_of(container, stream)):
        time_s = frame.time if frame.time is not None else number / float(stream.average_rate or 25)
        first = time_s if first is None else first
        yield time_s - first, frame


def _after(container: InputContainer, stream: Any, time_s: float, count: int) -> Iterator[Frame]:
    """Frames from a key frame near a place on; none where the file cannot be sought in."""
    start = stream.start_time or 0
    try:
        container.seek(int(time_s / stream.time_base) + start, stream=stream)
        for number, frame in enumerate(frames_of(container, stream)):
            yield Frame(shown(frame, form_of(frame, stream)), time_s, _weight(frame))
            if number + 1 == count:
                return
    except (av.error.FFmpegError, ValueError):
        return
