"""The closed loop: as strong as the treatments ask for, no stronger, and no answer from a treatment that was not tried."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mark_scenes import KEY, MARK_ID, scenery
from numpy.typing import NDArray

from watermark import image
from watermark.lattice import Real
from watermark.strength import STRONGEST, TRIALS, WEAKEST, _Copy, choose, unclipped


def chosen(pixels: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> tuple[tuple[Any, ...], Real, float]:
    """What the loop was given for a picture, and what it answered."""
    calls = []

    def watched(*given: Any) -> tuple[Real, float]:
        calls.append((given, *choose(*given)))
        return calls[0][1:]

    monkeypatch.setattr(image, "choose", watched)
    image.embed(pixels, MARK_ID, key=KEY)
    return calls[0]


def left(given: tuple[Any, ...], mark: Real, strength: float) -> list[float]:
    """By how much a mark scores more than is wanted, under every treatment."""
    picture, _, *rest = given
    raised = unclipped(picture.mean(2), mark, strength)
    return [trial.score(_Copy(picture, raised * mark, *rest)) - trial.wanted for trial in TRIALS]


@pytest.mark.parametrize("soft", [0.25, 0.6])
def test_the_weakest_that_is_enough_under_all_treatments(soft: float, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.asarray(128 + soft * (scenery(760, 560).astype(float) - 128), np.uint8)
    given, mark, strength = chosen(pixels, monkeypatch)
    least, most = left(given, mark, WEAKEST), left(given, mark, STRONGEST)
    assert min(most) >= 0
    needed = [WEAKEST - low / (high - low) * (STRONGEST - WEAKEST) for low, high in zip(least, most, strict=True) if low < 0]
    assert strength == pytest.approx(max(needed, default=WEAKEST))


def test_where_even_the_strongest_falls_short_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 256, (320, 320, 3), np.uint8)
    _, _, strength = chosen(noise, monkeypatch)
    assert strength == STRONGEST


def test_clipping_is_made_up_for_as_far_as_it_goes() -> None:
    change = np.random.default_rng(1).normal(size=(96, 96)).astype(np.float32)
    white, grey = (np.full((96, 96), level, np.float32) for level in (255, 128))
    assert unclipped(grey, change, 3.0) == pytest.approx(3 / np.sqrt((change**2).mean()), rel=1e-4)
    factor = unclipped(white, change, 1.0)
    assert np.sqrt(((np.clip(white + factor * change, 0, 255) - white) ** 2).mean()) == pytest.approx(1, rel=1e-3)
