"""Pictures of where a copy was changed, for people."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from provenance.fit import pose as poses
from provenance.fit.pose import Field
from provenance.fit.regions import edge_of
from provenance.fit.result import Fit

# Okabe & Ito's vermilion inside a black and white line: seen on any photo, with any colour vision, and in grey
TINT = np.array([213, 94, 0], dtype=np.float32)


def picture(copy_rgb: NDArray[np.uint8], fit: Fit, *, max_side: int = 1024) -> NDArray[np.uint8]:
    """Return the copy, reduced, with changed regions tinted and outlined and uncompared parts darkened.

    Args:
        copy_rgb: sRGB, shape (H, W, 3), uint8, as given to `measure`.
        fit: What `measure` said of it; one that compared nothing leaves the copy plain.
        max_side: Long side of the result, px.
    """
    small = poses.shrink(copy_rgb.astype(np.float32), max_side)[0]
    if fit.heat is None:
        return np.asarray(small + 0.5, dtype=np.uint8)
    size = (small.shape[1], small.shape[0])
    unknown = np.isnan(fit.heat)
    mask = _inside(fit, poses.resize(np.where(unknown, 0, fit.heat).astype(np.float32), size))
    # the rim of a reference is not compared; only what lies beyond it is darkened
    beyond = cv2.erode(unknown.astype(np.float32), np.ones((5, 5), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    hidden = poses.resize(np.asarray(beyond, dtype=np.float32), size)[..., None]
    veil = (0.45 * mask.astype(np.float32))[..., None]
    toned = small * (1 - 0.55 * hidden) * (1 - veil) + TINT * veil
    out = np.ascontiguousarray(np.clip(toned + 0.5, 0, 255).astype(np.uint8))
    outline, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    width = max(2, round(max(size) / 320))
    cv2.drawContours(out, outline, -1, (0, 0, 0), width + 2, cv2.LINE_AA)
    cv2.drawContours(out, outline, -1, (255, 255, 255), width, cv2.LINE_AA)
    return out


def laid(copy_rgb: NDArray[np.uint8], reference_rgb: NDArray[np.uint8], fit: Fit, *, max_side: int = 1024) -> NDArray[np.uint8]:
    """Return the reference as it lies in the copy, in the frame of `picture`: one wipes over the other.

    Where the reference does not reach, the copy shows, without colour and dark. Without a pose (`fit.pose` None) it is the
    reference as it is.
    """
    if fit.pose is None:
        return np.asarray(poses.shrink(reference_rgb.astype(np.float32), max_side)[0] + 0.5, dtype=np.uint8)
    small, down = poses.shrink(copy_rgb.astype(np.float32), max_side)
    into = down @ fit.pose
    placed = poses.warp(reference_rgb.astype(np.float32), into, small.shape)
    beside = np.repeat(0.45 * small.mean(axis=2, keepdims=True), 3, axis=2)
    inside = poses.covered(reference_rgb.shape, into, small.shape)[..., None]
    return np.asarray(np.clip(np.where(inside, placed, beside) + 0.5, 0, 255), dtype=np.uint8)


def side_by_side(
    copy_rgb: NDArray[np.uint8], reference_rgb: NDArray[np.uint8], fit: Fit, *, height: int = 480
) -> NDArray[np.uint8]:
    """Reference, copy and `picture` in one row on white, each `height` px high."""
    panels = [_to_height(p, height) for p in (reference_rgb, copy_rgb, picture(copy_rgb, fit))]
    gap = np.full((height, max(4, height // 40), 3), 255, np.uint8)
    return np.concatenate([panels[0], gap, panels[1], gap, panels[2]], axis=1)


def _inside(fit: Fit, heat: Field) -> NDArray[np.bool_]:
    """Pixels of the reported regions: hot ones within a reported box."""
    h, w = heat.shape
    mask = np.zeros((h, w), dtype=bool)
    for c in fit.changes:
        rows = slice(int(c.y * h), int(np.ceil((c.y + c.h) * h)))
        cols = slice(int(c.x * w), int(np.ceil((c.x + c.w) * w)))
        mask[rows, cols] |= heat[rows, cols] >= edge_of(c.score)
    return mask


def _to_height(panel: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    width = max(1, round(panel.shape[1] * height / panel.shape[0]))
    return np.asarray(poses.resize(panel.astype(np.float32), (width, height)) + 0.5, dtype=np.uint8)
