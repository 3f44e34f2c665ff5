"""Find where a reference lies in a copy, and prove it by content.

The plan:
1. Guess: poses told by the mark (linear part; the shift by correlation), the whole frame, the whole frame mirrored.
2. Else features: SIFT, both mirror states (a mirrored descriptor is a permutation, so one extraction serves both),
   and a robust affine map.
3. Polish each guess: track small windows between the placed reference and the copy, fit a homography robustly.
4. Verify: the share of textured windows whose detail correlates. Chance gives almost none, so a pose that a
   degenerate fit made up does not pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from provenance.fit import pose as poses
from provenance.fit.pose import Gray, Pose
from provenance.fit.texture import MIN_WINDOWS, windows

WORK_SIDE = 640  # px; alignment reads pictures at most this large
_CHECK_SIDE = 256  # px of the overlap's long side when a pose is verified
_SURE = 0.80  # share of correlating windows at which no other guess is tried
_ACCEPT = 0.34  # … at which the best guess is believed; chance: see tests/bench/fit.py

_Edges = NDArray[np.complex64]
_Points = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Alignment:
    """A believed pose, reference pixels → copy pixels, and the share of textured windows that speaks for it."""

    pose: Pose
    evidence: float


@dataclass(frozen=True, eq=False)
class _Pair:
    """Both pictures reduced for alignment, as luma and as locally normalised luma."""

    copy: Gray
    ref: Gray
    copy_even: NDArray[np.uint8]
    ref_even: Gray


def align(copy_luma: Gray, ref_luma: Gray, linear: NDArray[np.float64] | None = None) -> Alignment | None:
    """Return where the reference lies in the copy, or None when the content does not say.

    Args:
        copy_luma: shape (H, W), float32, 0–255.
        ref_luma: the same for the reference.
        linear: 2 × 2, reference pixels → copy pixels, if the mark told; may be wrong.
    """
    copy, to_copy = poses.shrink(copy_luma, WORK_SIDE)
    ref, to_ref = poses.shrink(ref_luma, WORK_SIDE)
    pair = _Pair(copy, ref, np.clip(_even(copy), 0, 255).astype(np.uint8), _even(ref))
    hint = None if linear is None else to_copy[:2, :2] @ linear @ np.linalg.inv(to_ref[:2, :2])
    best = _search(pair, hint)
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
        yield from _shifts(pair, hint)
    (ch, cw), (rh, rw) = pair.copy.shape, pair.ref.shape
    if abs(np.log((cw / ch) / (rw / rh))) < np.log(1.3):
        whole = poses.resizing(cw / rw, ch / rh)
        yield whole
        yield whole @ poses.mirroring(rw)
    yield from _by_features(pair)


# 1. Translation, when the mark told the linear part.


def _shifts(pair: _Pair, linear: NDArray[np.float64], side: int = 320, peaks: int = 3) -> Iterator[Pose]:
    """Poses with this linear part whose shift makes edges coincide, best first."""
    if not (np.isfinite(linear).all() and 1 / 64 < poses.scale_of(linear) < 64):
        return
    base = np.eye(3)
    base[:2, :2] = linear
    placed = poses.apply(base, poses.corners(pair.ref.shape))
    base[:2, 2] = -placed.min(axis=0)
    extent = np.maximum(placed.max(axis=0) - placed.min(axis=0), 1)
    longest = max(pair.copy.shape)
    # reduce so that the smaller of the two frames keeps its detail and the larger stays affordable
    factor = min(1.0, side / min(longest, extent.max()), 3 * side / max(longest, extent.max()))
    copy, to_small = poses.shrink(pair.copy, max(1, round(longest * factor)))
    into = poses.resizing(factor, factor) @ base
    frame = (max(8, int(extent[1] * factor)), max(8, int(extent[0] * factor)))
    edges = _edges(poses.warp(pair.ref, into, frame)) * poses.covered(pair.ref.shape, into, frame, margin=2)
    for dx, dy in _correlate(_edges(copy), edges, peaks):
        yield poses.inverse(to_small) @ poses.shifting(dx, dy) @ into


def _edges(luma: Gray) -> _Edges:
    """Gradient as a complex number, its strong ends compressed: direction counts more than contrast."""
    smooth = cv2.GaussianBlur(luma, (0, 0), 1.0)
    g = cv2.Sobel(smooth, cv2.CV_32F, 1, 0) + 1j * cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    return np.asarray(g / (8 + np.abs(g)), dtype=np.complex64)


def _correlate(copy: _Edges, ref: _Edges, peaks: int) -> Iterator[tuple[int, int]]:
    """Shifts (dx, dy) of the reference at which the gradients agree most, best first."""
    rows, cols = (cv2.getOptimalDFTSize(c + r) for c, r in zip(copy.shape, ref.shape, strict=True))
    spectrum = np.fft.fft2(copy, (rows, cols)) * np.conj(np.fft.fft2(ref, (rows, cols)))
    surface = np.fft.ifft2(spectrum).real.astype(np.float32)
    for _ in range(peaks):
        y, x = (int(i) for i in np.unravel_index(int(np.argmax(surface)), surface.shape))
        yield x - cols * (x >= copy.shape[1]), y - rows * (y >= copy.shape[0])
        around = np.arange(-6, 7)
        surface[np.ix_((y + around) % rows, (x + around) % cols)] = -np.inf


# 2. Features.


def _by_features(pair: _Pair) -> Iterator[Pose]:
    """Affine poses that enough matched features agree on, the better mirror state first."""
    sift = cv2.SIFT.create(nfeatures=1200, contrastThreshold=0.02)
    (at_copy, copy), (at_ref, ref) = _features(sift, pair.copy), _features(sift, pair.ref)
    found = []
    for descriptors in (ref, _mirror_descriptors(ref)):
        a, b = _matches(descriptors, copy)
        if len(a) < 6:
            continue
        fit, inliers = cv2.estimateAffine2D(
            at_ref[a], at_copy[b], method=cv2.RANSAC, ransacReprojThreshold=4.0, maxIters=2000, confidence=0.999
        )
        votes = int(np.sum(inliers))
        if np.size(fit) == 6 and votes >= 6:  # the affine map absorbs the mirror: positions stay as they are
            found.append((votes, np.vstack([fit, [0.0, 0.0, 1.0]])))
    for _, guess in sorted(found, key=lambda f: -f[0]):
        yield guess


def _features(sift: cv2.SIFT, luma: Gray) -> tuple[_Points, NDArray[np.float32]]:
    """Positions (N, 2) and RootSIFT descriptors (N, 128)."""
    if min(luma.shape) < 16:
        return np.empty((0, 2), np.float32), np.empty((0, 128), np.float32)
    points, found = sift.detectAndCompute(luma.astype(np.uint8), np.empty(0, np.uint8))
    described = np.empty((0, 128), np.float32) if found is None else np.asarray(found, dtype=np.float32)
    roots = np.sqrt(described / np.maximum(described.sum(axis=1, keepdims=True), 1e-6))
    return np.array([p.pt for p in points], dtype=np.float32).reshape(-1, 2), roots


def _mirror_descriptors(described: NDArray[np.float32]) -> NDArray[np.float32]:
    """What SIFT would say of the mirrored picture: 4 × 4 cells × 8 directions, rows and directions reversed."""
    cells = described.reshape(-1, 4, 4, 8)[:, ::-1]
    return np.ascontiguousarray(cells[..., -np.arange(8) % 8].reshape(-1, 128))


def _matches(ref: NDArray[np.float32], copy: NDArray[np.float32]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Mutual nearest neighbours that beat the runner-up (Lowe's ratio .85): indices into both."""
    if min(len(ref), len(copy)) < 2:
        return np.empty(0, np.intp), np.empty(0, np.intp)
    similarity = ref @ copy.T
    best = similarity.argmax(axis=1)
    two = np.partition(similarity, -2, axis=1)[:, -2:]
    distance = np.sqrt(np.maximum(2 - 2 * two, 0))
    mutual = similarity.argmax(axis=0)[best] == np.arange(len(ref))
    keep = np.flatnonzero(mutual & (distance[:, 1] < 0.85 * distance[:, 0]))
    return keep, best[keep]


