"""Exif blocks, changed in place (Exif 3.0; TIFF 6.0 §2).

A block is never written anew: maker notes hold offsets into it that nobody documents, so every byte that stays, stays
where it was. What goes is unlinked and overwritten with zeros.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

ORIENTATION, EXIF_IFD, GPS_IFD = 0x0112, 0x8769, 0x8825
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_MAX_IFDS = 8


@dataclass(frozen=True)
class _Entry:
    at: int
    tag: int
    kind: int
    count: int
    start: int
    stop: int


class _Block:
    """A mutable Exif block; reading beyond its end raises ValueError."""

    def __init__(self, exif: bytes) -> None:
        order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
        if order is None:
            raise ValueError("no TIFF header")
        self.data, self.order = bytearray(exif), order
        self.first = self.number("I", 4)

    def number(self, code: str, at: int) -> int:
        try:
            return int(struct.unpack_from(self.order + code, self.data, at)[0])
        except struct.error as error:
            raise ValueError(f"offset {at} is outside the block") from error

    def put(self, code: str, at: int, value: int) -> None:
        struct.pack_into(self.order + code, self.data, at, value)

    def entries(self, ifd: int) -> Iterator[_Entry]:
        for index in range(self.number("H", ifd)):
            at = ifd + 2 + 12 * index
            tag, kind, count = self.number("H", at), self.number("H", at + 2), self.number("I", at + 4)
            size = _SIZES.get(kind, 1) * count
            start = at + 8 if size <= 4 else self.number("I", at + 8)
            yield _Entry(at, tag, kind, count, start, start + size)

    def scalar(self, entry: _Entry) -> int:
        return self.number("H" if entry.kind == 3 else "I", entry.start)

    def find(self, ifd: int, tag: int) -> _Entry | None:
        return next((entry for entry in self.entries(ifd) if entry.tag == tag), None)

    def next_at(self, ifd: int) -> int:
        return ifd + 2 + 12 * self.number("H", ifd)

    def blank(self, start: int, stop: int) -> None:
        stop = min(stop, len(self.data))
        if 8 <= start < stop:
            self.data[start:stop] = bytes(stop - start)

    def blank_ifd(self, ifd: int) -> None:
        """Overwrite a directory and the values it points to."""
        for entry in list(self.entries(ifd)):
            self.blank(entry.start, entry.stop)
        self.blank(ifd, self.next_at(ifd) + 4)

    def drop(self, ifd: int, entry: _Entry) -> None:
        """Take one entry out of a directory; everything outside the directory keeps its place."""
        end = min(self.next_at(ifd) + 4, len(self.data))
        self.put("H", ifd, self.number("H", ifd) - 1)
        self.data[entry.at : end] = self.data[entry.at + 12 : end] + bytes(12)


def orientation(exif: bytes) -> int:
    """Return the orientation of IFD0, 1–8; 1 where it is absent, absurd or unreadable."""
    try:
        block = _Block(exif)
        entry = block.find(block.first, ORIENTATION)
        value = block.scalar(entry) if entry else 1
    except ValueError:
        return 1
    return value if 1 <= value <= 8 else 1


def without_thumbnail(exif: bytes) -> bytes:
    """Return the block without IFD1: its thumbnail shows the picture as it was before it was marked.

    A block that cannot be parsed is returned as it is.
    """
    try:
        block = _Block(exif)
        link = block.next_at(block.first)
        if not block.number("I", link):
            return exif
        _unlink_thumbnail(block, link)
    except ValueError:
        return exif
    return bytes(block.data)


def _unlink_thumbnail(block: _Block, link: int) -> None:
    ifd, images = block.number("I", link), list[tuple[int, int]]()
    block.put("I", link, 0)
    for _ in range(_MAX_IFDS):
        if not ifd:
            break
        following = block.number("I", block.next_at(ifd))
        images += _image_data(block, ifd)
        block.blank_ifd(ifd)
        ifd = following
    for start, stop in sorted(images, reverse=True):
        if stop >= len(block.data) and start > link:
            del block.data[start:]  # the usual place, at the very end: the file gets smaller
        else:
            block.blank(start, stop)


def _image_data(block: _Block, ifd: int) -> list[tuple[int, int]]:
    found = {entry.tag: entry for entry in block.entries(ifd)}
    ranges = []
    for offsets, lengths in ((0x0201, 0x0202), (0x0111, 0x0117)):  # JPEG thumbnail; uncompressed strip
        if offsets in found and lengths in found:
            start = block.scalar(found[offsets])
            ranges.append((start, start + block.scalar(found[lengths])))
    return ranges


def without_gps(exif: bytes) -> bytes:
    """Return the block without its GPS directory (Exif 3.0 §4.6.6); the other tags, maker note included, stay.

    Raises:
        ValueError: The block cannot be parsed, so that nobody can say what is in it.
    """
    block = _Block(exif)
    directories = [block.first]
    sub = block.find(block.first, EXIF_IFD)
    if sub:
        directories.append(block.scalar(sub))
    for ifd in directories:
        while (entry := block.find(ifd, GPS_IFD)) is not None:
            gps = block.scalar(entry)
            block.drop(ifd, entry)
            block.blank_ifd(gps)
    return bytes(block.data)
