"""What the sound detector answers."""

from __future__ import annotations

from dataclasses import dataclass

from watermark.detection import Detection

LEAST_S = 2.0
"""Sound that is not silent, below which no strength makes a mark that anyone could read."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time that carries the mark, or does not.

    Attributes:
        start_s, end_s: Seconds from the start of what was heard, start < end.
        marked: Whether the mark was found there. Where False, the sound was replaced, or nothing in it can carry a mark.
    """

    start_s: float
    end_s: float
    marked: bool


@dataclass(frozen=True, slots=True)
class AudioDetection(Detection):
    """A detection in sound; `transform` is always None.

    Attributes:
        speed: How many times as fast the copy runs as the marked sound; None where nothing was found.
        pitch: Frequencies of the copy over those of the marked sound; equal to speed for a plain change of speed.
        offset_s: Where in the copy the first whole tile begins, 0–4.8 s (of the copy's time); None where nothing was found.
        spans: Spans that carry the mark and gaps, in order, without holes; empty where they were not asked for.
        heard_s: Seconds that were listened to and are not silent.
        skimmed_s: Seconds in which only a mark of unchanged speed was looked for, because there was too much to search.
    """

    speed: float | None = None
    pitch: float | None = None
    offset_s: float | None = None
    spans: tuple[Span, ...] = ()
    heard_s: float = 0.0
    skimmed_s: float = 0.0

    @property
    def too_short(self) -> bool:
        """True where nothing was found and nothing could have been: too little sound to hold a mark."""
        return not self.found and self.heard_s < LEAST_S
