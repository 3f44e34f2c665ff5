"""Writing the mark: a stream of samples in, the same samples with every cell a little louder or softer out (SOUND.md §3)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from watermark.errors import CarrierTooSmallError, UnsupportedError
from watermark.sound.analysis import Real, window
from watermark.sound.detection import LEAST_S
from watermark.sound.layout import BANDS, BINS_PER_BAND, FIRST_BIN, FRAME, HOP, PERIOD, RATE, STEPS, layout
from watermark.sound.masking import allowance
from watermark.sound.resample import Resampler, ratio

MIN_RATE, MAX_RATE = 8_000, 384_000
MAX_STRENGTH_DB = 6.0
STRENGTH_DB = 0.85
LEAST_MS = int(1000 * LEAST_S)
SILENCE = 1e-5
"""Samples below −100 dBFS are silence."""

_OVERLAP = FRAME // HOP
_LATE = FRAME - HOP  # samples of a tile that the next tile's frames still add to
_NEPERS_PER_DB = np.log(10) / 20


class Embedder:
    """Marks a stream: `feed` blocks of any size, then `flush`; together they return as many samples as they were given.

    Work is done in steps of fixed size, so that the result does not depend on how the stream is cut, bit for bit. Holds no
    more than about seven seconds of sound.
    """

    def __init__(self, rate: int, channels: int, mark_id: int, key: bytes, strength: float | None = None) -> None:
        """Args:
            rate: Samples per second, 8,000–384,000.
            channels: 1 or more.
            mark_id: 0 ≤ id < 2⁶⁴.
            key: Secret of any length; the same is needed to detect.
            strength: Change of level of an unmasked cell in dB, 0 < strength ≤ 6; None for the default, .85.
        Raises:
            UnsupportedError: a rate outside the range.
            ValueError: an id, a strength or a number of channels outside its range.
        """
        if not MIN_RATE <= rate <= MAX_RATE:
            raise UnsupportedError("", f"sound of {rate} samples a second")
        if channels < 1:
            raise ValueError("a sound has at least one channel")
        decibels = STRENGTH_DB if strength is None else strength
        if not 0 < decibels <= MAX_STRENGTH_DB:
            raise ValueError(f"strength lies in (0, {MAX_STRENGTH_DB:g}] dB, not {decibels}")
        self._signs = _sign_rows(key, mark_id) * np.float32(decibels * _NEPERS_PER_DB)
        factor = ratio(rate)
        narrow = float(min(rate, RATE))
        self._down = None if factor == 1 else Resampler(factor, channels, narrow)
        self._up = None if factor == 1 else Resampler(1 / factor, channels, narrow)
        self._step = factor.denominator * max(1, rate // factor.denominator)
        # planes, shape (channels, N), from here on
        self._source = np.empty((channels, 0), np.float32)  # not yet analysed
        self._waiting = np.empty((channels, 0), np.float32)  # analysed, its mark not yet known
        self._analysis = np.zeros((channels, _LATE), np.float32)
        self._tail = np.zeros((channels, _LATE), np.float32)
        self._skip = _LATE  # the first tile's frames begin before the sound does

    def feed(self, block: NDArray[np.float32]) -> Real:
        """Take samples of shape (N, channels), full scale ±1; return marked ones, shape (M, channels), in order."""
        return self._feed(block.T).T

    def flush(self) -> Real:
        """Return the rest; the embedder is used up."""
        due = self._waiting.shape[1] + self._source.shape[1]
        silence = np.zeros((len(self._source), self._step), np.float32)
        out = [self._feed(silence[:, : -self._source.shape[1] % self._step])]
        while sum(part.shape[1] for part in out) < due:
            out.append(self._feed(silence))
        return np.concatenate(out, axis=1)[:, :due].T

    def _feed(self, planes: Real) -> Real:
        self._source = np.concatenate([self._source, planes], axis=1)
        whole = self._source.shape[1] // self._step * self._step
        out = [self._source[:, :0]]
        for start in range(0, whole, self._step):
            out += self._advance(self._source[:, start : start + self._step])
        self._source = self._source[:, whole:]
        return np.concatenate(out, axis=1)

    def _advance(self, step: Real) -> list[Real]:
        """Take one step of source samples and return those whose mark is known by now."""
        self._waiting = np.concatenate([self._waiting, step], axis=1)
        self._analysis = np.concatenate([self._analysis, self._down.feed(step) if self._down else step], axis=1)
        out = []
        while self._analysis.shape[1] >= _LATE + PERIOD * HOP:
            mark = self._tile(self._analysis[:, : _LATE + PERIOD * HOP])
            self._analysis = self._analysis[:, PERIOD * HOP :]
            mark = self._up.feed(mark) if self._up else mark
            out.append(self._waiting[:, : mark.shape[1]] + mark)
            self._waiting = self._waiting[:, mark.shape[1] :]
        return out

    def _tile(self, samples: Real) -> Real:
        """Return the mark of one period: (channels, 192 + 76,800) in, as much as is complete out."""
        sums = np.stack([_overlap_add(self._change(_analysed(channel))) for channel in samples])
        sums[:, :_LATE] += self._tail
        self._tail = sums[:, PERIOD * HOP :]
        out, self._skip = sums[:, self._skip : PERIOD * HOP], 0
        return out

    def _change(self, parts: Real) -> Real:
        """Return what is added to the marked bins of a tile's frames: shape (1200, 2, 24, 4) both, real and imaginary parts."""
        energies = np.square(parts).reshape(PERIOD, -1) @ _sums()
        gain = np.expm1(self._signs * allowance(energies))
        return np.asarray(parts * gain[:, None, :, None], np.float32)


