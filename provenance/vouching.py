"""Whether a reference that somebody deposits may be believed: what a copy is compared with decides what is called recovered.

A still picture's reference must show what the thumbnail in the *signed* claim shows, so a depositor cannot give a signature
another picture. Nothing that is signed shows a sound or a film that closely: theirs is taken on the depositor's word, once it is
of the right shape. Runs in a worker: the bytes come from outside.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from provenance import filmfit, fingerprint, jumbf, soundfit
from provenance.filmfit import Reel

PICTURE = "image/webp"
MEDIA_TYPES = frozenset({PICTURE, soundfit.MEDIA_TYPE, filmfit.MEDIA_TYPE})
_MOST_PIXELS = 1024 * 1024
_BLOCK = 8  # pixels of the thumbnail
_APART = 16.0  # mean luma of a block, code values of 8 bits; two encodings of one picture differ by 4 at most
_SKEW = 2.0  # pixels of the thumbnail: rounding of sides


@dataclass(frozen=True, slots=True)
class Vouched:
    """What came of it: `why` it is not believed, or None; and the fingerprint of a picture, made here."""

    why: str | None = None
    code: str | None = None


def vouch(store: bytes, label: str, reference: bytes, media_type: str, size: tuple[int, int] | None) -> Vouched:
    """Check a reference against the manifest store that it comes with.

    Args:
        store: A manifest store whose signature and assertions hold.
        label: Of its active manifest.
        media_type: One of `MEDIA_TYPES`.
        size: Width and height of the asset, pixels, as the depositor says; None for sound.
    """
    try:
        if media_type == soundfit.MEDIA_TYPE:
            soundfit.Envelope.from_bytes(reference)
            return Vouched()
        if media_type == filmfit.MEDIA_TYPE:
            Reel.from_bytes(reference)
            return Vouched()
        return _picture(jumbf.thumbnail(store, label), reference, size)
    except (ValueError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        return Vouched(f"the reference cannot be read: {error}")


def _picture(thumbnail: bytes | None, reference: bytes, size: tuple[int, int] | None) -> Vouched:
    if thumbnail is None:
        return Vouched("the signed claim holds no thumbnail that the reference could be compared with")
    if size is None:
        return Vouched("a picture comes with its width and height")
    small, kept = _decoded(thumbnail), _decoded(reference)
    height, width = small.shape[:2]
    for wide, high in (size, (kept.shape[1], kept.shape[0])):
        if abs(wide / high * height - width) > _SKEW and abs(high / wide * width - height) > _SKEW:
            return Vouched("the reference is of another shape than the signed thumbnail")
    if _apart(small, kept) > _APART:
        return Vouched("the reference shows something else than the signed thumbnail")
    return Vouched(code=fingerprint.image_code(kept))


def _decoded(data: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data), formats=("JPEG", "WEBP", "PNG")) as image:
        if image.width * image.height > _MOST_PIXELS:
            raise ValueError("more than a million pixels")
        return np.asarray(image.convert("RGB"))


def _apart(small: NDArray[np.uint8], kept: NDArray[np.uint8]) -> float:
    """The largest difference of any block's mean luma."""
    height, width = small.shape[:2]
    grid = (max(width // _BLOCK, 1), max(height // _BLOCK, 1))
    means = [
        cv2.resize(cv2.cvtColor(one, cv2.COLOR_RGB2GRAY), grid, interpolation=cv2.INTER_AREA).astype(np.float32)
        for one in (small, cv2.resize(kept, (width, height), interpolation=cv2.INTER_AREA))
    ]
    return float(np.abs(means[0] - means[1]).max())
