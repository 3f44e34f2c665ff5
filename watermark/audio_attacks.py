"""What happens to sound on its way: seeded functions on arrays, codecs included, all in memory.

Each takes float32 samples of shape (N, channels), full scale ±1, and their rate, and returns the same of the result; the rate
may differ. Randomness comes from `seed` alone.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import av.filter
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from watermark.errors import UnsupportedError
from watermark.sound.resample import resample

Samples = NDArray[np.float32]
Sound = tuple[Samples, int]

_MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}


@dataclass(frozen=True, slots=True)
class _Codec:
    """How one encoder wants its input: container, sample format, rates (empty: any) and most channels."""

    encoder: str
    container: str
    form: str
    rates: tuple[int, ...] = ()
    channels: int = 8
    options: tuple[tuple[str, str], ...] = ()


_CODECS = {
    "mp3": _Codec("libmp3lame", "mp3", "fltp", _MP3_RATES, 2),
    "aac": _Codec("aac", "adts", "fltp", (*_MP3_RATES, 64_000, 88_200, 96_000), 6),
    "opus": _Codec("libopus", "ogg", "flt", (48_000,), 2),
    "vorbis": _Codec("vorbis", "ogg", "fltp", (), 2, (("strict", "-2"),)),
    "amr": _Codec("libopencore_amrnb", "amr", "s16", (8_000,), 1),
}


def mp3(samples: Samples, rate: int, kbps: float) -> Sound:
    """Encode as MP3 (LAME) and decode."""
    return _coded(samples, rate, _CODECS["mp3"], kbps)


def aac(samples: Samples, rate: int, kbps: float) -> Sound:
    """Encode as AAC-LC and decode."""
    return _coded(samples, rate, _CODECS["aac"], kbps)


def opus(samples: Samples, rate: int, kbps: float) -> Sound:
    """Encode as Opus and decode, at 48 kHz."""
    return _coded(samples, rate, _CODECS["opus"], kbps)


def vorbis(samples: Samples, rate: int, kbps: float) -> Sound:
    """Encode as Vorbis and decode; the encoder at hand writes stereo only, so mono is doubled."""
    both = np.repeat(samples, 2, axis=1) if samples.shape[1] == 1 else samples
    return _coded(both, rate, _CODECS["vorbis"], kbps)


def amr_nb(samples: Samples, rate: int, kbps: float = 12.2) -> Sound:
    """Encode as AMR-NB, mono at 8 kHz, and decode.

    Raises:
        UnsupportedError: this build of FFmpeg has no AMR encoder.
    """
    return _coded(samples, rate, _CODECS["amr"], kbps)


def telephone(samples: Samples, rate: int) -> Sound:
    """Mono at 8 kHz, 300–3400 Hz, µ-law (G.711)."""
    narrow, low = band_pass(*resampled(*mono(samples, rate), 8_000), 300, 3_400)
    code = np.round(np.sign(narrow) * np.log1p(255 * np.minimum(np.abs(narrow), 1)) / np.log(256) * 127)
    return (np.sign(code) * np.expm1(np.abs(code) / 127 * np.log(256)) / 255).astype(np.float32), low


def resampled(samples: Samples, rate: int, to: int) -> Sound:
    """Resample, keeping .42 of the lower rate."""
    return resample(samples, rate, to), to


def mono(samples: Samples, rate: int) -> Sound:
    """Mean of the channels."""
    return samples.mean(axis=1, keepdims=True), rate


def gain(samples: Samples, rate: int, decibels: float) -> Sound:
    """Louder or softer; what exceeds full scale is clipped."""
    return np.clip(samples * np.float32(10 ** (decibels / 20)), -1, 1), rate


def noise(samples: Samples, rate: int, snr_db: float, *, seed: int) -> Sound:
    """White noise, so many dB below the sound's mean power."""
    level = np.sqrt(np.square(samples).mean() / 10 ** (snr_db / 10))
    hiss = np.random.default_rng(seed).standard_normal(samples.shape, np.float32)
    return np.asarray(samples + np.float32(level) * hiss, np.float32), rate


def band_pass(samples: Samples, rate: int, low_hz: float, high_hz: float) -> Sound:
    """Keep frequencies between two limits; slopes of a tenth of an octave."""
    hz = np.maximum(np.fft.rfftfreq(len(samples), 1 / rate), 1e-3)
    pass_low = np.clip(np.log2(hz / max(low_hz, 1e-2)) * 10 + 1, 0, 1)
    pass_high = np.clip(np.log2(high_hz / hz) * 10 + 1, 0, 1)
    return _shaped(samples, pass_low * pass_high), rate


