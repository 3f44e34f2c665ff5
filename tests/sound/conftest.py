"""Sounds made here, so that most tests need no corpus."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray

from watermark.sound.resample import resample

RATE = 16_000


@lru_cache(maxsize=4)
def _tune(seconds: float, seed: int) -> NDArray[np.float64]:
    draw = np.random.default_rng(seed)
    count = int(seconds * RATE)
    out = np.cumsum(draw.standard_normal(count)) * 1e-3
    out -= np.convolve(out, np.ones(401) / 401, "same")
    out += 0.01 * draw.standard_normal(count)
    for start in np.arange(0, seconds, 0.22):
        note, begin = 110 * 2 ** (draw.integers(0, 30) / 12), int(start * RATE)
        since = np.arange(min(count - begin, 2 * RATE)) / RATE
        voice = sum(np.sin(2 * np.pi * note * k * since) for k in range(1, 10) if note * k < 7_000)
        out[begin : begin + len(since)] += 0.08 * voice * np.exp(-3 * since)
    return out / np.abs(out).max()


def music(seconds: float, rate: int = RATE, channels: int = 1, seed: int = 1) -> NDArray[np.float32]:
    """Plucked harmonics over coloured noise: onsets, decays, and something between them. The channels differ in time."""
    one = _tune(seconds, seed)
    sound = np.stack([np.roll(one, 7 * channel) for channel in range(channels)], axis=1)
    return resample((0.5 * sound).astype(np.float32), RATE, rate)


@pytest.fixture(scope="session")
def tune() -> NDArray[np.float32]:
    """Twelve seconds, mono, 16 kHz."""
    return music(12)
