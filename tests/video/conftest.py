"""Films made for the tests: a textured scene that the camera pans over, with a tone as sound."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

KEY = bytes(range(32))
OTHER = bytes(32)
MARK_ID = 0x9E3779B97F4A7C15


def scene(seed: int, height: int, width: int) -> NDArray[np.uint8]:
    """A still life of noise at several scales, brighter on top, with a plain disc: shape (height, width)."""
    rng = np.random.default_rng(seed)
    total = np.linspace(150, 90, height, dtype=np.float32)[:, None] + np.zeros(width, np.float32)
    for size, depth in ((4, 30), (16, 18), (64, 9)):
        grain = rng.standard_normal((max(2, height * size // 256), max(2, width * size // 256)), np.float32)
        total += depth * cv2.resize(grain, (width, height), interpolation=cv2.INTER_CUBIC)
    cv2.circle(total, (width // 3, height // 2), height // 5, 60.0, -1)
    return np.clip(total, 0, 255).astype(np.uint8)


def lumas(count: int, height: int = 360, width: int = 640, seed: int = 1, step: int = 2) -> Iterator[NDArray[np.uint8]]:
    """Luma planes of a slow pan, one after another."""
    wide = scene(seed, height, width + step * count)
    for number in range(count):
        yield wide[:, number * step : number * step + width].copy()


def write_film(
    path: Path,
    *,
    seconds: float = 2.0,
    rate: int = 25,
    size: tuple[int, int] = (640, 360),
    codec: str = "libx264",
    form: str = "yuv420p",
    rotation: int = 0,
    sound: str | None = None,
    stops: Callable[[int], int] | None = None,
    tags: dict[str, int] | None = None,
    seed: int = 1,
    **options: str,
) -> Path:
    """Write a film; `stops` gives the time stamp of each frame in 1/600 s."""
    with av.open(str(path), "w") as target:
        video: Any = target.add_stream(codec, rate=rate)
        video.width, video.height, video.pix_fmt = *size, form
        video.time_base = video.codec_context.time_base = Fraction(1, 600)
        video.options = {"crf": "16", "preset": "ultrafast", **options} if codec in ("libx264", "libx265") else options
        if codec == "libx265":
            video.options = {**video.options, "x265-params": "log-level=none"}
        for tag, value in (tags or {}).items():
            setattr(video.codec_context, tag, value)
        if rotation:
            video.set_display_rotation(rotation)
        tone = target.add_stream(sound, rate=48_000) if sound else None
        if tone:
            tone.layout = "stereo"
        target.metadata["title"] = "a pan"
        for number, luma in enumerate(lumas(round(seconds * rate), size[1], size[0], seed)):
            frame = av.VideoFrame.from_ndarray(luma, "gray").reformat(format=form)
            frame.pts = stops(number) if stops else number * 600 // rate
            frame.time_base = Fraction(1, 600)
            target.mux(video.encode(frame))
        target.mux(video.encode(None))
        if tone:
            rng = np.random.default_rng(3)
            for start in range(0, round(seconds * 48_000), 1024):
                block = 0.1 * rng.standard_normal((2, 1024), np.float32)
                sounding = av.AudioFrame.from_ndarray(block, "fltp", "stereo")
                sounding.sample_rate, sounding.pts, sounding.time_base = 48_000, start, Fraction(1, 48_000)
                target.mux(tone.encode(sounding))
            target.mux(tone.encode(None))
    return path


@pytest.fixture(scope="session")
def film_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds, 640 × 360, H.264 and AAC."""
    return write_film(tmp_path_factory.mktemp("film") / "pan.mp4", sound="aac")


@pytest.fixture(scope="session")
def marked_path(film_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, marked."""
    from watermark import video_files

    path = tmp_path_factory.mktemp("marked") / "pan.mp4"
    video_files.mark_file(film_path, path, MARK_ID, KEY)
    return path
