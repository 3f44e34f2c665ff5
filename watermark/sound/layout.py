"""Where the bits of a mark lie in time and frequency, for one key (SOUND.md §2–3).

A tile is 400 columns of 12 ms by 24 bands of 250 Hz. One cell in five is a pilot; the others carry the 640 bits of the code
word, twelve cells a bit. Every cell has a sign (chip) drawn from the key.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from watermark import code, payload

ALGORITHM = "org.colophon.mark.audio.1"

RATE = 16_000
"""Samples per second of the analysis; other rates in use are resampled to it exactly, odd ones to within 0.06 %."""
HOP = 64
"""Samples between analysis frames: 4 ms."""
FRAME = 256
"""Samples of an analysis frame: 16 ms, so that bins lie 62.5 Hz apart."""
BINS = FRAME // 2 + 1

STEPS = 3
"""Hops per cell."""
COLUMNS = 400
BANDS = 24
BINS_PER_BAND = 4
FIRST_BIN = 6
"""Band k sums bins 6 + 4 k … 9 + 4 k: 343.75 + 250 k Hz up to 593.75 + 250 k Hz, 343.75–6343.75 Hz in all."""
PERIOD = COLUMNS * STEPS
"""Hops per tile: 1,200, or 4.8 s."""
HOPS_PER_SECOND = RATE // HOP

CODE_BITS = code.RATE * payload.PAYLOAD_BITS
REPEATS = 12
"""Cells of each code bit in a tile."""

Signs = NDArray[np.float32]


@dataclass(frozen=True)
class Layout:
    """The tile of one key.

    Attributes:
        chips: Shape (400, 24), float32 ±1: the sign of every cell.
        pilot: Shape (400, 24), bool: cells that are known to every holder of the key.
        bit: Shape (400, 24), int64: which code bit a data cell carries, 0–639; −1 on pilots.
    """

    chips: Signs
    pilot: NDArray[np.bool_]
    bit: NDArray[np.int64]

    def tile(self, mark_id: int) -> Signs:
        """Return the signs of the whole tile for a mark id: shape (400, 24), float32 ±1."""
        word = 1 - 2 * code.encode(payload.pack(mark_id)).astype(np.float32)
        return self.chips * np.where(self.pilot, np.float32(1), word[self.bit])


@lru_cache(maxsize=16)
def layout(key: bytes) -> Layout:
    """Return the layout of a key.

    SHAKE-256 over the algorithm's name, a zero byte and the key gives 1,200 bytes of chips (bit 1 means −1, most significant
    bit first, cells in band-major order), then 12 × 640 big-endian 64-bit numbers whose ranks are the twelve permutations.
    Data cells, counted band by band, fall into twelve runs of 640: each bit has one cell in each, so its repeats lie in
    twelve parts of the spectrum.
    """
    cells = COLUMNS * BANDS
    stream = hashlib.shake_256(ALGORITHM.encode() + b"\0" + key).digest(cells // 8 + 8 * REPEATS * CODE_BITS)
    chips = 1 - 2 * np.unpackbits(np.frombuffer(stream[: cells // 8], np.uint8)).astype(np.float32)
    draws = np.frombuffer(stream[cells // 8 :], ">u8").reshape(REPEATS, CODE_BITS)
    band, column = np.mgrid[:BANDS, :COLUMNS]
    pilot = (column + 2 * band) % 5 == 0
    bit = np.full((BANDS, COLUMNS), -1)
    bit[~pilot] = np.argsort(draws, axis=1, kind="stable").reshape(-1)
    for table in (tile := chips.reshape(BANDS, COLUMNS), pilot, bit):
        table.setflags(write=False)
    return Layout(tile.T, pilot.T, bit.T)
