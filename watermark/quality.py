"""How much a picture changed: PSNR and SSIM between two arrays."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8] | NDArray[np.uint16]


def psnr(before: Pixels, after: Pixels) -> float:
    """Return the peak signal-to-noise ratio over all colour channels, in dB; infinite for equal pictures.

    Args:
        before, after: Same shape (H, W), (H, W, 3) or (H, W, 4) and dtype, as stored (so after clipping). Alpha does not count.
    Raises:
        ValueError: shapes or dtypes differ.
    """
    _same(before, after)
    # in bands: a difference of 100 megapixels as floats would not fit beside the pictures
    total = sum(
        float((np.subtract(_colour(a), _colour(b), dtype=np.float32) ** 2).sum(dtype=np.float64))
        for a, b in zip(_bands(before), _bands(after), strict=True)
    )
    mean = total / _colour(before).size
    return math.inf if mean == 0 else 10 * math.log10(float(np.iinfo(before.dtype).max) ** 2 / mean)


def ssim(before: Pixels, after: Pixels) -> float:
    """Return the structural similarity (Wang et al. 2004: Gaussian window, σ 1.5, 11 × 11), mean over channels, −1–1.

    Args:
        before, after: As for `psnr`, at least 11 pixels each way.
    Raises:
        ValueError: shapes or dtypes differ, or the pictures are smaller than the window.
    """
    _same(before, after)
    if min(before.shape[:2]) < 11:
        raise ValueError("SSIM needs 11 × 11 pixels")
    peak = float(np.iinfo(before.dtype).max)
    channels = range(1 if before.ndim == 2 else min(3, before.shape[2]))
    pairs = ((before, after) if before.ndim == 2 else (before[..., c], after[..., c]) for c in channels)
    return float(np.mean([_ssim_plane(a.astype(np.float32), b.astype(np.float32), peak) for a, b in pairs]))


def _ssim_plane(a: NDArray[np.float32], b: NDArray[np.float32], peak: float) -> float:
    def mean(plane: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.GaussianBlur(plane, (11, 11), 1.5), np.float32)[5:-5, 5:-5]

    one, two = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    mean_a, mean_b = mean(a), mean(b)
    var_a, var_b, both = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2, mean(a * b) - mean_a * mean_b
    top = (2 * mean_a * mean_b + one) * (2 * both + two)
    return float((top / ((mean_a**2 + mean_b**2 + one) * (var_a + var_b + two))).mean(dtype=np.float64))


def _bands(pixels: Pixels, rows: int = 256) -> list[Pixels]:
    return [pixels[top : top + rows] for top in range(0, len(pixels), rows)]


def _colour(pixels: Pixels) -> Pixels:
    return pixels[..., :3] if pixels.ndim == 3 else pixels


def _same(before: Pixels, after: Pixels) -> None:
    if before.shape != after.shape or before.dtype != after.dtype:
        raise ValueError(f"{before.shape} {before.dtype} is not comparable with {after.shape} {after.dtype}")
