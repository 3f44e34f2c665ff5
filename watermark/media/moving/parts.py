"""What an animation is made of, whatever its container."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

Rgba = NDArray[np.uint8]
"""Samples of a part, or of the canvas, shape (H, W, 4)."""


class After(Enum):
    """What becomes of a part's rectangle when its time is over."""

    KEEP = "keep"
    CLEAR = "clear"
    RESTORE = "restore"


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One frame as the container has it.

    Attributes:
        left, top, width, height: Its rectangle on the canvas, pixels; it may reach beyond.
        over: Whether it is blended over what is there; otherwise it replaces that, alpha and all.
        delay_ms: How long it is shown.
        load: Decodes its samples, shape (height, width, 4); raises what the decoder raises.
        apart: True for a picture that is not shown in the animation, but instead of it (a PNG's default image).
    """

    left: int
    top: int
    width: int
    height: int
    over: bool
    after: After
    delay_ms: int
    load: Callable[[], Rgba]
    apart: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Moving:
    """An animation.

    Attributes:
        width, height: Of the canvas, pixels.
        parts: In the order in which they are drawn; at least one.
        write: Makes the file again of new samples for every part: (parts' samples, redactions, fineness) → bytes.
    """

    media_type: str
    width: int
    height: int
    parts: tuple[Part, ...]
    write: Callable[[Sequence[Rgba], frozenset[str], float], bytes]

    @property
    def duration_ms(self) -> int:
        return sum(part.delay_ms for part in self.parts if not part.apart)
