"""JPEG: the pixels are encoded anew with the file's own tables, the metadata is carried over byte for byte.

Only the entropy-coded part and its tables come from the encoder; every APPn and COM segment is the source's. Left out:
C2PA and other JUMBF boxes (APP11), further pictures (MPF, and what follows the end of the first), thumbnails.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from mmap import mmap
from typing import Literal

from PIL import Image

from watermark.errors import UnsupportedError
from watermark.media import exif, guard, photoshop, xmp
from watermark.media.picture import JpegSource, Picture, Pixels, Segment

_SOI, _EOI, _SOS, _DQT, _DHT, _DRI, _COM = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xDD, 0xFE
_SOF = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})
_EXIF, _XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
_ICC, _PHOTOSHOP, _ADOBE = b"ICC_PROFILE\0", b"Photoshop 3.0\0", b"Adobe"
_STANDARD_HUFFMAN = 416  # bytes of the four tables of T.81 annex K.3: 2 × (17 + 12) + 2 × (17 + 162)
_MODES = {"grey": "L", "rgb": "RGB", "cmyk": "CMYK"}


def _zigzag_key(i: int) -> tuple[int, int]:
    row, column = divmod(i, 8)
    return row + column, row if (row + column) % 2 else column


_ZIGZAG = sorted(range(64), key=_zigzag_key)  # T.81 figure A.6: position in the file → row by row


@dataclass
class _Header:
    """What stands ahead of the first scan."""

    segments: list[Segment] = field(default_factory=list)
    size: tuple[int, int] = (0, 0)
    components: list[tuple[int, int, int, int]] = field(default_factory=list)  # id, h, v, table
    tables: dict[int, tuple[int, ...]] = field(default_factory=dict)
    progressive: bool = False
    huffman_bytes: int = 0
    restart_interval: int = 0


def read(data: bytes, max_pixels: int) -> Picture:
    """Decode a JPEG; see `Picture`."""
    header = _header(data)
    guard.check_size(*header.size, max_pixels)
    colour = _colour(header)
    image = guard.open_image(data, "JPEG", max_pixels)
    image.load()
    block = _first(header.segments, _EXIF)
    return Picture(
        media_type="image/jpeg",
        pixels=guard.samples(image),
        space="grey" if colour == "grey" else "cmyk" if colour in ("cmyk", "ycck") else "rgb",
        orientation=exif.orientation(block),
        icc=_icc(header.segments),
        exif=block,
        xmp=_first(header.segments, _XMP),
        source=JpegSource(
            tables=tuple(header.tables[table] for *_, table in header.components),
            sampling=tuple((h, v) for _, h, v, _ in header.components),
            colour=colour,
            progressive=header.progressive,
            optimized=header.huffman_bytes not in (_STANDARD_HUFFMAN, _STANDARD_HUFFMAN // 2, 0),
            restart_interval=header.restart_interval,
            segments=tuple(header.segments),
        ),
    )


def before_scan(data: bytes | mmap) -> bytes | None:
    """Return all that stands before the first scan, application segments among it; None where it is cut off or damaged."""
    try:
        *_, (_, _, end) = _markers(data)
    except ValueError:
        return None
    return data[:end]


def size_and_orientation(data: bytes) -> tuple[tuple[int, int], int]:
    """Return stored (width, height) and the orientation, from the header."""
    header = _header(data)
    return header.size, exif.orientation(_first(header.segments, _EXIF))


def write(picture: Picture, pixels: Pixels, redact: frozenset[str], fineness: float) -> bytes:
    """Encode pixels as a JPEG like the one they came from.

    Chroma sampled in a way the encoder does not know (4:4:0, 4:1:1) gets the next finer one, and YCCK becomes CMYK with
    the first table: larger, not worse.
    """
    source = picture.source
    assert isinstance(source, JpegSource)
    image = Image.fromarray(pixels, mode=_MODES[picture.space])
    try:
        fresh = _encoded(image, source, fineness, progressive=source.progressive, optimize=source.optimized)
    except OSError:  # beyond 16 bits per pixel, that is noise, the encoder's buffer is too small for two passes
        fresh = _encoded(image, source, fineness, progressive=False, optimize=False)
    carried = b"".join(_bytes(segment) for segment in _carried(source, places="gps" in redact))
    return b"\xff\xd8" + carried + _image_part(fresh, source)


def _encoded(image: Image.Image, source: JpegSource, fineness: float, *, progressive: bool, optimize: bool) -> bytes:
    tables = list(source.tables[:1] if image.mode == "CMYK" else source.tables)
    while len(tables) > 1 and tables[-1] == tables[-2]:
        tables.pop()  # Pillow gives component i table i, and the rest the last one
    out = io.BytesIO()
    image.save(
        out,
        "JPEG",
        qtables=[[max(1, round(step / fineness)) for step in table] for table in tables],
        subsampling=0 if image.mode == "CMYK" else _subsampling(source.sampling),
        progressive=progressive,
        optimize=optimize,
        keep_rgb=source.colour == "rgb",
        restart_marker_blocks=source.restart_interval,
    )
    return out.getvalue()


def _subsampling(sampling: tuple[tuple[int, int], ...]) -> int:
    """Return Pillow's code: 2 for 4:2:0, 1 for 4:2:2, 0 for 4:4:4, the coarsest that is no coarser than the source."""
    (h, v), chroma = sampling[0], sampling[1:] or sampling[:1]
    across, down = h // max(c for c, _ in chroma), v // max(c for _, c in chroma)
    return 2 if across >= 2 and down >= 2 else 1 if across >= 2 else 0


