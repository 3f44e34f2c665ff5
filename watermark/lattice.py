"""The keyed layout: which spatial frequencies a mark uses, with which phases, and which code bit rides where.

Everything is drawn from SHAKE-256 of a label and the key, so that a second implementation needs no particular generator of
random numbers. Frequencies are integer vectors k = (kx, ky), kx ≥ 1, in cycles per tile of 64 canonical units. The axes are
left out: straight edges and the JPEG block grid live there.

Two families ride on the lines, told apart by what they are for:

- 40 *pilots* run unbroken over the whole plane. Their power shows in |FFT|² wherever the copy was cut and gives the pose.
- 640 *carriers* change phase from tile to tile (one of four, keyed, repeating after 16 × 16 tiles). Without the key they
  cannot be told from noise, folding the picture on its period does not gather them, and the right one of the 256 possible
  tile offsets gives the absolute position of a crop. Several carriers share a line: their phases keep them apart.

Half of the carriers ride on the coarse third of the lines, which survive a copy's shrinking to a quarter, half on the rest;
each half carries the whole code word.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

TILE = 64
TILES = 16
LOWEST, HIGHEST = 0.04, 0.25
"""Band, cycles per canonical unit."""
PILOTS = 40
HALF = 320
CARRIERS = 2 * HALF
CODE_BITS = 2 * HALF
DIMENSIONS = 2 * CARRIERS
COARSE = 9
"""Lines up to this many cycles per tile carry the first half of the carriers."""
PILOT_SHARE = 0.18
"""Share of the mark's energy in the pilots."""
COARSE_SHARE = 0.5
"""Share of the carriers' energy in the first half."""

LABEL = b"org.colophon.mark.image.1"

Complex = NDArray[np.complex64]
Real = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Lattice:
    """The layout of one key.

    Attributes:
        pilots: Shape (40, 2), int: (kx, ky), from low to high frequency.
        pilot_phase: Shape (40,), complex, |1|: phase at the corner of a tile.
        pilot_gain: Shape (40,): amplitudes for a mark of variance 1.
        carriers: Shape (640, 2), int: (kx, ky); within each half the half's lines over and over, from low to high frequency.
        carrier_gain: Shape (640,).
        layers: Runs of carriers that ride on different lines.
        tile_phase: Shape (16, 16, 640), complex, a power of i for tile row, tile column, carrier.
        tile_spectrum: Shape (16, 16, 640): conjugate of `tile_phase` transformed over tile rows and columns.
        order: Shape (1280,): `order[d]` is the code bit on dimension d; of each half's 640 dimensions the first 320 are its
            carriers' real parts, the others the imaginary parts.
        signs: Shape (1280,): ±1 for each dimension.
        key: What it was made from, for the tile origin of an id.
    """

    pilots: NDArray[np.int64]
    pilot_phase: Complex
    pilot_gain: Real
    carriers: NDArray[np.int64]
    carrier_gain: Real
    layers: tuple[slice, ...]
    tile_phase: Complex
    tile_spectrum: Complex
    order: NDArray[np.int64]
    signs: Real
    key: bytes

    def origin(self, mark_id: int) -> tuple[int, int]:
        """Return the tile (row, column) of the 16 × 16 that lies on a marked picture's top left corner.

        It differs from id to id, so that pictures marked with one key cannot be averaged into the carriers.
        """
        byte = _stream(self.key, b"origin" + mark_id.to_bytes(8, "big"), 1)[0]
        return int(byte >> 4), int(byte & 15)

    def symbols(self, code: NDArray[np.uint8]) -> Complex:
        """Return the carriers' symbols of a code word: shape (640,) of 0 and 1 → (640,) complex, |1|."""
        values = (1 - 2 * code[self.order].astype(np.float32)) * self.signs
        parts = values.reshape(2, 2, HALF)
        return ((parts[:, 0] + 1j * parts[:, 1]) * np.float32(np.sqrt(0.5))).astype(np.complex64).reshape(CARRIERS)

    @staticmethod
    def balance(coarse: float) -> Real:
        """Return factors of the carriers' amplitudes, shape (640,), that give the first half a share of their energy."""
        shares = np.repeat([coarse / COARSE_SHARE, (1 - coarse) / (1 - COARSE_SHARE)], HALF)
        return np.asarray(np.sqrt(shares), np.float32)

    @staticmethod
    def dimensions(sums: Complex) -> Real:
        """Return real and imaginary parts of carriers, shape (640,), in the order of dimensions: shape (1280,)."""
        parts = sums.reshape(2, HALF)
        return np.stack([parts.real, parts.imag], axis=1).astype(np.float32).reshape(DIMENSIONS)


