"""Whether a container is all there: what its own lengths say, against what the file has."""

from __future__ import annotations

from typing import BinaryIO

_STREAMED = frozenset({0, 0xFFFFFFFF})  # written by who could not go back and fill the length in
_BOXES_MOST = 10_000
_BOXES = frozenset({b"mdat", b"moov", b"moof", b"mfra", b"sidx", b"styp", b"meta", b"udta", b"uuid", b"free", b"skip", b"wide"})


def missing(stream: BinaryIO) -> int:
    """Bytes that a sound's or film's outermost lengths count beyond its end; 0 where they say nothing of that kind.

    RIFF and RF64 (WAV, AVI) and ISO BMFF (MP4, MOV, M4A) state them; FLAC, MP3, Ogg and Matroska do not, or not there.

    Args:
        stream: The file, seekable, anything in it; left wherever reading ended.
    """
    end = stream.seek(0, 2)
    stream.seek(0)
    head = stream.read(28)
    if head[:4] == b"RIFF":
        length = int.from_bytes(head[4:8], "little")
        return 0 if length in _STREAMED else max(0, 8 + length - end)
    if head[:4] == b"RF64" and head[12:16] == b"ds64":
        length = int.from_bytes(head[20:28], "little")
        return max(0, 8 + length - end)
    return _beyond(stream, end) if head[4:8] == b"ftyp" else 0


def _beyond(stream: BinaryIO, end: int) -> int:
    """The same of boxes one after another (ISO 14496-12 §4.2)."""
    at = 0
    for _ in range(_BOXES_MOST):
        stream.seek(at)
        head = stream.read(16)
        if len(head) < 8:
            return 0  # some bytes too many are no loss
        size, kind = int.from_bytes(head[:4]), head[4:8]
        if size == 1:
            size = int.from_bytes(head[8:16])
        if size < 8:  # 0 reaches to the end whatever it is; less is damage of another kind
            return 0
        at += size
        if at > end:
            return at - end if kind in _BOXES else 0
    return 0
