"""From samples to features: what is left of a sound once its neighbourhood has been predicted away (SOUND.md §4)."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from watermark.sound.layout import BANDS, BINS, BINS_PER_BAND, FIRST_BIN, FRAME, HOP, STEPS

Real = NDArray[np.float32]
Complex = NDArray[np.complex64]

_FLOOR = np.float32(1e-9)
"""Added to energies: less than the rounding of 16-bit samples leaves in a band, so that digital silence has no features."""
_IN_TIME = (0.30, 0.13, 0.07)  # adds up to one half: what is constant leaves nothing
_IN_FREQUENCY = (0.14, 0.04, 0.04)
"""How much of a cell's log energy its neighbours at one, two, three cells foretell: about the least squares of speech and music,
with less across bands, since codecs that fill upper bands with noise of their own would spread it downwards."""
_ONE = np.ones(1, np.float32)
_SMOOTH = np.array([0.25, 0.5, 0.25], np.float32)
_CLIP = 2.5
_STEADY = np.float32(0.05)


@lru_cache(maxsize=1)
def window() -> Real:
    """Return the analysis window: Hann, periodic, shape (256,)."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)).astype(np.float32)


def spectra(samples: Real) -> Complex:
    """Return the spectra of all whole frames of one channel: (N,) → (T, 129), frame t starting at sample 64 t."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP]
    return np.asarray(np.fft.rfft(frames * window()))


def power(samples: Real) -> Real:
    """Return the power spectra of all whole frames, summed over channels: planes (channels, N) → (T, 129)."""
    total = np.zeros((max(0, (samples.shape[1] - FRAME) // HOP + 1), BINS), np.float32)
    if len(total):
        for channel in samples:
            found = spectra(channel)
            total += found.real**2 + found.imag**2
    return total


@lru_cache(maxsize=64)
def _bank(pitch: float) -> Real:
    """Return the weights of bins in bands for a sound whose frequencies were multiplied by `pitch`: shape (129, 24)."""
    edges = (FIRST_BIN - 0.5 + BINS_PER_BAND * np.arange(BANDS + 1)) * pitch
    bins = np.arange(BINS)[:, None]
    share = np.minimum(edges[1:], bins + 0.5) - np.maximum(edges[:-1], bins - 0.5)
    return np.asarray(np.clip(share, 0, 1), np.float32)


def energies(powers: Real, pitch: float = 1.0) -> Real:
    """Return band energies: (T, 129) → (T, 24)."""
    return np.asarray(powers @ _bank(pitch))


def features(band_energies: Real) -> Real:
    """Return how far each cell's level departs from what its neighbours foretell, in local deviations.

    Energies are smoothed over three rows (¼, ½, ¼); the whitened level is divided by its deviation over 3 bands × 3 cells and
    clipped. A deviation below .05 nepers counts as .05.

    Args:
        band_energies: Shape (T, 24), one row every 4 ms.
    Returns:
        Shape (T, 24), within ±2.5; 0 in digital silence.
    """
    smooth = cv2.sepFilter2D(band_energies, -1, _ONE, _SMOOTH, borderType=cv2.BORDER_REFLECT)
    rest = whitened(np.asarray(smooth, np.float32))
    return np.asarray(np.clip(rest / np.hypot(deviation(rest, 3, 3 * STEPS), _STEADY), -_CLIP, _CLIP))


def whitened(band_energies: Real) -> Real:
    """Return log energy less what neighbours at one, two and three cells in time and in frequency foretell, in nepers."""
    level = np.log(band_energies + _FLOOR)
    return np.asarray(cv2.sepFilter2D(level, -1, *_whitener(), borderType=cv2.BORDER_REFLECT))


def deviation(rest: Real, bands: int, rows: int) -> Real:
    """Return the root mean square over so many bands and rows (odd numbers) round each value."""
    mean = cv2.blur(rest * rest, (bands, rows), borderType=cv2.BORDER_REFLECT)
    return np.asarray(np.sqrt(np.maximum(mean, 0)))  # running sums leave rounding below zero


@lru_cache(maxsize=1)
def _whitener() -> tuple[Real, Real]:
    """Return the kernels across frequency (7 taps) and time (19 taps, every third in use)."""
    across = np.array([*_IN_FREQUENCY[::-1], -1, *_IN_FREQUENCY])
    along = np.zeros(6 * STEPS + 1)
    along[::STEPS] = [*_IN_TIME[::-1], -1, *_IN_TIME]
    return -across.astype(np.float32), -along.astype(np.float32)
