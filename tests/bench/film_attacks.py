"""Films that benchmarks need: attempts to remove a mark or to forge it, scenes put in, mixtures of films, endless ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from watermark import video_files
from watermark.video_attacks import Pass, encode_again

Picture = NDArray[np.uint8]
Attempt = Callable[[Path, Path, Path], None]
_LOST = 0x7E57


def pictures(path: Path) -> Iterator[Picture]:
    """The frames of a film, sRGB."""
    with av.open(str(path)) as container:
        for frame in container.decode(container.streams.video[0]):
            yield frame.to_ndarray(format="rgb24")


def rate_of(path: Path) -> Fraction:
    with av.open(str(path)) as container:
        return Fraction(container.streams.video[0].average_rate or 25)


def write(path: Path, frames: Iterable[Picture], rate: Fraction, crf: int = 23, size: tuple[int, int] | None = None) -> None:
    """Encode frames as H.264, all scaled to the first one's size or to `size` (width, height)."""
    with av.open(str(path), "w") as target:
        stream: Any = None
        for number, picture in enumerate(frames):
            if stream is None:
                size = size or (picture.shape[1], picture.shape[0])
                stream = target.add_stream("libx264", rate=rate)
                stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
                stream.options = {"crf": str(crf), "preset": "fast"}
                stream.codec_context.thread_count = 1
            seen = picture if picture.shape[1::-1] == size else cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(seen, np.uint8), "rgb24")
            frame.pts, frame.time_base = number, 1 / rate
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))


def spoofed(marked: Path, other: Path, path: Path, start_s: float, end_s: float) -> None:
    """Write a film with what another shows at the same time put in, nearly without loss."""
    rate = rate_of(marked)

    def mixed() -> Iterator[Picture]:
        theirs = pictures(other)
        for number, mine in enumerate(pictures(marked)):
            their = next(theirs, None)
            inside = start_s <= number / rate < end_s and their is not None
            yield cv2.resize(their, mine.shape[1::-1]) if inside and their is not None else mine  # type: ignore[misc]

    write(path, mixed(), rate, crf=14)


def mixture(films: list[Path], path: Path, draw: np.random.Generator) -> None:
    """Cut all films together in some order, each mirrored or not, cut to some rectangle, at one speed for all."""
    left, top, across = draw.uniform(0, 0.15), draw.uniform(0, 0.15), draw.uniform(0.7, 0.85)

    def mixed() -> Iterator[Picture]:
        for place in draw.permutation(len(films)):
            turned = bool(draw.integers(2))
            for picture in pictures(films[place]):
                height, width = picture.shape[:2]
                cut = picture[round(top * height) :, round(left * width) :][: round(across * height), : round(across * width)]
                yield cut[:, ::-1] if turned else cut

    write(path, mixed(), Fraction(draw.uniform(20, 30)).limit_denominator(100), crf=20, size=(854, 480))


def looped(film: Path, path: Path, seconds: float, *, raw: bool = False) -> None:
    """Write a film over and over up to a length; as it is coded, or as plain frames."""
    with av.open(str(path), "w") as target:
        out: Any = None
        at, tick = 0, Fraction(0)
        while at * tick < seconds:
            with av.open(str(film)) as container:
                stream = container.streams.video[0]
                if out is None:
                    tick = Fraction(stream.time_base or 1)
                    out = _raw(target, stream) if raw else target.add_stream_from_template(stream)
                    out.time_base = tick
                last = at
                for packet in container.demux(stream):
                    if packet.dts is None or packet.pts is None:
                        continue
                    last = max(last, at + packet.pts + (packet.duration or 0))
                    for item in packet.decode() if raw else [packet]:
                        item.pts += at
                        if raw:
                            target.mux(out.encode(item))
                            continue
                        item.dts += at
                        item.stream = out
                        target.mux(item)
                at = last


def _raw(target: Any, stream: Any) -> Any:
    out = target.add_stream("rawvideo", rate=stream.average_rate)
    out.width, out.height, out.pix_fmt = stream.width, stream.height, "yuv420p"
    out.codec_context.time_base = stream.time_base
    return out


def _each(change: Callable[[Picture], Picture]) -> Attempt:
    return lambda marked, twin, path: write(path, map(change, pictures(marked)), rate_of(marked))


def _averaged(marked: Path, twin: Path, path: Path) -> None:
    """Each frame becomes its mean with the next."""
    write(path, (cv2.addWeighted(a, 0.5, b, 0.5, 0) for a, b in pairwise(pictures(marked))), rate_of(marked))  # type: ignore[misc]


def _colluded(marked: Path, twin: Path, path: Path) -> None:
    both = zip(pictures(marked), pictures(twin), strict=True)
    write(path, (cv2.addWeighted(a, 0.5, b, 0.5, 0) for a, b in both), rate_of(marked))  # type: ignore[misc]


def _alternating(marked: Path, twin: Path, path: Path) -> None:
    both = zip(pictures(marked), pictures(twin), strict=True)
    write(path, ((a, b)[number % 2] for number, (a, b) in enumerate(both)), rate_of(marked))


def _shuffled(marked: Path, twin: Path, path: Path) -> None:
    """Pieces of one second in another order."""
    rate = rate_of(marked)
    frames = list(pictures(marked))
    size = round(rate)
    pieces = [frames[at : at + size] for at in range(0, len(frames), size)]
    order = np.random.default_rng(1).permutation(len(pieces))
    write(path, (frame for place in order for frame in pieces[place]), rate)


def _unsharp_mean(marked: Path, twin: Path, path: Path) -> None:
    """The mean of all frames' fine detail, which holds what stands still in all of them, is taken away from each."""
    total, count = None, 0
    for picture in pictures(marked):
        detail = picture.astype(np.float32) - cv2.GaussianBlur(picture, (0, 0), 2.0)
        total, count = detail if total is None else total + detail, count + 1
    assert total is not None
    still = np.clip(total / count, -4, 4).astype(np.float32)
    write(path, (np.clip(p - still, 0, 255).astype(np.uint8) for p in pictures(marked)), rate_of(marked))


def _again(marked: Path, twin: Path, path: Path) -> None:
    video_files.mark_file(marked, path.with_suffix(".mkv"), _LOST, bytes(32), sound=False)
    encode_again(path.with_suffix(".mkv"), path, Pass(crf=23))


TRIES: dict[str, Attempt] = {
    "each frame averaged with the next": _averaged,
    "median 5 × 5": _each(lambda p: np.asarray(cv2.medianBlur(p, 5), np.uint8)),
    "denoised (bilateral, σ 12)": _each(lambda p: np.asarray(cv2.bilateralFilter(p, 7, 12, 3), np.uint8)),
    "10 % faster, fewer frames": lambda m, t, p: encode_again(m, p, Pass(crf=23, speed=1.1, fps=20)),
    "1 s pieces in another order": _shuffled,
    "mean fine detail subtracted": _unsharp_mean,
    "mean of copies with two ids": _colluded,
    "copies with two ids, frame by frame": _alternating,
    "second mark on top, another key": _again,
}
