"""White pages: what is clipped away is made up for, and what cannot hold is said so."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from mark_scenes import KEY, MARK_ID, scenery
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from watermark import attacks, holding, image, quality
from watermark.lattice import Real
from watermark.strength import MOST_RAISED, STRONGEST, unclipped


def page(width: int, height: int) -> NDArray[np.uint8]:
    """Close lines of small letters on white."""
    sheet = Image.new("RGB", (width, height), "white")
    draw, rng = ImageDraw.Draw(sheet), np.random.default_rng(1)
    for y in range(40, height - 40, 18):
        draw.text((40, y), "".join(rng.choice(list("abcdefghijklmnop      "), (width - 80) // 7)), fill="black")
    return np.asarray(sheet)


def raised(luma: Real, mark: Real) -> float:
    """By what factor a mark must grow for clipping to leave its RMS as it is."""
    return unclipped(luma, mark, float(cv2.norm(mark)) / math.sqrt(mark.size))


def test_what_white_clips_away_is_made_up_for() -> None:
    source = page(640, 820)
    marked = image.embed(source, MARK_ID, key=KEY)
    assert 42 <= quality.psnr(source, marked) < quality.psnr(source, image.embed(source, MARK_ID, key=KEY, strength=STRONGEST))
    assert image.detect(attacks.jpeg(marked, 70), keys=[KEY]).mark_id == MARK_ID
    rng = np.random.default_rng(1)
    mark = rng.normal(size=(64, 64)).astype(np.float32)
    assert raised(np.full((64, 64), 128, np.float32), mark) == pytest.approx(1, abs=1e-3)
    assert raised(np.full((64, 64), 255, np.float32), mark) == pytest.approx(math.sqrt(2), abs=0.05)
    assert raised(np.full((64, 64), 255, np.float32), np.abs(mark)) == MOST_RAISED  # nothing is left, whatever is done


def test_what_is_lost_is_named() -> None:
    source = page(640, 820)
    weak = image.embed(source, MARK_ID, key=KEY, strength=0.35)
    assert "JPEG at quality 70" in holding.lost_after(weak, MARK_ID, key=KEY)
    assert holding.lost_after(source, MARK_ID, key=KEY) == tuple(step.title for step in holding.USUAL)


def test_other_pictures_are_not_tried() -> None:
    assert holding.lost_after(scenery(320, 240), MARK_ID, key=KEY) == ()
