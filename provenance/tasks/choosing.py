"""Which frame of an animation a copy shows: the likeliest are laid on it, and the one that fits best counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from provenance import fit as fitting
from provenance.tasks.rim import Rgb

_TRIED = 3
_SIDE = 48
"""Pixels each way at which frames are compared with a copy, before and after one of them was laid on it."""
_ORDER = (fitting.Agreement.FOREIGN, fitting.Agreement.UNDECIDED, fitting.Agreement.CHANGED, fitting.Agreement.FITS)


def best_of(copy: Rgb, frames: Sequence[Rgb], full_size: tuple[int, int], hint: fitting.Hint | None) -> tuple[Rgb, fitting.Fit]:
    """Return the frame that a copy agrees with best, and how well.

    Args:
        copy: Shape (H, W, 3).
        frames: At least one, all of one size; of a still picture it is the only one.
        full_size: Registered (width, height), pixels.
        hint: What the mark told of the copy's geometry.
    """
    tried: dict[int, fitting.Fit] = {}

    def measured(number: int) -> fitting.Fit:
        if number not in tried:
            tried[number] = fitting.measure(copy, frames[number], full_size=full_size, hint=hint)
        return tried[number]

    likely = _ranked(copy, frames, None) if len(frames) > 1 else [0]
    for number in likely[:_TRIED]:
        if fitting.classify(measured(number)) is fitting.Agreement.FITS:
            return frames[number], tried[number]
    laid = max(tried, key=lambda number: _worth(tried[number]))
    if len(frames) > 1 and tried[laid].pose is not None:  # a cut may look like any frame until it lies in its place
        for number in _ranked(copy, frames, tried[laid].pose)[:_TRIED]:
            measured(number)
    best = max(tried, key=lambda number: _worth(tried[number]))
    return frames[best], tried[best]


def _worth(fit: fitting.Fit) -> tuple[int, float, float]:
    return _ORDER.index(fitting.classify(fit)), -sum(change.w * change.h for change in fit.changes), fit.score


def _ranked(copy: Rgb, frames: Sequence[Rgb], pose: NDArray[np.floating] | None) -> list[int]:
    """Frames by likeness to the copy, the likeliest first; under a pose (reference to copy pixels) if there is one."""
    height, width = copy.shape[:2]
    small = _plain(cv2.resize(copy, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA))
    likeness = []
    for frame in frames:
        seen, inside = cv2.resize(frame, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), np.ones((_SIDE, _SIDE), np.bool_)
        if pose is not None:
            into = (
                np.diag([_SIDE / width, _SIDE / height, 1.0])
                @ pose
                @ np.diag([frame.shape[1] / _SIDE, frame.shape[0] / _SIDE, 1])
            )
            inside = cv2.warpPerspective(np.ones((_SIDE, _SIDE), np.uint8), into, (_SIDE, _SIDE)) > 0
            seen = cv2.warpPerspective(seen, into, (_SIDE, _SIDE))
        likeness.append(_correlation(small[inside], _plain(seen)[inside]))
    return [int(number) for number in np.argsort(-np.array(likeness), kind="stable")]


def _plain(rgb: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(rgb.mean(axis=2), np.float32)


def _correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    if one.size < 4:
        return -1.0
    one, other = one - one.mean(), other - other.mean()
    return float((one * other).sum() / (np.linalg.norm(one) * np.linalg.norm(other) + 1e-6))
