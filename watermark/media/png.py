"""PNG: samples at their own depth, ancillary chunks carried over byte for byte (W3C PNG, third edition).

Pillow knows no 16-bit colour, so 16-bit samples go through OpenCV; both write a bare picture, into which the source's
chunks are set again. A palette becomes RGB or RGBA (a mark needs more than 256 colours), interlacing is not kept.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from watermark.errors import UnsupportedError
from watermark.media import exif, guard, xmp
from watermark.media.picture import Picture, Pixels, PngSource, Space

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_XMP_KEY = b"XML:com.adobe.xmp\0"
_LEVELS = (1, 3, 6, 9)  # zlib levels that write FLEVEL 0, 1, 2, 3
_MAX_TEXT = 16 << 20

_OF_COLOUR_TYPE = {b"tRNS", b"sBIT", b"bKGD", b"hIST", b"sPLT"}  # said in terms of the colour type: stay only with it
_KNOWN = _OF_COLOUR_TYPE | {b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"mDCV", b"cLLI"}  # unsafe to copy, yet true
_ANIMATION = {b"acTL", b"fcTL", b"fdAT"}


def read(data: bytes, max_pixels: int) -> Picture:
    """Decode a PNG; see `Picture`."""
    chunks = list(chunks_of(data))
    kinds = [kind for kind, _ in chunks]
    if kinds[0] != b"IHDR" or b"IDAT" not in kinds:
        raise ValueError("the PNG has no header or no picture")
    if b"acTL" in kinds:
        raise UnsupportedError("", "animated PNG")
    width, height, depth, colour_type = struct.unpack_from(">IIBB", chunks[0][1])
    guard.check_size(width, height, max_pixels)
    first = kinds.index(b"IDAT")
    before, after = ancillary(chunks[:first]), ancillary(chunks[first:])
    pixels = _deep(data) if depth == 16 else _shallow(data, max_pixels)
    block = next((content for kind, content in before + after if kind == b"eXIf"), b"")
    return Picture(
        media_type="image/png",
        pixels=pixels,
        space=_space(pixels),
        orientation=exif.orientation(block),
        icc=_icc(dict(before).get(b"iCCP", b"")),
        exif=block,
        xmp=next((text for text in map(_xmp, before + after) if text), b""),
        source=PngSource(depth, colour_type, zlib_level(chunks[first][1]), before, after),
    )


def size_and_orientation(data: bytes) -> tuple[tuple[int, int], int]:
    """Return stored (width, height) and the orientation, from the chunks."""
    chunks = dict(chunks_of(data))
    width, height = struct.unpack_from(">II", chunks[b"IHDR"])
    return (width, height), exif.orientation(chunks.get(b"eXIf", b""))


def write(picture: Picture, pixels: Pixels, redact: frozenset[str], fineness: float) -> bytes:
    """Encode pixels as a PNG of the same depth with the same chunks; nothing is finer than lossless."""
    source = picture.source
    assert isinstance(source, PngSource)
    bare = _encoded(pixels, source)
    chunks = list(chunks_of(bare))
    same_type = chunks[0][1][8:10] == bytes((source.bit_depth, source.colour_type))
    places = "gps" in redact
    out = [SIGNATURE, as_chunk(*chunks[0])]
    out += [as_chunk(*chunk) for chunk in carried(source.before, same_type=same_type, places=places)]
    out += [as_chunk(kind, content) for kind, content in chunks if kind in (b"PLTE", b"IDAT")]
    out += [as_chunk(*chunk) for chunk in carried(source.after, same_type=same_type, places=places)]
    return b"".join([*out, as_chunk(b"IEND", b"")])


def zlib_level(stream: bytes) -> int:
    """The zlib level that a stream says it was written with."""
    return _LEVELS[(stream[1:2] or b"\x80")[0] >> 6]


def _shallow(data: bytes, max_pixels: int) -> Pixels:
    image = guard.open_image(data, "PNG", max_pixels)
    image.load()
    if image.mode == "1":
        image = image.convert("L")
    elif "transparency" in image.info or image.mode == "LA":
        image = image.convert("RGBA")
    elif image.mode == "P":
        image = image.convert("RGB")
    return guard.samples(image)


def _deep(data: bytes) -> Pixels:
    pixels: NDArray[Any] | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ValueError("the 16-bit PNG is damaged")
    if pixels.ndim == 3:
        code = cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
        pixels = cv2.cvtColor(pixels, code, dst=pixels)
    return guard.frozen(pixels)


def _space(pixels: Pixels) -> Space:
    return "grey" if pixels.ndim == 2 else "rgb" if pixels.shape[2] == 3 else "rgba"


def _encoded(pixels: Pixels, source: PngSource) -> bytes:
    if pixels.dtype == np.uint16:
        return _encoded_deep(pixels, source.compress_level)
    image = Image.fromarray(pixels)
    if source.colour_type == 4:  # grey + alpha; three equal channels were added when it was read
        image = Image.merge("LA", (image.convert("RGB").convert("L"), image.getchannel("A")))
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=source.compress_level)
    return out.getvalue()


def _encoded_deep(pixels: NDArray[Any], compress_level: int) -> bytes:
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR if pixels.shape[2] == 3 else cv2.COLOR_RGBA2BGRA)
    done, buffer = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, compress_level])
    assert done
    return bytes(buffer)


def chunks_of(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (type, data) of every chunk, the end included; raise ValueError where one is cut off or damaged (§5.3)."""
    if data[:8] != SIGNATURE:
        raise ValueError("no PNG signature")
    at, kind = 8, b""
    while kind != b"IEND":
        if at + 12 > len(data):
            raise ValueError("the PNG is cut off")
        size, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        end = at + 12 + size
        if end > len(data):
            raise ValueError("the PNG is cut off")
        content = data[at + 8 : end - 4]
        if zlib.crc32(content, zlib.crc32(kind)) != int.from_bytes(data[end - 4 : end]):
            raise ValueError(f"the PNG's {kind.decode('latin-1')!r} chunk is damaged")
        yield kind, content
        at = end


