"""What happens to a film on its way: a platform's re-encode, another scene put in; and a picture of where."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from api.demo.pictures import jpeg
from provenance.verdict import Verdict

Picture = NDArray[np.uint8]
CRF, KBPS = 28, 96
_WIDTH, _BAR, _STILLS, _FRAMED = 960, 22, 6, 5
_PAPER, _MARKED, _GAP, _CHANGED = (250, 247, 240), (86, 122, 92), (214, 205, 190), (213, 94, 0)


@dataclass(frozen=True, slots=True)
class Scene:
    """Seconds of a film that are replaced, `start_s` < `end_s`, and the photo over which the camera pans instead."""

    start_s: float
    end_s: float
    photo: Picture

    def at(self, time_s: float, width: int, height: int) -> Picture:
        """The view of the photo at a time inside: the film's size, moving from left to right."""
        high = round(self.photo.shape[0] * 1.25 * width / self.photo.shape[1])
        wide = np.asarray(Image.fromarray(self.photo).resize((round(1.25 * width), max(high, height)), Image.Resampling.BILINEAR))
        left = round((wide.shape[1] - width) * (time_s - self.start_s) / (self.end_s - self.start_s))
        top = (wide.shape[0] - height) // 2
        return np.ascontiguousarray(wide[top : top + height, left : left + width])


def send_to_platform(film: Path, path: Path, scene: Scene | None = None) -> None:
    """Write what a video platform makes of a film: H.264 at CRF 28, AAC at 96 kbit/s, no metadata; first with another scene."""
    with av.open(str(film)) as source, av.open(str(path), "w") as out:
        picture, sound = source.streams.video[0], source.streams.audio[0]
        seen: Any = out.add_stream("libx264", rate=picture.average_rate)
        seen.width, seen.height, seen.pix_fmt = picture.width, picture.height, "yuv420p"
        seen.options = {"crf": str(CRF), "preset": "fast"}
        heard: Any = out.add_stream("aac", rate=sound.rate)
        heard.layout, heard.bit_rate = "stereo", 1000 * KBPS
        even = av.AudioResampler("fltp", "stereo", sound.rate, frame_size=1024)
        number = count()
        for packet in source.demux(picture, sound):
            for frame in packet.decode():
                if isinstance(frame, av.VideoFrame):
                    out.mux(seen.encode(_edited(frame, next(number), scene, seen)))
                elif isinstance(frame, av.AudioFrame):
                    for part in even.resample(frame):
                        out.mux(heard.encode(part))
        for part in even.resample(None):
            out.mux(heard.encode(part))
        out.mux(heard.encode(None))
        out.mux(seen.encode(None))


def _edited(frame: av.VideoFrame, number: int, scene: Scene | None, written: Any) -> av.VideoFrame:
    step = 1 / written.codec_context.framerate
    at = float(number * step)
    if scene is not None and scene.start_s <= at < scene.end_s:
        frame = av.VideoFrame.from_ndarray(scene.at(at, written.width, written.height), "rgb24")
    frame = frame.reformat(format="yuv420p")
    frame.pts, frame.time_base = number, step
    return frame


def timeline(path: Path, verdict: Verdict) -> bytes:
    """A JPEG: stills in a row, those in what changed framed, and under them a bar of where the mark runs."""
    stills = list(_stills(path))
    seconds = (verdict.asset.duration_ms or 1) / 1000
    width = _WIDTH // len(stills)
    height = round(width * stills[0][1].height / stills[0][1].width)
    picture = Image.new("RGB", (_WIDTH, height + _BAR + 8), _PAPER)
    draw = ImageDraw.Draw(picture)
    for place, (time_s, still) in enumerate(stills):
        picture.paste(still.resize((width - 2, height)), (place * width + 1, 0))
        if any(change.start_s is not None and change.start_s <= time_s < (change.end_s or seconds) for change in verdict.changes):
            draw.rectangle((place * width + 1, 0, (place + 1) * width - 2, height - 1), outline=_CHANGED, width=_FRAMED)
    _bar(draw, verdict, lambda at: round(min(at / seconds, 1) * (_WIDTH - 1)), height + 8)
    return jpeg(picture, 88)


def _bar(draw: ImageDraw.ImageDraw, verdict: Verdict, across: Callable[[float], int], top: int) -> None:
    draw.rectangle((0, top, _WIDTH - 1, top + _BAR - 1), fill=_GAP)
    for span in verdict.mark.spans:
        if span.marked:
            draw.rectangle((across(span.start_s), top, across(span.end_s), top + _BAR - 1), fill=_MARKED)


def _stills(path: Path) -> Iterator[tuple[float, Image.Image]]:
    """Frames from the middles of equal parts of a film, and their seconds."""
    with av.open(str(path), metadata_errors="replace") as container:
        stream = container.streams.video[0]
        length = float((stream.duration or 0) * (stream.time_base or 0)) or (container.duration or 0) / 1e6
        due = count()
        at = (next(due) + 0.5) * length / _STILLS
        for frame in container.decode(stream):
            if (time_s := frame.time or 0.0) >= at:
                yield time_s, Image.fromarray(frame.to_ndarray(format="rgb24"))
                at = (next(due) + 0.5) * length / _STILLS
