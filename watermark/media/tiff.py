"""TIFF: 8 and 16 bits stay what they are, descriptive tags are carried over (TIFF 6.0).

Pillow reads 8-bit files; OpenCV reads 16-bit ones, which Pillow would cut to 8. What is written is one page of strips,
little-endian, uncompressed if the source was and otherwise Deflate with a predictor: lossless, whatever the source
(LZW, PackBits, ZIP, JPEG, fax) was.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from watermark.errors import UnsupportedError
from watermark.media import exif, guard, photoshop, xmp
from watermark.media.ifd import SIZES, Block
from watermark.media.picture import Picture, Pixels, Space, TiffSource, TiffTag

_BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES, _PLANAR, _EXTRA, _FORMAT = 258, 259, 262, 277, 284, 338, 339
_XMP, _IPTC, _PHOTOSHOP, _ICC, _DNG_VERSION, _C2PA = 700, 33723, 34377, 34675, 50706, 52545
# what says how or where the old samples lie, or shows them: strips, tiles, halftones, palettes, JPEG tables, sub-images,
# Photoshop layers, the C2PA store
_STRUCTURE = frozenset(
    {254, 255, 256, 257, _BITS, _COMPRESSION, _PHOTOMETRIC, 263, 264, 265, 266, 273, _SAMPLES, 278, 279, 280, 281}
    | {_PLANAR, 288, 289, 290, 291, 292, 293, 301, 317, 320, 321, 322, 323, 324, 325, 330, 332, 333, 334, 336, 337}
    | {_EXTRA, _FORMAT, 340, 341, 342, 347, *range(512, 522), 529, 530, 531, 532, 34665, 34853, 37724, _C2PA}
)
_GEO = frozenset({33550, 33922, 34264, 34735, 34736, 34737})  # GeoTIFF
_STRIP_BYTES = 1 << 18
_PHOTOMETRICS = {"grey": 1, "rgb": 2, "rgba": 2, "cmyk": 5}


def read(data: bytes, max_pixels: int) -> Picture:
    """Decode a TIFF; see `Picture`."""
    if data[2:4] in (b"+\0", b"\0+"):
        raise UnsupportedError("", "BigTIFF")
    block = Block(data)
    tags: dict[int, TiffTag] = {}
    for tag in _tags(block, block.first):
        tags.setdefault(tag.tag, tag)  # no tag stands twice by rights; readers take the first
    if _DNG_VERSION in tags:
        raise UnsupportedError("", "DNG: raw sensor data is not decoded")
    if block.number("I", block.link(block.first)):
        raise UnsupportedError("", "multi-page TIFF")
    guard.check_size(_number(tags, 256), _number(tags, 257), max_pixels)
    _check_whole(block)
    orientation = exif.orientation(data)
    pixels, space = _samples(exif.upright(data), tags, max_pixels)  # the codecs would turn it
    return Picture(
        media_type="image/tiff",
        pixels=pixels,
        space=space,
        orientation=orientation,
        icc=_value(tags, _ICC),
        xmp=_value(tags, _XMP),
        source=TiffSource(
            compression=_number(tags, _COMPRESSION, 1),
            tags=tuple(tag for tag in tags.values() if tag.tag not in _STRUCTURE and tag.kind != 13),
            exif_tags=_directory(block, exif.EXIF_IFD),
            gps_tags=_directory(block, exif.GPS_IFD),
        ),
    )


def write(picture: Picture, pixels: Pixels, redact: frozenset[str], fineness: float) -> bytes:
    """Encode pixels as a TIFF with the same tags; nothing is finer than lossless."""
    source, places = picture.source, "gps" in redact
    assert isinstance(source, TiffSource)
    rows = max(1, _STRIP_BYTES // (pixels.strides[0] or 1))
    plain = source.compression == 1
    strips = [_strip(pixels[top : top + rows], plain) for top in range(0, pixels.shape[0], rows)]
    at, offsets = 8, []
    for strip in strips:
        offsets.append(at)
        at += len(strip) + len(strip) % 2
    structure = _structure(picture, pixels, plain=plain, rows=rows, offsets=offsets, sizes=[len(s) for s in strips])
    directories = _directories(
        at,
        [*structure, *_carried(source.tags, places=places)],
        [tag for tag in source.exif_tags if tag.tag != 0xA005],  # the interoperability directory points nowhere now
        () if places else source.gps_tags,
    )
    first, body = directories
    padded = b"".join(strip + bytes(len(strip) % 2) for strip in strips)
    return struct.pack("<2sHI", b"II", 42, first) + padded + body


def _samples(data: bytes, tags: dict[int, TiffTag], max_pixels: int) -> tuple[Pixels, Space]:
    depths = set(_numbers(tags, _BITS, 1))
    if depths == {16}:
        return _deep(data, tags)
    if max(depths) > 8:
        raise UnsupportedError("", f"TIFF of {max(depths)} bits a sample")
    image = guard.open_image(data, "TIFF", max_pixels)
    image.load()
    mode = {"1": "L", "LA": "RGBA", "P": "RGB", "RGBX": "RGB", "YCbCr": "RGB"}.get(image.mode, image.mode)
    if mode not in ("L", "RGB", "RGBA", "CMYK"):
        raise UnsupportedError("", f"TIFF of mode {mode}")
    if mode == "RGB" and image.mode == "P" and "transparency" in image.info:
        mode = "RGBA"
    pixels = guard.samples(image if image.mode == mode else image.convert(mode))
    spaces: dict[str, Space] = {"L": "grey", "RGB": "rgb", "RGBA": "rgba", "CMYK": "cmyk"}
    return pixels, spaces[mode]


def _deep(data: bytes, tags: dict[int, TiffTag]) -> tuple[Pixels, Space]:
    count, photometric = _number(tags, _SAMPLES, 1), _number(tags, _PHOTOMETRIC, 1)
    if set(_numbers(tags, _FORMAT, 1)) != {1} or (count, photometric) not in ((1, 1), (3, 2), (4, 2)):
        raise UnsupportedError("", f"16-bit TIFF of {count} samples, photometric {photometric}")
    if count == 4 and _number(tags, _EXTRA) != 2:
        raise UnsupportedError("", "16-bit TIFF with premultiplied or unspecified alpha")
    pixels: NDArray[Any] | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        raise ValueError("the 16-bit TIFF is damaged, or compressed in a way that is not read here")
    if count > 1:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB if count == 3 else cv2.COLOR_BGRA2RGBA)
    return guard.frozen(pixels), ("grey", "", "rgb", "rgba")[count - 1]  # type: ignore[return-value]  # never two


def _check_whole(block: Block) -> None:
    """Raise ValueError where strips or tiles lie outside the file: not every codec notices."""
    entries = {entry.tag: entry for entry in block.entries(block.first)}
    for offsets, sizes in ((273, 279), (324, 325)):
        if offsets in entries and sizes in entries:
            at, length = (_unpacked(_tag(block, entries[number])) for number in (offsets, sizes))
            if any(start + size > len(block.data) for start, size in zip(at, length, strict=False)):
                raise ValueError("the TIFF is cut off")


def _tags(block: Block, ifd: int) -> Iterator[TiffTag]:
    for entry in block.entries(ifd):
        if entry.kind in SIZES:
            yield _tag(block, entry)


def _tag(block: Block, entry: Any) -> TiffTag:
    value = block.value(entry)
    width = 1 if entry.kind in (1, 2, 6, 7) else 2 if entry.kind in (3, 8) else 8 if entry.kind == 12 else 4
    if block.order == ">" and width > 1:
        value = np.frombuffer(value, f">u{width}").astype(f"<u{width}").tobytes()
    return TiffTag(entry.tag, entry.kind, value)


def _directory(block: Block, pointer: int) -> tuple[TiffTag, ...]:
    entry = block.find(block.first, pointer)
    return tuple(_tags(block, block.scalar(entry))) if entry else ()


def _unpacked(tag: TiffTag) -> tuple[int, ...]:
    code = {1: "B", 3: "H", 4: "I", 13: "I"}.get(tag.kind)
    if code is None:
        raise ValueError(f"tag {tag.tag} is no whole number")
    return struct.unpack(f"<{len(tag.value) // SIZES[tag.kind]}{code}", tag.value)


def _numbers(tags: dict[int, TiffTag], tag: int, default: int) -> tuple[int, ...]:
    return (_unpacked(tags[tag]) if tag in tags else ()) or (default,)


def _number(tags: dict[int, TiffTag], tag: int, default: int = 0) -> int:
    return _numbers(tags, tag, default)[0]


def _value(tags: dict[int, TiffTag], tag: int) -> bytes:
    return tags[tag].value if tag in tags else b""


def _strip(rows: NDArray[Any], plain: bool) -> bytes:
    if plain:
        return rows.astype(rows.dtype.newbyteorder("<"), copy=False).tobytes()
    differences = rows.copy()
    differences[:, 1:] -= rows[:, :-1]  # predictor 2, TIFF 6.0 §14: wraps around
    return zlib.compress(differences.astype(rows.dtype.newbyteorder("<"), copy=False).tobytes(), 6)


def _structure(
    picture: Picture, pixels: Pixels, *, plain: bool, rows: int, offsets: list[int], sizes: list[int]
) -> Iterator[TiffTag]:
    count = 1 if pixels.ndim == 2 else pixels.shape[2]
    yield _long(256, pixels.shape[1])
    yield _long(257, pixels.shape[0])
    yield _short(_BITS, *[pixels.itemsize * 8] * count)
    yield _short(_COMPRESSION, 1 if plain else 8)
    yield _short(_PHOTOMETRIC, _PHOTOMETRICS[picture.space])
    yield _long(273, *offsets)
    yield _short(_SAMPLES, count)
    yield _long(278, rows)
    yield _long(279, *sizes)
    yield _short(_PLANAR, 1)
    if not plain:
        yield _short(317, 2)
    if picture.space == "rgba":
        yield _short(_EXTRA, 2)


def _carried(tags: Iterable[TiffTag], *, places: bool) -> Iterator[TiffTag]:
    for tag in tags:
        if tag.tag == _XMP:
            value = xmp.pruned(tag.value, places=places)
        elif tag.tag == _PHOTOSHOP:
            value = photoshop.pruned(tag.value, places=places)
        elif places and tag.tag == _IPTC:
            value = photoshop.iptc_without_places(tag.value)
        else:
            value = b"" if places and tag.tag in _GEO else tag.value
        if value:
            yield TiffTag(tag.tag, tag.kind if len(value) % SIZES[tag.kind] == 0 else 7, value)


def _directories(at: int, tags: list[TiffTag], exif_tags: Iterable[TiffTag], gps_tags: Iterable[TiffTag]) -> tuple[int, bytes]:
    """Lay out Exif and GPS directories and then the first one; return where that lies, and all bytes."""
    body = b""
    for pointer, inner in ((exif.EXIF_IFD, list(exif_tags)), (exif.GPS_IFD, list(gps_tags))):
        if inner:
            tags = [*tags, _long(pointer, at + len(body))]
            body += _laid_out(inner, at + len(body))
    return at + len(body), body + _laid_out(tags, at + len(body))


def _laid_out(tags: list[TiffTag], at: int) -> bytes:
    """Write one directory, its values behind it, for position `at` (even) in the file."""
    tags = sorted(tags, key=lambda tag: tag.tag)
    values_at = at + 2 + 12 * len(tags) + 4
    entries, values = struct.pack("<H", len(tags)), b""
    for tag in tags:
        entries += struct.pack("<HHI", tag.tag, tag.kind, len(tag.value) // SIZES[tag.kind])
        if len(tag.value) <= 4:
            entries += tag.value.ljust(4, b"\0")
        else:
            entries += struct.pack("<I", values_at + len(values))
            values += tag.value + bytes(len(tag.value) % 2)
    return entries + bytes(4) + values


def _short(tag: int, *values: int) -> TiffTag:
    return TiffTag(tag, 3, struct.pack(f"<{len(values)}H", *values))


def _long(tag: int, *values: int) -> TiffTag:
    return TiffTag(tag, 4, struct.pack(f"<{len(values)}I", *values))
