"""Whether a film's hard binding may be a Merkle tree over pieces of its media data (C2PA 2.5 §A.5.4): then a file of any size is
signed and checked in little memory.

The library signs files of other shapes with it that then read as broken, and does not say so: so only the one shape that was
tried (one `mdat`, no fragments), only where it is worth it, and whoever signs reads the result back in any case.
"""

from __future__ import annotations

from typing import BinaryIO

CHUNK_KB = 1024
WORTH = 64 << 20
"""Bytes of media data from which the library's own buffers (two of 256 MB) matter."""
TYPES = frozenset({"video/mp4", "video/quicktime", "video/x-m4v", "audio/mp4"})
_BOXES_MOST = 1_000


def may_chunk(stream: BinaryIO, media_type: str) -> bool:
    """Return whether a file is one of those; the stream is left at its start.

    Args:
        stream: The file, seekable. Anything may be in it: what does not parse may not be chunked.
    """
    try:
        return media_type in TYPES and _one_large_mdat(stream)
    finally:
        stream.seek(0)


def _one_large_mdat(stream: BinaryIO) -> bool:
    end = stream.seek(0, 2)
    at, found = 0, 0
    for _ in range(_BOXES_MOST):
        if at == end:
            return found >= WORTH
        kind, head, size = _box(stream, at, end)
        if size < head or at + size > end or kind in (b"moof", b"mfra", b"sidx", b"styp"):
            return False
        if kind == b"mdat" and size > head:
            if found:
                return False
            found = size - head
        at += size
    return False


def _box(stream: BinaryIO, at: int, end: int) -> tuple[bytes, int, int]:
    """Type, length of the header and length of the whole of a top-level box; a length of 0 where it is damaged."""
    stream.seek(at)
    head = stream.read(16)
    size, kind = int.from_bytes(head[:4]), head[4:8]
    if len(head) < 8:
        return b"", 8, 0
    if size == 1:
        return kind, 16, int.from_bytes(head[8:16]) if len(head) == 16 else 0
    return kind, 8, end - at if size == 0 else size
