"""What happens to each track of a film that is marked: films and sound are decoded, marked and encoded again, others copied."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import numpy as np

from watermark.audio import Embedder as SoundEmbedder
from watermark.containers import Decoder
from watermark.errors import UnsupportedError
from watermark.video.embed import Embedder
from watermark.video.encoding import KEPT_TAGS, Encoder, configure, encoder_for
from watermark.video.opened import form_of, has_luma, plane

_SOUNDS = {"aac": "aac", "mp3": "aac", "mp3float": "aac", "ac3": "ac3", "eac3": "aac", "opus": "libopus", "vorbis": "libopus"}
_SOUND_RATES = range(8_000, 96_001)
_SOUND_LEAST, _SOUND_TYPICAL = 64_000, 160_000


class Copied:
    """A track whose packets go through untouched: subtitles, data, cover pictures, further sound."""

    def __init__(self, target: Any, stream: Any) -> None:
        """Raises ValueError for a track that the container cannot take."""
        if stream.codec_context is None:
            raise ValueError("data of no known kind")
        if stream.codec_context.codec.canonical_name not in target.supported_codecs:
            raise ValueError(f"{stream.codec_context.name} is not kept in this container")
        self._out = target.add_stream_from_template(stream)
        self._out.metadata.update(stream.metadata)
        self._out.disposition = stream.disposition

    def write(self, packet: Any, target: Any) -> None:
        if packet.dts is not None or packet.pts is not None:
            packet.stream = self._out
            target.mux(packet)

    def finish(self, target: Any) -> None:
        """Nothing is held back."""


class Film:
    """A film track: every frame is decoded, marked and encoded again, at its own time."""

    def __init__(
        self, target: Any, stream: Any, container: str, mark_id: int, key: bytes, strength: float | None, crf: int | None
    ) -> None:
        self._stream, self._mark = stream, (mark_id, key, strength)
        stream.thread_type = "AUTO"
        self.encoder: Encoder = encoder_for(stream.codec_context.name, container)
        self.crf = self.encoder.crf if crf is None else crf
        self._out = target.add_stream(self.encoder.name, rate=stream.average_rate or 25)
        self._early: list[av.VideoFrame] = []
        self._embedder: Embedder | None = None
        self._first: float | None = None
        self._last_pts: int | None = None
        self._decoder = Decoder()
        self.ready = False
        self.seconds = 0.0

    def take(self, packet: Any) -> None:
        """Decode before the file's header is written, until the first frame tells the form."""
        self._early += self._decoder.frames(packet)
        if self._early and not self.ready:
            configure(self._out, self._stream, self._early[0], self.encoder, self.crf)
            self.ready = True

    def catch_up(self, target: Any) -> None:
        """Write what was decoded early."""
        for frame in self._early:
            self._put(frame, target)
        self._early.clear()

    def write(self, packet: Any, target: Any) -> None:
        for frame in self._decoder.frames(packet):
            self._put(frame, target)

    def finish(self, target: Any) -> None:
        target.mux(self._out.encode(None))

    def _put(self, frame: Any, target: Any) -> None:
        out = self._out
        if frame.pts is None or (self._last_pts is not None and frame.pts <= self._last_pts):
            return  # shown at no time of its own
        self._last_pts = frame.pts
        if frame.format.name != out.pix_fmt or (frame.width, frame.height) != (out.width, out.height):
            frame = frame.reformat(out.width, out.height, out.pix_fmt)
        if not has_luma(frame):
            raise UnsupportedError("", f"frames of {frame.format.name}")
        if self._embedder is None:
            self._embedder = Embedder(form_of(frame, self._stream), *self._mark)
            self._first = float(frame.pts * frame.time_base)
        assert self._first is not None
        frame.make_writable()
        at = float(frame.pts * frame.time_base)
        self._embedder.mark(plane(frame), at - self._first)
        self.seconds = max(self.seconds, at - self._first + float(1 / Fraction(self._stream.average_rate or 25)))
        frame.pict_type = 0  # the encoder decides
        target.mux(out.encode(frame))


class Sound:
    """A sound track: decoded, marked with the same id, encoded again."""

    def __init__(self, target: Any, stream: Any, container: str, mark_id: int, key: bytes) -> None:
        name = "libopus" if container == "webm" else _SOUNDS[stream.codec_context.name]
        rate = 48_000 if name == "libopus" else stream.rate
        self._stream = stream
        self._out = target.add_stream(name, rate=rate)
        self._out.layout = stream.layout
        form = "flt" if name == "libopus" else "fltp"
        self._out.format = form
        self._out.bit_rate = max(stream.bit_rate or _SOUND_TYPICAL, _SOUND_LEAST)
        self._out.metadata.update({key: value for key, value in stream.metadata.items() if key in KEPT_TAGS})
        self._out.disposition = stream.disposition
        self._embedder = SoundEmbedder(rate, stream.channels, mark_id, key)
        self._even = av.AudioResampler("fltp", stream.layout, rate)
        self._framed: av.AudioResampler | None = None
        self._form, self._rate = form, rate
        self._at: int | None = None
        self._decoder = Decoder()

    @staticmethod
    def takes(stream: Any) -> bool:
        """Whether this track can be marked and written again as what it was, or nearly."""
        context = stream.codec_context
        return (
            stream.type == "audio"
            and context is not None
            and context.name in _SOUNDS
            and stream.rate in _SOUND_RATES
            and 1 <= stream.channels <= 6
        )

    def write(self, packet: Any, target: Any) -> None:
        for frame in self._decoder.frames(packet):
            if self._at is None:
                self._at = round(float(frame.time or 0.0) * self._rate)
            frame.pts = None
            for even in self._even.resample(frame):
                self._put(self._embedder.feed(np.asarray(even.to_ndarray().T, np.float32)), target)

    def finish(self, target: Any) -> None:
        if self._at is not None:
            for even in self._even.resample(None):
                self._put(self._embedder.feed(np.asarray(even.to_ndarray().T, np.float32)), target)
            self._put(self._embedder.flush(), target)
            for frame in self._frames(None):
                target.mux(self._out.encode(frame))
        target.mux(self._out.encode(None))

    def _put(self, block: np.ndarray[Any, np.dtype[np.float32]], target: Any) -> None:
        if not len(block):
            return
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block.T, np.float32), "fltp", self._stream.layout.name)
        frame.sample_rate = self._rate
        frame.time_base = Fraction(1, self._rate)
        assert self._at is not None
        frame.pts = self._at
        self._at += len(block)
        for cut in self._frames(frame):
            target.mux(self._out.encode(cut))

    def _frames(self, frame: Any) -> list[Any]:
        """Cut into the encoder's own frames, in its own sample format."""
        if self._framed is None:
            size = self._out.codec_context.frame_size or 0
            self._framed = av.AudioResampler(self._form, self._stream.layout, self._rate, frame_size=size)
        return list(self._framed.resample(frame))


Track = Copied | Film | Sound
