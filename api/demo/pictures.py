"""What happens to photos on their way: a platform's re-encode, a forger's paste, a copied mark. Pure."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageOps

PLATFORM_SIDE = 1080
PLATFORM_QUALITY = 75
AMPLIFIED = 20
_REPORT_SIDE = 1024


@dataclass(frozen=True, slots=True)
class Oval:
    """An upright ellipse as fractions of a picture's width and height: centre and radii."""

    x: float
    y: float
    rx: float
    ry: float

    def box(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Its bounds in pixels: left, top, right, bottom."""
        width, height = size
        return (
            round((self.x - self.rx) * width),
            round((self.y - self.ry) * height),
            round((self.x + self.rx) * width),
            round((self.y + self.ry) * height),
        )


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


def with_another_head(base: Image.Image, donor: Image.Image, head: Oval, other: Oval) -> Image.Image:
    """The base with the donor's head in place of its own: same tone, soft edge.

    Args:
        head: Where the head is in the base.
        other: Where it is in the donor.
    """
    left, top, right, bottom = head.box(base.size)
    piece = donor.crop(other.box(donor.size)).resize((right - left, bottom - top), Image.Resampling.LANCZOS)
    piece = _toned(piece, base.crop((left, top, right, bottom)))
    mask = Image.new("L", piece.size, 0)
    edge = max(2, min(piece.size) // 14)
    ImageDraw.Draw(mask).ellipse((edge, edge, piece.width - edge, piece.height - edge), fill=255)
    pasted = base.copy()
    pasted.paste(piece, (left, top), mask.filter(ImageFilter.GaussianBlur(edge / 2)))
    return pasted


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


def _toned(piece: Image.Image, around: Image.Image) -> Image.Image:
    """The piece with half-way the mean and spread of each channel of what it replaces: light seems to be the same."""
    values, target = _values(piece), _values(around)
    mean, spread = values.mean((0, 1)), values.std((0, 1)) + 1
    goal_mean = (mean + target.mean((0, 1))) / 2
    goal_spread = (spread + target.std((0, 1))) / 2
    return Image.fromarray(np.clip((values - mean) / spread * goal_spread + goal_mean, 0, 255).astype(np.uint8))


def _values(image: Image.Image) -> NDArray[np.float32]:
    return np.asarray(image, np.float32)
