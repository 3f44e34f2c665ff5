"""What happens to photos on their way: a platform's re-encode, a forger's paste, a copied mark. Pure."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

PLATFORM_SIDE = 1080
PLATFORM_QUALITY = 75
AMPLIFIED = 20
_REPORT_SIDE = 1024


@dataclass(frozen=True, slots=True)
class Eyes:
    """Where a face looks from: the two eyes, left one of the picture first, in pixels."""

    left: tuple[float, float]
    right: tuple[float, float]


def upright(data: bytes) -> Image.Image:
    """A photo as it is looked at: RGB, turned as its EXIF says."""
    with Image.open(io.BytesIO(data)) as image:
        turned = ImageOps.exif_transpose(image)
        return turned.convert("RGB")


def jpeg(image: Image.Image, quality: int) -> bytes:
    """JPEG with 4:2:0 chroma and no metadata at all."""
    out = io.BytesIO()
    bare = Image.frombytes(image.mode, image.size, image.tobytes())
    bare.save(out, "JPEG", quality=quality, subsampling="4:2:0")
    return out.getvalue()


def as_on_a_platform(data: bytes) -> bytes:
    """What a social platform makes of an upload: long side 1080, JPEG at quality 75, every credential stripped."""
    image = upright(data)
    image.thumbnail((PLATFORM_SIDE, PLATFORM_SIDE), Image.Resampling.LANCZOS)
    return jpeg(image, PLATFORM_QUALITY)


def with_another_face(base: Image.Image, donor: Image.Image, eyes: Eyes, other: Eyes) -> Image.Image:
    """The base with the donor's face in place of its own: eyes on eyes, the same light, a soft edge.

    Args:
        eyes: Of the base, in its pixels.
        other: Of the donor, in its pixels.
    """
    turn = _line(other) / _line(eyes)  # base pixel → donor pixel, as complex numbers
    shift = complex(*other.left) - turn * complex(*eyes.left)
    affine = (turn.real, -turn.imag, shift.real, turn.imag, turn.real, shift.imag)
    placed = donor.transform(base.size, Image.Transform.AFFINE, affine, Image.Resampling.BICUBIC)
    mask = _face(base.size, eyes)
    return Image.composite(_in_light_of(base, placed, mask), base, mask)


def with_copied_mark(before: Image.Image, after: Image.Image, other: Image.Image) -> Image.Image:
    """Another photo with the mark of `after` added to it, by somebody who also has that photo unmarked (`before`)."""
    fitted = ImageOps.fit(other, after.size, Image.Resampling.LANCZOS)
    mark = _values(after) - _values(before.resize(after.size))
    return Image.fromarray(np.clip(np.rint(_values(fitted) + mark), 0, 255).astype(np.uint8))


def difference(before: Image.Image, after: Image.Image) -> Image.Image:
    """What was added to a photo, amplified, on middle grey."""
    added = _values(after) - _values(before)
    return Image.fromarray(np.clip(np.rint(128 + AMPLIFIED * added), 0, 255).astype(np.uint8))


def small(image: Image.Image) -> bytes:
    """A JPEG for a report, at most 1024 pixels long."""
    copy = image.copy()
    copy.thumbnail((_REPORT_SIDE, _REPORT_SIDE), Image.Resampling.LANCZOS)
    return jpeg(copy, 85)


def _line(eyes: Eyes) -> complex:
    return complex(*eyes.right) - complex(*eyes.left)


def _face(size: tuple[int, int], eyes: Eyes) -> Image.Image:
    """An oval from hairline to chin with a soft edge; its measures are those of faces, in distances between the eyes."""
    across = _line(eyes)
    unit = abs(across)
    centre = complex(*eyes.left) + across / 2 + 0.45j * across
    y, x = np.mgrid[: size[1], : size[0]]
    local = (x + 1j * y - centre) * np.conj(across) / unit**2
    radius = np.hypot(local.real / 0.78, local.imag / 1.15)
    soft = np.clip((1 - radius) / 0.25, 0, 1)
    return Image.fromarray(np.rint(255 * soft * soft * (3 - 2 * soft)).astype(np.uint8))


def _in_light_of(base: Image.Image, placed: Image.Image, mask: Image.Image) -> Image.Image:
    """The donor with mean and spread of each channel as the base has them within the mask."""
    weights = _values(mask)[..., None]

    def moments(image: Image.Image) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        values = _values(image)
        mean = (values * weights).sum((0, 1)) / weights.sum()
        return mean, np.sqrt(((values - mean) ** 2 * weights).sum((0, 1)) / weights.sum()) + 1

    (mean, spread), (goal, wanted) = moments(placed), moments(base)
    return Image.fromarray(np.clip((_values(placed) - mean) / spread * wanted + goal, 0, 255).astype(np.uint8))


def _values(image: Image.Image) -> NDArray[np.float32]:
    return np.asarray(image, np.float32)
