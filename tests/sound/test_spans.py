"""Which spans carry the mark: replaced sound shows as a gap, and nothing else does."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.sound.conftest import RATE, music
from watermark import audio, audio_attacks
from watermark.payload import PUBLIC_KEY
from watermark.sound.detect import NOTHING
from watermark.sound.spans import _spans

ID = 42
Samples = NDArray[np.float32]


@pytest.fixture(scope="module")
def source() -> Samples:
    return music(30, seed=5)


@pytest.fixture(scope="module")
def marked(source: Samples) -> Samples:
    return audio.embed(source, RATE, ID, key=PUBLIC_KEY)


def gaps(sound: Samples, rate: int = RATE) -> list[tuple[float, float]]:
    found = audio.locate(sound, rate, keys=[PUBLIC_KEY])
    assert found.mark_id == ID
    assert all(one.end_s == other.start_s for one, other in zip(found.spans, found.spans[1:], strict=False))
    return [(span.start_s, span.end_s) for span in found.spans if not span.marked]


def test_a_whole_marked_sound_has_no_gap(marked: Samples) -> None:
    assert gaps(marked) == []


@pytest.mark.parametrize("start", [8, 15.5])
def test_a_replaced_sentence_of_two_seconds_is_a_gap(source: Samples, marked: Samples, start: float) -> None:
    spoofed = marked.copy()
    spoofed[int(start * RATE) : int((start + 2) * RATE)] = source[: 2 * RATE]
    ((begin, end),) = gaps(spoofed)
    assert begin == pytest.approx(start, abs=0.6)
    assert end == pytest.approx(start + 2, abs=0.6)


@pytest.mark.slow
def test_the_gap_is_still_seen_after_the_platform(source: Samples, marked: Samples) -> None:
    spoofed = marked.copy()
    spoofed[10 * RATE : 13 * RATE] = source[: 3 * RATE]
    ((begin, end),) = gaps(*audio_attacks.platform(spoofed, RATE))
    assert (begin, end) == (pytest.approx(10, abs=0.6), pytest.approx(13, abs=0.6))


def test_pieces_in_another_order_are_no_gap(marked: Samples) -> None:
    assert gaps(np.concatenate([marked[15 * RATE :], marked[: int(14.3 * RATE)]])) == []


def test_a_foreign_end_is_a_gap(marked: Samples) -> None:
    ((begin, end),) = gaps(np.concatenate([marked[: 20 * RATE], music(4, seed=9)]))
    assert begin == pytest.approx(20, abs=0.6)
    assert end == pytest.approx(24, abs=0.6)


def test_speed_is_followed(marked: Samples) -> None:
    assert gaps(*audio_attacks.speed(marked, RATE, 1.013)) == []


def test_without_a_mark_there_is_nothing_to_follow(source: Samples) -> None:
    assert audio.locate(source, RATE, keys=[PUBLIC_KEY]).spans == ()
    with pytest.raises(ValueError, match="no mark"):
        audio.Locator(RATE, 1, NOTHING, PUBLIC_KEY)


def test_no_blocks_are_no_spans() -> None:
    assert list(_spans(np.empty(0))) == []


def test_a_single_weak_block_is_no_gap() -> None:
    scores = np.full(40, 5.0)
    scores[20] = 0.0
    assert len(list(_spans(scores))) == 1
