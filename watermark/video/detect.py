"""Reading the mark, blind: frames in, in any order, and an answer as soon as chance can be ruled out.

Frames carry one pattern, so they add up: whitened, they are summed, and the image mark's search runs over the sum. What differs
from frame to frame, which is the film itself as soon as anything moves or changes, fades by the square root of their number.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from watermark.detection import Detection, Transform
from watermark.image import WORK_AREA, Views, search
from watermark.video.detection import VideoDetection
from watermark.video.layout import ALGORITHM
from watermark.video.tilted import tilted

LOOKS = (4, 12, 36, 96)
"""Numbers of frames after which the sum is searched; the last is the most that are taken."""
SEARCHES = len(LOOKS) + 1
"""All looks, the one at what may be seen in perspective among them."""
FLAT = 2.0
"""Standard deviation of luma, code values, below which a frame tells nothing: black leaders, fades."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame to look at.

    Attributes:
        luma: Shape (height, width), uint8, upright, as shown.
        time_s: When it is shown, seconds from the first frame.
        weight: How much it counts beside others, > 0: by how well it was coded.
    """

    luma: NDArray[np.uint8]
    time_s: float
    weight: float = 1.0


def detect(frames: Iterable[Frame], keys: Sequence[bytes]) -> VideoDetection:
    """Look for a mark in frames of one film, all of one size, taken one after another until it is found.

    Args:
        frames: The likely ones first: those of good quality, from different scenes. No more than 96 are taken.
        keys: Tried in order; the first that reads wins.
    Returns:
        A detection; where something is found its `p_false` ≤ 1e-9 bounds the chance over all looks, poses, ids and keys.
    """
    views, taken = Views(), 0
    size: tuple[int, ...] | None = None
    for frame in frames:
        small = reduced(frame.luma)
        size = size or frame.luma.shape
        if frame.luma.shape != size or float(cv2.meanStdDev(small)[1][0, 0]) < FLAT:
            continue
        views.add(small, frame.weight)
        taken += 1
        if taken in LOOKS and (found := search(views, keys, searches=SEARCHES)).found:
            return _answer(found, taken, size, small.shape)
        if taken == LOOKS[-1]:
            break
    if size and taken and taken not in LOOKS and (found := search(views, keys, searches=SEARCHES)).found:
        return _answer(found, taken, size, reduced_shape(size))
    if size and taken and (found := search(views, keys, searches=SEARCHES, poses=tilted)).found:
        return _answer(found, taken, size, reduced_shape(size))
    return VideoDetection(ALGORITHM, None, 1.0, None, None, None, frames=taken)


def reduced_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return (height, width) at which a frame is looked at."""
    scale = min(1.0, math.sqrt(WORK_AREA / (shape[0] * shape[1])))
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def reduced(luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a frame at the size at which it is looked at."""
    height, width = reduced_shape(luma.shape)
    if (height, width) == luma.shape:
        return luma
    return np.asarray(cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _answer(found: Detection, taken: int, size: tuple[int, ...], small: tuple[int, ...]) -> VideoDetection:
    assert found.transform is not None
    return VideoDetection(
        alg=ALGORITHM,
        mark_id=found.mark_id,
        p_false=found.p_false,
        bit_errors=found.bit_errors,
        key_index=found.key_index,
        transform=_scaled(found.transform, size[1] / small[1], size[0] / small[0]),
        frames=taken,
    )


def _scaled(transform: Transform, across: float, down: float) -> Transform:
    """The same pose in a copy whose pixels are smaller."""
    a, b, c, d = transform.matrix
    offset = transform.offset and (transform.offset[0] * across, transform.offset[1] * down)
    plane = transform.homography and np.diag([across, down, 1.0]) @ np.reshape(transform.homography, (3, 3))
    homography = None if plane is None else tuple(float(value) for value in np.ravel(plane))
    return Transform((a * across, b * across, c * down, d * down), offset, homography)
