"""What of a copy is not the reference: where something else may have been put beside it, or over it."""

from __future__ import annotations

import numpy as np

from provenance.fit import pose as poses
from provenance.fit.result import Fit
from provenance.verdict import Part

LEAST = 0.05
"""Share of the copy below which a part is too small to say where it came from."""
MOST = 6


def beside(fit: Fit, reference: tuple[int, ...], copy: tuple[int, ...]) -> tuple[Part, ...]:
    """Return the parts of a copy that do not show the reference, largest first; they may overlap.

    Around it: what lies left, right, above and below of all of it, each as long as the copy; and where it was changed.

    Args:
        fit: How the reference lies in the copy.
        reference: (height, width, …) of the reference as it was measured.
        copy: (height, width, …) of the copy.
    """
    if fit.pose is None:
        return ()
    placed = (poses.apply(fit.pose, poses.corners(reference)) + 0.5) / (copy[1], copy[0])
    (left, top), (right, bottom) = np.clip(placed.min(axis=0), 0, 1).tolist(), np.clip(placed.max(axis=0), 0, 1).tolist()
    around = [(0.0, 0.0, left, 1.0), (right, 0.0, 1 - right, 1.0), (0.0, 0.0, 1.0, top), (0.0, bottom, 1.0, 1 - bottom)]
    found = [*around, *((one.x, one.y, one.w, one.h) for one in fit.changes)]
    return tuple(sorted((part for part in found if part[2] * part[3] >= LEAST), key=lambda part: -part[2] * part[3])[:MOST])
