"""Thirty things for the sample feed: photos as they were taken, edits of them, and pictures that a formula drew.

Each is signed for what it is. None is marked: a feed shows statuses, and marks would take their minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFont

from api.demo.cast import Cast
from api.demo.pictures import upright
from api.wiring import House
from provenance.capture import SignRequest, sign
from provenance.carrying import NONE
from provenance.edit import EditRequest, edit
from provenance.finishing import Signed

COUNT = 30
_SIDE = 800
_DRAWN = 6

Change = Callable[[Image.Image], Image.Image]


@dataclass(frozen=True, slots=True)
class _Edit:
    name: str
    action: str
    change: Change


def _cropped(image: Image.Image) -> Image.Image:
    w, h = image.size
    return image.crop((w // 8, h // 8, w * 7 // 8, h * 7 // 8))


def _captioned(image: Image.Image) -> Image.Image:
    out = image.copy()
    font = ImageFont.load_default(max(12, out.width // 16))
    place = (out.width // 20, out.height * 4 // 5)
    ImageDraw.Draw(out).text(place, "A sample caption", fill="white", font=font, stroke_width=3, stroke_fill="black")
    return out


def _blotted(image: Image.Image) -> Image.Image:
    out = image.copy()
    w, h = out.size
    ImageDraw.Draw(out).rectangle((w // 3, h // 4, w // 2, h // 2), fill=(16, 16, 16))
    return out


_EDITS = (
    _Edit("crop", "c2pa.cropped", _cropped),
    _Edit("grey", "c2pa.adjustedColor", lambda image: ImageEnhance.Color(image).enhance(0)),
    _Edit("small", "c2pa.resized.proportional", lambda image: image.resize((image.width // 2, image.height // 2))),
    _Edit("caption", "c2pa.drawing", _captioned),
    _Edit("blot", "c2pa.edited", _blotted),
)


def fill(house: House, cast: Cast, folder: Path, *, clock: Callable[[], datetime]) -> Iterator[Signed]:
    """Sign and register them one by one, yielding each.

    Raises:
        ProvenanceError, KeysError: one could not be signed.
    """
    for name, photo in _photos(cast).items():
        source = _saved(photo, folder / f"{name}.jpg")
        parent = sign(_request(source, "digitalCapture"), house.studio(), at=clock())
        yield parent
        for one in _EDITS:
            edited = _saved(one.change(photo), folder / f"{name}-{one.name}.jpg")
            request = EditRequest(parent.path, edited, _beside(edited), (one.action,), mark=NONE)
            yield edit(request, house.studio(), at=clock())
    for number in range(_DRAWN):
        source = _saved(_drawn(number), folder / f"drawn-{number}.jpg")
        yield sign(_request(source, "algorithmicMedia"), house.studio(), at=clock())


def _photos(cast: Cast) -> dict[str, Image.Image]:
    found = {}
    for path in (cast.still, cast.portrait, cast.stranger, cast.bystander):
        photo = upright(path.read_bytes())
        photo.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
        found[path.stem] = photo
    return found


def _drawn(number: int) -> Image.Image:
    """Waves that cross, in colours of their own."""
    y, x = np.mgrid[0:450, 0:600] / 75.0
    waves = [np.sin(x * np.cos(a) + y * np.sin(a) + number) for a in (0.3 * number, 1.1 * number + 1, 2.0)]
    return Image.fromarray(np.stack([127 + 120 * wave for wave in waves], axis=2).astype(np.uint8))


def _request(source: Path, source_type: str) -> SignRequest:
    return SignRequest(source=source, destination=_beside(source), source_type=source_type, mark=NONE)


def _saved(image: Image.Image, path: Path) -> Path:
    image.save(path, quality=88)
    return path


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.stem}-signed.jpg")