# 3. Polish.


def _even(luma: Gray) -> Gray:
    """Luma with local mean and contrast made equal, 128 ± 40, so that tone changes do not mislead tracking."""
    sigma = 6.0
    smooth = cv2.GaussianBlur(luma, (0, 0), 0.8)
    mean = cv2.GaussianBlur(smooth, (0, 0), sigma)
    spread = np.sqrt(np.maximum(cv2.GaussianBlur((smooth - mean) ** 2, (0, 0), sigma), 0))
    return np.asarray(128 + 40 * (smooth - mean) / (spread + 3), dtype=np.float32)


def _polish(pair: _Pair, pose: Pose, rounds: int = 3) -> Pose:
    """Improve a pose by tracking windows; returns the last good one when there is too little to track."""
    for step in range(rounds):
        frame = np.clip(poses.warp(pair.ref_even, pose, pair.copy.shape), 0, 255).astype(np.uint8)
        points = _corners_of(frame, poses.covered(pair.ref.shape, pose, pair.copy.shape, margin=4))
        if len(points) < 8:
            return pose
        moved, tracked = _tracked(frame, pair.copy_even, points, levels=3 if step == 0 else 1)
        change = _motion(points[tracked], moved[tracked], threshold=2.0 if step == 0 else 1.0)
        if change is None or not poses.plausible(change @ pose, pair.ref.shape, pair.copy.shape):
            return pose
        pose = np.asarray(change @ pose)
        pose = pose / pose[2, 2]
        if np.abs(poses.apply(change, points.astype(np.float64)) - points).max() < 0.15:
            break
    return pose


def _corners_of(frame: NDArray[np.uint8], seen: NDArray[np.bool_]) -> _Points:
    """The most trackable pixel of each cell, so that one busy corner cannot outvote the rest; shape (N, 2)."""
    if min(frame.shape) < 16:
        return np.empty((0, 2), np.float32)
    cell = int(np.clip(min(frame.shape) // 8, 6, 20))
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
    window = (15, 15)
    moved, there, _ = cv2.calcOpticalFlowPyrLK(a, b, points, points.copy(), winSize=window, maxLevel=levels)
    back, home, _ = cv2.calcOpticalFlowPyrLK(
        b, a, moved, points.copy(), winSize=window, maxLevel=1, flags=cv2.OPTFLOW_USE_INITIAL_FLOW
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


# 4. Verify.


def verify(copy: Gray, ref: Gray, pose: Pose) -> float:
    """Share, 0–1, of textured windows of the overlap whose detail correlates (ZNCC > .5); 0 if they are too few."""
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
    return float((zncc[textured] > 0.5).mean()) if int(textured.sum()) >= MIN_WINDOWS else 0.0
