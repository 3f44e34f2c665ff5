"""Files: what is kept, what is refused, and that nothing is ever half written."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.sound.conftest import music
from watermark import sound_files
from watermark.errors import CarrierTooSmallError, MediaDecodeError, UnsupportedError, WatermarkError
from watermark.payload import PUBLIC_KEY
from watermark.sound import tags, wav

RATE, ID = 22_050, 0xC0FFEE
Samples = NDArray[np.float32]
SOUND = music(7, RATE, 2, seed=8)
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63606060000000040001f61738550000"
    "000049454e44ae426082"
)


def write_wav(path: Path, sound: Samples, bits: int, floating: bool = False, extra: bytes = b"") -> Path:
    """Write a WAV with a chunk before the samples and one after."""
    form = wav.Wav(RATE, sound.shape[1], bits, floating, 0, 0)
    data = wav.pack(sound, form)
    fmt = struct.pack("<HHIIHH", 3 if floating else 1, sound.shape[1], RATE, RATE * form.frame, form.frame, bits)
    chunks = b"bext" + struct.pack("<I", 5) + b"abcde\0" + b"fmt " + struct.pack("<I", 16) + fmt
    chunks += b"data" + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) + extra
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks)
    return path


def encode(path: Path, encoder: str, container: str, form: str, kbps: int | None = None, seconds: float = 7) -> Path:
    with av.open(str(path), "w", format=container) as out:
        stream = out.add_stream(encoder, rate=RATE, layout="stereo")
        stream.format = form
        if kbps:
            stream.bit_rate = kbps * 1000
        out.metadata.update({"title": "Tïtle", "artist": "Someone"})
        stream.codec_context.open(strict=False)
        frames = av.AudioResampler(form, "stereo", stream.rate, frame_size=stream.codec_context.frame_size or 0)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(SOUND[: int(seconds * RATE)].T), "fltp", "stereo")
        frame.sample_rate = RATE
        for part in [*frames.resample(frame), *frames.resample(None)]:
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    return path


def marked(src: Path) -> Path:
    """Mark a file, check that it is read, that the source is as it was and that nothing else lies about."""
    before = hashlib.sha256(src.read_bytes()).digest()
    dst = src.with_name(f"marked-{src.name}")
    steps: list[float] = []
    sound_files.mark_file(src, dst, ID, PUBLIC_KEY, progress=steps.append)
    assert hashlib.sha256(src.read_bytes()).digest() == before
    assert {path.name for path in src.parent.iterdir()} == {src.name, dst.name}
    assert steps == sorted(steps)
    assert 0.9 < steps[-1] <= 1
    assert sound_files.detect_file(dst, [PUBLIC_KEY]).mark_id == ID
    return dst


def about(path: Path) -> tuple[str, int, int, str | None]:
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        return stream.format.name, stream.rate, stream.channels, container.metadata.get("title")


@pytest.mark.parametrize(("bits", "floating"), [(8, False), (16, False), (24, False), (32, False), (32, True), (64, True)])
def test_wav_keeps_every_byte_that_is_no_sample(tmp_path: Path, bits: int, floating: bool) -> None:
    src = write_wav(tmp_path / "a.wav", SOUND, bits, floating, b"LIST" + struct.pack("<I", 4) + b"INFO")
    dst = marked(src)
    with src.open("rb") as file:
        form = wav.parse(file, src)
    old, new = src.read_bytes(), dst.read_bytes()
    assert len(old) == len(new)
    assert old[: form.start] == new[: form.start]
    assert old[form.start + form.size :] == new[form.start + form.size :]


@pytest.mark.parametrize(("bits", "floating"), [(8, False), (16, False), (24, False), (32, True), (64, True)])
def test_samples_survive_packing(bits: int, floating: bool) -> None:
    form = wav.Wav(RATE, 2, bits, floating, 0, 0)
    raw = wav.pack(SOUND, form)
    assert wav.pack(wav.unpack(raw, form).reshape(-1, 2), form) == raw


def test_loud_samples_are_held_within_full_scale() -> None:
    form = wav.Wav(RATE, 1, 16, False, 0, 0)
    assert wav.pack(np.array([[1.5], [-1.5]], np.float32), form) == struct.pack("<hh", 32767, -32768)


@pytest.mark.parametrize("form", ["s16", "s32"])
def test_flac_keeps_depth_tags_and_picture(tmp_path: Path, form: str) -> None:
    src = encode(tmp_path / "a.flac", "flac", "flac", form)
    with src.open("rb") as file:
        blocks, start = tags.flac_blocks(file)
        file.seek(start)
        frames = file.read()
    picture = (6, struct.pack(">II9sIIIIII", 3, 9, b"image/png", 0, 1, 1, 24, 0, len(PNG)) + PNG)
    src.write_bytes(tags.flac_head([*blocks, picture]) + frames)
    dst = marked(src)
    assert about(dst) == about(src) == (form, RATE, 2, "Tïtle")
    with dst.open("rb") as file:
        assert picture in tags.flac_blocks(file)[0]


def test_mp3_keeps_bit_rate_and_tags(tmp_path: Path) -> None:
    src = encode(tmp_path / "a.mp3", "libmp3lame", "mp3", "fltp", 96)
    src.write_bytes(src.read_bytes() + b"TAG" + b"x" * 125)
    dst = marked(src)
    assert about(dst) == about(src)
    with av.open(str(src)) as old, av.open(str(dst)) as new:
        assert old.streams.audio[0].bit_rate == new.streams.audio[0].bit_rate == 96_000
    with src.open("rb") as old_file, dst.open("rb") as new_file:
        assert tags.id3_head(old_file) == tags.id3_head(new_file) != b""
        assert tags.id3_tail(old_file) == tags.id3_tail(new_file) != b""


@pytest.mark.parametrize(("codec", "form", "kbps"), [("aac", "fltp", 96), ("alac", "s16p", None), ("alac", "s32p", None)])
def test_m4a_keeps_codec_depth_and_tags(tmp_path: Path, codec: str, form: str, kbps: int | None) -> None:
    src = encode(tmp_path / "a.m4a", codec, "ipod", form, kbps)
    dst = marked(src)
    assert about(dst) == about(src)
    with av.open(str(dst)) as container:
        assert container.streams.audio[0].codec_context.name == codec


def test_m4a_keeps_its_cover(tmp_path: Path) -> None:
    bare = encode(tmp_path / "bare.m4a", "aac", "ipod", "fltp", 96)
    cover = tmp_path / "cover.png"
    cover.write_bytes(PNG)
    src = tmp_path / "x" / "a.m4a"
    src.parent.mkdir()
    with (
        av.open(str(bare)) as sound,
        av.open(str(cover)) as picture,
        av.open(str(src), "w", format="mp4", options={"brand": "M4A "}) as out,
    ):
        audio = out.add_stream_from_template(sound.streams.audio[0])
        still = out.add_stream_from_template(picture.streams.video[0])
        still.disposition = av.stream.Disposition.attached_pic
        for container, stream in ((picture, still), (sound, audio)):
            for packet in container.demux():
                if packet.size:
                    packet.stream = stream
                    out.mux(packet)
    dst = marked(src)
    with av.open(str(dst)) as container:
        (still,) = container.streams.video
        assert still.disposition & av.stream.Disposition.attached_pic
        assert next(packet for packet in container.demux(still) if packet.size).size == len(PNG)


@pytest.mark.parametrize(
    ("name", "encoder", "container", "kbps"),
    [("a.ogg", "vorbis", "ogg", 96), ("a.aac", "aac", "adts", 96), ("a.opus", "libopus", "ogg", 64)],
)
def test_other_formats_are_read_and_not_written(tmp_path: Path, name: str, encoder: str, container: str, kbps: int) -> None:
    src = write_wav(tmp_path / "a.wav", SOUND, 16)
    sound_files.mark_file(src, src, ID, PUBLIC_KEY)  # a file may be replaced by its marked copy
    with av.open(str(src), metadata_errors="replace") as source, av.open(str(tmp_path / name), "w", format=container) as out:
        rate = 48_000 if encoder == "libopus" else RATE
        stream = out.add_stream(encoder, rate=rate, layout="stereo", options={"strict": "-2"})
        stream.format = "flt" if encoder == "libopus" else "fltp"
        stream.bit_rate = kbps * 1000
        stream.codec_context.open(strict=False)
        frames = av.AudioResampler(stream.format, "stereo", rate, frame_size=stream.codec_context.frame_size)
        for frame in source.decode(audio=0):
            frame.pts = None
            for part in frames.resample(frame):
                out.mux(stream.encode(part))
        for part in frames.resample(None):
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    assert sound_files.detect_file(tmp_path / name, [PUBLIC_KEY]).mark_id == ID
    with pytest.raises(UnsupportedError):
        sound_files.mark_file(tmp_path / name, tmp_path / "out", ID, PUBLIC_KEY)


def test_spans_come_from_files_too(tmp_path: Path) -> None:
    dst = marked(write_wav(tmp_path / "a.wav", SOUND, 16))
    found = sound_files.detect_file(dst, [b"other", PUBLIC_KEY], locate=True)
    assert found.key_index == 1
    assert [span.marked for span in found.spans] == [True]


def hostile(folder: Path) -> dict[str, tuple[bytes, type[WatermarkError]]]:
    whole = write_wav(folder / "whole.wav", SOUND, 16).read_bytes()
    mp3 = encode(folder / "whole.mp3", "libmp3lame", "mp3", "fltp", 96, seconds=1).read_bytes()
    (folder / "whole.wav").unlink()
    (folder / "whole.mp3").unlink()
    return {
        "empty": (b"", MediaDecodeError),
        "text": (b"hello, world " * 50, UnsupportedError),
        "png": (PNG, UnsupportedError),
        "playlist": (b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n", UnsupportedError),
        "header only": (whole[:12], MediaDecodeError),
        "no samples": (whole[:46], MediaDecodeError),
        "no format": (b"RIFF\x24\0\0\0WAVEdata\x04\0\0\0abcd", MediaDecodeError),
        "wrong align": (whole.replace(struct.pack("<HH", 4, 16), struct.pack("<HH", 5, 16), 1), MediaDecodeError),
        "adpcm": (whole.replace(b"fmt \x10\0\0\0\x01\0", b"fmt \x10\0\0\0\x11\0", 1), UnsupportedError),
        "silent": (whole[:66] + bytes(len(whole) - 66), CarrierTooSmallError),
        "one second": (mp3, CarrierTooSmallError),
        "flac cut off": (b"fLaC\0\0\0\x22abc", MediaDecodeError),
        "flac of nothing": (b"fLaC\x80\0\0\x22" + bytes(34), WatermarkError),
        "mp4 of nothing": (b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42", MediaDecodeError),
        "mp3 of noise": (b"\xff\xfb" + np.random.default_rng(0).bytes(4000), WatermarkError),
    }


HOSTILE = [
    "empty", "text", "png", "playlist", "header only", "no samples", "no format", "wrong align", "adpcm", "silent", "one second",
    "flac cut off", "flac of nothing", "mp4 of nothing", "mp3 of noise",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_sound_gives_one_clear_error_and_no_file(tmp_path: Path, name: str) -> None:
    data, error = hostile(tmp_path)[name]
    src, dst = tmp_path / "in.wav", tmp_path / "out.wav"
    src.write_bytes(data)
    with pytest.raises(error) as caught:
        sound_files.mark_file(src, dst, ID, PUBLIC_KEY)
    assert str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["in.wav"]


@pytest.mark.parametrize("name", HOSTILE)
def test_the_reader_answers_or_raises_one_error(tmp_path: Path, name: str) -> None:
    data, _ = hostile(tmp_path)[name]
    src = tmp_path / "in.bin"
    src.write_bytes(data)
    try:
        assert not sound_files.detect_file(src, [PUBLIC_KEY]).found
    except WatermarkError as error:
        assert str(error)


def test_a_playlist_opens_nothing(tmp_path: Path) -> None:
    target = write_wav(tmp_path / "target.wav", SOUND, 16)
    for name, text in (("a.m3u8", f"#EXTM3U\n#EXTINF:7,\n{target}\n"), ("a.txt", f"ffconcat version 1.0\nfile '{target}'\n")):
        (tmp_path / name).write_text(text)
        with pytest.raises(MediaDecodeError):
            sound_files.detect_file(tmp_path / name, [PUBLIC_KEY])


def test_broken_frames_are_skipped(tmp_path: Path) -> None:
    src = encode(tmp_path / "a.mp3", "libmp3lame", "mp3", "fltp", 96)
    data = bytearray(marked(src).read_bytes())
    late = len(data) * 9 // 10
    data[late : late + 3000] = np.random.default_rng(1).bytes(3000)
    broken = tmp_path / "broken.mp3"
    broken.write_bytes(data)
    assert sound_files.detect_file(broken, [PUBLIC_KEY]).mark_id == ID


def test_a_truncated_wav_is_marked_as_far_as_it_goes(tmp_path: Path) -> None:
    src = write_wav(tmp_path / "a.wav", SOUND, 16)
    src.write_bytes(src.read_bytes()[:-40_001])
    marked(src)


def test_a_cut_off_flac_is_refused(tmp_path: Path) -> None:
    src = encode(tmp_path / "a.flac", "flac", "flac", "s16")
    src.write_bytes(src.read_bytes()[: src.stat().st_size * 4 // 10])
    with pytest.raises(MediaDecodeError, match=r"cut off or damaged: \d+\.\d s of \d+\.\d s decode"):
        sound_files.mark_file(src, tmp_path / "out.flac", ID, PUBLIC_KEY)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.flac"]


def test_a_missing_file_and_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        sound_files.mark_file(tmp_path / "no.wav", tmp_path / "out.wav", ID, PUBLIC_KEY)
    with pytest.raises(MediaDecodeError):
        sound_files.detect_file(tmp_path / "no.wav", [PUBLIC_KEY])
    src = write_wav(tmp_path / "a.wav", SOUND, 16)
    with pytest.raises(OSError, match="No such file"):
        sound_files.mark_file(src, tmp_path / "no" / "out.wav", ID, PUBLIC_KEY)


def test_a_film_is_read_and_not_written(tmp_path: Path, corpus: Path) -> None:
    film = corpus / "video" / "bbb_720p_5s.mp4"
    assert not sound_files.detect_file(film, [PUBLIC_KEY]).found
    with pytest.raises(UnsupportedError, match="more than one track"):
        sound_files.mark_file(film, tmp_path / "out.mp4", ID, PUBLIC_KEY)
    assert not list(tmp_path.iterdir())
