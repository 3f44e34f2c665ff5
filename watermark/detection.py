"""What a detector answers: values, never a bare yes."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pose:
    """How a reference picture of known size lies in a copy.

    Attributes:
        scale: Copy pixels per reference pixel, geometric mean of both axes.
        rotation_deg: Turn of the reference in the copy, clockwise on screen, −180 < angle ≤ 180.
        flipped: True where the copy is a mirror image (mirrored left–right before it is turned).
        aspect: Horizontal over vertical scale of the reference, 1.0 where the copy was not stretched.
        matrix: Row-major 2 × 3; maps reference pixel coordinates (x, y), corner of the picture at (0, 0), to those of the copy.
            Its last column is 0 where the position is unknown.
        placed: True where the last column is known.
        homography: Row-major 3 × 3, the same map in full, where the copy was found to be seen in perspective; `matrix` then
            touches it in the copy's middle.
    """

    scale: float
    rotation_deg: float
    flipped: bool
    aspect: float
    matrix: tuple[float, float, float, float, float, float]
    placed: bool
    homography: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Transform:
    """How the mark lies in the copy, in canonical units: the marked picture has 409,600 square units whatever its pixels.

    Attributes:
        matrix: Row-major 2 × 2, (x, y) order: canonical units → copy pixels.
        offset: Copy pixel (x, y; corners at integers) where the marked picture's top left corner lies; None where unknown. It is
            known modulo the super-tile of 1024 canonical units, and so given that the copy's middle lies within the first one
            (which is the whole picture, unless it is more than 2.5 times as long as wide).
        homography: Row-major 3 × 3 from canonical units, origin at the marked picture's corner, to copy pixels, where the copy
            was found to be seen in perspective (matrix and offset then touch it in the copy's middle); otherwise None.
    """

    matrix: tuple[float, float, float, float]
    offset: tuple[float, float] | None
    homography: tuple[float, ...] | None = None

    def against(self, width: int, height: int) -> Pose:
        """Return the pose of a reference picture of that size in the copy.

        Args:
            width: Reference pixels, as marked, > 0.
            height: Reference pixels, as marked, > 0.
        Raises:
            ValueError: a size that is not positive.
        """
        if width <= 0 or height <= 0:
            raise ValueError(f"a reference has a size, not {width} × {height}")
        unit = canonical_unit(width, height)
        a, b, c, d = (value / unit for value in self.matrix)
        x, y = self.offset or (0.0, 0.0)
        det = a * d - b * c
        flipped = det < 0
        turn = math.degrees(math.atan2(-c, -a) if flipped else math.atan2(c, a))
        across, down = math.hypot(a, c), math.hypot(b, d)
        return Pose(
            scale=math.sqrt(abs(det)),
            rotation_deg=turn,
            flipped=flipped,
            aspect=across / down,
            matrix=(a, b, x, c, d, y),
            placed=self.offset is not None,
            homography=self.homography and tuple(h / (unit if n % 3 < 2 else 1) for n, h in enumerate(self.homography)),
        )


@dataclass(frozen=True, slots=True)
class Detection:
    """What one detector found in one carrier.

    Attributes:
        alg: Which engine looked.
        mark_id: The 64-bit id, or None where no mark was found.
        p_false: Bound on the chance that a carrier without this mark gives as good a result anywhere in the search, 0–1.
        bit_errors: Channel bits that the code corrected; None where nothing was found.
        key_index: Which of the keys read it.
        transform: How the mark lies in the copy, where the medium has such a thing.
    """

    alg: str
    mark_id: int | None
    p_false: float
    bit_errors: int | None
    key_index: int | None
    transform: Transform | None

    @property
    def found(self) -> bool:
        return self.mark_id is not None


CANONICAL_AREA = 409_600.0
SMALLEST_UNIT = 0.75


def canonical_unit(width: int, height: int) -> float:
    """Return how many pixels of a picture of that size make one canonical unit of length.

    The floor keeps the finest lines of a small picture's mark well under its own Nyquist frequency.
    """
    return max(math.sqrt(width * height / CANONICAL_AREA), SMALLEST_UNIT)
