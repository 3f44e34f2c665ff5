"""What a registry keeps of a sound: levels in eighteen bands, sixteen times a second. Enough to compare, too little to hear.

Some 150 bytes a second after compression. The bands end at 4 kHz: a telephone carries most of them, and nobody can replace a
sentence above.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from watermark.sound.layout import RATE
from watermark.sound.opened import decoded, opened, sound_stream

MEDIA_TYPE = "application/vnd.colophon.sound-envelope"
FRAMES_PER_SECOND = 16
BANDS = 18
LOWEST_DB = -100.0
_STEP_DB = 0.4
_LOW_HZ, _HIGH_HZ = 200.0, 4000.0
_HOP = RATE // FRAMES_PER_SECOND // 4
_WINDOW = 512
_MAGIC = b"CSE1"
_HEAD = struct.Struct(">4sBBI")
_MOST_FRAMES = FRAMES_PER_SECOND * 3600 * 100

Levels = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Envelope:
    """Levels of a sound.

    Attributes:
        levels: Shape (frames, 18), float32, dB of full scale, −100 … 2; a frame every 1/16 s.
    """

    levels: Levels

    @property
    def seconds(self) -> float:
        return len(self.levels) / FRAMES_PER_SECOND

    def to_bytes(self) -> bytes:
        """`CSE1`, frames a second, bands, number of frames (32 bits, big-endian), then zlib of the differences in time of
        levels in steps of .4 dB above −100, one byte each, modulo 256."""
        whole = np.rint((self.levels - LOWEST_DB) / _STEP_DB).clip(0, 255).astype(np.uint8)
        steps = np.diff(whole, axis=0, prepend=np.zeros((1, BANDS), np.uint8))
        return _HEAD.pack(_MAGIC, FRAMES_PER_SECOND, BANDS, len(whole)) + zlib.compress(steps.tobytes(), 9)

    @classmethod
    def from_bytes(cls, data: bytes) -> Envelope:
        """Raises ValueError for what `to_bytes` did not write."""
        try:
            magic, rate, bands, frames = _HEAD.unpack_from(data)
            if (magic, rate, bands) != (_MAGIC, FRAMES_PER_SECOND, BANDS) or frames > _MOST_FRAMES:
                raise ValueError("not a sound envelope that is read here")
            unpacker = zlib.decompressobj()
            raw = unpacker.decompress(data[_HEAD.size :], frames * BANDS + 1)
        except (struct.error, zlib.error) as error:
            raise ValueError(f"not a sound envelope: {error}") from error
        if len(raw) != frames * BANDS:
            raise ValueError("a sound envelope of another length than it says")
        steps = np.frombuffer(raw, np.uint8).reshape(frames, BANDS)
        whole = np.add.accumulate(steps, axis=0, dtype=np.uint8)
        return cls((whole * np.float32(_STEP_DB) + np.float32(LOWEST_DB)).astype(np.float32))


def of_file(path: Path) -> Envelope:
    """Take the envelope of the first sound track of a file, at constant memory but for the envelope itself.

    Raises:
        MediaDecodeError, UnsupportedError: it does not decode, or has no sound.
    """
    with opened(path) as container:
        stream = sound_stream(container, path)
        return of_blocks(decoded(container, stream, RATE))


def of_blocks(blocks: Iterable[NDArray[np.float32]]) -> Envelope:
    """Take the envelope of sound at 16 kHz, given as blocks of shape (N, channels)."""
    held = np.zeros((0, 0), np.float32)
    rows = []
    for block in blocks:
        held = np.concatenate([held, block]) if held.size else block
        while len(held) >= RATE + _WINDOW:
            rows.append(_frames(held[: RATE - _HOP + _WINDOW]))
            held = held[RATE:]
    if len(held):
        pad = -len(held) % (4 * _HOP)
        whole = np.pad(held, ((0, pad + _WINDOW - _HOP), (0, 0)))
        rows.append(_frames(whole))
    levels = np.concatenate(rows) if rows else np.zeros((0, BANDS), np.float32)
    return Envelope(levels)


def _frames(samples: NDArray[np.float32]) -> Levels:
    """Levels of whole frames: (4 · hop · T + window − hop, channels) → (T, 18)."""
    pieces = np.lib.stride_tricks.sliding_window_view(samples.T, _WINDOW, axis=1)[:, ::_HOP]
    spectra = np.fft.rfft(pieces * _hann())
    power = (spectra.real**2 + spectra.imag**2).mean(axis=0) / np.float32(_WINDOW**2 / 8)
    bands = power[: len(power) // 4 * 4].reshape(-1, 4, power.shape[1]).mean(axis=1) @ _bank()
    return np.asarray(10 * np.log10(bands + 10 ** (LOWEST_DB / 10)), np.float32)


@lru_cache(maxsize=1)
def _hann() -> NDArray[np.float32]:
    return np.hanning(_WINDOW + 1)[:-1].astype(np.float32)


@lru_cache(maxsize=1)
def _bank() -> NDArray[np.float32]:
    """Weights of 257 bins in bands of equal width on the mel scale (O'Shaughnessy 1987)."""
    low, high = 2595 * np.log10(1 + _LOW_HZ / 700), 2595 * np.log10(1 + _HIGH_HZ / 700)
    edges = 700 * (10 ** (np.linspace(low, high, BANDS + 1) / 2595) - 1) / RATE * _WINDOW
    bins = np.arange(_WINDOW // 2 + 1)[:, None]
    share = np.minimum(edges[1:], bins + 0.5) - np.maximum(edges[:-1], bins - 0.5)
    return np.asarray(np.clip(share, 0, 1), np.float32)