def low_pass(samples: Samples, rate: int, hz: float) -> Sound:
    """Keep frequencies below a limit."""
    return band_pass(samples, rate, 0.0, hz)


def equaliser(samples: Samples, rate: int) -> Sound:
    """A bathtub: +6 dB below 200 Hz and above 5 kHz, −6 dB around 1 kHz, smooth between."""
    octaves = np.log2(np.maximum(np.fft.rfftfreq(len(samples), 1 / rate), 20.0) / 1_000)
    decibels = 6 * np.clip(1.2 * np.abs(octaves) - 1, -1, 1)
    return _shaped(samples, 10 ** (decibels / 20)), rate


def echo(samples: Samples, rate: int, delay_ms: float = 120.0, decay: float = 0.4) -> Sound:
    """One echo."""
    late = int(rate * delay_ms / 1000)
    out = samples.copy()
    out[late:] += np.float32(decay) * samples[: max(0, len(samples) - late)]
    return out, rate


def compressor(samples: Samples, rate: int) -> Sound:
    """Dynamics 4 : 1 above −20 dB, attack 5 ms, release 100 ms, 6 dB of make-up gain."""
    return _filtered(samples, rate, "acompressor", "threshold=0.1:ratio=4:attack=5:release=100:makeup=2")


def loudness(samples: Samples, rate: int, lufs: float = -14.0) -> Sound:
    """Loudness as EBU R 128 has it, dynamic, one pass: what platforms do."""
    out, high = _filtered(samples, rate, "loudnorm", f"I={lufs}:TP=-1.5:LRA=11")
    return resampled(out, high, rate)


def speed(samples: Samples, rate: int, factor: float) -> Sound:
    """Play so many times as fast: shorter and higher."""
    exact = Fraction(factor).limit_denominator(1000)
    return resample(samples, exact.numerator, exact.denominator), rate


def tempo(samples: Samples, rate: int, factor: float) -> Sound:
    """Shorter at the same pitch (WSOLA)."""
    return _filtered(samples, rate, "atempo", f"{factor}")


def pitch(samples: Samples, rate: int, cents: float) -> Sound:
    """Higher at the same length: a change of speed, undone in time."""
    factor = 2 ** (cents / 1200)
    return tempo(*speed(samples, rate, factor), 1 / factor)


def excerpt(samples: Samples, rate: int, seconds: float, *, seed: int) -> Sound:
    """A piece from anywhere; the whole where there is no more."""
    count = min(len(samples), int(seconds * rate))
    start = int(np.random.default_rng(seed).integers(0, len(samples) - count + 1))
    return samples[start : start + count], rate


def room(samples: Samples, rate: int, snr_db: float = 20.0, *, seed: int) -> Sound:
    """A loudspeaker heard by a microphone across a room: 150–7,000 Hz, decay of .35 s, as much reverberation as direct
    sound less 2 dB, noise."""
    draw = np.random.default_rng(seed)
    heard, _ = band_pass(*mono(samples, rate), 150, min(7_000, 0.45 * rate))
    time = np.arange(int(0.5 * rate)) / rate
    response = draw.standard_normal(len(time)) * 10 ** (-3 * time / 0.35)
    response[: int(0.002 * rate)] = 0
    response *= np.sqrt(10**-0.2 / np.square(response).sum())
    response[0] = 1
    size = len(heard) + len(response)
    wet = np.fft.irfft(np.fft.rfft(heard[:, 0], size) * np.fft.rfft(response, size), size)[: len(heard), None]
    return noise(wet.astype(np.float32), rate, snr_db, seed=seed + 1)


def platform(samples: Samples, rate: int) -> Sound:
    """A video platform: AAC 128, then −14 LUFS, then Opus 64."""
    return opus(*loudness(*aac(samples, rate, 128)), 64)


def voice_note(samples: Samples, rate: int, kbps: float) -> Sound:
    """A messenger's voice note: mono at 16 kHz, Opus."""
    return opus(*resampled(*mono(samples, rate), 16_000), kbps)


def denoised(samples: Samples, rate: int) -> Sound:
    """Spectral noise reduction by 12 dB: an attempt to wash a mark out."""
    return _filtered(samples, rate, "afftdn", "nr=12:nf=-40")


