"""`decode` and `encode`: one door for every format, in either direction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from watermark.errors import MediaDecodeError, UnsupportedError
from watermark.media import avif, colour, files, heif, jpeg, moving, png, stills, tiff, webp
from watermark.media.picture import MARKABLE, MAX_PIXELS, REDACTIONS, Picture, Pixels, Rgb8
from watermark.media.sniff import HEAD_BYTES, sniff

_READERS: dict[str, Callable[[bytes, int], Picture]] = {
    "image/jpeg": jpeg.read,
    "image/png": png.read,
    "image/webp": webp.read,
    "image/avif": avif.read,
    "image/heic": heif.read,
    "image/heif": heif.read,
    "image/tiff": tiff.read,
    "image/gif": stills.read_gif,
    "image/bmp": stills.read_bmp,
}
_WRITERS: dict[str, Callable[[Picture, Pixels, frozenset[str], float], bytes]] = {
    "image/jpeg": jpeg.write,
    "image/png": png.write,
    "image/webp": webp.write,
    "image/avif": avif.write,
    "image/heic": heif.write,
    "image/heif": heif.write,
    "image/tiff": tiff.write,
}
_STILLS = _READERS.keys() - moving.CONTAINERS
assert _WRITERS.keys() | {"image/gif"} == MARKABLE  # every GIF is an animation


def decode(path: Path, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Decode a still picture, going by its bytes and not by its name.

    Args:
        path: The file; it is only read.
        max_pixels: Larger pictures are refused before their pixels are decoded.
    Returns:
        The picture, in stored orientation, with what is needed to encode its successor alike.
    Raises:
        MediaDecodeError: A folder; empty, cut off or damaged; too many pixels.
        UnsupportedError: Animated (see `animation`), multi-page, or of a type whose pixels are not decoded here.
        OSError: It is not there, or may not be read.
    """
    data, media_type = _content(path)
    with _worded(path):
        return _READERS[media_type](data, max_pixels)


def animation(path: Path) -> moving.Moving | None:
    """Take an animated GIF, PNG or WebP apart, and a GIF of a single frame; None for any other picture.

    Raises:
        MediaDecodeError: A folder; empty, cut off or damaged; too many frames or pixels in all.
        UnsupportedError: Of a type or a kind that is not decoded here.
        OSError: It is not there, or may not be read.
    """
    if path.is_file() and _head_type(path) in _STILLS:
        return None
    data, media_type = _content(path)
    with _worded(path):
        return moving.read(data, media_type)


def change_animation(
    source: Path,
    found: moving.Moving,
    change: Callable[[Rgb8], Rgb8],
    path: Path,
    *,
    redact: frozenset[str],
    fineness: float = 1.0,
) -> None:
    """Write an animation in which every frame shows something else; times, loops, rectangles and disposal stay.

    Args:
        source: Where it came from, for what is said against it.
        found: What `animation` returned.
        change: Gives what is to be seen instead of what is seen, shape (H, W, 3), over white.
        path: Where to put it; written new and renamed into place.
        redact: Names from `REDACTIONS`.
        fineness: 1 to 4, as for `encode`.
    Raises:
        MediaDecodeError: A frame is damaged.
        OSError: The disk is full, or the folder may not be written; no half file is left.
    """
    with _worded(source):
        data = found.write(list(moving.changed(found, change)), redact, fineness)
    files.write_new(path, data)


def _content(path: Path) -> tuple[bytes, str]:
    data = files.read_file(path)
    media_type = sniff(data[:HEAD_BYTES], path.name)
    if media_type is None:
        raise MediaDecodeError(str(path), "is no media file of a known type")
    if media_type not in _READERS:
        raise UnsupportedError(str(path), f"the pixels of {media_type} are not decoded")
    return data, media_type


def _head_type(path: Path) -> str | None:
    with path.open("rb") as file:
        return sniff(file.read(HEAD_BYTES), path.name)


@contextmanager
def _worded(path: Path) -> Iterator[None]:
    """What a decoder says against a file, in one clear error."""
    try:
        yield
    except UnsupportedError as error:
        raise UnsupportedError(str(path), error.what) from error
    except Exception as error:  # plugins raise all kinds; which, tells nobody anything
        raise MediaDecodeError(str(path), _said(error)) from error


def encode(picture: Picture, pixels: Pixels, path: Path, *, redact: frozenset[str] = frozenset(), fineness: float = 1.0) -> None:
    """Write pixels into a file of the same container, at the source's own quality, with its metadata.

    Orientation, ICC profile, camera data and captions are kept; thumbnails of the old pixels, C2PA manifests and links
    to them are not. The file is written new and renamed into place.

    Args:
        picture: What the pixels came from.
        pixels: Shape and dtype of `picture.pixels`.
        path: Where to put it.
        redact: Names from `REDACTIONS`. "gps" takes coordinates and names of places out of Exif, XMP and IPTC; blocks
            that cannot be read are dropped whole. Maker notes stay.
        fineness: 1 to 4. How much finer than the source lossy coding is: JPEG's quantisation steps are divided by it, the size of
            the others multiplied. At 1 a coarse JPEG rounds a small change away, as its samples lie on that very grid:
            a mark in a JPEG of quality 50 needs 1.25, which costs 5 % more bytes.
    Raises:
        UnsupportedError: The container is not in `MARKABLE`, or not written at this depth.
        ValueError: Pixels of another layout, an unknown redaction, or a fineness out of range.
        OSError: The disk is full, or the folder may not be written; no half file is left.
    """
    if redact - REDACTIONS:
        raise ValueError(f"unknown redaction: {', '.join(sorted(redact - REDACTIONS))}")
    if not 1.0 <= fineness <= 4.0:
        raise ValueError(f"fineness is 1 to 4, not {fineness}")
    if picture.source is None or picture.media_type not in MARKABLE:
        raise UnsupportedError(str(path), f"pixels are not written into {picture.media_type}")
    if pixels.shape != picture.pixels.shape or pixels.dtype != picture.pixels.dtype:
        raise ValueError(f"{pixels.dtype}{pixels.shape} is not {picture.pixels.dtype}{picture.pixels.shape}")
    whole: Pixels = pixels if pixels.flags.c_contiguous else pixels.copy()
    try:
        data = _WRITERS[picture.media_type](picture, whole, redact, fineness)
    except UnsupportedError as error:
        raise UnsupportedError(str(path), error.what) from error
    files.write_new(path, data)


def load_rgb8(path: Path, *, max_pixels: int = MAX_PIXELS) -> Rgb8:
    """Return what a person sees of a file, of an animation one frame; see `decode`, `colour.rgb8` and `moving.poster`."""
    data, media_type = _content(path)
    with _worded(path):
        found = moving.read(data, media_type)
        if found is not None:
            return moving.poster(found)
        picture = _READERS[media_type](data, max_pixels)
    return colour.rgb8(picture)


def _said(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "the picture needs more memory than there is"
    return str(error) or type(error).__name__
