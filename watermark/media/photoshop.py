"""Photoshop image resources, the usual home of IPTC data (Adobe "Photoshop File Formats", image resource section)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from watermark.media import exif, xmp

_IPTC, _IPTC_DIGEST, _EXIF_1, _EXIF_3, _XMP = 1028, 1061, 1058, 1059, 1060
_THUMBNAILS = (1033, 1036)
_PLACES = {(2, 26), (2, 27), (2, 90), (2, 92), (2, 95), (2, 100), (2, 101)}  # IIM 4.2: content location … country


def pruned(resources: bytes, *, places: bool) -> bytes:
    """Return a resource block without thumbnails, and on request without the places it names.

    A block from which nothing is taken is returned byte for byte; one that cannot be parsed is dropped when places
    must go.
    """
    try:
        return b"".join(_kept(list(_resources(resources)), places))
    except (ValueError, struct.error):
        return b"" if places else resources


def _resources(block: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield (id, the resource as stored, its data)."""
    at = 0
    while at < len(block):
        if block[at : at + 4] not in (b"8BIM", b"MeSa", b"AgHg", b"PHUT", b"DCSR"):
            raise ValueError(f"no resource at {at}")
        (number,) = struct.unpack_from(">H", block, at + 4)
        start = at + 6 + (block[at + 6 : at + 7] or b"\0")[0] // 2 * 2 + 2  # Pascal name, padded to even
        (size,) = struct.unpack_from(">I", block, start)
        end = start + 4 + size
        if end > len(block):
            raise ValueError(f"resource {number} ends after the block")
        yield number, block[at : end + size % 2], block[start + 4 : end]
        at = end + size % 2


def _kept(resources: list[tuple[int, bytes, bytes]], places: bool) -> Iterator[bytes]:
    moved = places and any(number == _IPTC and iptc_without_places(data) != data for number, _, data in resources)
    for number, whole, data in resources:
        if number in _THUMBNAILS or (number == _IPTC_DIGEST and moved):
            continue
        new = _without_places(number, data) if places else data
        yield whole if new == data else _resource(number, new)


def _without_places(number: int, data: bytes) -> bytes:
    if number == _IPTC:
        return iptc_without_places(data)
    if number in (_EXIF_1, _EXIF_3):
        return exif.without_gps(data)
    return xmp.pruned(data, places=True) if number == _XMP else data


def iptc_without_places(records: bytes) -> bytes:
    """Drop the location datasets of an IPTC-IIM 4.2 record; padding after the last dataset stays."""
    out, at = bytearray(), 0
    while at + 5 <= len(records) and records[at] == 0x1C:
        (size,) = struct.unpack_from(">H", records, at + 3)
        if size & 0x8000:
            raise ValueError("extended dataset")
        end = at + 5 + size
        if (records[at + 1], records[at + 2]) not in _PLACES:
            out += records[at:end]
        at = end
    return bytes(out + records[at:])


def _resource(number: int, data: bytes) -> bytes:
    return b"8BIM" + struct.pack(">HHI", number, 0, len(data)) + data + bytes(len(data) % 2)
