"""Attacks are pure and deterministic, and the ladder made of them is complete."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.sound.conftest import RATE, music
from watermark import audio, audio_attacks
from watermark.audio_ladder import AUDIO_2026, SoundStep
from watermark.errors import UnsupportedError
from watermark.payload import PUBLIC_KEY

Samples = NDArray[np.float32]
SHORT = music(3, channels=2)


@pytest.mark.parametrize("step", AUDIO_2026.steps, ids=lambda step: step.name)
def test_every_step_gives_finite_sound_and_leaves_its_input_alone(step: SoundStep) -> None:
    before = SHORT.copy()
    out, rate = step.apply(SHORT, RATE, 7)
    assert np.array_equal(before, SHORT)
    assert out.dtype == np.float32
    assert out.ndim == 2
    assert np.isfinite(out).all()
    assert 0.8 * 3 < len(out) / rate < 3.3


@pytest.mark.parametrize("name", ["noise-20", "room", "10s:plain"])
def test_randomness_comes_from_the_seed_alone(name: str) -> None:
    step = next(step for step in AUDIO_2026.steps if step.name == name)
    sound = music(12)
    assert np.array_equal(step.apply(sound, RATE, 1)[0], step.apply(sound, RATE, 1)[0])
    assert not np.array_equal(step.apply(sound, RATE, 1)[0], step.apply(sound, RATE, 2)[0])


def test_names_are_unique_and_the_table_is_whole() -> None:
    names = [step.name for step in AUDIO_2026.steps]
    assert len(names) == len(set(names)) == 50
    assert AUDIO_2026.medium == "audio"


def test_speed_shortens_and_tempo_keeps_the_pitch() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(4 * RATE) / RATE).astype(np.float32)[:, None]
    fast, _ = audio_attacks.speed(tone, RATE, 1.02)
    brisk, _ = audio_attacks.tempo(tone, RATE, 1.02)
    high, _ = audio_attacks.pitch(tone, RATE, 20)
    for sound, hz, seconds in ((fast, 1020, 4 / 1.02), (brisk, 1000, 4 / 1.02), (high, 1000 * 2 ** (20 / 1200), 4)):
        peak = np.abs(np.fft.rfft(sound[:, 0] * np.hanning(len(sound)))).argmax() * RATE / len(sound)
        assert peak == pytest.approx(hz, abs=2)
        assert len(sound) / RATE == pytest.approx(seconds, abs=0.05)


def test_noise_has_the_level_that_was_asked_for() -> None:
    changed, _ = audio_attacks.noise(SHORT, RATE, 20, seed=1)
    ratio = np.square(SHORT).mean() / np.square(changed - SHORT).mean()
    assert 10 * np.log10(ratio) == pytest.approx(20, abs=0.2)


def test_an_encoder_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(audio_attacks._CODECS, "amr", audio_attacks._Codec("no-such-encoder", "amr", "s16"))
    with pytest.raises(UnsupportedError, match="no-such-encoder"):
        audio_attacks.amr_nb(SHORT, RATE)


@pytest.fixture(scope="module")
def marked() -> Samples:
    return audio.embed(music(14, channels=2, seed=2), RATE, 99, key=PUBLIC_KEY)


@pytest.mark.parametrize(
    "name",
    [
        "mp3-64",
        "aac-32",
        "opus-16",
        "telephone",
        "low-pass-4k",
        "noise-20",
        "platform",
        "speed-2",
        "tempo+1",
        "pitch+20",
        "rate-8k",
    ],
)
def test_the_mark_survives(marked: Samples, name: str) -> None:
    step = next(step for step in AUDIO_2026.steps if step.name == name)
    assert audio.detect(*step.apply(marked, RATE, 3), keys=[PUBLIC_KEY]).mark_id == 99


@pytest.mark.parametrize("factor", [25 / 24, 24 / 25])
def test_the_mark_survives_the_speed_of_the_other_television(marked: Samples, factor: float) -> None:
    found = audio.detect(*audio_attacks.speed(marked, RATE, factor), keys=[PUBLIC_KEY])
    assert found.mark_id == 99
    assert found.speed == pytest.approx(factor, abs=5e-4)


def test_cut_and_splice_leaves_the_mark(marked: Samples) -> None:
    shuffled, rate = audio_attacks.shuffled(marked, RATE, 7, seed=4)
    assert audio.detect(shuffled, rate, keys=[PUBLIC_KEY]).mark_id == 99


def test_the_mean_of_two_marked_copies_never_gives_a_third_id() -> None:
    sound = music(12, seed=3)
    one, other = (audio.embed(sound, RATE, mark_id, key=PUBLIC_KEY) for mark_id in (1, 2))
    assert audio.detect((one + other) / 2, RATE, keys=[PUBLIC_KEY]).mark_id in (1, 2, None)
