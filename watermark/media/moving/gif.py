"""GIF: blocks kept byte for byte, but for the frames' own colours and indices (CompuServe, GIF89a, 31 July 1990)."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from watermark.media.moving.parts import After, Moving, Part, Rgba

_AFTER = {2: After.CLEAR, 3: After.RESTORE}  # §23.c.iv
_IMAGE, _EXTENSION, _TRAILER = b"\x2c", b"\x21", b"\x3b"
_CONTROL, _APPLICATION = 0xF9, 0xFF
MOST = 256
"""Colours of a frame."""
_NOT_KEPT = (b"C2PA_GIF",)
"""Application extensions that say something of the old bytes."""


@dataclass(frozen=True, slots=True)
class _Image:
    """An image block (§20, §22) with the control block ahead of it, if there is one.

    Attributes:
        control: The four bytes of a graphic control extension (§23), or nothing.
        frame: The nine bytes of the image descriptor after its separator.
        colours: Its own colour table, or nothing.
        coded: LZW code size and sub-blocks, the terminator included.
    """

    control: bytes
    frame: bytes
    colours: bytes
    coded: bytes


def read(data: bytes) -> Moving:
    """Take a GIF apart. Raises ValueError where it is cut off or no GIF."""
    head, blocks = _blocks(data)
    images = [block for block in blocks if isinstance(block, _Image)]
    width, height = (int.from_bytes(head[at : at + 2], "little") for at in (6, 8))

    def write(parts: Sequence[Rgba], redact: frozenset[str], fineness: float) -> bytes:
        new = iter(parts)
        return head + b"".join(_encoded(b, next(new), head[13:]) if isinstance(b, _Image) else b for b in blocks) + _TRAILER

    return Moving("image/gif", width, height, tuple(_part(image, head) for image in images), write)


def _part(image: _Image, head: bytes) -> Part:
    left, top, width, height = (int.from_bytes(image.frame[at : at + 2], "little") for at in range(0, 8, 2))
    if width < 1 or height < 1:
        raise ValueError(f"a frame is {width} × {height} pixels")
    disposal, delay = (image.control[0] >> 2 & 7, int.from_bytes(image.control[1:3], "little")) if image.control else (0, 0)
    alone = _alone(image, head)
    return Part(left, top, width, height, True, _AFTER.get(disposal, After.KEEP), 10 * delay, lambda: _decoded(alone))


def _alone(image: _Image, head: bytes) -> bytes:
    """A GIF of this frame only, at the size that it has."""
    screen = head[:6] + image.frame[4:8] + head[10:]
    frame = _IMAGE + bytes(4) + image.frame[4:]
    return screen + _control(image.control) + frame + image.colours + image.coded + _TRAILER


def _decoded(alone: bytes) -> Rgba:
    with Image.open(io.BytesIO(alone), formats=["GIF"]) as opened:
        return np.asarray(opened.convert("RGBA"))


def _encoded(image: _Image, samples: Rgba, common: bytes) -> bytes:
    """A frame with new samples: in its own colours and as many more as there is room for; place, time, disposal as before."""
    hidden = samples[..., 3] == 0
    colours = np.frombuffer(image.colours or common, np.uint8).reshape(-1, 3)
    if image.control and image.control[0] & 1:  # the transparent one is none
        colours = colours[np.arange(len(colours)) != image.control[3]]
    out = io.BytesIO()
    transparent = {"transparency": MOST - 1} if hidden.any() else {}
    picture = _reduced(np.ascontiguousarray(samples[..., :3]), hidden, colours)
    picture.save(out, "GIF", interlace=0, optimize=False, **transparent)
    head, blocks = _blocks(out.getvalue())
    (made,) = (block for block in blocks if isinstance(block, _Image))
    table = made.colours or head[13:]
    control = image.control
    if control:  # everything but the transparent colour stays
        control = bytes([control[0] & ~1 | bool(transparent)]) + control[1:3] + (made.control[3:4] if transparent else b"\0")
    frame = image.frame[:8] + bytes([0x80 | (len(table) // 3).bit_length() - 2])
    return _control(control) + _IMAGE + frame + table + made.coded


def _reduced(rgb: Rgba, hidden: NDArray[np.bool_], own: NDArray[np.uint8]) -> Image.Image:
    """A picture in 256 colours, or 255 and the last for what is hidden.

    In the colours that the frame had, most samples stay what they were; dithered, for else a faint change rounds away.
    """
    most = MOST - bool(hidden.any())
    seen = rgb[~hidden]
    exact, places = np.unique(seen, axis=0, return_inverse=True)
    if len(exact) <= most:
        indices = np.full(hidden.shape, MOST - 1, np.uint8)
        indices[~hidden] = places.ravel()
        return _paletted(indices, exact)
    colours = np.unique(own, axis=0)[:most]
    if len(colours) < most:
        more = Image.fromarray(seen[None]).quantize(most - len(colours), Image.Quantize.MEDIANCUT).getpalette() or []
        colours = np.concatenate([colours, np.array(more, np.uint8).reshape(-1, 3)])[:most]
    table = Image.new("P", (1, 1))
    table.putpalette(np.resize(colours, (most, 3)).tobytes())
    indices = np.asarray(Image.fromarray(rgb).quantize(palette=table, dither=Image.Dither.FLOYDSTEINBERG)).copy()
    indices[hidden] = MOST - 1
    return _paletted(indices, colours)


def _paletted(indices: NDArray[np.uint8], colours: NDArray[np.uint8]) -> Image.Image:
    found = Image.fromarray(indices)
    found.putpalette(np.resize(colours, (MOST, 3)).tobytes())  # filled up by repeating
    return found


def _control(content: bytes) -> bytes:
    return _EXTENSION + bytes([_CONTROL, 4]) + content + b"\0" if content else b""


def _blocks(data: bytes) -> tuple[bytes, list[bytes | _Image]]:
    """Header with screen descriptor and global colours; then images, and other blocks whole, up to the trailer."""
    if data[:6] not in (b"GIF87a", b"GIF89a") or len(data) < 13:
        raise ValueError("no GIF, or cut off in its header")
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    return data[:at], list(_body(data, at))


def _body(data: bytes, at: int) -> Iterator[bytes | _Image]:
    control = b""
    while (kind := data[at : at + 1]) != _TRAILER:
        if kind == _EXTENSION:
            end = _sub_blocks(data, at + 2)
            if data[at + 1] == _CONTROL:
                control = data[at + 3 : at + 7]
                if data[at + 2] != 4 or len(control) != 4:
                    raise ValueError("a control block of the GIF is damaged")
            elif not (data[at + 1] == _APPLICATION and data[at + 3 : at + 11] in _NOT_KEPT):
                yield data[at:end]
            at = end
        elif kind == _IMAGE:
            frame = data[at + 1 : at + 10]
            colours = at + 10 + (3 << (frame[8] & 7) + 1 if frame[8:] and frame[8] & 0x80 else 0)
            end = _sub_blocks(data, colours + 1)
            yield _Image(control, frame, data[at + 10 : colours], data[colours:end])
            at, control = end, b""
        else:
            raise ValueError("the GIF is cut off" if not kind else f"the GIF has an unknown block 0x{kind.hex()}")


def _sub_blocks(data: bytes, at: int) -> int:
    """Where a chain of sub-blocks that begins there ends (§15)."""
    while at < len(data):
        if data[at] == 0:
            return at + 1
        at += 1 + data[at]
    raise ValueError("the GIF is cut off")
