"""The search for a quality: monotone, bounded, and of few steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from watermark.media.lossy import HEADROOM, matching_quality, mosaic


@given(st.integers(1, 3000), st.integers(1, 3000), st.sampled_from([None, 3, 4]))
def test_a_mosaic_is_small_and_made_of_the_picture(height: int, width: int, channels: int | None) -> None:
    shape = (height, width) if channels is None else (height, width, channels)
    row = np.arange(width, dtype=np.uint16).reshape((1, width) + (1,) * (channels is not None))
    picture = np.broadcast_to(row, shape)
    sample = mosaic(picture)
    assert sample.shape[2:] == shape[2:]
    assert sample.shape[0] <= height
    assert sample.shape[1] <= width
    assert sample.shape[0] * sample.shape[1] <= max(640 * 640, 640 * 3000)
    assert set(np.unique(sample)) <= set(range(width))


@given(st.integers(1, 10**6))
def test_the_lowest_quality_that_is_large_enough_is_taken(target: int) -> None:
    asked: list[int] = []

    def size(_: NDArray[Any], quality: int) -> int:
        asked.append(quality)
        return quality * quality * 50

    quality = matching_quality(size, np.zeros((64, 64), np.uint8), target, range(10, 101))
    enough = [q for q in range(10, 101) if q * q * 50 >= target * HEADROOM]
    assert quality == (enough[0] if enough else 100)
    assert len(asked) <= 7


def test_a_large_picture_is_judged_by_its_share() -> None:
    picture = np.zeros((2560, 2560), np.uint8)
    sizes = {q: q * 1000 for q in range(10, 101)}
    assert matching_quality(lambda sample, q: sizes[q] * sample.size // picture.size, picture, 50_000, range(10, 101)) == 58
