"""The films of a file: its picture tracks within a stated size, how their frames are stored, and their luma."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from watermark import containers
from watermark.errors import UnsupportedError
from watermark.video.layout import Form

FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif,mpegts,ogg,flv,live_flv"
"""Demuxers that may be used."""
TRACKS_MOST = 32
NO_FILM = "no film in it"
SIDE_MOST, PIXELS_MOST = 16_384, 40_000_000


def opened(path: Path) -> AbstractContextManager[InputContainer]:
    """Open a film for reading. Raises as `containers.opened`, for more than 32 tracks too."""
    return containers.opened(path, FORMATS, TRACKS_MOST)


def film_streams(container: InputContainer, path: Path) -> list[Any]:
    """Return the tracks that are films, largest first: no cover pictures.

    Raises:
        UnsupportedError: there is none, its codec is unknown here, or its frames are too large.
    """
    found = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
    if not found:
        raise UnsupportedError(str(path), NO_FILM)
    for stream in found:
        if stream.codec_context is None or not stream.width or not stream.height:
            raise UnsupportedError(str(path), "its film is coded in a way that is not read here")
        if max(stream.width, stream.height) > SIDE_MOST or stream.width * stream.height > PIXELS_MOST:
            raise UnsupportedError(str(path), f"{stream.width} × {stream.height} pixels are more than are read here")
    return sorted(found, key=lambda s: -s.width * s.height)


def film_stream(container: InputContainer, path: Path) -> Any:
    """Return the largest film track. Raises as `film_streams`."""
    return film_streams(container, path)[0]


def form_of(frame: av.VideoFrame, stream: Any) -> Form:
    """Return how a frame is stored.

    Raises:
        UnsupportedError: pixels without a plane of luma.
    """
    first = frame.format.components[0]
    aspect = float(stream.sample_aspect_ratio or 1) or 1.0
    if not 0.2 < aspect < 5:
        aspect = 1.0
    return Form(frame.width, frame.height, max(8, first.bits), aspect, round(frame.rotation / 90) * 90 % 360)


def has_luma(frame: av.VideoFrame) -> bool:
    """Whether the first plane holds luma alone, in bytes or in 16-bit words of this machine's order."""
    form = frame.format
    if form.is_rgb or form.has_palette or form.is_bit_stream or (not form.is_planar and len(form.components) > 1):
        return form.name in ("nv12", "p010le")
    return form.components[0].bits == 8 or (not form.is_big_endian and form.components[0].bits <= 16)


def luma(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """Return luma at 8 bits, shape (height, width), as stored; a copy."""
    if has_luma(frame) and frame.format.components[0].bits == 8:
        return np.array(plane(frame), np.uint8)
    return np.asarray(frame.to_ndarray(format="gray"), np.uint8)


def plane(frame: av.VideoFrame) -> Any:
    """Return the first plane, shape (height, width), uint8 or uint16; a view, to be written only if the frame is writable."""
    first = frame.planes[0]
    kind: np.dtype[Any] = np.dtype(np.uint8 if frame.format.components[0].bits == 8 else np.uint16)
    rows: NDArray[Any] = np.frombuffer(memoryview(first), kind)
    width = first.line_size // kind.itemsize
    return rows[: width * frame.height].reshape(frame.height, width)[:, : frame.width]
