"""TIFF directories, read and changed in place (TIFF 6.0 §2): the ground under both Exif blocks and TIFF files."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
"""Bytes per value, by TIFF type."""


@dataclass(frozen=True)
class Entry:
    """One directory entry: where it stands, what it says, and where its value lies."""

    at: int
    tag: int
    kind: int
    count: int
    start: int
    stop: int


class Block:
    """A block of directories; reading beyond its end raises ValueError. Only a bytearray can be changed."""

    def __init__(self, data: bytes | bytearray) -> None:
        order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(data[:4]))
        if order is None:
            raise ValueError("no TIFF header")
        self.data, self.order = data, order
        self.first = self.number("I", 4)

    def number(self, code: str, at: int) -> int:
        try:
            return int(struct.unpack_from(self.order + code, self.data, at)[0])
        except struct.error as error:
            raise ValueError(f"offset {at} is outside the block") from error

    def entries(self, ifd: int) -> Iterator[Entry]:
        for index in range(self.number("H", ifd)):
            at = ifd + 2 + 12 * index
            tag, kind, count = self.number("H", at), self.number("H", at + 2), self.number("I", at + 4)
            size = SIZES.get(kind, 1) * count
            start = at + 8 if size <= 4 else self.number("I", at + 8)
            yield Entry(at, tag, kind, count, start, start + size)

    def find(self, ifd: int, tag: int) -> Entry | None:
        return next((entry for entry in self.entries(ifd) if entry.tag == tag), None)

    def scalar(self, entry: Entry) -> int:
        """Return the first value of a BYTE, SHORT or LONG entry."""
        return self.number({1: "B", 3: "H"}.get(entry.kind, "I"), entry.start)

    def value(self, entry: Entry) -> bytes:
        """Return the value's bytes as stored; raise ValueError if they lie outside."""
        if entry.stop > len(self.data):
            raise ValueError(f"tag {entry.tag} points outside the block")
        return bytes(self.data[entry.start : entry.stop])

    def link(self, ifd: int) -> int:
        """Return where the offset of the next directory is kept."""
        return ifd + 2 + 12 * self.number("H", ifd)

    def put(self, code: str, at: int, value: int) -> None:
        assert isinstance(self.data, bytearray)
        try:
            struct.pack_into(self.order + code, self.data, at, value)
        except struct.error as error:
            raise ValueError(f"{value} does not fit at {at}") from error

    def blank(self, start: int, stop: int) -> None:
        assert isinstance(self.data, bytearray)
        stop = min(stop, len(self.data))
        if 8 <= start < stop:
            self.data[start:stop] = bytes(stop - start)

    def cut(self, start: int) -> None:
        """Let the block end here."""
        assert isinstance(self.data, bytearray)
        del self.data[start:]

    def blank_directory(self, ifd: int) -> None:
        """Overwrite a directory and the values it points to."""
        for entry in list(self.entries(ifd)):
            self.blank(entry.start, entry.stop)
        self.blank(ifd, self.link(ifd) + 4)

    def drop(self, ifd: int, entry: Entry) -> None:
        """Take one entry out of a directory; everything outside the directory keeps its place."""
        assert isinstance(self.data, bytearray)
        end = min(self.link(ifd) + 4, len(self.data))
        self.put("H", ifd, self.number("H", ifd) - 1)
        self.data[entry.at : end] = self.data[entry.at + 12 : end] + bytes(12)
