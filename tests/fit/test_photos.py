"""Fit on the corpus photos: a short version of `python -m tests.bench.fit`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fit_scenes import encoded, resized
from numpy.typing import NDArray
from PIL import Image, ImageOps

from provenance.fit import Agreement, classify, measure

Rgb = NDArray[np.uint8]
NAMES = ("kodim23.png", "coffee.png", "sea_horizon_9mp.jpg", "rocket_night.jpg", "screenshot_ui.png", "truck.jpg")


@pytest.fixture(scope="module")
def photos(corpus: Path) -> dict[str, Rgb]:
    found = {}
    for name in NAMES:
        picture = ImageOps.exif_transpose(Image.open(corpus / "photos" / name)).convert("RGB")
        picture.thumbnail((1280, 1280), Image.Resampling.LANCZOS)
        found[name] = np.asarray(picture)
    return found


def _stored(photo: Rgb) -> Rgb:
    return encoded(resized(photo, min(1.0, 1024 / max(photo.shape))), "WEBP", 80)


def _shared(photo: Rgb) -> Rgb:
    return encoded(resized(photo, min(1.0, 1080 / max(photo.shape))), "JPEG", 75)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_shared_photo_fits_and_a_pasted_head_does_not(photos: dict[str, Rgb], name: str) -> None:
    photo = photos[name]
    reference = _stored(photo)
    assert classify(measure(_shared(photo), reference)) is Agreement.FITS
    h, w = photo.shape[:2]
    side = round((0.02 * h * w) ** 0.5)
    donor = photos[NAMES[NAMES.index(name) - 1]]
    edited = photo.copy()
    edited[h // 2 : h // 2 + side, w // 3 : w // 3 + side] = donor[-side:, -side:]
    fit = measure(_shared(edited), reference)
    assert classify(fit) is Agreement.CHANGED
    change = fit.changes[0]
    assert change.x < (w // 3 + side / 2) / w < change.x + change.w
    assert change.y < (h // 2 + side / 2) / h < change.y + change.h
    assert change.area < 0.04


@pytest.mark.slow
def test_no_photo_is_taken_for_another(photos: dict[str, Rgb]) -> None:
    stored = {name: _stored(photo) for name, photo in photos.items()}
    for i, name in enumerate(NAMES):
        other = NAMES[i - 1]
        assert classify(measure(_shared(photos[name]), stored[other])) is Agreement.FOREIGN
