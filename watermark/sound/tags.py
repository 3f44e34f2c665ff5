"""Tags and pictures that stand beside the sound, carried over byte for byte."""

from __future__ import annotations

import struct
from typing import BinaryIO

STREAMINFO, PADDING, SEEKTABLE = 0, 1, 3
_LAST = 0x80


def id3_head(data: BinaryIO) -> bytes:
    """Return the ID3v2 tags at the start of a file, as they are; empty where there is none."""
    data.seek(0)
    tags = b""
    while len(head := data.read(10)) == 10 and head[:3] == b"ID3" and not any(byte & 0x80 for byte in head[6:]):
        size = sum(byte << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
        footer = 10 if head[5] & 0x10 else 0
        tags += head + data.read(size + footer)
    return tags


def id3_tail(data: BinaryIO) -> bytes:
    """Return the ID3v1 tag at the end of a file; empty where there is none."""
    size = data.seek(0, 2)
    data.seek(max(0, size - 128))
    tail = data.read()
    return tail if len(tail) == 128 and tail[:3] == b"TAG" else b""


def flac_blocks(data: BinaryIO) -> tuple[list[tuple[int, bytes]], int]:
    """Return the metadata blocks of a FLAC file (RFC 9639 §8) as (type, body), and where the frames begin.

    Raises:
        ValueError: no FLAC, or blocks that run past the end.
    """
    data.seek(len(id3_head(data)))
    if data.read(4) != b"fLaC":
        raise ValueError("no FLAC signature")
    blocks = []
    while True:
        head = data.read(4)
        if len(head) < 4:
            raise ValueError("metadata blocks run past the end")
        size = int.from_bytes(head[1:], "big")
        body = data.read(size)
        if len(body) < size:
            raise ValueError("metadata blocks run past the end")
        blocks.append((head[0] & ~_LAST, body))
        if head[0] & _LAST:
            return blocks, data.tell()


def flac_head(blocks: list[tuple[int, bytes]]) -> bytes:
    """Return a FLAC signature and metadata blocks, the last one flagged as such."""
    out = b"fLaC"
    for place, (kind, body) in enumerate(blocks):
        out += struct.pack(">B", kind | (_LAST if place == len(blocks) - 1 else 0)) + len(body).to_bytes(3, "big") + body
    return out
