"""Opening hostile containers of sound and film: one of a short list of formats, from one local file, or one clear error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer

from watermark.errors import MediaDecodeError, UnsupportedError

_BROKEN_MOST = 1_000


@contextmanager
def opened(path: Path, formats: str, tracks_most: int | None = None) -> Iterator[InputContainer]:
    """Open a file for reading, with no protocol but the file's own.

    Args:
        formats: Demuxers that may be used, comma-separated: none that opens further files, so that a playlist in disguise
            stays closed.
        tracks_most: More tracks are refused; None for any number.
    Raises:
        MediaDecodeError: the file is missing, empty, or not of a format on the list; also whatever fails while it is open.
        UnsupportedError: more tracks than are handled.
    """
    try:
        with av.open(
            str(path), options={"format_whitelist": formats, "protocol_whitelist": "file"}, metadata_errors="replace"
        ) as container:
            if tracks_most is not None and len(container.streams) > tracks_most:
                raise UnsupportedError(str(path), f"{len(container.streams)} tracks; {tracks_most} are the most")
            yield container
    except (av.error.FFmpegError, ValueError, EOFError) as error:
        raise MediaDecodeError(str(path), _words(error)) from error


class Decoder:
    """Decodes one track packet by packet. A broken one costs its own frames, not the track; a thousand are too many."""

    def __init__(self) -> None:
        self._broken = self._whole = 0

    def frames(self, packet: Any) -> list[Any]:
        """Return the frames that a packet completes.

        Raises:
            av.error.InvalidDataError: too many packets are broken; `opened` words it.
        """
        try:
            frames = list(packet.decode())
        except av.error.InvalidDataError:
            self._broken += 1
            if self._broken > _BROKEN_MOST:
                raise
            return []
        self._whole += len(frames)
        return frames

    def finish(self) -> None:
        """Raise ValueError where packets were broken and none gave a frame; `opened` words it."""
        if self._broken and not self._whole:
            raise ValueError("no part of it decodes")


def frames_of(container: InputContainer, stream: Any) -> Iterator[Any]:
    """Yield the frames of a track in the order in which they are shown or heard. Raises as `Decoder`."""
    decoder = Decoder()
    for packet in container.demux(stream):
        yield from decoder.frames(packet)
    decoder.finish()


def _words(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text[0].lower() + text[1:]
