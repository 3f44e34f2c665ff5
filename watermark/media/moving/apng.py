"""Animated PNG: frames re-coded without loss, everything else carried over (W3C PNG, third edition, §11.3.2.7)."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from watermark.errors import UnsupportedError
from watermark.media.moving.parts import After, Moving, Part, Rgba
from watermark.media.png import SIGNATURE, ancillary, as_chunk, carried, chunks_of, zlib_level

_AFTER = (After.KEEP, After.CLEAR, After.RESTORE)
_FRAME = struct.Struct(">IIIIIHHBB")  # sequence number, width, height, x, y, delay, per, dispose, blend
_MODES = {0: "L", 2: "RGB", 6: "RGBA"}


@dataclass(frozen=True, slots=True)
class _Frame:
    """A frame's control chunk, without its sequence number; None for a default image; and its coded samples."""

    control: tuple[int, ...] | None
    coded: bytes


def read(data: bytes) -> Moving | None:
    """Take an animated PNG apart; None for a PNG that is not one. Raises ValueError where it is damaged."""
    if b"acTL" not in data[: data.find(b"IDAT") + 1]:  # it has to stand ahead of the samples
        return None
    chunks = list(chunks_of(data))
    if chunks[0][0] != b"IHDR" or not any(kind == b"acTL" for kind, _ in chunks):
        return None
    header = chunks[0][1]
    width, height, depth, colour_type = struct.unpack_from(">IIBB", header)
    if depth == 16:
        raise UnsupportedError("", "animated PNG of 16 bits")
    frames = _frames(chunks)
    palette = [chunk for chunk in chunks if chunk[0] in (b"PLTE", b"tRNS")]
    clear = any(kind == b"tRNS" for kind, _ in palette)
    target = 6 if clear or colour_type in (4, 6) else 2 if colour_type in (2, 3) else 0

    def write(parts: Sequence[Rgba], redact: frozenset[str], fineness: float) -> bytes:
        same = (depth, colour_type) == (8, target)
        level = zlib_level(next(frame.coded for frame in frames))
        return _written(chunks, frames, [_idat(part, _MODES[target], level) for part in parts], target, same, "gps" in redact)

    return Moving("image/png", width, height, tuple(_part(frame, header, palette) for frame in frames), write)


def _frames(chunks: list[tuple[bytes, bytes]]) -> list[_Frame]:
    found: list[_Frame] = []
    control: tuple[int, ...] | None = None
    for kind, content in chunks:
        if kind == b"fcTL":
            control = _FRAME.unpack(content)[1:]
            found.append(_Frame(control, b""))
        elif kind == b"IDAT" and not found:
            found.append(_Frame(None, content))  # a default image that the animation does not show
        elif kind in (b"IDAT", b"fdAT"):
            if not found or (kind == b"IDAT" and len(found) > 1):
                raise ValueError("the PNG's frames are out of order")
            found[-1] = _Frame(found[-1].control, found[-1].coded + (content if kind == b"IDAT" else content[4:]))
    if any(not frame.coded for frame in found):
        raise ValueError("a frame of the PNG has no samples")
    return found


def _part(frame: _Frame, header: bytes, palette: list[tuple[bytes, bytes]]) -> Part:
    size = struct.unpack_from(">II", header)
    width, height, left, top, delay, per, after, over = frame.control or (*size, 0, 0, 0, 1, 0, 0)
    if width < 1 or height < 1 or after > 2 or over > 1:
        raise ValueError("a frame's control chunk of the PNG is damaged")
    alone = [(b"IHDR", struct.pack(">II", width, height) + header[8:]), *palette, (b"IDAT", frame.coded), (b"IEND", b"")]
    data = SIGNATURE + b"".join(as_chunk(*chunk) for chunk in alone)
    delay_ms = 1000 * delay // (per or 100)
    return Part(left, top, width, height, bool(over), _AFTER[after], delay_ms, lambda: _decoded(data), frame.control is None)


def _decoded(data: bytes) -> Rgba:
    with Image.open(io.BytesIO(data), formats=["PNG"]) as opened:
        return np.asarray(opened.convert("RGBA"))


def _idat(samples: Rgba, mode: str, level: int) -> bytes:
    picture = Image.fromarray(np.ascontiguousarray(samples[..., 0]) if mode == "L" else samples)
    out = io.BytesIO()
    (picture if mode == "L" else picture.convert(mode)).save(out, "PNG", compress_level=level)
    return b"".join(content for kind, content in chunks_of(out.getvalue()) if kind == b"IDAT")


def _written(
    chunks: list[tuple[bytes, bytes]], frames: list[_Frame], coded: list[bytes], target: int, same: bool, places: bool
) -> bytes:
    """The chunks again, in order, with new samples and sequence numbers; three colours or four instead of a palette."""
    first = next(place for place, (kind, _) in enumerate(chunks) if kind == b"IDAT")
    before, after = (ancillary(some) for some in (chunks[:first], chunks[first:]))
    size = struct.unpack_from(">II", chunks[0][1])
    out = [(b"IHDR", struct.pack(">IIBBBBB", *size, 8, target, 0, 0, 0))]
    out += carried(before, same_type=same, places=places)
    out += [chunk for chunk in chunks if chunk[0] == b"acTL"]
    number = 0
    for frame, samples in zip(frames, coded, strict=True):
        if frame.control:
            out.append((b"fcTL", _FRAME.pack(number, *frame.control)))
            number += 1
        if frame is frames[0]:
            out.append((b"IDAT", samples))
        else:
            out.append((b"fdAT", struct.pack(">I", number) + samples))
            number += 1
    out += carried(after, same_type=same, places=places)
    return SIGNATURE + b"".join(as_chunk(*chunk) for chunk in [*out, (b"IEND", b"")])
