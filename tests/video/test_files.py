"""Film files: what is kept, what is read, and what is refused in one clear error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.video.conftest import KEY, MARK_ID, OTHER, write_film
from watermark import image, sound_files, video_files
from watermark.errors import CarrierTooSmallError, MediaDecodeError, UnsupportedError, WatermarkError
from watermark.video_attacks import Cut, Pass, encode_again, still


def times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [round(float(frame.time or 0.0), 3) for frame in container.decode(video=0)]


def stream_of(path: Path) -> dict[str, Any]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frame = next(container.decode(stream))
        context = stream.codec_context
        return {
            "codec": context.name,
            "size": (stream.width, stream.height),
            "format": context.pix_fmt,
            "colours": (context.color_primaries, context.color_trc, context.colorspace, context.color_range),
            "rotation": frame.rotation,
        }


def packets(path: Path, kind: str) -> list[bytes]:
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[0]
        return [bytes(packet) for packet in container.demux(stream) if packet.size]


def test_picture_and_sound_carry_one_id(marked_path: Path) -> None:
    found = video_files.detect_file(marked_path, [OTHER, KEY], locate=True)
    assert (found.mark_id, found.key_index, found.too_short) == (MARK_ID, 1, False)
    assert [(span.start_s, span.marked) for span in found.spans] == [(0.0, True)]
    assert found.seen_s == pytest.approx(2.0, abs=0.1)


def test_form_times_and_tags_are_kept(film_path: Path, marked_path: Path) -> None:
    assert stream_of(marked_path) == stream_of(film_path)
    assert times(marked_path) == times(film_path)
    with av.open(str(marked_path)) as container:
        assert container.metadata["title"] == "a pan"
    head = marked_path.read_bytes()
    assert head.index(b"moov") < head.index(b"mdat"), "it can be played while it loads"


def test_sound_is_copied_where_it_is_not_to_be_marked(film_path: Path, tmp_path: Path) -> None:
    written = video_files.mark_file(film_path, tmp_path / "out.mp4", MARK_ID, KEY, sound=False)
    assert (written.films, written.sounds, written.copied, written.left_out) == (1, 0, 1, ())
    assert packets(tmp_path / "out.mp4", "audio") == packets(film_path, "audio")
    assert not sound_files.detect_file(tmp_path / "out.mp4", [KEY]).found


@pytest.mark.parametrize("turn", [90, -90, 180])
def test_rotation_is_kept_and_the_mark_stands_upright(tmp_path: Path, turn: int) -> None:
    source = write_film(tmp_path / "in.mp4", seconds=0.6, rate=12, rotation=turn)
    video_files.mark_file(source, tmp_path / "out.mp4", MARK_ID, KEY)
    assert stream_of(tmp_path / "out.mp4")["rotation"] == stream_of(source)["rotation"] != 0
    found = image.detect(still(tmp_path / "out.mp4", 0.5), keys=[KEY])
    assert found.mark_id == MARK_ID
    assert found.transform is not None
    assert found.transform.matrix[0] > 0.5


def test_variable_frame_rate_is_kept(tmp_path: Path) -> None:
    source = write_film(tmp_path / "in.mp4", seconds=1, rate=20, stops=lambda n: n * 30 + (n % 3) * 7)
    video_files.mark_file(source, tmp_path / "out.mp4", MARK_ID, KEY)
    assert times(tmp_path / "out.mp4") == times(source)
    assert video_files.detect_file(tmp_path / "out.mp4", [KEY]).mark_id == MARK_ID


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_ten_bits_and_their_colours_are_kept(tmp_path: Path, codec: str) -> None:
    tags = {"color_primaries": 9, "color_trc": 16, "colorspace": 9, "color_range": 1}
    source = write_film(tmp_path / "in.mp4", seconds=0.6, rate=12, codec=codec, form="yuv420p10le", tags=tags)
    video_files.mark_file(source, tmp_path / "out.mp4", MARK_ID, KEY)
    assert stream_of(tmp_path / "out.mp4") == stream_of(source)
    assert stream_of(source)["colours"] == (9, 16, 9, 1)
    assert video_files.detect_file(tmp_path / "out.mp4", [KEY]).mark_id == MARK_ID


@pytest.mark.parametrize(("name", "codec"), [("film.webm", "libvpx-vp9"), ("film.mkv", "libx264")])
def test_other_containers_stay_what_they_were(tmp_path: Path, name: str, codec: str) -> None:
    options = {"deadline": "realtime", "cpu-used": "8"} if codec == "libvpx-vp9" else {}
    source = write_film(tmp_path / name, seconds=0.6, rate=12, codec=codec, **options)
    out = tmp_path / f"out-{name}"
    written = video_files.mark_file(source, out, MARK_ID, KEY)
    assert written.encoder == codec
    assert out.read_bytes()[:40] == source.read_bytes()[:40] or out.read_bytes()[:4] == b"\x1aE\xdf\xa3"
    assert video_files.detect_file(out, [KEY]).mark_id == MARK_ID


@pytest.mark.parametrize(
    "todo",
    [
        Pass(crf=26),
        Pass(crf=26, fps=10),
        Pass(crf=18, dropped=0.2),
        Pass(crf=26, speed=1.02),
        Pass("gif", fps=6),
        Pass("h265", 26),
        Pass("vp9", 32),
        Pass("av1", 32),
        Pass(crf=20, changes=(Cut(0.1, 0.1, 0.9, 0.9),)),
    ],
    ids=["h264", "10-fps", "dropped", "faster", "gif", "h265", "vp9", "av1", "cut"],
)
def test_it_lives_through(marked_path: Path, tmp_path: Path, todo: Pass) -> None:
    copy = tmp_path / ("copy.gif" if todo.codec == "gif" else "copy.mkv")
    encode_again(marked_path, copy, todo, seed=3)
    assert video_files.detect_file(copy, [KEY]).mark_id == MARK_ID


def test_broken_frames_in_the_middle_cost_no_more_than_themselves(film_path: Path, tmp_path: Path) -> None:
    data = bytearray(film_path.read_bytes())
    start = data.index(b"mdat") + len(data) // 3
    data[start : start + 3000] = bytes(3000)
    (tmp_path / "in.mp4").write_bytes(data)
    video_files.mark_file(tmp_path / "in.mp4", tmp_path / "out.mp4", MARK_ID, KEY, sound=False)
    assert video_files.detect_file(tmp_path / "out.mp4", [KEY]).mark_id == MARK_ID


def _nothing(path: Path) -> None:
    path.write_bytes(b"")


def _noise(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(5000))


def _playlist(path: Path) -> None:
    path.write_text("#EXTM3U\n#EXTINF:2,\n/etc/passwd\n")


def _concat(path: Path) -> None:
    path.write_text("ffconcat version 1.0\nfile /etc/passwd\n")


def _sound_alone(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as target:
        stream: Any = target.add_stream("aac", rate=48_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
        frame.sample_rate = 48_000
        target.mux(stream.encode(frame))
        target.mux(stream.encode(None))


def _many_tracks(path: Path) -> None:
    with av.open(str(path), "w", format="matroska") as target:
        streams: list[Any] = [target.add_stream("aac", rate=48_000) for _ in range(100)]
        for stream in streams:
            frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
            frame.sample_rate = 48_000
            target.mux(stream.encode(frame))
            target.mux(stream.encode(None))


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (_nothing, MediaDecodeError, "nvalid data"),
        (_noise, MediaDecodeError, "nvalid"),
        (_playlist, MediaDecodeError, "nvalid"),
        (_concat, MediaDecodeError, "nvalid"),
        (_sound_alone, UnsupportedError, "no film"),
        (_many_tracks, UnsupportedError, "100 tracks"),
    ],
)
def test_what_is_no_film_is_refused_in_one_error(tmp_path: Path, make: Any, error: type[WatermarkError], words: str) -> None:
    make(tmp_path / "in.mp4")
    with pytest.raises(error, match=words):
        video_files.detect_file(tmp_path / "in.mp4", [KEY])
    with pytest.raises(error, match=words):
        video_files.mark_file(tmp_path / "in.mp4", tmp_path / "out.mp4", MARK_ID, KEY)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


@pytest.mark.parametrize(
    ("options", "words"),
    [({"seconds": 0.1, "rate": 10}, "milliseconds of film"), ({"seconds": 1, "rate": 8, "size": (64, 48)}, "48 pixels")],
)
def test_too_little_to_hold_a_mark_is_said(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    source = write_film(tmp_path / "in.mp4", **options)
    with pytest.raises(CarrierTooSmallError, match=words):
        video_files.mark_file(source, tmp_path / "out.mp4", MARK_ID, KEY)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_a_still_in_a_film_container_is_too_short(tmp_path: Path) -> None:
    found = video_files.detect_file(write_film(tmp_path / "in.mp4", seconds=0.1, rate=10), [KEY])
    assert (found.found, found.too_short) == (False, True)


def test_a_missing_file_and_a_wrong_quality(film_path: Path, tmp_path: Path) -> None:
    with pytest.raises(MediaDecodeError, match="no such file"):
        video_files.detect_file(tmp_path / "none.mp4", [KEY])
    with pytest.raises(ValueError, match="constant rate factor"):
        video_files.mark_file(film_path, tmp_path / "out.mp4", MARK_ID, KEY, crf=90)
    assert not (tmp_path / "out.mp4").exists()


def test_progress_is_told(film_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(np.arange(0, 1e6, 0.3))
    monkeypatch.setattr(video_files.time, "monotonic", lambda: float(next(clock)))
    told: list[video_files.Progress] = []
    video_files.mark_file(film_path, tmp_path / "out.mp4", MARK_ID, KEY, progress=told.append)
    assert told
    assert all(0 <= one.share <= 1 and one.speed >= 0 for one in told)
    assert told[-1].share > 0.9
