"""Comparing a sound with what is stored of it: what is left alone, what is found, what is refused."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from provenance.fit.result import Agreement
from provenance.soundfit import Envelope, SoundFit, measure
from provenance.soundfit.envelope import of_blocks
from tests.sound.conftest import RATE, music
from watermark import audio, audio_attacks
from watermark.payload import PUBLIC_KEY

Samples = NDArray[np.float32]
SOUND = music(20, seed=21)
OTHER = music(20, seed=22)


def envelope(sound: Samples) -> Envelope:
    return of_blocks(np.array_split(sound, 7))


STORED = envelope(SOUND)


def against(sound: Samples, speed: float = 1.0) -> SoundFit:
    return measure(envelope(sound), STORED, speed=speed)


def test_blocks_may_be_cut_anywhere() -> None:
    whole, parts = of_blocks([SOUND]), of_blocks(np.array_split(SOUND, 53))
    assert np.array_equal(whole.levels, parts.levels)


def test_an_envelope_reads_back_within_its_step() -> None:
    back = Envelope.from_bytes(STORED.to_bytes())
    assert back.levels.shape == STORED.levels.shape
    assert np.abs(back.levels - np.clip(STORED.levels, -100, 2)).max() <= 0.21
    assert len(STORED.to_bytes()) < 300 * STORED.seconds


@given(st.binary(max_size=200))
def test_strange_bytes_are_one_clear_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="envelope"):
        Envelope.from_bytes(data)


def test_a_bomb_is_refused() -> None:
    head = STORED.to_bytes()[:6] + (100).to_bytes(4, "big")
    with pytest.raises(ValueError, match="another length"):
        Envelope.from_bytes(head + zlib.compress(bytes(50_000_000), 9))


@pytest.mark.parametrize(
    "name",
    ["same", "gain", "mono noise", "equaliser", "compressor", "telephone", "low-pass"],
)
def test_treatments_fit(name: str) -> None:
    heard, rate = {
        "same": lambda: (SOUND, RATE),
        "gain": lambda: audio_attacks.gain(SOUND, RATE, -6),
        "mono noise": lambda: audio_attacks.noise(SOUND, RATE, 20, seed=1),
        "equaliser": lambda: audio_attacks.equaliser(SOUND, RATE),
        "compressor": lambda: audio_attacks.compressor(SOUND, RATE),
        "telephone": lambda: audio_attacks.telephone(SOUND, RATE),
        "low-pass": lambda: audio_attacks.low_pass(SOUND, RATE, 4000),
    }[name]()
    heard = audio_attacks.resampled(heard, rate, RATE)[0] if rate != RATE else heard
    fit = against(heard)
    assert fit.agreement is Agreement.FITS, fit
    assert fit.score > 0.95
    assert fit.kept > 0.9


def test_an_excerpt_fits_and_says_where_it_begins() -> None:
    fit = against(SOUND[7 * RATE : 13 * RATE])
    assert fit.agreement is Agreement.FITS
    assert fit.starts_s == pytest.approx(7.0, abs=0.2)
    assert fit.kept == pytest.approx(0.3, abs=0.1)


def test_a_change_of_speed_fits_where_it_is_known() -> None:
    faster, _ = audio_attacks.speed(SOUND, RATE, 1.02)
    assert against(faster, 1.02).agreement is Agreement.FITS


def test_sound_added_before_and_after_is_no_change() -> None:
    framed = np.concatenate([OTHER[: 3 * RATE], SOUND, OTHER[5 * RATE : 9 * RATE]])
    fit = against(framed)
    assert fit.agreement is Agreement.FITS
    assert fit.coverage < 0.85


def test_replaced_seconds_are_found_where_they_are() -> None:
    spoofed = SOUND.copy()
    spoofed[8 * RATE : 11 * RATE] = OTHER[8 * RATE : 11 * RATE]
    fit = against(spoofed)
    assert fit.agreement is Agreement.CHANGED
    (change,) = fit.changes
    assert change.kind == "replaced"
    assert change.start_s == pytest.approx(8, abs=0.75)
    assert change.end_s == pytest.approx(11, abs=0.75)
    assert 0.5 <= change.score <= 1


def test_another_ending_is_a_change() -> None:
    fit = against(np.concatenate([SOUND[: 12 * RATE], OTHER[: 4 * RATE]]))
    assert fit.agreement is Agreement.CHANGED
    assert fit.changes[-1].end_s == pytest.approx(16, abs=0.75)


def test_a_cut_in_the_middle_is_found() -> None:
    fit = against(np.concatenate([SOUND[: 8 * RATE], SOUND[12 * RATE :]]))
    assert fit.agreement is Agreement.CHANGED
    (change,) = fit.changes
    assert change.kind == "cut"
    assert change.start_s <= 8.25
    assert change.end_s >= 7.75


def test_words_put_elsewhere_are_one_change() -> None:
    moved = SOUND.copy()
    moved[5 * RATE : 8 * RATE] = SOUND[14 * RATE : 17 * RATE]
    fit = against(moved)
    assert fit.agreement is Agreement.CHANGED
    (change,) = fit.changes
    assert change.kind == "replaced"
    assert change.start_s == pytest.approx(5, abs=0.8)
    assert change.end_s == pytest.approx(8, abs=0.8)


def test_silenced_seconds_are_found() -> None:
    muted = SOUND.copy()
    muted[5 * RATE : 8 * RATE] = 0
    fit = against(muted)
    assert fit.agreement is Agreement.CHANGED
    assert any(c.start_s <= 6.5 <= c.end_s for c in fit.changes)


def test_other_music_is_foreign() -> None:
    assert against(OTHER).agreement is Agreement.FOREIGN


def test_silence_decides_nothing() -> None:
    assert against(np.zeros_like(SOUND)).agreement is Agreement.UNDECIDED


def test_steady_noise_is_told_by_its_colour_only() -> None:
    draw = np.random.default_rng(4)
    white = draw.standard_normal((20 * RATE, 1)).astype(np.float32) * 0.1
    low, _ = audio_attacks.low_pass(white, RATE, 1200)
    again, _ = audio_attacks.gain(white, RATE, -6)
    stored = envelope(white)
    assert measure(envelope(again), stored).agreement is Agreement.FITS
    assert measure(envelope(low), stored).agreement is Agreement.FOREIGN


def test_a_mark_lifted_off_and_laid_over_other_sound_is_foreign() -> None:
    """The difference between a marked and an unmarked recording carries the recording's own pauses, softly."""
    marked = audio.embed(SOUND, RATE, 9, key=PUBLIC_KEY)
    laid = OTHER + (marked - SOUND)
    assert measure(envelope(laid), envelope(marked)).agreement is Agreement.FOREIGN