def _markers(data: bytes | mmap) -> Iterator[tuple[int, int, int]]:
    """Yield (marker, payload start, payload end) up to and with the first SOS; raise ValueError if it never comes."""
    if data[:2] != b"\xff\xd8":
        raise ValueError("no JPEG start marker")
    at = 2
    while True:
        at = data.find(b"\xff", at)
        while at >= 0 and data[at + 1 : at + 2] == b"\xff":  # fill bytes, T.81 B.1.1.2
            at += 1
        if at < 0 or at + 4 > len(data):
            raise ValueError("the JPEG header is cut off")
        marker = data[at + 1]
        if marker == 0 or marker == 1 or 0xD0 <= marker <= _SOI:
            at += 2
            continue
        if marker == _EOI:
            raise ValueError("the JPEG ends before its picture")
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
        if end > len(data) or end < at + 4:
            raise ValueError("the JPEG header is cut off")
        yield marker, at + 4, end
        if marker == _SOS:
            return
        at = end


def _header(data: bytes) -> _Header:
    header = _Header()
    for marker, start, end in _markers(data):
        payload = data[start:end]
        if 0xE0 <= marker <= 0xEF or marker == _COM:
            header.segments.append(Segment(marker, payload))
        elif marker == _DQT:
            header.tables.update(_quantisation(payload))
        elif marker == _DHT:
            header.huffman_bytes += len(payload)
        elif marker == _DRI:
            header.restart_interval = int.from_bytes(payload[:2])
        elif 0xC0 <= marker <= 0xCF and marker != 0xC8 and marker != 0xCC:
            _frame(header, marker, payload)
    if not header.components or any(table not in header.tables for *_, table in header.components):
        raise ValueError("the JPEG header lacks a frame or a table")
    return header


def _quantisation(payload: bytes) -> Iterator[tuple[int, tuple[int, ...]]]:
    at = 0
    while at < len(payload):
        wide, table = payload[at] >> 4, payload[at] & 15
        steps = struct.unpack_from(">64H" if wide else ">64B", payload, at + 1)
        natural = [0] * 64
        for position, step in zip(_ZIGZAG, steps, strict=True):
            natural[position] = step
        yield table, tuple(natural)
        at += 1 + (128 if wide else 64)


def _frame(header: _Header, marker: int, payload: bytes) -> None:
    precision, height, width, count = struct.unpack_from(">BHHB", payload)
    if marker not in _SOF or precision != 8:
        raise UnsupportedError("", "lossless or hierarchical JPEG" if precision == 8 else f"{precision}-bit JPEG")
    header.size, header.progressive = (width, height), marker in (0xC2, 0xCA)
    header.components = [
        (ident, factors >> 4, factors & 15, table)
        for ident, factors, table in struct.iter_unpack(">BBB", payload[6 : 6 + 3 * count])
    ]
    if len(header.components) != count or not all(h and v for _, h, v, _ in header.components):
        raise ValueError("the JPEG frame header is damaged")


