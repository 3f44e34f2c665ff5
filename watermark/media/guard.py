"""Opening hostile pictures: only the format that the bytes announce, within a stated size, or one clear error."""

from __future__ import annotations

import io
import threading
import warnings
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from watermark.errors import UnsupportedError
from watermark.media.picture import Pixels

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # hostile files are no news for the terminal

_opening = threading.Lock()
_BAND = 256
"""Rows of a picture that are copied at a time."""


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Raise ValueError for an empty picture or one of more pixels than allowed."""
    if width < 1 or height < 1:
        raise ValueError(f"the picture is {width} × {height} pixels")
    if width * height > max_pixels:
        raise ValueError(f"{width} × {height} pixels are more than the {max_pixels:,} allowed")


def open_image(data: bytes, form: str, max_pixels: int, *, still: bool = True) -> Image.Image:
    """Open a picture with one Pillow plugin, header only; with `still`, refuse several frames.

    Pillow's pixel limit is a module global and its bomb alarm a warning: both are set, and put back, under a lock.
    `ImageFile.LOAD_TRUNCATED_IMAGES` stays False, so a truncated file fails when it is loaded.

    Raises:
        ValueError, OSError, SyntaxError …: Whatever the plugin makes of a broken file; `decode` words it.
        UnsupportedError: More than one frame.
    """
    with _opening, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a malformed tag is no news about a hostile file
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, max_pixels
        try:
            image = Image.open(io.BytesIO(data), formats=[form])
            frames = getattr(image, "n_frames", 1) if still else 1
        finally:
            Image.MAX_IMAGE_PIXELS = limit
    check_size(*image.size, max_pixels)
    if frames > 1 and form != "JPEG":  # further pictures of a JPEG (MPF) are previews of the first
        raise UnsupportedError("", f"{'multi-page' if form == 'TIFF' else 'animated'} {form} ({frames} frames)")
    return image


def samples(image: Image.Image) -> Pixels:
    """Return the samples of a Pillow image, read-only."""
    width, height = image.size
    first = np.asarray(image.crop((0, 0, width, min(_BAND, height))))
    if height <= _BAND:
        return frozen(first.copy())
    whole = np.empty((height, *first.shape[1:]), first.dtype)
    for top in range(0, height, _BAND):  # at once it would be held three times
        whole[top : top + _BAND] = np.asarray(image.crop((0, top, width, min(top + _BAND, height))))
    return frozen(whole)


def frozen(pixels: NDArray[Any]) -> Pixels:
    """Return the same array, of uint8 or uint16, with its write flag off."""
    pixels.flags.writeable = False
    return pixels