def embed(
    samples: NDArray[np.float32], rate: int, mark_id: int, *, key: bytes, strength: float | None = None
) -> NDArray[np.float32]:
    """Return a copy of a sound that carries a mark id.

    Args:
        samples: Shape (N, channels), float32, full scale ±1; left unchanged.
        rate: Samples per second, 8,000–384,000.
        mark_id: 0 ≤ id < 2⁶⁴.
        key: Secret of any length; the same is needed to detect.
        strength: Change of level of an unmasked cell in dB, 0 < strength ≤ 6; None for the default, .85.
    Returns:
        The same shape, float32; samples may exceed ±1 where the source came near.
    Raises:
        CarrierTooSmallError: too short or too silent to hold a mark.
        UnsupportedError: a rate outside the range.
        ValueError: not a two-dimensional array, or an argument outside its range.
    """
    embedder = Embedder(rate, check(samples), mark_id, key, strength)
    milliseconds = 0
    for start in range(0, len(samples), rate):
        milliseconds += audible(samples[start : start + rate]) * 1000 // rate
        if milliseconds >= LEAST_MS:
            return np.concatenate([embedder.feed(np.asarray(samples, np.float32)), embedder.flush()])
    raise CarrierTooSmallError(milliseconds, LEAST_MS, "milliseconds of sound")


def audible(samples: NDArray[np.float32]) -> int:
    """Return how many samples of a block (N, channels) are not silent in every channel."""
    loud = np.zeros(len(samples), np.bool_)
    for channel in samples.T:
        loud |= np.abs(channel) > SILENCE
    return int(np.count_nonzero(loud))


def check(samples: NDArray[np.float32]) -> int:
    """Return the number of channels; raise ValueError for an array that is no sound: not two axes, or not finite."""
    if samples.ndim != 2 or not samples.shape[1]:
        raise ValueError(f"a sound has the shape (samples, channels), not {samples.shape}")
    if not np.isfinite(samples.sum()):
        raise ValueError("a sound is finite")
    return int(samples.shape[1])


def _sign_rows(key: bytes, mark_id: int) -> Real:
    """Return the sign of every band for frames −1 … 1198 of a tile, shape (1200, 24): ±1, or between where cells meet."""
    cells = layout(key).tile(mark_id)
    column, place = np.divmod(np.arange(-1, PERIOD - 1), STEPS)
    before = np.where(place == 0, column - 1, column)
    return (cells[column] + cells[before]) * np.float32(0.5)


@lru_cache(maxsize=1)
def _bins() -> Real:
    """Return the marked bins' waves under the window: shape (256, 192), cosines, then negative sines.

    Products with so few bins take less than half the time of a transform of all.
    """
    turn = 2 * np.pi / FRAME * np.outer(np.arange(FRAME), FIRST_BIN + np.arange(BANDS * BINS_PER_BAND))
    return np.asarray(window()[:, None] * np.concatenate([np.cos(turn), -np.sin(turn)], axis=1), np.float32)


@lru_cache(maxsize=1)
def _sums() -> Real:
    """Return what adds up both parts of a band's bins: shape (192, 24)."""
    return np.tile(np.repeat(np.eye(BANDS, dtype=np.float32), BINS_PER_BAND, axis=0), (2, 1))


def _analysed(samples: Real) -> Real:
    """Return the marked bins of all whole frames of one channel: (64 T + 192,) → (T, 2, 24, 4)."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP]
    return np.asarray((frames @ _bins()).reshape(-1, 2, BANDS, BINS_PER_BAND))


def _overlap_add(change: Real) -> Real:
    """Return the samples of changed frames: (T, 2, 24, 4) → (64 T + 192,)."""
    frames = change.reshape(len(change), -1) @ (_bins().T * np.float32(2 / FRAME * 8 / 3 / _OVERLAP))
    quarters = frames.reshape(len(frames), _OVERLAP, HOP)
    out = np.zeros((len(frames) + _OVERLAP - 1, HOP), np.float32)
    for place in range(_OVERLAP):
        out[place : place + len(frames)] += quarters[:, place]
    return out.reshape(-1)