def averaged(samples: Samples, rate: int, shift_ms: float = 10.0) -> Sound:
    """The mean of a sound and itself a little later: an attempt to blur a mark."""
    late = int(rate * shift_ms / 1000)
    return (samples[late:] + samples[: len(samples) - late]) * np.float32(0.5), rate


def shuffled(samples: Samples, rate: int, seconds: float = 3.0, *, seed: int) -> Sound:
    """Cut into pieces of so many seconds and put together in another order."""
    size = int(rate * seconds)
    pieces = [samples[at : at + size] for at in range(0, len(samples), size)]
    order = np.random.default_rng(seed).permutation(len(pieces))
    return np.concatenate([pieces[place] for place in order]), rate


def _shaped(samples: Samples, response: NDArray[np.float64]) -> Samples:
    shaped = np.fft.irfft(np.fft.rfft(samples, axis=0) * response[:, None], len(samples), axis=0)
    return np.asarray(shaped, np.float32)


def _frame(samples: Samples, rate: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), "fltp", _LAYOUTS[samples.shape[1]])
    frame.sample_rate = rate
    frame.time_base = Fraction(1, rate)
    frame.pts = 0
    return frame


def _coded(samples: Samples, rate: int, codec: _Codec, kbps: float) -> Sound:
    if codec.encoder not in av.codecs_available:
        raise UnsupportedError("", f"this build cannot encode with {codec.encoder}")
    if samples.shape[1] > codec.channels:
        samples = _fewer(samples, codec.channels)
    at = rate if not codec.rates or rate in codec.rates else min(codec.rates, key=lambda known: abs(known - rate))
    layout = _LAYOUTS[samples.shape[1]]
    file = io.BytesIO()
    with av.open(file, "w", format=codec.container) as out:
        stream: Any = out.add_stream(codec.encoder, rate=at, options=dict(codec.options))
        stream.layout, stream.format, stream.bit_rate = layout, codec.form, int(kbps * 1000)
        stream.codec_context.open(strict=False)
        resampler = av.AudioResampler(codec.form, layout, at, frame_size=stream.codec_context.frame_size or 0)
        for frame in [*resampler.resample(_frame(samples, rate)), *resampler.resample(None)]:
            frame.time_base = Fraction(1, at)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    file.seek(0)
    return _decoded(file)


def _fewer(samples: Samples, channels: int) -> Samples:
    """Downmix: even channels to the left, odd ones to the right, or all to one."""
    return np.stack([samples[:, place::channels].mean(axis=1) for place in range(channels)], axis=1)


def _decoded(file: io.BytesIO) -> Sound:
    with av.open(file) as container:
        assert isinstance(container, InputContainer)
        stream = container.streams.audio[0]
        resampler = av.AudioResampler("fltp", stream.layout, stream.rate)
        parts = [part.to_ndarray() for frame in container.decode(stream) for part in resampler.resample(frame)]
        rate = int(stream.rate)
    return np.ascontiguousarray(np.concatenate(parts, axis=1).T), rate


def _filtered(samples: Samples, rate: int, name: str, arguments: str) -> Sound:
    """Run one of FFmpeg's filters over a sound."""
    graph = av.filter.Graph()
    source = graph.add_abuffer(sample_rate=rate, format="fltp", layout=_LAYOUTS[samples.shape[1]], time_base=Fraction(1, rate))
    middle, end = graph.add(name, arguments), graph.add("abuffersink")
    source.link_to(middle)
    middle.link_to(end)
    graph.configure()
    graph.push(_frame(samples, rate))
    graph.push(None)
    frames = list(_pulled(graph))
    resampler = av.AudioResampler("fltp", _LAYOUTS[samples.shape[1]], frames[0].sample_rate)
    parts = [part.to_ndarray() for frame in frames for part in resampler.resample(frame)]
    return np.ascontiguousarray(np.concatenate(parts, axis=1).T), int(frames[0].sample_rate)


def _pulled(graph: av.filter.Graph) -> Iterator[av.AudioFrame]:
    with _until_dry():
        while True:
            frame = graph.pull()
            assert isinstance(frame, av.AudioFrame)
            yield frame


@contextmanager
def _until_dry() -> Iterator[None]:
    """A graph says that it has no more by an error."""
    try:
        yield
    except (av.error.EOFError, av.error.BlockingIOError):
        return
