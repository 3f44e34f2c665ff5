"""The sound of a file as samples: its first sound track, whatever the container."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from watermark import containers
from watermark.errors import UnsupportedError

FORMATS = "wav,w64,flac,mp3,aac,ogg,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,aiff,amr"
"""Demuxers that may be used."""
_CHANNELS_MOST = 8


def opened(path: Path) -> AbstractContextManager[InputContainer]:
    """Open a sound file for reading. Raises as `containers.opened`."""
    return containers.opened(path, FORMATS)


def sound_stream(container: InputContainer, path: Path) -> av.AudioStream:
    """Return the first sound track.

    Raises:
        UnsupportedError: there is none, its codec is unknown here, or it has more than eight channels.
    """
    if not container.streams.audio:
        raise UnsupportedError(str(path), "no sound in it")
    stream = container.streams.audio[0]
    if stream.codec_context is None or not stream.rate:
        raise UnsupportedError(str(path), "its sound is coded in a way that is not read here")
    if not 1 <= stream.channels <= _CHANNELS_MOST:
        raise UnsupportedError(str(path), f"sound of {stream.channels} channels")
    return stream


def decoded(container: InputContainer, stream: av.AudioStream, rate: int | None = None) -> Iterator[NDArray[np.float32]]:
    """Yield the samples of a track, shape (N, channels), full scale ±1, resampled where a rate is given.

    A broken packet is skipped, and the sound goes on after it.

    Raises:
        av.error.FFmpegError, ValueError: too many packets are broken, or none was whole; `opened` words it.
    """
    resampler = av.AudioResampler("fltp", stream.layout, rate or stream.rate)
    for frame in containers.frames_of(container, stream):
        frame.pts = None  # a gap in time stamps is no reason to invent silence
        yield from _arrays(resampler.resample(frame))
    yield from _arrays(resampler.resample(None))


def _arrays(frames: list[av.AudioFrame]) -> Iterator[NDArray[np.float32]]:
    for frame in frames:
        yield np.nan_to_num(np.ascontiguousarray(frame.to_ndarray().T, np.float32), posinf=1.0, neginf=-1.0)