def _colour(header: _Header) -> Literal["grey", "ycc", "rgb", "cmyk", "ycck"]:
    """Decide what the components mean, the way libjpeg does (jdapimin.c, default_decompress_parms)."""
    adobe = _first(header.segments, _ADOBE)
    transform = adobe[6] if len(adobe) > 6 else None
    match len(header.components):
        case 1:
            return "grey"
        case 3 if _first(header.segments, b"JFIF\0"):
            return "ycc"
        case 3 if transform is not None:
            return "rgb" if transform == 0 else "ycc"
        case 3:
            return "rgb" if bytes(ident for ident, *_ in header.components) == b"RGB" else "ycc"
        case 4:
            return "ycck" if transform == 2 else "cmyk"
    raise UnsupportedError("", f"JPEG of {len(header.components)} components")


def _first(segments: list[Segment], prefix: bytes) -> bytes:
    found = (s.payload[len(prefix) :] for s in segments if s.marker != _COM and s.payload.startswith(prefix))
    return next(found, b"")


def _icc(segments: list[Segment]) -> bytes:
    """Join the profile's parts in the order of their numbers (ICC.1 annex B.4); empty if one is missing."""
    parts = sorted(s.payload[12:] for s in segments if s.marker == 0xE2 and s.payload.startswith(_ICC))
    whole = [part[0] for part in parts if len(part) > 2] == list(range(1, len(parts) + 1))
    return b"".join(part[2:] for part in parts) if whole else b""


def _carried(source: JpegSource, *, places: bool) -> Iterator[Segment]:
    """Yield the segments that the new file keeps; with `places`, none that says where it was taken."""
    for segment in source.segments:
        payload, marker = segment.payload, segment.marker
        if marker == 0xE0:
            if payload.startswith(b"JFIF\0") and len(payload) >= 14:
                yield Segment(marker, payload[:12] + b"\0\0")  # without its thumbnail
        elif marker == 0xE1 and payload.startswith(_EXIF):
            if block := exif.carried(payload[len(_EXIF) :], places=places):
                yield Segment(marker, _EXIF + block)
        elif marker == 0xE1 and payload.startswith(_XMP):
            packet = xmp.pruned(payload[len(_XMP) :], places=places)
            if packet and len(packet) < 65500:
                yield Segment(marker, _XMP + packet)
        elif marker == 0xED and payload.startswith(_PHOTOSHOP):
            resources = photoshop.pruned(payload[len(_PHOTOSHOP) :], places=places)
            if resources:
                yield Segment(marker, _PHOTOSHOP + resources)
        elif marker == 0xEE and payload.startswith(_ADOBE):
            if source.colour == "ycc":  # otherwise the encoder writes its own
                yield segment
        elif marker == 0xE2 and payload.startswith(_ICC):
            yield segment
        elif marker == 0xEB or (marker == 0xE2 and payload.startswith((b"MPF\0", b"FPXR\0"))):
            continue  # JUMBF; further pictures that are not carried
        elif not places or marker == _COM:
            yield segment  # maker segments nobody documents cannot be vouched for: not when places must go


def _bytes(segment: Segment) -> bytes:
    return bytes((0xFF, segment.marker)) + struct.pack(">H", len(segment.payload) + 2) + segment.payload


def _image_part(fresh: bytes, source: JpegSource) -> bytes:
    """Return what the encoder wrote from its first table on, preceded by its Adobe segment where colour needs it."""
    adobe = b""
    for marker, start, end in _markers(fresh):
        if marker == 0xEE and (source.colour == "rgb" or any(s.marker == 0xEE for s in source.segments)):
            adobe = fresh[start - 4 : end]
        elif not (0xE0 <= marker <= 0xEF or marker == _COM):
            return adobe + fresh[start - 4 :]
    raise AssertionError("the encoder wrote no picture")
