"""What happens to films on their way: excerpts cut, frames changed, encoded again. Files in, files out; seeded.

Pictures are changed as sRGB frames of shape (H, W, 3), uint8, one by one, so that a film of any length takes little memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from watermark.video.opened import film_stream, opened
from watermark.video.priority import kept_priority

Picture = NDArray[np.uint8]
Change = Callable[[Picture, np.random.Generator], Picture]

_ENCODERS: dict[str, tuple[str, dict[str, str]]] = {
    "h264": ("libx264", {"preset": "medium"}),
    "h265": ("libx265", {"preset": "medium", "x265-params": "log-level=none"}),
    "vp9": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "5", "b": "0"}),
    "av1": ("libsvtav1", {"preset": "9", "svtav1-params": "lp=1"}),
    "gif": ("gif", {}),
}


@dataclass(frozen=True, slots=True)
class Pass:
    """One re-encoding.

    Attributes:
        codec: "h264", "h265", "vp9", "av1" or "gif".
        crf: Its constant rate factor; None for `kbps`.
        kbps: Bits per second, thousands.
        lines: Height that frames are scaled to, before they are encoded; None keeps the size.
        fps: Frames are dropped to this rate; None keeps them.
        dropped: Share of the frames that is lost at random, the rest closing up.
        speed: How much faster it runs.
        changes: What is done to each frame, in order, before it is scaled.
    """

    codec: str = "h264"
    crf: int | None = 18
    kbps: int | None = None
    lines: int | None = None
    fps: float | None = None
    dropped: float = 0.0
    speed: float = 1.0
    changes: tuple[Change, ...] = ()


def encode_again(src: Path, dst: Path, todo: Pass, *, start_s: float = 0.0, seconds: float | None = None, seed: int = 0) -> None:
    """Write the film of a file, or an excerpt of it, after one pass; sound and metadata are lost.

    Raises:
        MediaDecodeError, UnsupportedError: it cannot be read, or has no film.
    """
    name, options = _ENCODERS[todo.codec]
    options = dict(options)
    if todo.crf is not None and todo.codec != "gif":
        options["crf"] = str(todo.crf)
    rng = np.random.default_rng(seed)
    with opened(src) as container, av.open(str(dst), "w") as target:
        stream = film_stream(container, src)
        rate = Fraction(todo.fps or stream.average_rate or 25).limit_denominator(1001)
        written: Any = None
        for number, taken in enumerate(_pictures(container, stream, todo, start_s, seconds, rng)):
            picture = _sized(reduce(lambda seen, change: change(seen, rng), todo.changes, taken), todo.lines)
            if written is None:
                written = target.add_stream(name, rate=Fraction(float(rate) * todo.speed).limit_denominator(100_000))
                written.width, written.height = picture.shape[1], picture.shape[0]
                written.pix_fmt = "rgb8" if todo.codec == "gif" else "yuv420p"
                written.options = options
                written.codec_context.thread_count = 1
                if todo.kbps:
                    written.bit_rate = 1000 * todo.kbps
                with kept_priority():
                    target.start_encoding()
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")
            frame.pts, frame.time_base = number, 1 / written.codec_context.framerate
            target.mux(written.encode(frame))
        if written is None:
            raise ValueError("no frames in the excerpt")
        target.mux(written.encode(None))


def _pictures(
    container: Any, stream: Any, todo: Pass, start_s: float, seconds: float | None, rng: np.random.Generator
) -> Iterator[Picture]:
    """Upright frames of an excerpt, some of them left out."""
    due, first = 0.0, None
    for frame in container.decode(stream):
        time_s = frame.time or 0.0
        first = time_s if first is None else first
        at = time_s - first - start_s
        if at < -1e-6:
            continue
        if seconds is not None and at >= seconds:
            return
        if todo.fps is not None:
            if at + 1e-6 < due:
                continue
            due += 1 / todo.fps
        if todo.dropped and rng.random() < todo.dropped:
            continue
        yield np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90) % 4))


def _sized(picture: Picture, lines: int | None) -> Picture:
    """Scale to a number of lines on the short side; both sides even."""
    height, width = picture.shape[:2]
    scale = lines / min(height, width) if lines else 1.0
    wide, tall = (max(16, 2 * round(side * scale / 2)) for side in (width, height))
    if (wide, tall) == (width, height):
        return picture
    return np.asarray(cv2.resize(picture, (wide, tall), interpolation=cv2.INTER_AREA if scale <= 1 else cv2.INTER_CUBIC))


@dataclass(frozen=True, slots=True)
class Cut:
    """Cut to a rectangle, given as fractions of the width and height."""

    left: float
    top: float
    right: float
    bottom: float

    def __call__(self, picture: Picture, rng: np.random.Generator) -> Picture:
        height, width = picture.shape[:2]
        return picture[
            round(self.top * height) : round(self.bottom * height), round(self.left * width) : round(self.right * width)
        ]


@dataclass(frozen=True, slots=True)
class Within:
    """Put on a larger canvas of a plain or blurred ground: letterbox, pillarbox, picture in picture.

    Attributes:
        across, down: Size of the canvas, times the picture's.
        left, top: Share of the free space left of and above the picture.
        ground: Grey level of the canvas; None puts a blurred copy there.
    """

    across: float
    down: float
    left: float = 0.5
    top: float = 0.5
    ground: int | None = 0

    def __call__(self, picture: Picture, rng: np.random.Generator) -> Picture:
        height, width = picture.shape[:2]
        wide, tall = round(width * self.across), round(height * self.down)
        if self.ground is None:
            canvas = cv2.blur(cv2.resize(picture, (wide, tall)), (61, 61))
        else:
            canvas = np.full((tall, wide, 3), self.ground, np.uint8)
        x, y = round((wide - width) * self.left), round((tall - height) * self.top)
        canvas[y : y + height, x : x + width] = picture
        return np.asarray(canvas, np.uint8)


def square(picture: Picture, rng: np.random.Generator) -> Picture:
    """The middle square."""
    height, width = picture.shape[:2]
    side = min(height, width)
    return picture[(height - side) // 2 :, (width - side) // 2 :][:side, :side]


def mirrored(picture: Picture, rng: np.random.Generator) -> Picture:
    """Left and right exchanged."""
    return picture[:, ::-1]


def turned(picture: Picture, rng: np.random.Generator) -> Picture:
    """Turned by 90°."""
    return np.rot90(picture)


def equalised(picture: Picture, rng: np.random.Generator) -> Picture:
    """Luma's histogram made even, frame by frame."""
    colour = cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb)
    colour[..., 0] = cv2.equalizeHist(colour[..., 0])
    return np.asarray(cv2.cvtColor(colour, cv2.COLOR_YCrCb2RGB), np.uint8)


