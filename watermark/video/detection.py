"""What the film detector answers."""

from __future__ import annotations

from dataclasses import dataclass

from watermark.detection import Detection
from watermark.video.layout import LEAST_S


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time that carries the mark, or does not.

    Attributes:
        start_s, end_s: Seconds from the first frame, start < end.
        marked: Whether the mark was found there. Where False, the scene was replaced, or nothing in it can carry a mark.
    """

    start_s: float
    end_s: float
    marked: bool


@dataclass(frozen=True, slots=True)
class VideoDetection(Detection):
    """A detection in a film; `transform` is in the pixels of its frames as shown.

    Attributes:
        spans: Spans that carry the mark and gaps, in order, without holes; empty where they were not asked for.
        seen_s: Length of the film as far as it is known, seconds.
        frames: How many frames the answer rests on.
    """

    spans: tuple[Span, ...] = ()
    seen_s: float = 0.0
    frames: int = 0

    @property
    def too_short(self) -> bool:
        """True where nothing was found and nothing is ever put: a still, or a few frames."""
        return not self.found and self.seen_s < LEAST_S
