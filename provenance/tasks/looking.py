"""What a file is and says: its digest and type, its credential, its marks."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import BinaryIO

import numpy as np

from provenance import fingerprint, sdk
from provenance.credential import Credential, Remote, Unreadable
from provenance.errors import DamagedMediaError, InputError
from provenance.tasks.rim import Rgb, load, reading
from provenance.verdict import Part
from watermark import engines, imwatermark, media, several
from watermark.detection import Detection
from watermark.errors import MediaDecodeError, UnsupportedError


@dataclass(frozen=True, slots=True)
class Probe:
    """What a file is, from its own bytes."""

    sha256: str
    size: int
    media_type: str | None


@dataclass(frozen=True, slots=True)
class PixelFacts:
    """What a still picture's pixels say."""

    width: int
    height: int
    detection: Detection
    codes: tuple[str, str]  # as seen, and mirrored
    generator: tuple[str, float] | None
    others: tuple[Detection, ...] = ()  # read under further keys


def kind(path: str) -> str | None:
    """MIME type of a file, from its first bytes.

    Raises:
        InputError: it cannot be read, or is empty.
    """
    with reading(path) as stream:
        return _kind(stream, path)


def kind_of_whole(path: str) -> str | None:
    """MIME type of a file that is to be signed.

    Raises:
        InputError: it cannot be read, or is empty.
        DamagedMediaError: it ends before its own lengths do.
    """
    with reading(path) as stream:
        found, lost = _kind(stream, path), media.missing(stream)
    if lost:
        raise DamagedMediaError(path, f"is cut off: {lost:,} bytes that it should have are missing")
    return found


def carries_credential(path: str, media_type: str) -> bool:
    """Whether a credential, sound or not, is in a file or named by it."""
    with reading(path) as stream:
        if media_type == "image/jpeg" and _unsigned(stream):
            return False
        return sdk.read(stream, media_type) is not None


def probe(path: str) -> Probe:
    """Digest and type of a file.

    Raises:
        InputError: it cannot be read, or is empty.
    """
    digest, size, head = hashlib.sha256(), 0, b""
    with reading(path) as stream:
        while block := stream.read(1 << 20):
            head = head or block[: media.HEAD_BYTES]
            digest.update(block)
            size += len(block)
    if not size:
        raise InputError(path, "is empty")
    return Probe(digest.hexdigest(), size, media.sniff(head, Path(path).name))


def read_credential(path: str, media_type: str | None, store: bytes | None) -> Credential | Unreadable | Remote | None:
    """The credential in a file, or the given store read against it."""
    with reading(path) as stream:
        return sdk.read(stream, media_type, store=store)


def read_registered(store: bytes) -> Credential | Unreadable | Remote | None:
    """A bare manifest store from the registry."""
    return sdk.read_store(store)


def read_many(stores: Sequence[bytes]) -> list[Credential | Unreadable | Remote | None]:
    """Several bare manifest stores from the registry, in one go."""
    return [sdk.read_store(store) for store in stores]


def read_pixels(path: str, keys: Sequence[bytes]) -> PixelFacts:
    """Look for marks in a still picture and take its fingerprint.

    Raises:
        DamagedMediaError, UnsupportedMediaError: it cannot be decoded.
    """
    rgb = load(path)
    height, width = rgb.shape[:2]
    detection, *others = several.under_each_key(lambda some: engines.default("image").detect(rgb, keys=some), keys)
    generator = _generator(rgb)  # beside ours too: whoever signs generated pixels marks them as any others
    codes = (fingerprint.image_code(rgb), fingerprint.mirrored_image_code(rgb))
    return PixelFacts(width, height, detection, codes, generator, tuple(others))


def read_parts(path: str, parts: Sequence[Part], keys: Sequence[bytes]) -> tuple[tuple[Part, Detection], ...]:
    """Look for marks in parts of a still picture, each by itself.

    Returns:
        What was found, with the part that it was found in; nothing of parts without a mark.
    Raises:
        DamagedMediaError, UnsupportedMediaError: it cannot be decoded.
    """
    rgb = load(path)
    return tuple((part, found) for part in parts for found in _in_part(rgb, part, keys) if found.found)


def dimensions(path: str) -> tuple[int | None, int | None, int | None]:
    """Width, height and duration in ms of any medium; None where it has no such thing, or its header does not tell."""
    try:
        found = media.dimensions(Path(path))
        return found.width, found.height, found.duration_ms
    except (MediaDecodeError, UnsupportedError):
        return None, None, None


def _in_part(rgb: Rgb, part: Part, keys: Sequence[bytes]) -> tuple[Detection, ...]:
    height, width = rgb.shape[:2]
    left, right = (round(width * edge) for edge in (part[0], part[0] + part[2]))
    top, bottom = (round(height * edge) for edge in (part[1], part[1] + part[3]))
    cut = np.ascontiguousarray(rgb[top:bottom, left:right])
    return several.under_each_key(lambda some: engines.default("image").detect(cut, keys=some), keys) if cut.size else ()


def _kind(stream: BinaryIO, path: str) -> str | None:
    head = stream.read(media.HEAD_BYTES)
    if not head:
        raise InputError(path, "is empty")
    return media.sniff(head, Path(path).name)


def _unsigned(jpeg: BinaryIO) -> bool:
    """Whether a JPEG's header surely names no credential: the library would read, and rate, the whole file."""
    with mmap(jpeg.fileno(), 0, access=ACCESS_READ) as data:
        header = media.before_scan(data)
    return header is not None and b"c2pa" not in header and b"provenance" not in header  # embedded, or named in its XMP


def _generator(rgb: Rgb) -> tuple[str, float] | None:
    try:
        read = imwatermark.generator_mark(rgb)
    except UnsupportedError:  # the optional second engine is not installed
        return None
    return (read.name, read.p_value) if read else None
