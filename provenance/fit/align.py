"""Find where a reference lies in a copy, and prove it by content.

The plan:
1. Guess: poses told by the mark (linear part; the shift by correlation); the whole frame, mirrored or turned, where a
   thumbnail agrees; features, cheap ones first (ORB), good ones where those fail (SIFT: small crops, collages).
2. Polish each guess: track small windows between the placed reference and the copy, at the coarser of both
   resolutions and with local contrast made equal; fit a homography robustly.
3. Verify: the share of textured windows whose detail correlates. Chance gives almost none, so a pose that a
   degenerate fit made up does not pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from provenance.fit import pose as poses
from provenance.fit.guess import by_orb, by_sift, shifts, whole_frames
from provenance.fit.pose import Gray, Pose
from provenance.fit.texture import MIN_WINDOWS, windows

WORK_SIDE = 640  # px of the copy that guesses are tried on
FINE_SIDE = 1024  # px of the reference, and of both for the second search of features
_POINTS = 400  # windows tracked at most
_CHECK_SIDE = 256  # px of the overlap's long side when a pose is verified
_SURE = 0.70  # share of correlating windows at which no other guess is tried
_ACCEPT = 0.34  # … at which the best guess is believed; wrong poses of 156 pairs of other pictures reach .22
_DOUBT = 6  # windows that are held not to correlate, so that a lucky few prove little

_Points = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Alignment:
    """A believed pose, reference pixels → copy pixels, and the share of textured windows that speaks for it."""

    pose: Pose
    evidence: float


@dataclass(frozen=True, eq=False)
class _Pair:
    """Luma of both: the copy at `WORK_SIDE`, the reference and the finer copy at `FINE_SIDE`; fine copy → copy."""

    copy: Gray
    ref: Gray
    fine_copy: Gray
    from_fine: Pose


def align(copy_luma: Gray, ref_luma: Gray, linear: NDArray[np.float64] | None = None) -> Alignment | None:
    """Return where the reference lies in the copy, or None when the content does not say.

    Args:
        copy_luma: shape (H, W), float32, 0–255.
        ref_luma: the same for the reference.
        linear: 2 × 2, reference pixels → copy pixels, if the mark told; may be wrong.
    """
    fine_copy, to_fine = poses.shrink(copy_luma, FINE_SIDE)
    copy, from_fine = poses.shrink(fine_copy, WORK_SIDE)
    ref, to_ref = poses.shrink(ref_luma, FINE_SIDE)
    to_copy = from_fine @ to_fine
    hint = None if linear is None else to_copy[:2, :2] @ linear @ np.linalg.inv(to_ref[:2, :2])
    best = _search(_Pair(copy, ref, fine_copy, from_fine), hint)
    if best is None:
        return None
    return Alignment(poses.inverse(to_copy) @ best.pose @ to_ref, best.evidence)


def _search(pair: _Pair, hint: NDArray[np.float64] | None) -> Alignment | None:
    """The first guess that is sure, else the best that is believed."""
    best: Alignment | None = None
    for guess in _guesses(pair, hint):
        if not poses.plausible(guess, pair.ref.shape, pair.copy.shape):
            continue
        polished = _polish(pair, guess)
        evidence = verify(pair.copy, pair.ref, polished)
        if best is None or evidence > best.evidence:
            best = Alignment(polished, evidence)
        if best.evidence >= _SURE:
            break
    return best if best is not None and best.evidence >= _ACCEPT else None


def _guesses(pair: _Pair, hint: NDArray[np.float64] | None) -> Iterator[Pose]:
    if hint is not None:
        yield from shifts(pair.copy, pair.ref, hint)
    yield from whole_frames(pair.copy, pair.ref)
    small_ref, to_small = poses.shrink(pair.ref, WORK_SIDE)
    for guess in by_orb(pair.copy, small_ref):
        yield guess @ to_small
    for guess in by_sift(pair.fine_copy, pair.ref):
        yield pair.from_fine @ guess


# Polish.


def _even(luma: Gray) -> NDArray[np.uint8]:
    """Luma with local mean and contrast made equal, 128 ± 40, so that tone changes do not mislead tracking."""
    smooth = cv2.GaussianBlur(luma, (0, 0), 0.8)
    off = smooth - cv2.blur(smooth, (17, 17))
    spread = np.sqrt(np.maximum(cv2.blur(off * off, (17, 17)), 0))
    return np.asarray(np.clip(128 + 40 * off / (spread + 3), 0, 255), dtype=np.uint8)


def _polish(pair: _Pair, pose: Pose, rounds: int = 3) -> Pose:
    """Improve a pose by tracking windows; returns the last good one when there is too little to track."""
    finer = max(1.0, poses.scale_of(poses.linear_at(pose, poses.centre(pair.ref.shape))))
    copy, down = poses.shrink(pair.copy, max(1, round(max(pair.copy.shape) / finer)))
    even_copy, pose = _even(copy), down @ pose
    for step in range(rounds):
        even_ref = _even(poses.warp(pair.ref, pose, copy.shape))
        points = _corners_of(even_ref, poses.covered(pair.ref.shape, pose, copy.shape, margin=4))
        if len(points) < 8:
            break
        moved, tracked = _tracked(even_ref, even_copy, points, levels=3 if step == 0 else 1)
        change = _motion(points[tracked], moved[tracked], threshold=2.0 if step == 0 else 1.0)
        if change is None or not poses.plausible(change @ pose, pair.ref.shape, copy.shape):
            break
        pose = np.asarray(change @ pose)
        if np.abs(poses.apply(change, points.astype(np.float64)) - points).max() < 0.15:
            break
    pose = poses.inverse(down) @ pose
    return np.asarray(pose / pose[2, 2])


def _corners_of(frame: NDArray[np.uint8], seen: NDArray[np.bool_]) -> _Points:
    """The most trackable pixel of each cell, so that one busy corner cannot outvote the rest; shape (N, 2)."""
    if min(frame.shape) < 16:
        return np.empty((0, 2), np.float32)
    cell = int(np.clip((frame.size / _POINTS) ** 0.5, 6, min(frame.shape)))
    rows, cols = frame.shape[0] // cell, frame.shape[1] // cell
    strength = np.asarray(cv2.cornerMinEigenVal(frame, 5), dtype=np.float32) * seen
    blocks = strength[: rows * cell, : cols * cell].reshape(rows, cell, cols, cell).transpose(0, 2, 1, 3)
    flat = blocks.reshape(rows, cols, -1)
    at = flat.argmax(axis=2)
    y = at // cell + np.arange(rows)[:, None] * cell
    x = at % cell + np.arange(cols)[None] * cell
    keep = flat.max(axis=2) > 1e-4
    return np.stack([x[keep], y[keep]], axis=1).astype(np.float32)


def _tracked(a: NDArray[np.uint8], b: NDArray[np.uint8], points: _Points, levels: int) -> tuple[_Points, NDArray[np.bool_]]:
    """Where points of a lie in b, and which of them come home when tracked back."""
    window, enough = (15, 15), (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 12, 0.02)
    moved, there, _ = cv2.calcOpticalFlowPyrLK(a, b, points, points.copy(), winSize=window, maxLevel=levels, criteria=enough)
    back, home, _ = cv2.calcOpticalFlowPyrLK(
        b, a, moved, points.copy(), winSize=window, maxLevel=1, criteria=enough, flags=cv2.OPTFLOW_USE_INITIAL_FLOW
    )
    close = np.abs(np.asarray(back) - points).max(axis=1) < 0.7
    return np.asarray(moved, dtype=np.float32), np.asarray(close & (np.asarray(there) & np.asarray(home))[:, 0] > 0)


def _motion(a: _Points, b: _Points, threshold: float) -> Pose | None:
    """A robust map from a to b: a homography if many points bear it, else affine, else a similarity."""
    if len(a) < 8:
        return None
    if len(a) >= 40:
        fit, inliers = cv2.findHomography(a, b, cv2.USAC_MAGSAC, threshold, maxIters=500, confidence=0.999)
    else:
        estimate = cv2.estimateAffine2D if len(a) >= 16 else cv2.estimateAffinePartial2D
        fit, inliers = estimate(a, b, method=cv2.RANSAC, ransacReprojThreshold=threshold, confidence=0.999)
    if np.size(fit) < 6 or int(np.sum(inliers)) < max(6, 0.25 * len(a)):
        return None
    return np.asarray(fit if np.size(fit) == 9 else np.vstack([fit, [0.0, 0.0, 1.0]]), dtype=np.float64)


# Verify.


def verify(copy: Gray, ref: Gray, pose: Pose) -> float:
    """Share, 0–1, of textured windows of the overlap whose detail correlates (ZNCC > .5), `_DOUBT` more supposed not to."""
    if not poses.plausible(pose, ref.shape, copy.shape):
        return 0.0
    rows, cols, cut = poses.part_under(pose, ref.shape, copy.shape)
    part = copy[rows, cols]
    if part.size == 0 or min(part.shape) < 8:
        return 0.0
    finest = max(part.shape) / max(poses.scale_of(poses.linear_at(pose, poses.centre(ref.shape))), 1)
    part, down = poses.shrink(part, min(_CHECK_SIDE, max(8, round(finest))))
    into = down @ cut @ pose
    zncc, textured = windows(part, poses.warp(ref, into, part.shape), poses.covered(ref.shape, into, part.shape, margin=2))
    count = int(textured.sum())
    return int((zncc[textured] > 0.5).sum()) / (count + _DOUBT) if count >= MIN_WINDOWS else 0.0
