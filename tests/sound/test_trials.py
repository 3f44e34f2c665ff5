"""A ladder on a recording: each step on a marked copy, the very id or nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from provenance.errors import DamagedMediaError, UnsupportedMediaError
from provenance.survival import course_of, medium_of
from provenance.trials_sound import MOST_S, SOUND, start_sound, try_sound
from tests.sound.conftest import music
from tests.sound.test_files import write_wav
from watermark.audio_ladder import AUDIO_2026
from watermark.errors import CarrierTooSmallError
from watermark.payload import PUBLIC_KEY

RATE = 22_050
KEYS = (PUBLIC_KEY,)
LADDER = AUDIO_2026.name


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an unmarked recording, made ready to be tried."""
    made = tmp_path_factory.mktemp("trial")
    start = start_sound(str(write_wav(made / "tune.wav", music(11, RATE, 2, seed=41), 16)), str(made), KEYS, 77)
    assert (start.mark_id, start.key_index, start.marked_now, start.picture) == (77, 0, True, None)
    return made


@pytest.mark.parametrize("step", ["none", "opus-32", "speed+1", "5s:plain"])
def test_steps_that_it_lives_through(folder: Path, step: str) -> None:
    trial = try_sound(str(folder), LADDER, step, 77, KEYS, False)
    assert trial.found
    assert trial.p_false is not None
    assert trial.p_false <= 1e-9


def test_another_id_is_not_found(folder: Path) -> None:
    trial = try_sound(str(folder), LADDER, "none", 78, KEYS, False)
    assert (trial.found, trial.p_false, trial.bit_errors) == (False, None, None)


def test_another_key_reads_nothing(folder: Path) -> None:
    assert not try_sound(str(folder), LADDER, "none", 77, (b"another key of ours",), False).found


def test_of_a_long_recording_the_beginning_is_tried(tmp_path: Path) -> None:
    low = music(5, 8_000, 1, seed=42)
    start_sound(str(write_wav(tmp_path / "long.wav", np.tile(low, (40, 1)), 16)), str(tmp_path), KEYS, 1)
    with np.load(tmp_path / "samples.npz") as kept:
        assert len(kept["samples"]) == MOST_S * RATE  # the file says so, whatever was put into it


def test_too_little_and_no_sound_are_said_so(tmp_path: Path) -> None:
    short = write_wav(tmp_path / "short.wav", music(1, RATE, 1, seed=43), 16)
    with pytest.raises(CarrierTooSmallError):
        start_sound(str(short), str(tmp_path), KEYS, 1)
    (tmp_path / "broken.wav").write_bytes(b"RIFF\4\0\0\0WAVE")
    with pytest.raises((DamagedMediaError, UnsupportedMediaError)):
        start_sound(str(tmp_path / "broken.wav"), str(tmp_path), KEYS, 1)


def test_sound_has_a_ladder_of_its_own() -> None:
    assert medium_of(Path("a.ogg"), "audio/ogg") is SOUND
    assert course_of(Path("a.ogg"), SOUND, None).name == "audio-2026"
    assert len(AUDIO_2026.steps) == 50
