"""Sound on the whole road: sign → strip, compress, change → verify, through real workers, keys and registry."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from api.settings import Settings
from api.wiring import House, open_house
from provenance.capture import SignRequest, sign
from provenance.edit import EditRequest, edit
from provenance.errors import DamagedMediaError, InputError, UnsupportedMediaError
from provenance.find import find
from provenance.finishing import Signed
from provenance.verdict import Status, Verdict
from provenance.verify import verify
from tests.sound.conftest import music
from tests.sound.test_files import write_wav
from watermark import audio, audio_attacks
from watermark.errors import CarrierTooSmallError
from watermark.payload import PUBLIC_KEY

RATE = 22_050
SOUND = music(14, RATE, 2, seed=31)
OTHER = music(14, RATE, 2, seed=32)
Samples = NDArray[np.float32]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(Settings(home=tmp_path_factory.mktemp("home"), trust_interim=False)) as opened:
        yield opened


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wav(tmp_path_factory.mktemp("source") / "tune.wav", SOUND, 16)


@pytest.fixture(scope="module")
def signed(house: House, source: Path) -> Signed:
    return sign(SignRequest(source, source.with_name("signed.wav")), house.studio(), at=datetime.now(UTC))


@pytest.fixture(scope="module")
def heard(signed: Signed) -> tuple[Samples, int]:
    return decode(signed.path)


def decode(path: Path) -> tuple[Samples, int]:
    with av.open(str(path), metadata_errors="replace") as container:
        stream = container.streams.audio[0]
        resampler = av.AudioResampler("fltp", stream.layout, stream.rate)
        parts = [part.to_ndarray() for frame in container.decode(stream) for part in resampler.resample(frame)]
        return np.ascontiguousarray(np.concatenate(parts, axis=1).T), int(stream.rate)


def encode(path: Path, sound: Samples, rate: int, encoder: str, kbps: int) -> Path:
    """Write a copy as a platform would: no metadata, another codec."""
    high, form = 48_000, {"libopus": "flt"}.get(encoder, "fltp")
    with av.open(str(path), "w") as out:
        stream = out.add_stream(encoder, rate=high, layout="stereo")
        stream.format, stream.bit_rate = form, kbps * 1000
        stream.codec_context.open(strict=False)
        framed = av.AudioResampler(form, "stereo", high, frame_size=stream.codec_context.frame_size or 0)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound.T), "fltp", "stereo")
        frame.sample_rate = rate
        for part in [*framed.resample(frame), *framed.resample(None)]:
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    return path


def look(house: House, path: Path) -> Verdict:
    return verify(path, house.desk, at=datetime.now(UTC)).verdict


def test_a_signed_wav_is_trusted_and_says_how_long_it_is(house: House, signed: Signed) -> None:
    verdict = look(house, signed.path)
    assert verdict.status is Status.TRUSTED
    assert signed.binding is not None
    assert signed.binding.alg == "org.colophon.mark.audio.1"
    assert verdict.mark.value == signed.binding.value
    assert verdict.asset.duration_ms == 14_000
    assert [span.marked for span in verdict.mark.spans] == [True]
    assert "recording" in verdict.summary


def test_the_mark_is_declared_in_the_claim(signed: Signed) -> None:
    actions = [step.action for step in signed.verdict.history]
    assert actions == ["c2pa.created"]
    assert not signed.notes


def test_rate_channels_and_depth_are_kept(source: Path, signed: Signed) -> None:
    with av.open(str(source), metadata_errors="replace") as before, av.open(str(signed.path), metadata_errors="replace") as after:
        one, two = before.streams.audio[0], after.streams.audio[0]
        assert (one.rate, one.channels, one.format.name) == (two.rate, two.channels, two.format.name)


@pytest.mark.parametrize(
    ("name", "encoder", "kbps"),
    [("copy.ogg", "libopus", 32), ("copy.opus", "libopus", 24), ("copy.aac", "aac", 64), ("copy.mp3", "libmp3lame", 96)],
)
def test_stripped_copies_are_recovered(
    house: House, signed: Signed, heard: tuple[Samples, int], tmp_path: Path, name: str, encoder: str, kbps: int
) -> None:
    verdict = look(house, encode(tmp_path / name, *heard, encoder, kbps))
    assert verdict.status is Status.RECOVERED, verdict.summary
    assert verdict.asset.id == signed.asset_id
    assert verdict.mark.fit is not None
    assert verdict.mark.fit > 0.9
    assert not verdict.changes


def test_an_excerpt_at_another_speed_is_recovered(house: House, heard: tuple[Samples, int], tmp_path: Path) -> None:
    sound, rate = audio_attacks.speed(heard[0][2 * RATE : 12 * RATE], heard[1], 1.01)
    verdict = look(house, encode(tmp_path / "copy.ogg", sound, rate, "libopus", 64))
    assert verdict.status is Status.RECOVERED, verdict.summary
    assert verdict.mark.speed == pytest.approx(1.01, abs=0.001)


def test_a_replaced_sentence_is_altered_and_says_when(house: House, heard: tuple[Samples, int], tmp_path: Path) -> None:
    sound, rate = heard[0].copy(), heard[1]
    sound[6 * rate : 9 * rate] = OTHER[6 * rate : 9 * rate]
    verdict = look(house, encode(tmp_path / "copy.ogg", sound, rate, "libopus", 64))
    assert verdict.status is Status.ALTERED
    (change,) = verdict.changes
    assert change.start_s == pytest.approx(6, abs=0.75)
    assert change.end_s == pytest.approx(9, abs=0.75)
    gaps = [span for span in verdict.mark.spans if not span.marked]
    assert any(span.start_s < 7.5 < span.end_s for span in gaps)


def test_a_mark_written_into_other_sound_is_a_conflict(house: House, signed: Signed, tmp_path: Path) -> None:
    assert signed.binding is not None
    forged = audio.embed(OTHER, RATE, int(signed.binding.value, 16), key=PUBLIC_KEY)
    verdict = look(house, encode(tmp_path / "copy.ogg", forged, RATE, "libopus", 64))
    assert verdict.status is Status.CONFLICT
    assert "recording" in verdict.summary


def test_unmarked_sound_is_none(house: House, tmp_path: Path) -> None:
    verdict = look(house, encode(tmp_path / "copy.ogg", OTHER, RATE, "libopus", 64))
    assert verdict.status is Status.NONE
    assert "mark" not in verdict.not_checked


def test_changed_bytes_of_a_signed_file_are_recovered_by_its_mark(house: House, signed: Signed, tmp_path: Path) -> None:
    path = tmp_path / "flipped.wav"
    data = bytearray(signed.path.read_bytes())
    data[100_000] ^= 1
    path.write_bytes(data)
    assert look(house, path).status is Status.RECOVERED


def test_one_second_is_signed_without_a_mark_and_says_why(house: House, tmp_path: Path) -> None:
    source = write_wav(tmp_path / "short.wav", SOUND[:RATE], 16)
    done = sign(SignRequest(source, tmp_path / "out.wav"), house.studio(), at=datetime.now(UTC))
    assert done.binding is None
    assert "too short to hold one" in done.notes[0]
    verdict = look(house, done.path)
    assert verdict.status is Status.TRUSTED


def test_one_second_is_refused_where_a_mark_was_insisted_on(house: House, tmp_path: Path) -> None:
    source = write_wav(tmp_path / "short.wav", SOUND[:RATE], 16)
    with pytest.raises(CarrierTooSmallError):
        sign(SignRequest(source, tmp_path / "out.wav", mark="org.colophon.mark.audio.1"), house.studio(), at=datetime.now(UTC))
    assert [one.name for one in tmp_path.iterdir()] == ["short.wav"]


def test_little_sound_in_a_copy_is_said(house: House, tmp_path: Path) -> None:
    path = encode(tmp_path / "copy.ogg", OTHER[:RATE], RATE, "libopus", 64)
    verdict = look(house, path)
    assert verdict.status is Status.NONE
    assert "mark.short" in {reason.code for reason in verdict.reasons}


@pytest.mark.parametrize("mark", ["org.colophon.mark.image.1", "no.such"])
def test_a_picture_mark_is_no_mark_for_sound(house: House, source: Path, tmp_path: Path, mark: str) -> None:
    with pytest.raises(UnsupportedMediaError, match="cannot hold a mark"):
        sign(SignRequest(source, tmp_path / "out.wav", mark=mark), house.studio(), at=datetime.now(UTC))


def test_without_a_mark_every_sample_stays(house: House, source: Path, tmp_path: Path) -> None:
    done = sign(SignRequest(source, tmp_path / "out.wav", mark="none"), house.studio(), at=datetime.now(UTC))
    assert done.binding is None
    assert np.array_equal(decode(done.path)[0], decode(source)[0])


@pytest.mark.parametrize("damage", ["cut in its head", "not sound at all"])
def test_damaged_sound_is_one_clear_error_and_leaves_nothing(house: House, source: Path, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "bad.wav"
    path.write_bytes(source.read_bytes()[:30] if damage == "cut in its head" else b"RIFF\4\0\0\0WAVE" + b"x" * 90)
    with pytest.raises((DamagedMediaError, InputError, UnsupportedMediaError)):
        sign(SignRequest(path, tmp_path / "out.wav"), house.studio(), at=datetime.now(UTC))
    assert [one.name for one in tmp_path.iterdir()] == ["bad.wav"]


def test_a_playlist_in_disguise_opens_nothing(house: House, tmp_path: Path) -> None:
    path = tmp_path / "list.mp3"
    path.write_bytes(b"ID3\3\0\0\0\0\0\0\xff\xfb\x90\0#EXTM3U\nfile:///etc/passwd\n" * 20)
    assert look(house, path).status is Status.NONE


def test_an_edit_keeps_the_mark_of_its_parent(house: House, signed: Signed, heard: tuple[Samples, int], tmp_path: Path) -> None:
    edited = write_wav(tmp_path / "cut.wav", heard[0][: 9 * RATE], 16)
    request = EditRequest(signed.path, edited, tmp_path / "child.wav", ("c2pa.trimmed",))
    child = edit(request, house.studio(), at=datetime.now(UTC))
    assert child.binding == signed.binding
    assert look(house, child.path).status is Status.TRUSTED


def test_find_names_the_recording(house: House, signed: Signed, heard: tuple[Samples, int], tmp_path: Path) -> None:
    path = encode(tmp_path / "copy.ogg", heard[0][: 8 * RATE], RATE, "libopus", 48)
    found = find(path, house.desk)
    assert signed.asset_id in {match.asset.asset_id for match in found}
    assert all(match.how == "mark" for match in found)


def write_flac(path: Path) -> Path:
    """Write the sound as FLAC."""
    wav = write_wav(path.with_name("tune.wav"), SOUND, 16)
    with av.open(str(wav), metadata_errors="replace") as given, av.open(str(path), "w") as out:
        stream = out.add_stream("flac", rate=RATE, layout="stereo")
        for frame in given.decode(audio=0):
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    wav.unlink()
    return path


@pytest.mark.parametrize("mark", ["auto", "none"])
def test_a_flac_that_is_cut_off_is_refused_marked_or_not(house: House, tmp_path: Path, mark: str) -> None:
    source = write_flac(tmp_path / "tune.flac")
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    with pytest.raises(DamagedMediaError, match="cut off or damaged"):
        sign(SignRequest(source, tmp_path / "out.flac", mark=mark), house.studio(), at=datetime.now(UTC))
    assert [one.name for one in tmp_path.iterdir()] == ["tune.flac"]


def test_silence_is_signed_without_a_mark_and_called_silent(house: House, tmp_path: Path) -> None:
    source = write_wav(tmp_path / "quiet.wav", np.zeros((5 * RATE, 1), np.float32), 16)
    done = sign(SignRequest(source, tmp_path / "out.wav"), house.studio(), at=datetime.now(UTC))
    assert done.binding is None
    assert done.notes[0] == "no mark: all of it is silent"


@pytest.mark.parametrize("ending", ["flac", "mp3", "m4a"])
def test_other_formats_are_signed_and_marked(house: House, tmp_path: Path, ending: str) -> None:
    encoder = {"flac": "flac", "mp3": "libmp3lame", "m4a": "aac"}[ending]
    source = tmp_path / f"tune.{ending}"
    if ending == "flac":
        write_flac(source)
    else:
        encode(source, SOUND, RATE, encoder, 96)
    kept = shutil.copy(source, tmp_path / "before")
    done = sign(SignRequest(source, tmp_path / f"signed.{ending}"), house.studio(), at=datetime.now(UTC))
    assert source.read_bytes() == kept.read_bytes()
    assert done.binding is not None
    assert look(house, done.path).status is Status.TRUSTED
