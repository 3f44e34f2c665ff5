"""Sounds made here, so that most tests need no corpus."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

RATE = 16_000


def music(seconds: float, rate: int = RATE, channels: int = 1, seed: int = 1) -> NDArray[np.float32]:
    """Plucked chords over pink-ish noise: harmonics, onsets, decays and something between them."""
    draw = np.random.default_rng(seed)
    count = int(seconds * rate)
    time = np.arange(count) / rate
    out = np.cumsum(draw.standard_normal(count)) * 1e-3
    out -= np.convolve(out, np.ones(401) / 401, "same")
    out += 0.01 * draw.standard_normal(count)
    for start in np.arange(0, seconds, 0.22):
        note = 110 * 2 ** (draw.integers(0, 30) / 12)
        since = np.maximum(time - start, 0)
        voice = sum(np.sin(2 * np.pi * note * k * since) / k for k in range(1, 12) if note * k < rate / 2.2)
        out += 0.08 * voice * np.exp(-3 * since) * (time >= start)
    stereo = np.stack([np.roll(out, 7 * c) for c in range(channels)], axis=1)
    return (0.5 * stereo / np.abs(stereo).max()).astype(np.float32)


@pytest.fixture(scope="session")
def tune() -> NDArray[np.float32]:
    """Twelve seconds, mono, 16 kHz."""
    return music(12)
