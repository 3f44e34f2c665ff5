"""What a comparison returns."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Hint:
    """What a mark told about the copy.

    Attributes:
        matrix: Row-major 2 × 2, (x, y) order: reference pixels at full registered size → copy pixels. The shift is
            unknown. A wrong hint costs time, not correctness.
    """

    matrix: tuple[float, float, float, float]


class Kind(StrEnum):
    """What sort of change a region looks like: an aid for people, not evidence."""

    OVERLAID = "overlaid"  # words or lines in one or two colours, the photo shows between them
    COVERED = "covered"  # under a plain colour
    REPLACED = "replaced"  # other content: pasted, removed, redrawn, recoloured, blurred


@dataclass(frozen=True)
class Change:
    """A region of the copy that disagrees with the reference.

    Attributes:
        x, y, w, h: Box as fractions of the copy, 0–1, origin top left.
        score: How sure, 0–1; .5 is the weakest that is reported.
        area: Area of the region itself (not of its box) as a fraction of the copy.
        kind: What sort of change it looks like.
    """

    x: float
    y: float
    w: float
    h: float
    score: float
    area: float
    kind: Kind = Kind.REPLACED


@dataclass(frozen=True, eq=False)
class Fit:
    """How a copy's content agrees with its reference.

    Attributes:
        score: Share of the compared area that agrees, 0–1; 0 when not aligned.
        aligned: Whether the reference was found in the copy.
        coverage: Share of the copy that the reference covers; a screenshot or collage has less than 1.
        kept: Share of the reference that is seen in the copy; a crop has less than 1.
        scale: Copy pixels per full-size reference pixel; 0 when not aligned, as the next two.
        rotation_deg: Turn of the reference in the copy, clockwise on screen, −180 < angle ≤ 180.
        flipped: Whether the reference was mirrored left to right (before that turn).
        textured: Share of the compared area with detail to compare, 0–1. Near 0 only colours were compared: a low
            confidence, whatever the score.
        plain: Whether the copy has too little detail to be found in anything.
        changes: Regions that disagree, largest first.
        heat: (rows, cols) over the copy: disagreement 0–1, where .5 is the threshold; NaN where not compared;
            None when nothing could be compared place by place.
        pose: Pixels of the reference → pixels of the copy, 3 × 3, as `pose.py` has it; None where nothing was laid on
            anything.
    """

    score: float
    aligned: bool
    coverage: float
    kept: float
    scale: float
    rotation_deg: float
    flipped: bool
    textured: float
    plain: bool
    changes: tuple[Change, ...]
    heat: NDArray[np.float32] | None
    pose: NDArray[np.float64] | None = None


class Agreement(StrEnum):
    """What a fit means for a verdict."""

    FITS = "fits"
    CHANGED = "changed"
    FOREIGN = "foreign"
    UNDECIDED = "undecided"


NOT_ALIGNED = Fit(0.0, False, 0.0, 0.0, 0.0, 0.0, False, 0.0, False, (), None)
