"""Rational resampling of streams: one banded matrix product per block, linear phase, constant memory."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from watermark.sound.layout import RATE

Samples = NDArray[np.float32]

_PASS_HZ, _STOP_HZ = 6_700.0, 9_300.0
_BETA = 6.2
"""Kaiser window: 65 dB of stop band. What folds lands above the marked bands, which end at 6,375 Hz."""
_BLOCK = 160


def ratio(rate: int) -> Fraction:
    """Return analysis samples per source sample, with terms up to 1,000: 16,000 ÷ rate, or the nearest."""
    return Fraction(RATE, rate).limit_denominator(1000)


class Resampler:
    """Resamples a stream of blocks by a ratio; output n is centred on input n ÷ ratio. Blocks are planes: (channels, N).

    The input before the first sample and after the last is silence.
    """

    def __init__(self, factor: Fraction, channels: int, narrow_hz: float, *, full: bool = False) -> None:
        """Args:
        factor: Output samples per input sample.
        channels: Planes of every block.
        narrow_hz: The lower of the two rates; its spectrum is kept up to 6.7 kHz (or .42 of the rate).
        full: Keep all that both rates can hold, up to .42 of the lower one, rather than the marked bands alone.
        """
        self._matrix, self._inputs, self._reach = _bank(factor, narrow_hz, full)
        self._held = np.zeros((channels, self._reach), np.float32)

    def feed(self, block: Samples) -> Samples:
        """Return what can be computed once the block has arrived: shape (channels, M)."""
        held = np.concatenate([self._held, block], axis=1)
        width = self._inputs + 2 * self._reach
        count = max(0, (held.shape[1] - 2 * self._reach) // self._inputs)
        self._held = held[:, count * self._inputs :]
        if not count:
            return held[:, :0].copy()
        windows = np.lib.stride_tricks.sliding_window_view(held, width, axis=1)[:, :: self._inputs][:, :count]
        # (channels · count, width) @ (width, outputs): one product for all blocks and channels
        out = np.ascontiguousarray(windows).reshape(-1, width) @ self._matrix
        return np.asarray(out.reshape(len(held), -1))

    def flush(self) -> Samples:
        """Return the rest, padded with silence up to a whole block."""
        return self.feed(np.zeros((len(self._held), self._inputs + 2 * self._reach), np.float32))


@lru_cache(maxsize=16)
def _bank(factor: Fraction, narrow_hz: float, full: bool) -> tuple[Samples, int, int]:
    """Return the matrix of a block (width, outputs), the inputs that it consumes and the inputs on either side."""
    times = max(1, -(-_BLOCK // max(factor.numerator, factor.denominator)))
    inputs, outputs = factor.denominator * times, factor.numerator * times
    lower = min(Fraction(1), factor)
    low, high = (0.42, 0.58) if full else (min(_PASS_HZ / narrow_hz, 0.42), min(_STOP_HZ / narrow_hz, 0.58))
    cutoff = (low + high) / 2 * float(lower)  # cycles per input sample
    half = 4.0 / ((high - low) * float(lower)) / 2
    reach = int(np.ceil(half)) + 1
    at = np.arange(outputs)[None, :] * (inputs / outputs) - (np.arange(inputs + 2 * reach)[:, None] - reach)
    window = np.i0(_BETA * np.sqrt(np.clip(1 - (at / half) ** 2, 0, None))) / np.i0(_BETA) * (np.abs(at) <= half)
    taps = 2 * cutoff * np.sinc(2 * cutoff * at) * window
    taps /= taps.sum(axis=0, keepdims=True)
    return taps.astype(np.float32), inputs, reach


def to_analysis(samples: Samples, rate: int) -> Samples:
    """Resample a whole sound (N, channels) to the analysis rate: shape (about 16,000 N ÷ rate, channels)."""
    factor = ratio(rate)
    if factor == 1:
        return samples
    return _whole(samples, Resampler(factor, samples.shape[1], float(min(rate, RATE))), factor)


def resample(samples: Samples, rate: int, to: int) -> Samples:
    """Resample a whole sound (N, channels) between two rates, keeping .42 of the lower one: shape (N · to ÷ rate, channels)."""
    if rate == to:
        return samples
    factor = Fraction(to, rate)
    return _whole(samples, Resampler(factor, samples.shape[1], float(min(rate, to)), full=True), factor)


def _whole(samples: Samples, resampler: Resampler, factor: Fraction) -> Samples:
    out = np.concatenate([resampler.feed(samples.T), resampler.flush()], axis=1)
    return out[:, : math.ceil(len(samples) * factor)].T