@lru_cache(maxsize=16)
def lattice(key: bytes) -> Lattice:
    """Return the layout of a key of any length ≥ 16 bytes.

    Raises:
        ValueError: a shorter key.
    """
    if len(key) < 16:
        raise ValueError(f"a mark's key has at least 16 bytes, not {len(key)}")
    lines = _band()
    chosen = _choose_pilots(lines, key)
    pilots, rest = lines[chosen], lines[~chosen]
    coarse = np.hypot(rest[:, 0], rest[:, 1]) <= COARSE
    halves = [rest[coarse], rest[~coarse]]
    carriers = np.concatenate([np.resize(half, (HALF, 2)) for half in halves])
    phase = np.exp(2j * np.pi * _words(key, b"pilot phases", PILOTS) / 2.0**64).astype(np.complex64)
    turns = np.unpackbits(_stream(key, b"tile phases", TILES * TILES * CARRIERS // 4)).reshape(-1, 2)
    tile_phase = np.array([1, 1j, -1, -1j], np.complex64)[2 * turns[:, 0] + turns[:, 1]]
    tile_phase = tile_phase.reshape(TILES, TILES, CARRIERS)
    words = _words(key, b"order", DIMENSIONS).reshape(2, CODE_BITS)
    shares = np.repeat([COARSE_SHARE, 1 - COARSE_SHARE], HALF) / HALF
    return Lattice(
        pilots=pilots,
        pilot_phase=phase,
        pilot_gain=np.full(PILOTS, np.sqrt(2 * PILOT_SHARE / PILOTS), np.float32),
        carriers=carriers,
        carrier_gain=np.sqrt(2 * (1 - PILOT_SHARE) * shares).astype(np.float32),
        layers=tuple(
            slice(h * HALF + i, h * HALF + min(i + len(halves[h]), HALF)) for h in (0, 1) for i in range(0, HALF, len(halves[h]))
        ),
        tile_phase=tile_phase,
        tile_spectrum=np.fft.fft2(tile_phase, axes=(0, 1)).conj().astype(np.complex64),
        order=np.argsort(words, axis=1, kind="stable").reshape(DIMENSIONS),
        signs=(1 - 2 * np.unpackbits(_stream(key, b"signs", DIMENSIONS // 8)).astype(np.float32)),
        key=key,
    )


def _band() -> NDArray[np.int64]:
    """All lines of the band, by rising |k|², then kx, then ky: shape (360, 2)."""
    reach = int(HIGHEST * TILE)
    every = [(kx, ky) for kx in range(1, reach + 1) for ky in range(-reach, reach + 1) if ky]
    inside = [k for k in every if (LOWEST * TILE) ** 2 <= k[0] ** 2 + k[1] ** 2 <= (HIGHEST * TILE) ** 2]
    return np.array(sorted(inside, key=lambda k: (k[0] ** 2 + k[1] ** 2, k)))


def _choose_pilots(lines: NDArray[np.int64], key: bytes) -> NDArray[np.bool_]:
    """One pilot from each run of nine lines, so that every radius has its share."""
    run = len(lines) // PILOTS
    places = np.arange(PILOTS) * run + (_words(key, b"pilots", PILOTS) % np.uint64(run)).astype(np.int64)
    chosen = np.zeros(len(lines), np.bool_)
    chosen[places] = True
    return chosen


def _words(key: bytes, label: bytes, count: int) -> NDArray[np.uint64]:
    """64-bit words, each from eight bytes of the stream, most significant first."""
    return _stream(key, label, 8 * count).view(">u8").astype(np.uint64)


def _stream(key: bytes, label: bytes, count: int) -> NDArray[np.uint8]:
    """SHAKE-256 of length-prefixed layout name, label and key."""
    message = b"".join(len(part).to_bytes(2, "big") + part for part in (LABEL, label, key))
    return np.frombuffer(hashlib.shake_256(message).digest(count), np.uint8)
