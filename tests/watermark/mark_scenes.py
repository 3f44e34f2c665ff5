"""Keys, an id and made-up pictures for the image mark's tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

KEY = bytes(range(32))
OTHER_KEY = bytes(range(32, 64))
MARK_ID = 0x0123456789ABCDEF


def scenery(width: int, height: int, seed: int = 1) -> NDArray[np.uint8]:
    """A made-up landscape: soft shapes, texture of natural spectrum, an edge; shape (H, W, 3)."""
    rng = np.random.default_rng(seed)
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
    slope = 1 / np.maximum(np.hypot(fx, fy), 1 / max(width, height)) ** 1.1
    shared, *own = (np.fft.irfft2(np.fft.rfft2(rng.normal(size=(height, width))) * slope, s=(height, width)) for _ in range(4))
    image = np.stack([128 + 38 * (0.85 * shared / shared.std() + 0.3 * plane / plane.std()) for plane in own], axis=-1)
    image[: height // 3, : width // 2] += 45
    return np.clip(image, 0, 255).astype(np.uint8)