def blurred(picture: Picture, rng: np.random.Generator) -> Picture:
    """Gaussian blur, σ 1.5 pixels."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.5), np.uint8)


def noisy(picture: Picture, rng: np.random.Generator) -> Picture:
    """Gaussian noise, σ 8 levels, alike in all channels."""
    grain = rng.standard_normal(picture.shape[:2], np.float32) * 8
    return np.asarray(cv2.add(picture, cv2.merge([grain] * 3), dtype=cv2.CV_8U), np.uint8)


def caption(picture: Picture, rng: np.random.Generator) -> Picture:
    """A bar with two lines of text over the lowest sixth."""
    out = picture.copy()
    height, width = out.shape[:2]
    cv2.rectangle(out, (0, height * 5 // 6), (width, height), (20, 20, 20), -1)
    for line, text in enumerate(("A CAPTION THAT SOMEBODY BURNT IN", "and a second line of it")):
        place = (width // 20, height * 5 // 6 + (line + 1) * height // 14)
        cv2.putText(out, text, place, cv2.FONT_HERSHEY_SIMPLEX, height / 600, (240, 240, 240), max(1, height // 300))
    return out


def filmed(picture: Picture, rng: np.random.Generator) -> Picture:
    """Filmed from a screen: in perspective and a little turned, the lens soft, the light uneven, noise, gamma."""
    height, width = picture.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    seen = corners * 0.9 + np.array([0.05 * width, 0.05 * height], np.float32)
    seen += np.array([[0.012, 0.004], [-0.004, 0.016], [0.006, -0.004], [0.002, 0.006]], np.float32) * width
    seen += rng.normal(0, 0.0004 * width, 2).astype(np.float32)  # a hand that is not quite still
    out = cv2.warpPerspective(picture, cv2.getPerspectiveTransform(corners, seen), (width, height), borderValue=(30, 30, 34))
    out = cv2.GaussianBlur(out, (0, 0), 0.9)
    light = np.linspace(0.85, 1.05, width, dtype=np.float32)[None, :, None]
    out = 255 * (out * light / 255).clip(0, 1) ** 1.1 + rng.standard_normal((height, width, 1), np.float32) * 3
    return np.asarray(out.clip(0, 255), np.uint8)


def still(path: Path, at: float) -> Picture:
    """Return one frame, upright, sRGB, at a share 0–1 of the film's length."""
    with opened(path) as container:
        stream = film_stream(container, path)
        frames = list(_last_of(container.decode(stream), stream, at))
    return frames[-1]


def _last_of(frames: Any, stream: Any, at: float) -> Iterator[Picture]:
    length = float(stream.duration * stream.time_base) if stream.duration else 0.0
    for frame in frames:
        if (frame.time or 0.0) >= at * length:
            yield np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90) % 4))
            return
