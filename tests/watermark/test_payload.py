"""Payload bits and the code that protects them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watermark import code, payload

ids = st.integers(0, payload.MAX_ID)


@given(ids)
def test_unpack_undoes_pack(mark_id: int) -> None:
    assert payload.unpack(payload.pack(mark_id)) == mark_id


@given(ids, st.integers(0, payload.PAYLOAD_BITS - 1))
def test_one_wrong_bit_fails_the_check(mark_id: int, place: int) -> None:
    bits = payload.pack(mark_id)
    bits[place] ^= 1
    assert payload.unpack(bits) is None


@pytest.mark.parametrize("mark_id", [-1, 1 << 64, 1 << 200])
def test_an_id_has_64_bits(mark_id: int) -> None:
    with pytest.raises(ValueError, match="64 bits"):
        payload.pack(mark_id)


def test_check_is_crc_16_ibm_3740() -> None:
    bits = payload.pack(int.from_bytes(b"\0" * 7 + b"1"))
    assert np.packbits(bits).tobytes()[8:].hex() == f"{_crc(bytes(7) + b'1'):04x}"


def _crc(data: bytes) -> int:
    register = 0xFFFF
    for byte in data:
        register ^= byte << 8
        for _ in range(8):
            register = (register << 1 ^ 0x1021) & 0xFFFF if register & 0x8000 else register << 1
    return register


def soft(bits: np.ndarray) -> np.ndarray:
    return (1 - 2 * code.encode(bits).astype(np.float32)).astype(np.float32)


@settings(max_examples=20, deadline=None)
@given(ids)
def test_decode_undoes_encode(mark_id: int) -> None:
    bits = payload.pack(mark_id)
    assert np.array_equal(next(code.decode(soft(bits))), bits)


@settings(max_examples=20, deadline=None)
@given(st.floats(1e-6, 1e6))
def test_survives_noise_at_1_5_db_whatever_the_factor(factor: float) -> None:
    rng = np.random.default_rng(7)  # some noise of this strength is too much for any code of this length
    bits = rng.integers(0, 2, payload.PAYLOAD_BITS, dtype=np.uint8)
    noise = np.sqrt(8 / 2 / 10**0.15)  # Eb/N0 of 1.5 dB at rate 1/8
    received = ((soft(bits) + rng.normal(0, noise, 640)) * factor).astype(np.float32)
    assert np.array_equal(next(code.decode(received)), bits)


def test_the_code_is_linear_and_quasi_cyclic() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.integers(0, 2, (2, 80), dtype=np.uint8)
    assert np.array_equal(code.encode(a) ^ code.encode(b), code.encode(a ^ b))
    assert np.array_equal(code.encode(np.roll(a, 5)), np.roll(code.encode(a), 40))


def test_candidates_are_distinct_and_limited() -> None:
    found = list(code.decode(np.random.default_rng(0).normal(size=640).astype(np.float32), most=32))
    assert 1 <= len(found) <= 32
    assert len({row.tobytes() for row in found}) == len(found)


def test_silence_decodes_to_something_without_complaint() -> None:
    assert next(code.decode(np.zeros(640, np.float32))).shape == (80,)


def test_too_few_bits_for_the_register() -> None:
    with pytest.raises(ValueError, match="14"):
        code.encode(np.zeros(13, np.uint8))


@pytest.mark.parametrize(("generators", "distance"), [(code.GENERATORS, 76), (code.GENERATORS[:6], 56)])
def test_free_distance(generators: tuple[int, ...], distance: int) -> None:
    """The lightest path that leaves the zero state and comes back; 56 is the published figure of the (15, 1/6) code."""
    assert free_distance(generators) == distance


def free_distance(generators: tuple[int, ...]) -> int:
    register = np.arange(1 << 15)
    weight = sum(np.bitwise_count(register & g) & 1 for g in generators).astype(np.int32)
    states, far = 1 << 14, 1 << 20
    best = far
    distance = np.full(states, far, np.int32)
    distance[states >> 1] = weight[states]
    while (distance < best).any():
        best = min(best, int(distance[1] + weight[1]))
        zero, one = ((distance + weight[new : new + states]).reshape(-1, 2).min(1) for new in (0, states))
        distance = np.concatenate([zero, one])
        distance[0] = far
        distance[distance >= best] = far
    return best
