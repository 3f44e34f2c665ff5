"""Mark id ⇄ the 80 bits that a mark carries, and the key that reads it when no other is given.

    bits 0–63   the mark id, most significant bit first
    bits 64–79  CRC-16/IBM-3740 of the eight id bytes (polynomial 0x1021, start 0xFFFF), most significant bit first

The check is short on purpose: chance is kept out by the score of the whole code word (`image.bound`), the check only tells
near neighbours of one word apart. The id means nothing without a registry.
"""

from __future__ import annotations

import binascii
import hashlib

import numpy as np
from numpy.typing import NDArray

PAYLOAD_BITS = 80
MAX_ID = (1 << 64) - 1

PUBLIC_KEY: bytes = hashlib.sha256(b"org.colophon.mark: the public key").digest()
"""The default key (32 bytes). Known to all, so that any installation can read a mark and ask its resolver."""


def pack(mark_id: int) -> NDArray[np.uint8]:
    """Return the payload bits of a mark id.

    Args:
        mark_id: 0 ≤ id < 2⁶⁴.
    Returns:
        Shape (80,), uint8, each 0 or 1.
    Raises:
        ValueError: the id does not fit 64 bits.
    """
    if not 0 <= mark_id <= MAX_ID:
        raise ValueError(f"a mark id has 64 bits, not {mark_id:#x}")
    body = mark_id.to_bytes(8, "big")
    return np.unpackbits(np.frombuffer(body + _check(body), np.uint8))


def unpack(bits: NDArray[np.uint8]) -> int | None:
    """Return the mark id of 80 payload bits, or None where the check fails."""
    raw = np.packbits(bits).tobytes()
    return int.from_bytes(raw[:8], "big") if raw[8:] == _check(raw[:8]) else None


def _check(body: bytes) -> bytes:
    return binascii.crc_hqx(body, 0xFFFF).to_bytes(2, "big")
