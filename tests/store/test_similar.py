"""Fingerprints found again though bits differ: for certain up to 15 of 256, and in a crowd."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, insert

from provenance.errors import UnstorableError
from provenance.store import Registration, Registry, similar
from provenance.store.database import reading, writing
from provenance.store.tables import asset, fingerprint_chunk, manifest

Make = Callable[..., Registration]
Iscc = Callable[[bytes], str]
AUDIO = "ISCC:EIAWUJFCEZZOJYVD"  # 64 bits of sound


def flipped(bits: bytes, count: int, rng: random.Random) -> bytes:
    value = int.from_bytes(bits)
    for position in rng.sample(range(8 * len(bits)), count):
        value ^= 1 << position
    return value.to_bytes(len(bits))


def fill(engine: Engine, codes: list[str], at: datetime) -> None:
    """Many assets at once; only their fingerprints matter."""
    with writing(engine) as connection:
        label = "urn:c2pa:crowd"
        connection.execute(
            insert(manifest),
            {
                "label": label,
                "digest": "0" * 64,
                "signer_name": "",
                "signer_fingerprint": "f",
                "signed_at": at,
                "time_state": "none",
                "development": True,
            },
        )
        rows = [
            {
                "number": n + 1,
                "id": f"crowd-{n}",
                "sha256": f"{n:064x}",
                "manifest_label": label,
                "media_type": "image/jpeg",
                "action": "registered",
                "fingerprint": code,
                "created_at": at,
            }
            for n, code in enumerate(codes)
        ]
        connection.execute(insert(asset), rows)
        chunks = [{"chunk": c, "asset_number": n + 1} for n, code in enumerate(codes) for c in similar.parse(code).chunks()]
        connection.execute(insert(fingerprint_chunk), chunks)


@given(bits=st.binary(min_size=32, max_size=32), data=st.data())
def test_fifteen_bits_always_leave_a_chunk_in_common(bits: bytes, data: st.DataObject) -> None:
    where = data.draw(st.lists(st.integers(0, 255), max_size=15, unique=True))
    value = int.from_bytes(bits)
    for position in where:
        value ^= 1 << position
    one = similar.Code((2, 1, 0), bits)
    other = similar.Code((2, 1, 0), value.to_bytes(32))
    assert set(one.chunks()) & set(other.chunks())
    assert one.distance(other) == len(where)
    assert len(set(one.chunks())) == 16


@pytest.mark.slow
def test_recall_in_a_crowd(engine: Engine, registry: Registry, iscc: Iscc, at: datetime) -> None:
    rng = random.Random(20261121)
    bodies = [rng.randbytes(32) for _ in range(1000)]
    fill(engine, [iscc(b) for b in bodies], at)

    def recall(bits: int) -> float:
        asked = rng.sample(range(len(bodies)), 40)
        found = [registry.near(iscc(flipped(bodies[n], bits, rng))) for n in asked]
        right = [[(f"crowd-{n}", bits)] for n in asked]
        return sum([(a.asset_id, d) for a, d in pairs] == r for pairs, r in zip(found, right, strict=True)) / len(asked)

    assert recall(0) == recall(10) == recall(15) == 1.0
    assert recall(20) >= 0.95
    assert recall(38) >= 0.5
    strangers = [registry.near(iscc(rng.randbytes(32))) for _ in range(20)]
    assert strangers == [()] * 20


@pytest.mark.slow
def test_a_chunk_that_all_have_hides_nobody(engine: Engine, registry: Registry, iscc: Iscc, at: datetime) -> None:
    """Dark pictures agree in many chunks: the last of 2,500 is still found by those it has for itself."""
    rng = random.Random(2)
    bodies = [bytes(24) + rng.randbytes(8) for _ in range(2500)]
    fill(engine, [iscc(b) for b in bodies], at)
    wanted = bytes(24) + flipped(bodies[-1][24:], 3, rng)  # one of its own four chunks is still whole, at least
    nearest, distance = registry.near(iscc(wanted))[0]
    assert (nearest.asset_id, distance) == ("crowd-2499", 3)
    assert len(registry.near(iscc(bytes(32)), limit=9, max_distance=64)) == 9  # nothing of its own: some are better than none


def test_the_nearest_come_first_and_the_limits_hold(registry: Registry, make: Make, iscc: Iscc, at: datetime) -> None:
    rng = random.Random(3)
    body = rng.randbytes(32)
    for n, bits in enumerate((12, 3, 0, 12, 41)):
        registry.register(make(n, fingerprint=iscc(flipped(body, bits, rng))), at=at)
    found = registry.near(iscc(body))
    assert [(a.asset_id, d) for a, d in found] == [("asset-2", 0), ("asset-1", 3), ("asset-0", 12), ("asset-3", 12)]
    assert registry.near(iscc(body), limit=2) == found[:2]
    assert registry.near(iscc(body), limit=0) == ()
    assert [d for _, d in registry.near(iscc(body), max_distance=11)] == [0, 3]
    assert registry.near(iscc(body), max_distance=-1) == ()


def test_only_codes_of_one_kind_are_compared(registry: Registry, make: Make, iscc: Iscc, at: datetime) -> None:
    sound = similar.parse(AUDIO)
    registry.register(make(1, fingerprint=AUDIO), at=at)
    registry.register(make(2, fingerprint=iscc(sound.bits + bytes(24))), at=at)
    registry.register(make(3, fingerprint=iscc(sound.bits)), at=at)  # a short image code
    assert [a.asset_id for a, _ in registry.near(AUDIO)] == ["asset-1"]
    assert [a.asset_id for a, _ in registry.near(iscc(sound.bits))] == ["asset-3"]
    assert len(sound.chunks()) == 4


@pytest.mark.parametrize("code", ["", "ISCC:", "x", "\0", "🙂", "ISCC:EED", "ISCC:EEDYAAAA", "\ud800", "A" * (1 << 20)])
def test_what_is_no_iscc_is_refused(engine: Engine, registry: Registry, code: str) -> None:
    with pytest.raises(UnstorableError, match="fingerprint"):
        registry.near(code)
    with reading(engine) as connection, pytest.raises(UnstorableError, match="fingerprint"):
        similar.nearest(connection, code, limit=5, max_distance=40)
