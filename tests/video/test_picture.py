"""One frame in colour, as people see it: what a credential shows of a film."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.video.conftest import write_film
from watermark.errors import MediaDecodeError, UnsupportedError
from watermark.video.frames import picture

RED, BLUE = (200, 30, 20), (20, 40, 210)


def _coloured(path: Path, *, codec: str = "libx264", size: tuple[int, int] = (320, 180), rotation: int = 0) -> Path:
    """Red on the left, blue on the right, one second; H.264 whose matrix is that of high definition, as it says."""
    rgb = np.zeros((size[1], size[0], 3), np.uint8)
    rgb[:, : size[0] // 2], rgb[:, size[0] // 2 :] = RED, BLUE
    with av.open(str(path), "w") as target:
        stream: Any = target.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.colorspace = 1
        if rotation:
            stream.set_display_rotation(rotation)
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(format="yuv420p", dst_colorspace="itu709")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return path


def _near(seen: NDArray[np.uint8], wanted: tuple[int, int, int]) -> bool:
    return bool(np.abs(seen.reshape(-1, 3).mean(0) - wanted).max() < 8)


@pytest.mark.parametrize("time_s", [0.0, 0.7, 99.0])
def test_its_colours_are_those_of_the_film(tmp_path: Path, time_s: float) -> None:
    seen = picture(_coloured(tmp_path / "a.mp4"), time_s)
    assert seen.shape == (180, 320, 3)
    assert _near(seen[20:-20, 20:140], RED)
    assert _near(seen[20:-20, 180:300], BLUE)


def test_it_stands_upright(tmp_path: Path) -> None:
    seen = picture(_coloured(tmp_path / "a.mp4", rotation=90), 0.5)
    assert seen.shape == (320, 180, 3)
    assert _near(seen[180:300, 20:-20], RED)  # the left goes down when it is turned counter-clockwise
    assert _near(seen[20:140, 20:-20], BLUE)


def test_ten_bits_are_shown_too(tmp_path: Path) -> None:
    assert picture(write_film(tmp_path / "a.mp4", codec="libx265", form="yuv420p10le", seconds=1), 0.5).shape == (360, 640, 3)


def test_what_holds_no_film_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(2000))
    with pytest.raises(MediaDecodeError):
        picture(tmp_path / "a.mp4", 0.0)
    with av.open(str(tmp_path / "a.mka"), "w", format="matroska") as target:
        stream: Any = target.add_stream("pcm_s16le", rate=8000)
        stream.layout = "mono"
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), "s16", "mono")
        sound.sample_rate, sound.pts, sound.time_base = 8000, 0, Fraction(1, 8000)
        target.mux(stream.encode(sound))
        target.mux(stream.encode(None))
    with pytest.raises(UnsupportedError):
        picture(tmp_path / "a.mka", 0.0)
