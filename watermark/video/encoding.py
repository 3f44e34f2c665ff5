"""How a marked film is encoded: with the source's codec, in its form, visually lossless unless another quality is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import av

from watermark.errors import UnsupportedError


@dataclass(frozen=True, slots=True)
class Encoder:
    """One encoder at hand.

    Attributes:
        name: FFmpeg's.
        crf: Constant rate factor taken for visually lossless.
        options: Everything else.
        formats: Pixel formats that it takes.
    """

    name: str
    crf: int
    options: tuple[tuple[str, str], ...]
    formats: frozenset[str]


_PLANAR = [f"{'yuv'}{form}{depth}" for form in ("420p", "422p", "444p") for depth in ("", "10le")]
_H264 = Encoder("libx264", 18, (("preset", "medium"),), frozenset([*_PLANAR, "yuvj420p", "yuvj422p", "yuvj444p", "gray", "nv12"]))
_H265 = Encoder(
    "libx265",
    20,
    (("preset", "medium"), ("x265-params", "log-level=none")),
    frozenset([*_PLANAR, "yuvj420p", "yuv420p12le", "yuv422p12le", "yuv444p12le"]),
)
_VP9 = Encoder(
    "libvpx-vp9", 24, (("deadline", "good"), ("cpu-used", "4"), ("b", "0"), ("row-mt", "1")), frozenset({*_PLANAR} - {"gray"})
)
_AV1 = Encoder("libsvtav1", 24, (("preset", "8"),), frozenset({"yuv420p", "yuv420p10le"}))
_BY_CODEC = {"h264": _H264, "hevc": _H265, "vp8": _VP9, "vp9": _VP9, "av1": _AV1, "libdav1d": _AV1}
CRF_LEAST, CRF_MOST = 0, 51
KEPT_TAGS = ("language", "title", "handler_name", "timecode")


def encoder_for(codec: str, container: str) -> Encoder:
    """Return the encoder for a source's codec; H.264 for codecs of the past, VP9 for those in WebM."""
    known = _BY_CODEC.get(codec)
    if known is not None and (container != "webm" or known in (_VP9, _AV1)):
        return known
    return _VP9 if container == "webm" else _H264


def pixel_format(source: str, encoder: Encoder) -> str:
    """Return the pixel format to encode: the source's where the encoder takes it, else the nearest that loses nothing of luma.

    Raises:
        UnsupportedError: more bits than the encoder has.
    """
    if source in encoder.formats:
        return source
    form = av.VideoFormat(source, 16, 16)
    bits = max((component.bits for component in form.components), default=8)
    if bits > 12 or (bits > 10 and encoder is not _H265):
        raise UnsupportedError("", f"{bits} bits a sample in {encoder.name}")
    chroma = "420p" if encoder is _AV1 or not form.is_rgb else "444p"
    return f"yuv{chroma}{'10le' if bits > 8 else ''}"


def configure(written: Any, stream: Any, frame: av.VideoFrame, encoder: Encoder, crf: int | None) -> None:
    """Make a new track like the source's: size, time base, colour tags, shape of pixels, rotation, language."""
    context, source = written.codec_context, stream.codec_context
    written.width, written.height = frame.width, frame.height
    written.pix_fmt = pixel_format(frame.format.name, encoder)
    written.time_base = context.time_base = stream.time_base
    if stream.sample_aspect_ratio:
        context.sample_aspect_ratio = stream.sample_aspect_ratio
    for tag in ("color_primaries", "color_trc", "colorspace", "color_range"):
        setattr(context, tag, getattr(source, tag))
    written.options = {**dict(encoder.options), "crf": str(encoder.crf if crf is None else crf)}
    if encoder.name == "libx265":
        context.codec_tag = "hvc1"
    written.metadata.update({key: value for key, value in stream.metadata.items() if key in KEPT_TAGS})
    written.disposition = stream.disposition
    if frame.rotation:
        written.set_display_rotation(frame.rotation)