def as_chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk with its length and check (§5.3)."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(content, zlib.crc32(kind)))


def ancillary(chunks: list[tuple[bytes, bytes]]) -> tuple[tuple[bytes, bytes], ...]:
    """Those chunks without which a decoder can do."""
    return tuple((kind, content) for kind, content in chunks if kind[0] & 0x20)


def carried(chunks: tuple[tuple[bytes, bytes], ...], *, same_type: bool, places: bool) -> Iterator[tuple[bytes, bytes]]:
    """Yield ancillary chunks that hold for new pixels too.

    Unknown chunks that are not marked safe to copy go, as §5.4 and §14.1 ask of an editor; C2PA's `caBX` is one.
    """
    for kind, content in chunks:
        safe = bool(kind[3] & 0x20) and kind not in _ANIMATION
        if not (safe or kind in _KNOWN) or (kind in _OF_COLOUR_TYPE and not same_type) or kind == b"tRNS":
            continue
        if kind == b"eXIf":
            if block := exif.carried(content, places=places):
                yield kind, block
        elif kind == b"iTXt" and content.startswith(_XMP_KEY):
            packet = _xmp((kind, content))
            pruned = xmp.pruned(packet, places=places)
            if pruned == packet:
                yield kind, content
            elif pruned:
                yield kind, _XMP_KEY + bytes(4) + pruned
        elif not (places and _names_place(kind, content)):
            yield kind, content


def _names_place(kind: bytes, content: bytes) -> bool:
    """Whether a chunk is text that says where, as ImageMagick writes (`exif:GPSLatitude`, `Raw profile type exif`)."""
    if kind not in (b"tEXt", b"zTXt", b"iTXt"):
        return not kind[1] & 0x20 and kind in (b"zxIf",)
    keyword = content.partition(b"\0")[0].decode("latin-1")
    return keyword.startswith("Raw profile type") or xmp.is_place(keyword)


def _xmp(chunk: tuple[bytes, bytes]) -> bytes:
    """Return the XMP packet in an iTXt chunk (§11.3.3.4), or nothing."""
    kind, content = chunk
    if kind != b"iTXt" or not content.startswith(_XMP_KEY):
        return b""
    compressed, rest = content[len(_XMP_KEY) : len(_XMP_KEY) + 1], content[len(_XMP_KEY) + 2 :]
    text = rest.split(b"\0", 2)[-1]
    return _inflated(text) if compressed == b"\1" else text


def _icc(content: bytes) -> bytes:
    return _inflated(content.partition(b"\0")[2][1:])


def _inflated(stream: bytes) -> bytes:
    """Unpack at most 16 MB; what is longer or damaged counts as absent."""
    inflate = zlib.decompressobj()
    try:
        content = inflate.decompress(stream, _MAX_TEXT)
    except zlib.error:
        return b""
    return content if inflate.eof else b""
