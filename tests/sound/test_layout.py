"""The layout is a published format: it must never move under its name."""

from __future__ import annotations

import hashlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from watermark.payload import PUBLIC_KEY
from watermark.sound.layout import BANDS, CODE_BITS, COLUMNS, PERIOD, REPEATS, layout

ID = 0x0123_4567_89AB_CDEF


def test_the_worked_example_of_the_specification() -> None:
    """SOUND.md, "Test vector": recomputed from the key stream alone."""
    place = layout(PUBLIC_KEY)
    tile = place.tile(ID)
    stream = hashlib.shake_256(b"org.colophon.mark.audio.1\0" + PUBLIC_KEY).digest(4)
    assert stream.hex() == "c728174a"
    assert "".join("+-"[int(sign < 0)] for sign in place.chips[:16, 0]) == "--+++---++-+-+++"
    assert place.bit[:8, 0].tolist() == [-1, 167, 529, 88, 489, -1, 268, 610]
    assert (
        hashlib.sha256((tile.T < 0).tobytes()).hexdigest() == "226529e671dc92df329828a2e16f1629982c3d4ee3c03d50b173074c7567765e"
    )


def test_the_tile_holds_every_bit_twelve_times_and_a_fifth_of_pilots() -> None:
    place = layout(b"any")
    assert place.pilot.sum() * 5 == COLUMNS * BANDS
    assert (np.bincount(place.bit[~place.pilot], minlength=CODE_BITS) == REPEATS).all()
    assert (place.bit[place.pilot] == -1).all()
    assert PERIOD == 1200


def test_the_cells_of_a_bit_lie_in_twelve_parts_of_the_spectrum() -> None:
    place = layout(b"any")
    for bit in range(0, CODE_BITS, 37):
        bands = np.nonzero(place.bit == bit)[1]
        assert len(set((bands // 2).tolist())) == REPEATS


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_two_keys_share_nothing_but_chance(one: bytes, other: bytes) -> None:
    if one == other:
        return
    agreement = float((layout(one).chips * layout(other).chips).mean())
    assert abs(agreement) < 6 / np.sqrt(COLUMNS * BANDS)


@given(st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 64) - 1))
def test_two_ids_differ_in_many_cells(one: int, other: int) -> None:
    if one == other:
        return
    place = layout(PUBLIC_KEY)
    assert int((place.tile(one) != place.tile(other)).sum()) >= 76 * REPEATS  # the code's free distance


def test_a_layout_cannot_be_changed() -> None:
    place = layout(PUBLIC_KEY)
    for table in (place.chips, place.pilot, place.bit):
        assert not table.flags.writeable
