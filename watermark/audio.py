"""The sound mark `org.colophon.mark.audio.1`: embedding and blind detection on float32 arrays (SOUND.md).

    marked = audio.embed(samples, rate, mark_id, key=PUBLIC_KEY)
    audio.detect(marked, rate, keys=[PUBLIC_KEY]).mark_id == mark_id

Streams of any length go through `Embedder` and `Detector` at constant memory, files through `sound_files`.
"""

from __future__ import annotations

from watermark import engines
from watermark.sound.decide import BOUND
from watermark.sound.detect import Detector, detect
from watermark.sound.detection import AudioDetection, Span
from watermark.sound.embed import Embedder, embed
from watermark.sound.layout import ALGORITHM
from watermark.sound.spans import Locator, locate

__all__ = [
    "ALGORITHM",
    "BOUND",
    "ENGINE",
    "AudioDetection",
    "Detector",
    "Embedder",
    "Locator",
    "Span",
    "detect",
    "embed",
    "locate",
]

ENGINE = engines.FunctionEngine(ALGORITHM, "audio", embed, detect)
engines.register(ENGINE)
