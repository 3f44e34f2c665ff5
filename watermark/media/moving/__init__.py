"""Pictures that move: animated GIF, PNG and WebP, frame by frame, their structure kept.

A frame of such a file is a *part*: a rectangle of samples that is drawn onto the canvas, over what is there or instead of it, and
that stays, goes, or gives way to what was there before. What is changed is what the canvas shows; each part then takes its
share of the change, so that times, loops, rectangles and disposal stay as they were.
"""

from watermark.media.moving.canvas import TELLING, changed, poster, shown, some
from watermark.media.moving.door import CONTAINERS, PIXELS_MOST, read
from watermark.media.moving.parts import Moving, Part

__all__ = ["CONTAINERS", "PIXELS_MOST", "TELLING", "Moving", "Part", "changed", "poster", "read", "shown", "some"]
