"""What happens to a recording on its way: a messenger's voice note, words put elsewhere; and a picture of where."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from api.demo.pictures import jpeg
from provenance.verdict import Verdict

Samples = NDArray[np.float32]
VOICE_RATE, VOICE_KBPS = 16_000, 24
_FADE_S = 0.02
_WIDTH, _HEIGHT, _BAR = 960, 240, 22
_TOP_HZ, _RANGE_DB = 6500, 60.0
_INK, _PAPER, _MARKED, _GAP, _CHANGED = (43, 38, 32), (250, 247, 240), (86, 122, 92), (214, 205, 190), (213, 94, 0)


@dataclass(frozen=True, slots=True)
class Words:
    """Where in a recording words lie, in seconds: those that are overwritten, and those that are put there."""

    over: float
    taken: float
    seconds: float


def read(path: Path) -> tuple[Samples, int]:
    """Samples (N, channels), full scale ±1, and their rate."""
    with av.open(str(path), metadata_errors="replace") as container:
        stream = container.streams.audio[0]
        resampler = av.AudioResampler("fltp", stream.layout, stream.rate)
        frames = [part for frame in container.decode(stream) for part in resampler.resample(frame)]
        return np.ascontiguousarray(np.concatenate([part.to_ndarray() for part in frames], axis=1).T), int(stream.rate)


def send_voice_note(sound: Samples, rate: int, path: Path) -> None:
    """Write what a messenger makes of a recording: mono, 16 kHz, Opus at 24 kbit/s, nothing else."""
    mono = np.ascontiguousarray(sound.mean(axis=1, dtype=np.float32)[None])
    with av.open(str(path), "w", format="ogg") as out:
        stream = out.add_stream("libopus", rate=VOICE_RATE, layout="mono")
        stream.format, stream.bit_rate = "flt", VOICE_KBPS * 1000
        stream.codec_context.open(strict=False)
        resampler = av.AudioResampler("flt", "mono", VOICE_RATE, frame_size=stream.codec_context.frame_size or 0)
        frame = av.AudioFrame.from_ndarray(mono, "fltp", "mono")
        frame.sample_rate = rate
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))


def with_other_words(sound: Samples, rate: int, words: Words) -> Samples:
    """The recording with words of its own put where others were, faded in and out over 20 ms."""
    start, taken, length = (round(rate * seconds) for seconds in (words.over, words.taken, words.seconds))
    fade = np.clip(np.minimum(np.arange(length), np.arange(length)[::-1]) / (rate * _FADE_S), 0, 1)[:, None].astype(np.float32)
    out = sound.copy()
    out[start : start + length] += fade * (sound[taken : taken + length] - sound[start : start + length])
    return out


def timeline(sound: Samples, rate: int, verdict: Verdict) -> bytes:
    """A JPEG: the spectrogram, what changed framed in it, and under it a bar of where the mark runs."""
    seconds = len(sound) / rate
    picture = Image.new("RGB", (_WIDTH, _HEIGHT + _BAR + 8), _PAPER)
    picture.paste(_spectrogram(sound.mean(axis=1), rate))
    draw = ImageDraw.Draw(picture)

    def across(second: float) -> int:
        return round(min(second / seconds, 1) * (_WIDTH - 1))

    draw.rectangle((0, _HEIGHT + 8, _WIDTH - 1, _HEIGHT + _BAR + 7), fill=_GAP)
    for span in verdict.mark.spans:
        if span.marked:
            draw.rectangle((across(span.start_s), _HEIGHT + 8, across(span.end_s), _HEIGHT + _BAR + 7), fill=_MARKED)
    for change in verdict.changes:
        if change.start_s is not None and change.end_s is not None:
            draw.rectangle((across(change.start_s), 1, across(change.end_s), _HEIGHT - 2), outline=_CHANGED, width=4)
    return jpeg(picture, 88)


def _spectrogram(mono: NDArray[np.floating], rate: int) -> Image.Image:
    """Levels up to 6.5 kHz, low frequencies at the bottom, ink on paper."""
    size = 1 << int(np.log2(rate * 0.03))
    pieces = np.lib.stride_tricks.sliding_window_view(mono, size)[:: size // 4]
    power = np.abs(np.fft.rfft(pieces * np.hanning(size)))[:, : round(size * _TOP_HZ / rate)] ** 2
    level = 10 * np.log10(power.T[::-1] + 1e-12)
    share = np.clip((level - level.max() + _RANGE_DB) / _RANGE_DB, 0, 1)[..., None]
    ink, paper = np.array(_INK), np.array(_PAPER)
    pixels = np.rint(paper + share * (ink - paper)).astype(np.uint8)
    return Image.fromarray(pixels).resize((_WIDTH, _HEIGHT), Image.Resampling.BILINEAR)
