"""Ladders: what a marked picture survives, blind."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from mark_scenes import KEY, MARK_ID, scenery
from PIL import Image

from watermark import image, ladder, quality


def photo(corpus: Path, name: str) -> np.ndarray:
    return np.asarray(Image.open(corpus / "photos" / name).convert("RGB"))


@pytest.mark.parametrize("name", sorted(ladder.LADDERS))
def test_steps_are_named_once_pure_and_seeded(name: str) -> None:
    source = scenery(160, 120)
    before = source.copy()
    steps = ladder.ladder(name).steps
    assert len({step.name for step in steps}) == len(steps)
    for step in steps:
        once, again = step.apply(source, 3), pickle.loads(pickle.dumps(step)).apply(source, 3)
        assert np.array_equal(once, again), step.name
        assert once.dtype == np.uint8
        assert once.ndim == 3
    assert np.array_equal(source, before)


def test_image_2026_has_32_steps() -> None:
    assert len(ladder.IMAGE_2026.steps) == 32


@pytest.mark.slow
@pytest.mark.parametrize("name", ["kodim05.png", "larch.jpg", "tulips_500.png"])
def test_first_light(corpus: Path, name: str) -> None:
    source = photo(corpus, name)
    marked = image.embed(source, MARK_ID, key=KEY)
    assert quality.psnr(source, marked) >= 42
    failed = [
        step.name for step in ladder.FIRST_LIGHT.steps if image.detect(step.apply(marked, 5), keys=[KEY]).mark_id != MARK_ID
    ]
    assert failed == []
