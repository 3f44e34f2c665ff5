"""Pose search on features made of pilots and noise, and resampling."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sound.conftest import RATE, music
from watermark.sound import resample, sync
from watermark.sound.detect import Detector
from watermark.sound.embed import embed
from watermark.sound.layout import BANDS, PERIOD, layout

KEY = b"pose"
PLACE = layout(KEY)


def run_of(offset: int, stretch: float, hops: int, strength: float = 0.3, seed: int = 0) -> sync.Run:
    """Features that carry the tile of id 1 at a pose."""
    at = (np.rint(np.arange(hops) / stretch).astype(int) + offset) % PERIOD
    cells = PLACE.tile(1)[at // 3] * (at % 3 == 1)[:, None]
    noise = np.random.default_rng(seed).standard_normal((hops, BANDS))
    return sync.Run((cells * strength + 0.5 * noise).astype(np.float32))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, PERIOD - 1))
def test_every_offset_is_found(offset: int) -> None:
    scores = sync.correlate(run_of(offset, 1.0, 2500).fold(1.0), sync.pilot_spectrum(KEY))
    assert int(scores.argmax()) == offset


@pytest.mark.parametrize("stretch", [0.9752, 0.99, 1.0, 1.0104, 1.0248])
def test_every_stretch_is_found(stretch: float) -> None:
    stretches = np.arange(0.9744, 1.0257, 0.0008)
    best = sync.best_stretches(run_of(77, stretch, 4800), KEY, 1.0, stretches, 2)[0]
    assert best.stretch == pytest.approx(stretch, abs=0.0009)
    assert abs((best.offset - 77 + 600) % PERIOD - 600) <= 4
    assert best.score > 7


def test_noise_has_no_pose() -> None:
    poses = sync.best_stretches(run_of(0, 1.0, 4800, 0.0), KEY, 1.0, np.arange(0.9744, 1.0257, 0.0008), 5)
    assert max(pose.score for pose in poses) < 6
    assert [pose.score for pose in poses] == sorted((pose.score for pose in poses), reverse=True)


def test_silence_has_weights_all_the_same() -> None:
    assert np.array_equal(sync.band_weights(np.zeros((400, BANDS), np.float32), PLACE), np.ones(BANDS, np.float32))


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 47_999, 48_000, 96_000, 192_000])
def test_a_tone_keeps_pitch_phase_and_level(rate: int) -> None:
    time = np.arange(rate) / rate
    tone = np.sin(2 * np.pi * 1_000 * time).astype(np.float32)[:, None]
    out = resample.to_analysis(tone, rate)[:, 0]
    there = np.arange(len(out)) / (rate * float(resample.ratio(rate)))
    assert np.abs(out - np.sin(2 * np.pi * 1_000 * there))[300:-300].max() < 2e-3


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_what_folds_lies_above_the_marked_bands(rate: int) -> None:
    time = np.arange(rate) / rate
    for hz in (9_700, 12_000, 15_000, 20_000):
        out = resample.to_analysis(np.sin(2 * np.pi * hz * time).astype(np.float32)[:, None], rate)[500:-500, 0]
        low = np.abs(np.fft.rfft(out * np.hanning(len(out))))[: int(6_350 * len(out) / 16_000)]
        assert low.max() / len(out) < 1e-3


@given(st.integers(8_000, 384_000))
def test_the_ratio_is_near_and_its_terms_are_small(rate: int) -> None:
    factor = resample.ratio(rate)
    assert factor.denominator <= 1000
    assert abs(float(factor) * rate / 16_000 - 1) < 6e-4


@pytest.mark.parametrize(
    "rate", [8_000, 11_025, 12_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000]
)
def test_the_ratio_is_exact_for_rates_in_use(rate: int) -> None:
    assert resample.ratio(rate) * rate == 16_000


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=8))
def test_streaming_gives_what_the_whole_gives(sizes: list[int]) -> None:
    sound = np.random.default_rng(0).standard_normal((sum(sizes), 2)).astype(np.float32)
    resampler = resample.Resampler(Fraction(1, 3), 2, 16_000.0)
    parts, at = [], 0
    for size in sizes:
        parts.append(resampler.feed(sound[at : at + size].T))
        at += size
    whole = resample.to_analysis(sound, 48_000)
    streamed = np.concatenate([*parts, resampler.flush()], axis=1).T[: len(whole)]
    assert np.allclose(streamed, whole, atol=1e-5)


def test_what_is_only_skimmed_is_counted_and_still_found_unchanged() -> None:
    """Twenty seconds are searched, the rest is looked at for an unchanged mark alone."""
    plain = music(60, seed=77)
    marked = np.concatenate([plain[: 25 * RATE], embed(music(30, seed=78), RATE, 5, key=KEY)])
    skimming = Detector(RATE, 1, [KEY], search_s=20)
    skimming.feed(plain)
    answer = skimming.finish()
    assert not answer.found
    assert answer.skimmed_s == pytest.approx(19.2)  # two windows were searched, the third was not
    again = Detector(RATE, 1, [KEY], search_s=20)
    again.feed(marked)
    assert again.finish().mark_id == 5
    whole = Detector(RATE, 1, [KEY])
    whole.feed(plain[: 20 * RATE])
    assert whole.finish().skimmed_s == 0
