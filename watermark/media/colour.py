"""From stored samples to what a person sees, and changes to the latter back into the former."""

from __future__ import annotations

import functools
import io
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from watermark.media.picture import Picture, Pixels, Rgb8

_MODES = {"grey": "L", "rgb": "RGB", "rgba": "RGBA", "cmyk": "CMYK"}


def rgb8(picture: Picture, pixels: Pixels | None = None) -> Rgb8:
    """Return what a person sees: upright, sRGB, over white.

    16-bit samples are rounded to 8; the ICC profile is applied with relative colorimetric intent and black point
    compensation; without a profile the samples are taken for sRGB, and CMYK is converted by 255 − ink. A profile that
    does not fit the samples is ignored, as browsers do.

    Args:
        picture: Says how to read the pixels.
        pixels: Other pixels of the same layout; default those of the picture.
    Returns:
        Array of shape (picture.height, picture.width, 3), uint8, 0–255, to be read only: it may be the picture's own.
    """
    samples = _eight_bit(picture.pixels if pixels is None else pixels)
    return upright(_srgb(samples, picture.space, picture.icc), picture.orientation)


def transfer(picture: Picture, before: Rgb8, after: Rgb8) -> Pixels:
    """Return the picture's pixels with a change made on `rgb8(picture)` carried over into them.

    The difference, not the value, is carried: depth, alpha, colour space and orientation stay the file's own, and
    pixels that did not change keep every bit. Grey takes the mean of the three differences; CMYK takes them off its
    ink; what is fully transparent is left alone.

    Args:
        before: `rgb8(picture)`, shape (H, W, 3).
        after: The same, changed.
    Returns:
        Array of the shape and type of `picture.pixels`; `after` itself where `before` is them.
    """
    if before.shape != after.shape or before.shape[:2] != (picture.height, picture.width):
        raise ValueError("the change must have the size of the upright picture")
    pixels = picture.pixels
    if before is pixels:  # nothing was converted or turned, so nothing needs to be carried over
        return after
    before, after = (stored(seen, picture.orientation) for seen in (before, after))
    out = np.empty_like(pixels)
    for top in range(0, pixels.shape[0], 256):  # in stripes: a 200-megapixel picture needs no further copies
        rows = slice(top, top + 256)
        delta = np.asarray(cv2.subtract(after[rows], before[rows], dtype=cv2.CV_16S), np.int16)
        out[rows] = _changed(pixels[rows], delta, picture.space)
    return out


def upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn stored pixels upright (Exif 3.0, tag 0x0112); contiguous, and the same array where there is nothing to turn."""
    if orientation >= 5:
        pixels = cv2.transpose(pixels)
    flips = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}  # cv2.flip: rows 0, columns 1, both −1
    return cv2.flip(pixels, flips[orientation]) if orientation in flips else pixels


def stored(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Undo `upright`."""
    return upright(pixels, {6: 8, 8: 6}.get(orientation, orientation))


def _changed(pixels: NDArray[Any], delta: NDArray[np.int16], space: str) -> NDArray[Any]:
    step: NDArray[Any] = np.rint(delta.mean(axis=2)).astype(np.int16) if space == "grey" else delta
    depth = cv2.CV_8U
    if pixels.dtype == np.uint16:
        step, depth = step.astype(np.int32) * 257, cv2.CV_16U
    colour = pixels if space in ("grey", "rgb") else np.ascontiguousarray(pixels[..., :3])
    new: NDArray[Any] = (cv2.subtract if space == "cmyk" else cv2.add)(colour, step, dtype=depth)  # both saturate
    if space in ("grey", "rgb"):
        return new
    fourth = pixels[..., 3:]
    if space == "rgba":
        new = np.where(fourth == 0, colour, new)
    return np.concatenate((new, fourth), axis=2)


def _eight_bit(pixels: Pixels) -> Rgb8:
    if pixels.dtype == np.uint8:
        return pixels  # type: ignore[return-value]  # just compared
    return cv2.convertScaleAbs(pixels, alpha=1 / 257)  # type: ignore[return-value]  # rounds to uint8


def _srgb(samples: Rgb8, space: str, icc: bytes) -> Rgb8:
    """Colours of stored samples, in stored orientation."""
    mode = _MODES[space]
    if space in ("grey", "rgb") and _transform(icc, mode) is None:  # most pictures: no copy by way of Pillow
        return samples if space == "rgb" else np.asarray(cv2.cvtColor(samples, cv2.COLOR_GRAY2RGB), np.uint8)
    image = Image.fromarray(samples, mode=mode)
    alpha = image.getchannel("A") if space == "rgba" else None
    image = _to_srgb(image.convert("RGB") if alpha else image, icc)
    if alpha:
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=alpha)
        image = white
    return np.asarray(image)


def _to_srgb(image: Image.Image, icc: bytes) -> Image.Image:
    transform = _transform(icc, image.mode)
    if transform is not None:
        return ImageCms.applyTransform(image, transform) or image
    return image.convert("RGB")


@functools.lru_cache(maxsize=16)
def _transform(icc: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Build the conversion to sRGB once per profile; None where there is nothing to convert, or no way to."""
    if not icc:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        if mode == "RGB" and "sRGB" in ImageCms.getProfileDescription(profile):
            return None
        return ImageCms.buildTransform(
            profile,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
