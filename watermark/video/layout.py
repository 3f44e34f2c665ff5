"""The layout of `org.colophon.mark.video.1`: every frame carries the image mark's pattern of its id, laid on the upright frame.

So one frame taken out reads as a picture (`org.colophon.mark.image.1`), and frames add up whatever their rate, order or number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from watermark import code, payload
from watermark.detection import canonical_unit
from watermark.lattice import TILE, Real, lattice
from watermark.pattern import interpolation, synthesise

ALGORITHM = "org.colophon.mark.video.1"
SMALLEST = 64
"""Pixels on the short side under which no film is marked."""
LEAST_S = 0.5
"""Seconds of film under which nothing is marked: a few frames are a picture."""
COARSE = 0.4
"""Share of the carriers' energy in the half of long waves: less is seen less, and more survives only at 240 lines."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a film's frames are stored.

    Attributes:
        width, height: Pixels as coded.
        depth: Bits of a luma sample, 8–16.
        aspect: Width over height of one pixel as shown.
        rotation: Turn counter-clockwise from coded to shown, degrees: 0, 90, 180 or 270.
    """

    width: int
    height: int
    depth: int = 8
    aspect: float = 1.0
    rotation: int = 0

    @property
    def shown(self) -> tuple[float, float]:
        """Width and height as shown, in coded pixels' heights."""
        across = self.width * self.aspect
        return (self.height, across) if self.rotation % 180 else (across, self.height)

    @property
    def turns(self) -> int:
        """Quarter turns counter-clockwise from coded to shown."""
        return self.rotation // 90 % 4


def upright(luma: NDArray[np.generic], form: Form) -> NDArray[np.generic]:
    """Return a coded plane as it is shown, but for the pixels' aspect."""
    return np.rot90(luma, form.turns)


def laid(mark_id: int, key: bytes, form: Form) -> Real:
    """Return the mark as it lies on coded frames: shape (height, width), float32, variance about 1.

    Raises:
        ValueError: an id or a key out of range.
    """
    layout = lattice(key)
    symbols = layout.symbols(code.encode(payload.pack(mark_id))) * layout.balance(COARSE)
    wide, tall = form.shown
    unit = canonical_unit(round(wide), round(tall))
    columns, rows = (max(1, -(-round(size / unit) // TILE)) for size in (wide, tall))
    pilots, carriers = synthesise(layout, symbols, layout.origin(mark_id), rows, columns)
    pixels = (form.height, form.width) if form.rotation % 180 else (form.width, form.height)
    across = interpolation(pixels[0], unit * pixels[0] / wide, columns * TILE)
    down = interpolation(pixels[1], unit * pixels[1] / tall, rows * TILE)
    plane = down @ np.ascontiguousarray((pilots + carriers) @ across.T)
    return np.ascontiguousarray(np.rot90(plane, -form.turns), np.float32)
