"""Animated WebP: lossless frames stay lossless, lossy ones are coded at the quality that gives the size they had (RFC 9649)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from watermark.media.exif import bare, carried
from watermark.media.lossy import matching_quality
from watermark.media.moving.parts import After, Moving, Part, Rgba
from watermark.media.webp import LOSSLESS, chunks_of, encoded, sub_chunks
from watermark.media.xmp import pruned

_ALPHA = 0x10
_CODED = (b"ALPH", b"VP8 ", b"VP8L")
_NOT_KEPT = (b"C2PA",)


@dataclass(frozen=True, slots=True)
class _Frame:
    """The sixteen bytes ahead of a frame's own chunks, and those of them that are coded samples."""

    head: bytes
    coded: tuple[tuple[bytes, bytes], ...]

    @property
    def lossless(self) -> bool:
        return any(kind == b"VP8L" for kind, _ in self.coded)


def read(data: bytes) -> Moving | None:
    """Take an animated WebP apart; None for one that is not. Raises ValueError where it is damaged."""
    chunks = list(chunks_of(data))
    if not any(kind == b"ANMF" for kind, _ in chunks):
        return None
    if chunks[0][0] != b"VP8X" or len(chunks[0][1]) < 10:
        raise ValueError("the animated WebP has no header")
    width, height = (_number(chunks[0][1], at) + 1 for at in (4, 7))
    frames = [_frame(content) for kind, content in chunks if kind == b"ANMF"]

    def write(parts: Sequence[Rgba], redact: frozenset[str], fineness: float) -> bytes:
        return _written(chunks, _encoded(frames, parts, fineness), "gps" in redact)

    return Moving("image/webp", width, height, tuple(map(_part, frames)), write)


def _frame(content: bytes) -> _Frame:
    inner = tuple(chunk for chunk in sub_chunks(content, 16, len(content)) if chunk[0] in _CODED)
    if len(content) < 16 or not any(kind != b"ALPH" for kind, _ in inner):
        raise ValueError("a frame of the WebP has no samples")
    return _Frame(content[:16], inner)


def _part(frame: _Frame) -> Part:
    left, top = (2 * _number(frame.head, at) for at in (0, 3))
    width, height, delay = (_number(frame.head, at) for at in (6, 9, 12))
    clear, instead = frame.head[15] & 1, frame.head[15] & 2
    after = After.CLEAR if clear else After.KEEP
    return Part(left, top, width + 1, height + 1, not instead, after, delay, lambda: _decoded(frame))


def _decoded(frame: _Frame) -> Rgba:
    size = frame.head[6:12]
    alpha = _ALPHA if len(frame.coded) > 1 else 0
    inner = [(b"VP8X", bytes([alpha, 0, 0, 0]) + size), *frame.coded] if alpha else list(frame.coded)
    with Image.open(io.BytesIO(_riff(inner)), formats=["WEBP"]) as opened:
        pixels = np.asarray(opened.convert("RGBA"))
    if pixels.shape[:2] != (_number(size, 3) + 1, _number(size, 0) + 1):
        raise ValueError("a frame of the WebP has not the size that it says")
    return pixels


def _encoded(frames: list[_Frame], parts: Sequence[Rgba], fineness: float) -> list[_Frame]:
    """The frames with new samples, all lossy ones at one quality: what gives the first the size that it had."""
    quality, made = 0, []
    for frame, samples in zip(frames, parts, strict=True):
        pixels = samples if (samples[..., 3] < 255).any() else np.ascontiguousarray(samples[..., :3])
        if not frame.lossless and not quality:
            size = sum(len(content) for _, content in frame.coded) * fineness
            quality = matching_quality(lambda some, q: len(encoded(some, quality=q)), pixels, size, range(10, 101))
        options = LOSSLESS if frame.lossless else {"quality": quality}
        inner = tuple(chunk for chunk in chunks_of(encoded(pixels, **options)) if chunk[0] in _CODED)
        made.append(_Frame(frame.head, inner))
    return made


def _written(chunks: list[tuple[bytes, bytes]], frames: list[_Frame], places: bool) -> bytes:
    """The chunks again, in order, with the frames in place of theirs."""
    new = iter(frames)
    out: list[tuple[bytes, bytes]] = []
    for kind, content in chunks:
        if kind == b"ANMF":
            frame = next(new)
            out.append((kind, frame.head + b"".join(_chunk(*chunk) for chunk in frame.coded)))
        elif kind == b"EXIF":
            out.append((kind, carried(bare(content), places=places)))
        elif kind == b"XMP ":
            out.append((kind, pruned(content, places=places)))
        elif kind not in _NOT_KEPT:
            out.append((kind, content))
    out = [(kind, content) for kind, content in out if content]
    flags = chunks[0][1][0] & ~0x0C | (0x08 if any(k == b"EXIF" for k, _ in out) else 0)
    flags |= 0x04 if any(k == b"XMP " for k, _ in out) else 0
    return _riff([(b"VP8X", bytes([flags]) + chunks[0][1][1:]), *out[1:]])


def _riff(chunks: list[tuple[bytes, bytes]]) -> bytes:
    body = b"WEBP" + b"".join(_chunk(*chunk) for chunk in chunks)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def _chunk(kind: bytes, content: bytes) -> bytes:
    return kind + len(content).to_bytes(4, "little") + content + b"\0" * (len(content) % 2)


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 3], "little")
