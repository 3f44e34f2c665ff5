"""Opening hostile sound files: one of a short list of formats, from one local file, or one clear error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from watermark.errors import MediaDecodeError, UnsupportedError

FORMATS = "wav,w64,flac,mp3,aac,ogg,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,aiff,amr"
"""Demuxers that may be used: none that opens further files, so a playlist in disguise stays closed."""
_BROKEN_MOST = 1_000
_CHANNELS_MOST = 8


@contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """Open a sound file for reading, with no protocol but the file's own.

    Raises:
        MediaDecodeError: the file is missing, empty, or not of a format on the list; also whatever fails while it is open.
    """
    try:
        with av.open(
            str(path), options={"format_whitelist": FORMATS, "protocol_whitelist": "file"}, metadata_errors="replace"
        ) as container:
            yield container
    except (av.error.FFmpegError, ValueError, EOFError) as error:
        raise MediaDecodeError(str(path), _words(error)) from error


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

    A broken packet is skipped, and the sound goes on after it; a thousand of them are too many.

    Raises:
        av.error.FFmpegError: too many packets are broken, or none was whole; `opened` words it.
    """
    resampler = av.AudioResampler("fltp", stream.layout, rate or stream.rate)
    broken = whole = 0
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            broken += 1
            if broken > _BROKEN_MOST:
                raise
            continue
        for frame in frames:
            assert isinstance(frame, av.AudioFrame)
            frame.pts = None  # a gap in time stamps is no reason to invent silence
            whole += 1
            yield from _arrays(resampler.resample(frame))
    if broken and not whole:
        raise ValueError("no part of it decodes")
    yield from _arrays(resampler.resample(None))


def _arrays(frames: list[av.AudioFrame]) -> Iterator[NDArray[np.float32]]:
    for frame in frames:
        yield np.nan_to_num(np.ascontiguousarray(frame.to_ndarray().T, np.float32), posinf=1.0, neginf=-1.0)


def _words(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text[0].lower() + text[1:]
