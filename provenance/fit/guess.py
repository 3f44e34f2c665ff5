"""Guesses of where a reference may lie in a copy: cheap, often wrong, to be polished and verified by `align`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from provenance.fit import pose as poses
from provenance.fit.pose import Gray, Pose

_Edges = NDArray[np.complex64]
_Points = NDArray[np.float32]
_Described = tuple[_Points, NDArray[np.generic]]
_Pairs = tuple[NDArray[np.intp], NDArray[np.intp]]  # indices of matched features in reference and copy

_SHIFT_SIDE = 320  # px of the smaller picture when shifts are searched
_THUMB = 32  # px of a thumbnail's side
_LIKELY = 0.45  # correlation of thumbnails from which a whole frame is worth a try
_FEW = 6  # matched features that say anything


# Shift, when the mark told the linear part.


def shifts(copy: Gray, ref: Gray, linear: NDArray[np.float64], peaks: int = 3) -> Iterator[Pose]:
    """Poses with this linear part whose shift makes edges coincide, best first."""
    if not 1 / 64 < poses.scale_of(linear) < 64:
        return
    base = np.eye(3)
    base[:2, :2] = linear
    placed = poses.apply(base, poses.corners(ref.shape))
    base[:2, 2] = -placed.min(axis=0)
    extent = np.maximum(placed.max(axis=0) - placed.min(axis=0), 1)
    longest = max(copy.shape)
    # reduce so that the smaller of the two frames keeps its detail and the larger stays affordable
    factor = min(1.0, _SHIFT_SIDE / min(longest, extent.max()), 3 * _SHIFT_SIDE / max(longest, extent.max()))
    small, to_small = poses.shrink(copy, max(1, round(longest * factor)))
    into = poses.resizing(factor, factor) @ base
    frame = (max(8, int(extent[1] * factor)), max(8, int(extent[0] * factor)))
    edges = _edges(poses.warp(ref, into, frame)) * poses.covered(ref.shape, into, frame, margin=2)
    for dx, dy in _correlate(_edges(small), edges, peaks):
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


# The whole frame.


def whole_frames(copy: Gray, ref: Gray) -> Iterator[Pose]:
    """The whole reference as the whole copy in its eight attitudes, those whose thumbnails correlate, best first."""
    (ch, cw), (rh, rw) = copy.shape, ref.shape
    seen = poses.resize(copy, (_THUMB, _THUMB))
    small = poses.resize(ref, (_THUMB, _THUMB))
    likely = []
    for mirrored in (False, True):
        for quarters in range(4):
            turned = np.rot90(small[:, ::-1] if mirrored else small, -quarters)
            w, h = (rh, rw) if quarters % 2 else (rw, rh)
            if abs(np.log((cw / ch) / (w / h))) < np.log(1.3):
                attitude = poses.quarter_turns(rw, rh, quarters) @ (poses.mirroring(rw) if mirrored else np.eye(3))
                likely.append((_correlation(seen, turned), poses.resizing(cw / w, ch / h) @ attitude))
    for agreement, pose in sorted(likely, key=lambda pair: -pair[0])[:2]:
        if agreement > _LIKELY:
            yield pose


def _correlation(a: Gray, b: Gray) -> float:
    da, db = a - a.mean(), b - b.mean()
    return float((da * db).sum() / np.sqrt((da * da).sum() * (db * db).sum() + 1e-6))


# Features. A reference is also matched mirrored, for no descriptor survives a mirror.


def by_orb(copy: Gray, ref: Gray) -> Iterator[Pose]:
    """Affine poses that enough ORB features agree on, the better mirror state first."""
    orb = cv2.ORB.create(nfeatures=1500, fastThreshold=8)
    states = (_described(orb, ref), _unmirrored(_described(orb, np.ascontiguousarray(ref[:, ::-1])), ref.shape[1]))
    yield from _agreed(_described(orb, copy), states, _match_orb)


def by_sift(copy: Gray, ref: Gray) -> Iterator[Pose]:
    """The same with SIFT, at several times the cost; a mirrored SIFT descriptor is a permutation of itself."""
    sift = cv2.SIFT.create(nfeatures=2500, contrastThreshold=0.02)
    points, described = _described(sift, ref)
    yield from _agreed(_described(sift, copy), ((points, described), (points, _mirror_sift(described))), _match_sift)


def _described(extractor: cv2.Feature2D, luma: Gray) -> _Described:
    """Positions (N, 2) and descriptors (N, …)."""
    if min(luma.shape) < 16:
        return np.empty((0, 2), np.float32), np.empty((0, 1), np.uint8)
    points, found = extractor.detectAndCompute(luma.astype(np.uint8), np.empty(0, np.uint8))
    described = np.empty((0, 1), np.uint8) if found is None else np.asarray(found)
    return np.array([p.pt for p in points], dtype=np.float32).reshape(-1, 2), described


def _unmirrored(described: _Described, width: int) -> _Described:
    x, y = described[0].T
    return np.stack([width - 1 - x, y], axis=1), described[1]


def _mirror_sift(described: NDArray[np.generic]) -> NDArray[np.generic]:
    """4 × 4 cells × 8 directions: rows and directions reversed."""
    if not len(described):
        return described
    cells = described.reshape(-1, 4, 4, 8)[:, ::-1]
    return np.ascontiguousarray(cells[..., -np.arange(8) % 8].reshape(-1, 128))


def _agreed(copy: _Described, states: tuple[_Described, _Described], match: Callable[..., _Pairs]) -> Iterator[Pose]:
    """Of each mirror state the affine pose that most matches agree on; most votes first."""
    found = []
    for points, described in states:
        if min(len(described), len(copy[1])) < _FEW:
            continue
        a, b = match(described, copy[1])
        if len(a) < _FEW:
            continue
        fit, inliers = cv2.estimateAffine2D(
            points[a], copy[0][b], method=cv2.RANSAC, ransacReprojThreshold=4.0, maxIters=2000, confidence=0.999
        )
        votes = int(np.sum(inliers))
        if np.size(fit) == 6 and votes >= _FEW:
            found.append((votes, np.vstack([fit, [0.0, 0.0, 1.0]])))
    for _, guess in sorted(found, key=lambda f: -f[0]):
        yield guess


def _match_orb(ref: NDArray[np.uint8], copy: NDArray[np.uint8]) -> _Pairs:
    """Nearest neighbours that beat the runner-up (Lowe's ratio .85)."""
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(ref, copy, k=2)
    good = [p[0] for p in pairs if len(p) == 2 and p[0].distance < 0.85 * p[1].distance]
    return np.array([m.queryIdx for m in good], np.intp), np.array([m.trainIdx for m in good], np.intp)


def _match_sift(ref: NDArray[np.float32], copy: NDArray[np.float32]) -> _Pairs:
    """Mutual nearest neighbours by Hellinger distance (RootSIFT) that beat the runner-up (ratio .85)."""
    roots = [np.sqrt(d / np.maximum(d.sum(axis=1, keepdims=True), 1e-6)) for d in (ref, copy)]
    likeness = roots[0] @ roots[1].T
    best = likeness.argmax(axis=1)
    two = np.partition(likeness, -2, axis=1)[:, -2:]
    distance = np.sqrt(np.maximum(2 - 2 * two, 0))
    mutual = likeness.argmax(axis=0)[best] == np.arange(len(ref))
    keep = np.flatnonzero(mutual & (distance[:, 1] < 0.85 * distance[:, 0]))
    return keep, best[keep]
