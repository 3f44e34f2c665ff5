"""The film mark `org.colophon.mark.video.1`: embedding and blind detection on luma planes (VIDEO.md).

    embedder = film.Embedder(film.Form(1280, 720), mark_id, PUBLIC_KEY)
    for luma, time_s in planes:
        embedder.mark(luma, time_s)
    film.detect((film.Frame(luma, time_s) for luma, time_s in planes), [PUBLIC_KEY]).mark_id == mark_id

Files go through `video_files`.
"""

from __future__ import annotations

from collections.abc import Iterable

from watermark import engines
from watermark.video.detect import Frame, detect
from watermark.video.detection import Span, VideoDetection
from watermark.video.embed import Embedder
from watermark.video.layout import ALGORITHM, LEAST_S, Form
from watermark.video.spans import spans

__all__ = ["ALGORITHM", "ENGINE", "LEAST_S", "Embedder", "Form", "Frame", "Span", "VideoDetection", "detect", "embed", "spans"]


def embed(frames: Iterable[Frame], mark_id: int, *, key: bytes, strength: float | None = None) -> list[Frame]:
    """Return marked copies of frames, all of one size, in the order in which they are shown.

    Args:
        frames: Luma of 8 bits.
        mark_id: 0 ≤ id < 2⁶⁴.
        key: At least 16 bytes; the same is needed to detect.
        strength: RMS change of luma in code values, 0 < strength ≤ 8; None for the default.
    Raises:
        CarrierTooSmallError: fewer than 64 pixels on the short side.
        ValueError: frames of several sizes, or id, key or strength out of range.
    """
    out: list[Frame] = []
    embedder: Embedder | None = None
    for frame in frames:
        if out and frame.luma.shape != out[0].luma.shape:
            raise ValueError("the frames of a film have one size")
        if embedder is None:
            embedder = Embedder(Form(frame.luma.shape[1], frame.luma.shape[0]), mark_id, key, strength)
        luma = frame.luma.copy()
        embedder.mark(luma, frame.time_s)
        out.append(Frame(luma, frame.time_s))
    return out


ENGINE = engines.FunctionEngine(ALGORITHM, "video", embed, detect)
engines.register(ENGINE)
