"""Exif blocks, changed in place (Exif 3.0).

A block is never written anew: maker notes hold offsets into it that nobody documents, so every byte that stays, stays
where it was. What goes is unlinked and overwritten with zeros.
"""

from __future__ import annotations

from watermark.media.ifd import Block

ORIENTATION, EXIF_IFD, GPS_IFD = 0x0112, 0x8769, 0x8825
_MAX_DIRECTORIES = 8


def bare(exif: bytes) -> bytes:
    """Return a block without the "Exif\\0\\0" that JPEG puts ahead of it and other containers sometimes do."""
    return exif[6:] if exif.startswith(b"Exif\0\0") else exif


def orientation(exif: bytes) -> int:
    """Return the orientation of IFD0, 1–8; 1 where it is absent, absurd or unreadable."""
    try:
        block = Block(exif)
        entry = block.find(block.first, ORIENTATION)
        value = block.scalar(entry) if entry else 1
    except ValueError:
        return 1
    return value if 1 <= value <= 8 else 1


def upright(exif: bytes) -> bytes:
    """Return the block with its orientation set to 1, for containers that turn the picture themselves."""
    try:
        block = Block(bytearray(exif))
        entry = block.find(block.first, ORIENTATION)
        if entry is None or block.scalar(entry) == 1:
            return exif
        block.put("H" if entry.kind == 3 else "I", entry.start, 1)
    except ValueError:
        return exif
    return bytes(block.data)


def without_thumbnail(exif: bytes) -> bytes:
    """Return the block without IFD1: its thumbnail shows the picture as it was before it was marked.

    A block that cannot be parsed is returned as it is.
    """
    try:
        block = Block(bytearray(exif))
        link = block.link(block.first)
        if not block.number("I", link):
            return exif
        _unlink_thumbnail(block, link)
    except ValueError:
        return exif
    return bytes(block.data)


def _unlink_thumbnail(block: Block, link: int) -> None:
    ifd, gone = block.number("I", link), list[tuple[int, int]]()
    block.put("I", link, 0)
    for _ in range(_MAX_DIRECTORIES):
        if not ifd:
            break
        following = block.number("I", block.link(ifd))
        gone += [*_image_data(block, ifd), (ifd, block.link(ifd) + 4)]
        block.blank_directory(ifd)
        ifd = following
    for start, stop in sorted(gone, reverse=True):
        if stop >= len(block.data) and start > link:
            block.cut(start)  # the usual place, at the very end: the file gets smaller
        else:
            block.blank(start, stop)


def _image_data(block: Block, ifd: int) -> list[tuple[int, int]]:
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
    block = Block(bytearray(exif))
    directories = [block.first]
    sub = block.find(block.first, EXIF_IFD)
    if sub:
        directories.append(block.scalar(sub))
    for ifd in directories:
        while (entry := block.find(ifd, GPS_IFD)) is not None:
            gps = block.scalar(entry)
            block.drop(ifd, entry)
            block.blank_directory(gps)
    return bytes(block.data)


def carried(exif: bytes, *, places: bool) -> bytes:
    """Return what a re-encoded picture keeps of a block; with `places`, without GPS, or nothing if it is unreadable."""
    block = without_thumbnail(exif)
    if not places or not block:
        return block
    try:
        return without_gps(block)
    except ValueError:
        return b""
