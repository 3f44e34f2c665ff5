"""Poses of a film that was filmed from a screen: parts of it are seen nearly flat, and what is found there grows to the whole.

The usual search supposes one scale and shape all over the copy. A keystone of a twentieth leaves of the pilots only what stands
in its middle, which in many films is too little. A part half as large each way has a quarter of their power and is bent a quarter
as much. From there the pilots are followed, with perspective, in a frame that grows by small steps: at each the fit so far
foretells the new rim to a fraction of a wave.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from watermark.detection import CANONICAL_AREA
from watermark.image import LATER, SURE, VIEWS, Pose, Views, plane_of
from watermark.lattice import TILE, Lattice, Real
from watermark.placing import follow_pilots
from watermark.sync import PoseSearch
from watermark.tiles import Matrix

PARTS = (
    (0.45, 0.5, 0.5),
    (0.6, 0.5, 0.5),
    (0.5, 0.25, 0.25),
    (0.5, 0.75, 0.25),
    (0.5, 0.25, 0.75),
    (0.5, 0.75, 0.75),
)
"""Side of each part, as a share of the whole's, and where its middle lies."""
CLEAR = 5.2
"""Agreement of a part's pilots, in standard deviations, from which its pose is followed."""
FOLLOWED = 10
"""Most poses that are."""
ALIKE = 0.004
"""Relative difference of two poses of a part under which they are one."""
STEPS = (*(n / 10 for n in range(11)), 1.0, 1.0)
"""How far the frame has grown from the part to the whole, step by step."""
STEEPEST = 1.6
"""How many times as far off one corner may be as another."""

Frame = NDArray[np.float64]
"""Left, top, right and bottom, pixels."""


def tilted(views: Views, layout: Lattice) -> Iterator[Pose]:
    """Yield poses in perspective worth a reading, the likeliest first."""
    view, followed = views[0], 0
    for _, frame, plane in sorted(_of_parts(view.white, layout), key=lambda pose: -pose[0])[:FOLLOWED]:
        if (grown := _grown(view.white, layout, plane, frame)) is not None:
            followed += 1
            yield view, grown, SURE if followed <= SURE.readings else LATER


def _of_parts(white: Real, layout: Lattice) -> Iterator[tuple[float, Frame, Matrix]]:
    """Poses found in parts: how well the pilots agree, where the part lies, and canonical units → pixels of the whole."""
    height, width = white.shape
    unit = math.sqrt(white.size / CANONICAL_AREA)
    for share, across, down in PARTS:
        frame = np.array([across - share / 2, down - share / 2, across + share / 2, down + share / 2])
        frame = np.round(frame * [width, height, width, height])
        part = _cut(white, frame)
        if min(part.shape) < TILE:
            continue
        poses = PoseSearch(part, unit, VIEWS[0][1])
        kept: list[Matrix] = []
        for aligned in sorted((*poses.turned(layout), *poses.stretched(layout)), key=lambda found: -found.z):
            size = ALIKE * np.abs(aligned.waves).max()
            if aligned.z >= CLEAR and all(np.abs(aligned.waves - other).max() > size for other in kept):
                kept.append(aligned.waves)
                yield aligned.z, frame, _moved(frame) @ plane_of(part, aligned)


def _grown(white: Real, layout: Lattice, plane: Matrix, frame: Frame) -> Matrix | None:
    """Follow a pose from a part to the whole; None where it runs away."""
    whole = np.array([0.0, 0.0, white.shape[1], white.shape[0]])
    for step in STEPS:
        here = np.round(frame + step * (whole - frame))
        plane = _moved(here) @ follow_pilots(_cut(white, here), layout, np.linalg.inv(_moved(here)) @ plane, gain=0.0)
        if _depth(plane, here) > STEEPEST:
            return None
    return np.asarray(plane / plane[2, 2], np.float64)


def _depth(plane: Matrix, frame: Frame) -> float:
    """How many times as far off the farthest corner of a frame is as the nearest; infinite where one lies behind the eye."""
    left, top, right, bottom = frame
    corners = np.array([[left, top, 1], [right, top, 1], [left, bottom, 1], [right, bottom, 1]]).T
    depths = np.linalg.solve(plane, corners)[2]
    nearest, farthest = sorted((float(depths.min()), float(depths.max())), key=abs)
    return farthest / nearest if nearest * farthest > 0 else math.inf


def _cut(white: Real, frame: Frame) -> Real:
    left, top, right, bottom = frame.astype(int)
    return np.ascontiguousarray(white[top:bottom, left:right])


def _moved(frame: Frame) -> Matrix:
    """From a part's pixels to the whole's."""
    return np.array([[1, 0, frame[0]], [0, 1, frame[1]], [0, 0, 1]])
