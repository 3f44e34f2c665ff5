"""How large and how long a file is, read from its header where that says it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import av
from av.container import InputContainer

from watermark.errors import MediaDecodeError
from watermark.media import exif, guard, heif, jpeg, png
from watermark.media.picture import MAX_PIXELS
from watermark.media.sniff import HEAD_BYTES, sniff

FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mp3,wav,flac,ogg,aac,avi,aiff"
"""The containers that PyAV may open: no playlists, no concatenations, nothing that names other files."""
_PILLOW = {"image/webp": "WEBP", "image/avif": "AVIF", "image/tiff": "TIFF", "image/gif": "GIF", "image/bmp": "BMP"}
_STILL = frozenset({"image/jpeg", "image/png", "image/heic", "image/heif", *_PILLOW})


class Dimensions(NamedTuple):
    """Upright size in pixels, None for sound and documents; duration in milliseconds, None for what has none."""

    width: int | None
    height: int | None
    duration_ms: int | None


def dimensions(path: Path) -> Dimensions:
    """Return the size of a picture, the size and length of a film, the length of a sound.

    Types that nobody here reads (SVG, PDF, JPEG XL, raw photos, documents) give three times None.

    Raises:
        MediaDecodeError: The header is damaged.
        OSError: The file is not there, or may not be read.
    """
    with path.open("rb") as file:
        media_type = sniff(file.read(HEAD_BYTES), path.name) or ""
    try:
        if media_type in _STILL:
            return Dimensions(*_still(path, media_type), None)
        if media_type.startswith(("video/", "audio/")):
            return _timed(path)
    except OSError as error:
        if error.errno is not None and not isinstance(error, av.FFmpegError):
            raise  # the file system's, not the decoder's
        raise MediaDecodeError(str(path), str(error)) from error
    except Exception as error:
        raise MediaDecodeError(str(path), str(error) or type(error).__name__) from error
    return Dimensions(None, None, None)


def _still(path: Path, media_type: str) -> tuple[int, int]:
    data = path.read_bytes()
    if media_type == "image/jpeg":
        (width, height), turn = jpeg.size_and_orientation(data)
    elif media_type == "image/png":
        (width, height), turn = png.size_and_orientation(data)
    elif media_type in ("image/heic", "image/heif"):
        (width, height), turn = heif.upright_size(data), 1
    else:
        image = guard.open_image(data, _PILLOW[media_type], MAX_PIXELS, still=False)
        (width, height), turn = image.size, exif.orientation(exif.bare(image.info.get("exif", b"")))
        turn = 1 if media_type == "image/tiff" else turn  # Pillow has turned it already
    return (height, width) if turn >= 5 else (width, height)


def _timed(path: Path) -> Dimensions:
    options = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
    with av.open(str(path), options=options, metadata_errors="replace") as container:
        assert isinstance(container, InputContainer)
        duration = _duration_ms(container)
        if not container.streams.video or not _moves(container):
            return Dimensions(None, None, duration)
        stream = container.streams.video[0]
        width, height = stream.width or None, stream.height or None
        frame = next(container.decode(stream), None)
        turned = frame is not None and frame.rotation % 180 != 0
        return Dimensions(height, width, duration) if turned else Dimensions(width, height, duration)


def _moves(container: InputContainer) -> bool:
    """Whether the video stream is a film rather than a cover picture."""
    return not container.streams.video[0].disposition & av.stream.Disposition.attached_pic


def _duration_ms(container: InputContainer) -> int | None:
    if container.duration is not None:
        return round(container.duration / 1000)
    lengths = [float(s.duration * s.time_base) for s in container.streams if s.duration and s.time_base]
    return math.ceil(1000 * max(lengths)) if lengths else None
