"""WAV files, chunk by chunk: the samples are rewritten in place of the old ones, every other byte stays as it was."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from watermark.errors import MediaDecodeError, UnsupportedError

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_UNKNOWN_SIZE = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Wav:
    """Where the samples of a WAV file lie and how they are written.

    Attributes:
        rate: Samples per second.
        channels: Interleaved channels.
        bits: Bits of a stored sample: 8, 16, 24, 32, or 64 (floating point only).
        floating: True for IEEE floating point.
        start, size: First byte of the samples and how many there are, a whole number of frames.
    """

    rate: int
    channels: int
    bits: int
    floating: bool
    start: int
    size: int

    @property
    def frame(self) -> int:
        return self.channels * self.bits // 8


def parse(file: BinaryIO, path: Path) -> Wav:
    """Read the header of a RIFF or RF64 file (EBU Tech 3306).

    Raises:
        MediaDecodeError: no WAV, or a header that contradicts itself.
        UnsupportedError: samples other than 8–32-bit integers and 32- or 64-bit floating point.
    """
    total = file.seek(0, 2)
    file.seek(0)
    head = file.read(12)
    if head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
        raise MediaDecodeError(str(path), "not a WAV file")
    form: tuple[int, int, int, bool] | None = None
    long_size = 0
    while len(chunk := file.read(8)) == 8:
        name, size = chunk[:4], struct.unpack("<I", chunk[4:])[0]
        start = file.tell()
        if name == b"ds64" and size >= 16:
            long_size = struct.unpack("<Q", file.read(16)[8:])[0]
        elif name == b"fmt ":
            form = _form(file.read(min(size, 40)), path)
        elif name == b"data":
            if form is None:
                raise MediaDecodeError(str(path), "samples before their format")
            rate, channels, bits, floating = form
            size = min(long_size or size if size == _UNKNOWN_SIZE else size, total - start)
            frame = channels * bits // 8
            return Wav(rate, channels, bits, floating, start, size // frame * frame)
        file.seek(start + size + size % 2)
    raise MediaDecodeError(str(path), "no samples in it")


def _form(chunk: bytes, path: Path) -> tuple[int, int, int, bool]:
    if len(chunk) < 16:
        raise MediaDecodeError(str(path), "its format chunk is too short")
    tag, channels, rate, _, align, bits = struct.unpack("<HHIIHH", chunk[:16])
    if tag == _EXTENSIBLE and len(chunk) >= 26:
        tag = struct.unpack("<H", chunk[24:26])[0]
    if (tag, bits) not in {*((_PCM, b) for b in (8, 16, 24, 32)), (_FLOAT, 32), (_FLOAT, 64)}:
        raise UnsupportedError(str(path), f"WAV samples of kind {tag:#x} with {bits} bits")
    if not channels or not rate or align != channels * bits // 8:
        raise MediaDecodeError(str(path), "its format chunk contradicts itself")
    return rate, channels, bits, tag == _FLOAT


def frames(file: BinaryIO, wav: Wav) -> Iterator[NDArray[np.float32]]:
    """Yield the samples in pieces of a second: shape (N, channels), full scale ±1."""
    file.seek(wav.start)
    left = wav.size
    while left:
        raw = file.read(min(left, wav.rate * wav.frame))
        raw = raw[: len(raw) // wav.frame * wav.frame]
        if not raw:
            return
        left -= len(raw)
        yield np.nan_to_num(unpack(raw, wav).reshape(-1, wav.channels))


def unpack(raw: bytes, wav: Wav) -> NDArray[np.float32]:
    """Return stored samples as float32, full scale ±1."""
    if wav.floating:
        return np.frombuffer(raw, f"<f{wav.bits // 8}").astype(np.float32)
    if wav.bits == 8:
        return (np.frombuffer(raw, np.uint8).astype(np.float32) - 128) / np.float32(128)
    if wav.bits == 24:
        wide = np.zeros((len(raw) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
        return (wide.reshape(-1).view("<i4") >> 8).astype(np.float32) / np.float32(1 << 23)
    return np.frombuffer(raw, f"<i{wav.bits // 8}").astype(np.float32) / np.float32(1 << (wav.bits - 1))


def pack(samples: NDArray[np.float32], wav: Wav) -> bytes:
    """Return samples as they are stored, rounded to the nearest step and held within full scale."""
    flat = samples.reshape(-1)
    if wav.floating:
        return flat.astype(f"<f{wav.bits // 8}").tobytes()
    steps = to_integers(flat, wav.bits)
    if wav.bits == 8:
        return (steps + 128).astype(np.uint8).tobytes()
    if wav.bits == 24:
        return np.ascontiguousarray(steps.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3]).tobytes()
    return steps.astype(f"<i{wav.bits // 8}").tobytes()


def to_integers(samples: NDArray[np.float32], bits: int) -> NDArray[np.int64]:
    """Return samples as integers of so many bits."""
    full = 1 << (bits - 1)
    return np.clip(np.rint(samples.astype(np.float64) * full), -full, full - 1).astype(np.int64)
