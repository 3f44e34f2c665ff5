"""Maps between the pixels of a reference and the pixels of a copy.

A pose is a 3 × 3 homography, float64, taking the *centre* of reference pixel (x, y) to copy coordinates. Whoever
resizes a picture moves its pixel centres: (x + ½)·s − ½, so scaling is never a bare product (`resizing`).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Pose = NDArray[np.float64]
Field = NDArray[np.float32]  # any picture-shaped numbers, (H, W) or (H, W, C)
Gray = NDArray[np.float32]  # luma 0–255, (H, W)

_MAX_SHEAR = 2.6  # ratio of the singular values: 20 % aspect and 25° of tilt stay well below
_MIN_SCALE, _MAX_SCALE = 1 / 64, 64.0


def resizing(sx: float, sy: float) -> Pose:
    """Pose of a plain resize by (sx, sy)."""
    return np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1]], dtype=np.float64)


def mirroring(width: int) -> Pose:
    """Pose of a left-right flip of a picture `width` pixels wide."""
    return np.array([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1]], dtype=np.float64)


def quarter_turns(width: int, height: int, quarters: int) -> Pose:
    """Pose of turning a picture of that size clockwise by quarters, 0–3."""
    turn = np.array([[0, -1, height - 1], [1, 0, 0], [0, 0, 1]], dtype=np.float64)
    pose, size = np.eye(3), (width, height)
    for _ in range(quarters):
        turn[0, 2] = size[1] - 1
        pose, size = turn @ pose, size[::-1]
    return pose


def shifting(dx: float, dy: float) -> Pose:
    return np.array([[1, 0, dx], [0, 1, dy], [0, 0, 1]], dtype=np.float64)


def inverse(pose: Pose) -> Pose:
    return np.asarray(np.linalg.inv(pose))


def apply(pose: Pose, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map points, shape (N, 2); points at infinity come back huge, never NaN."""
    homogeneous = points @ pose[:, :2].T + pose[:, 2]
    depth = homogeneous[:, 2:]
    return np.asarray(homogeneous[:, :2] / np.where(np.abs(depth) < 1e-9, 1e-9, depth))


def corners(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Outer corners of a picture of shape (H, W, …), clockwise from the top left, shape (4, 2)."""
    h, w = shape[:2]
    return np.array([[-0.5, -0.5], [w - 0.5, -0.5], [w - 0.5, h - 0.5], [-0.5, h - 0.5]])


def centre(shape: tuple[int, ...]) -> NDArray[np.float64]:
    return np.array([(shape[1] - 1) / 2, (shape[0] - 1) / 2])


def linear_at(pose: Pose, point: NDArray[np.float64]) -> NDArray[np.float64]:
    """The 2 × 2 derivative of the pose at a point: what it does to a small patch there."""
    depth = float(pose[2, :2] @ point + pose[2, 2])
    image = apply(pose, point[None])[0]
    return np.asarray((pose[:2, :2] - np.outer(image, pose[2, :2])) / depth)


def scale_of(linear: NDArray[np.float64]) -> float:
    """Side length of the image of a unit square."""
    return float(np.sqrt(abs(np.linalg.det(linear))))


def plausible(pose: Pose, ref_shape: tuple[int, ...], copy_shape: tuple[int, ...]) -> bool:
    """Whether a pose could come from a person's handling of a picture: no fold, no extreme shear, some overlap."""
    if not np.isfinite(pose).all():
        return False
    depth = corners(ref_shape) @ pose[2, :2] + pose[2, 2]
    if depth.min() <= 0.2 * depth.max():  # behind the camera, or foreshortened five times from edge to edge
        return False
    for point in (centre(ref_shape), *corners(ref_shape)):
        big, small = np.linalg.svd(linear_at(pose, point), compute_uv=False)
        if not (small > 0 and big / small < _MAX_SHEAR and _MIN_SCALE < np.sqrt(big * small) < _MAX_SCALE):
            return False
    return overlap(pose, ref_shape, copy_shape) > 0


def overlap(pose: Pose, ref_shape: tuple[int, ...], copy_shape: tuple[int, ...]) -> float:
    """Area, in copy pixels, that the reference covers of the copy."""
    placed = apply(pose, corners(ref_shape)).astype(np.float32)
    area, _ = cv2.intersectConvexConvex(placed, corners(copy_shape).astype(np.float32))
    return float(area)


def resize(picture: Field, size: tuple[int, int]) -> Field:
    """Resample to (width, height): averaging where it shrinks, bilinear where it grows."""
    shrinks = size[0] * size[1] < picture.shape[0] * picture.shape[1]
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, size, interpolation=way), dtype=np.float32)


def reduced(shape: tuple[int, ...], max_side: int) -> tuple[tuple[int, int], Pose]:
    """Size (width, height) of a picture brought to at most `max_side` on its long side, and the pose of doing so."""
    h, w = shape[:2]
    factor = min(1.0, max_side / max(h, w))
    size = (max(1, round(w * factor)), max(1, round(h * factor)))
    return size, resizing(size[0] / w, size[1] / h)


def shrink(picture: Field, max_side: int) -> tuple[Field, Pose]:
    """Reduce a picture to at most `max_side` on its long side; also the pose from the picture to the reduced one."""
    size, pose = reduced(picture.shape, max_side)
    return (resize(picture, size) if size != picture.shape[1::-1] else picture), pose


def warp(picture: Field, pose: Pose, shape: tuple[int, ...]) -> Field:
    """Resample a picture into a frame of `shape`, averaging where it shrinks; outside its edge the border repeats."""
    h, w = picture.shape[:2]
    factor = scale_of(linear_at(pose, centre(picture.shape)))
    if factor < 0.75:
        size = (max(1, round(w * factor)), max(1, round(h * factor)))
        picture, pose = resize(picture, size), pose @ inverse(resizing(size[0] / w, size[1] / h))
    placed = cv2.warpPerspective(picture, pose, (shape[1], shape[0]), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(placed, dtype=np.float32)


def part_under(pose: Pose, ref_shape: tuple[int, ...], copy_shape: tuple[int, ...]) -> tuple[slice, slice, Pose]:
    """Rows and columns of the copy that the placed reference can touch, and the pose that cuts them out."""
    placed = np.clip(apply(pose, corners(ref_shape)), -0.5, [copy_shape[1] - 0.5, copy_shape[0] - 0.5])
    left, top = np.floor(placed.min(axis=0) + 0.5).astype(int)
    right, bottom = np.ceil(placed.max(axis=0) + 0.5).astype(int)
    return slice(top, bottom), slice(left, right), shifting(-left, -top)


def covered(ref_shape: tuple[int, ...], pose: Pose, shape: tuple[int, ...], margin: float = 0.0) -> NDArray[np.bool_]:
    """Which pixels of a frame of `shape` see the reference, at least about `margin` frame pixels inside its edge."""
    h, w = ref_shape[:2]
    inset = min(margin / max(scale_of(linear_at(pose, centre(ref_shape))), 1e-9), w / 2, h / 2)
    inner = corners(ref_shape) + inset * np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
    placed = np.clip(np.round(apply(pose, inner) * 16), -(2**24), 2**24).astype(np.int32)
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, placed, 1, shift=4)
    return np.asarray(mask > 0)
