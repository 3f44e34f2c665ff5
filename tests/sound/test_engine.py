"""The sound engine as its users see it: what is embedded is read, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.sound.conftest import RATE, music
from watermark import audio, engines
from watermark.errors import CarrierTooSmallError, UnsupportedError
from watermark.payload import MAX_ID, PUBLIC_KEY

ID = 0x0123_4567_89AB_CDEF
Samples = NDArray[np.float32]


@pytest.fixture(scope="module")
def marked(tune: Samples) -> Samples:
    return audio.embed(tune, RATE, ID, key=PUBLIC_KEY)


def test_a_marked_sound_is_read(marked: Samples) -> None:
    found = audio.detect(marked, RATE, keys=[PUBLIC_KEY])
    assert (found.mark_id, found.key_index, found.speed, found.pitch) == (ID, 0, 1.0, 1.0)
    assert found.offset_s == pytest.approx(0.0, abs=0.005)
    assert found.p_false < 1e-40


def test_the_engine_is_registered_for_sound() -> None:
    assert engines.get(audio.ALGORITHM).medium == "audio"
    assert engines.default("audio").alg == audio.ALGORITHM


@pytest.mark.parametrize("mark_id", [0, 1, MAX_ID])
def test_extreme_ids_are_read(tune: Samples, mark_id: int) -> None:
    assert audio.detect(audio.embed(tune, RATE, mark_id, key=b"k"), RATE, keys=[b"k"]).mark_id == mark_id


def test_the_right_one_of_several_keys_reads(marked: Samples) -> None:
    assert audio.detect(marked, RATE, keys=[b"another", PUBLIC_KEY]).key_index == 1


def test_a_wrong_key_reads_nothing(marked: Samples) -> None:
    found = audio.detect(marked, RATE, keys=[b"wrong"])
    assert not found.found
    assert (found.p_false, found.bit_errors, found.key_index, found.speed, found.spans) == (1.0, None, None, None, ())


def test_an_unmarked_sound_reads_nothing(tune: Samples) -> None:
    assert not audio.detect(tune, RATE, keys=[PUBLIC_KEY]).found


def test_two_marks_of_two_keys_are_both_read(tune: Samples) -> None:
    both = audio.embed(audio.embed(tune, RATE, 1, key=b"one"), RATE, 2, key=b"two")
    assert audio.detect(both, RATE, keys=[b"one"]).mark_id == 1
    assert audio.detect(both, RATE, keys=[b"two"]).mark_id == 2


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (11_025, 2), (44_100, 2), (22_050, 1), (96_000, 1), (32_000, 6)])
def test_rates_and_channels(rate: int, channels: int) -> None:
    sound = music(6.5, rate, channels)
    out = audio.embed(sound, rate, ID, key=PUBLIC_KEY)
    assert out.shape == sound.shape
    assert out.dtype == np.float32
    assert audio.detect(out, rate, keys=[PUBLIC_KEY]).mark_id == ID


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 60_000), max_size=12), st.sampled_from([RATE, 44_100]))
def test_streaming_is_bit_identical_however_it_is_cut(tune: Samples, sizes: list[int], rate: int) -> None:
    whole = audio.embed(tune, rate, ID, key=PUBLIC_KEY)
    embedder, parts, at = audio.Embedder(rate, 1, ID, PUBLIC_KEY), [], 0
    for size in sizes:
        parts.append(embedder.feed(tune[at : at + size]))
        at = min(len(tune), at + size)
    parts += [embedder.feed(tune[at:]), embedder.flush()]
    assert np.array_equal(np.concatenate(parts), whole)


def test_silence_stays_silence(tune: Samples) -> None:
    sound = np.concatenate([tune, np.zeros((3 * RATE, 1), np.float32)])
    assert not audio.embed(sound, RATE, ID, key=PUBLIC_KEY)[-2 * RATE :].any()


def test_the_source_is_left_alone(tune: Samples) -> None:
    before = tune.copy()
    audio.embed(tune, RATE, ID, key=PUBLIC_KEY)
    assert np.array_equal(before, tune)


@pytest.mark.parametrize("sound", [np.zeros((10 * RATE, 1), np.float32), np.zeros((0, 1), np.float32)])
def test_silence_holds_no_mark(sound: Samples) -> None:
    with pytest.raises(CarrierTooSmallError):
        audio.embed(sound, RATE, ID, key=PUBLIC_KEY)
    assert not audio.detect(sound, RATE, keys=[PUBLIC_KEY]).found


def test_a_second_is_too_short(tune: Samples) -> None:
    with pytest.raises(CarrierTooSmallError) as caught:
        audio.embed(tune[:RATE], RATE, ID, key=PUBLIC_KEY)
    assert 990 <= caught.value.have <= 1000
    assert caught.value.unit == "milliseconds of sound"
    assert not audio.detect(tune[:RATE], RATE, keys=[PUBLIC_KEY]).found


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"rate": 4_000}, UnsupportedError),
        ({"rate": 1_000_000}, UnsupportedError),
        ({"mark_id": -1}, ValueError),
        ({"mark_id": 1 << 64}, ValueError),
        ({"strength": 0.0}, ValueError),
        ({"strength": 7.0}, ValueError),
        ({"samples": np.zeros(RATE, np.float32)}, ValueError),
        ({"samples": np.zeros((RATE, 0), np.float32)}, ValueError),
        ({"samples": np.full((5 * RATE, 1), np.nan, np.float32)}, ValueError),
    ],
)
def test_arguments_outside_their_range(tune: Samples, change: dict[str, object], error: type[Exception]) -> None:
    arguments: dict[str, object] = {"samples": tune, "rate": RATE, "mark_id": 1, **change}
    with pytest.raises(error):
        audio.embed(**arguments, key=PUBLIC_KEY)  # type: ignore[arg-type]


@pytest.mark.parametrize("rate", [4_000, 500_000])
def test_a_rate_that_is_not_searched(rate: int) -> None:
    with pytest.raises(UnsupportedError):
        audio.detect(np.zeros((rate, 1), np.float32), rate, keys=[PUBLIC_KEY])


@pytest.mark.parametrize("seconds", [0.0, 0.5, 1.9])
def test_what_is_too_short_to_hold_a_mark_says_so(tune: Samples, seconds: float) -> None:
    found = audio.detect(tune[: int(seconds * RATE)], RATE, keys=[PUBLIC_KEY])
    assert found.too_short
    assert found.heard_s == pytest.approx(seconds, abs=0.01)


def test_silence_is_too_short_however_long() -> None:
    assert audio.detect(np.zeros((30 * RATE, 1), np.float32), RATE, keys=[PUBLIC_KEY]).too_short


def test_a_long_unmarked_sound_is_not_too_short(tune: Samples) -> None:
    assert not audio.detect(tune, RATE, keys=[PUBLIC_KEY]).too_short
