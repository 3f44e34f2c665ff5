"""The grade orders changes as a listener would, and says when it cannot."""

from __future__ import annotations

import numpy as np
import pytest

from tests.sound.conftest import RATE, music
from watermark import audio, audio_attacks
from watermark.payload import PUBLIC_KEY
from watermark.quality_audio import grade, snr_db

SOUND = music(5, 48_000, seed=4)


def test_no_change_is_imperceptible() -> None:
    found = grade(SOUND, SOUND, 48_000)
    assert found.odg == pytest.approx(0.18, abs=0.05)  # the network's value for no change, as the standard's
    assert found.snr_db == float("inf")


def test_more_noise_is_graded_worse() -> None:
    grades = [grade(SOUND, audio_attacks.noise(SOUND, 48_000, snr, seed=1)[0], 48_000).odg for snr in (60, 40, 25, 10)]
    assert grades == sorted(grades, reverse=True)
    assert grades[0] > -0.5
    assert grades[-1] < -2.5


def test_a_narrow_band_is_graded_worse() -> None:
    assert grade(SOUND, audio_attacks.low_pass(SOUND, 48_000, 3_000)[0], 48_000).odg < -2


def test_the_default_mark_is_hardly_heard() -> None:
    found = grade(SOUND, audio.embed(SOUND, 48_000, 5, key=PUBLIC_KEY), 48_000)
    assert found.odg > -0.7
    assert found.nmr_db < -15


def test_a_stronger_mark_is_graded_worse() -> None:
    grades = [grade(SOUND, audio.embed(SOUND, 48_000, 5, key=PUBLIC_KEY, strength=s), 48_000).odg for s in (0.3, 1.0, 3.0)]
    assert grades == sorted(grades, reverse=True)


@pytest.mark.parametrize("sound", [np.zeros((RATE, 1), np.float32), SOUND[:4_000], 1e-4 * SOUND])
def test_what_cannot_be_graded_is_refused(sound: np.ndarray) -> None:
    with pytest.raises(ValueError, match="too short or too quiet"):
        grade(sound, sound, 48_000)


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="shapes differ"):
        grade(SOUND, SOUND[1:], 48_000)


def test_snr_is_in_decibels() -> None:
    assert snr_db(SOUND, SOUND * np.float32(1.01)) == pytest.approx(40, abs=0.05)
