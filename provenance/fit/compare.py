"""Where an aligned copy says something else than its reference.

The plan:
1. Canvas: the overlap in the copy's frame, no finer than either picture.
2. Tone: one robust, smooth colour map from reference to copy (curves, matrix, vignette); what it cannot explain stays.
3. Evidence in two detail bands and in low-frequency colour: the energy that the reference does not explain.
4. Yardstick: what this picture's own median window leaves unexplained at the same strength of texture, so that a
   heavy honest re-encode raises the bar for itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from provenance.fit import pose as poses
from provenance.fit.pose import Field, Pose

CANVAS_SIDE = 512  # px of the overlap's long side
TONE_SAMPLES = 4000  # pixels that vote on the tone
_OPPONENT = np.array([[0.299, 0.587, 0.114], [-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]], dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Canvas:
    """Overlap of both pictures in one frame.

    copy, ref: (H, W, 3) float32 RGB 0–255; seen: (H, W) where the reference is seen; from_copy: copy → canvas pixels.
    """

    copy: Field
    ref: Field
    seen: NDArray[np.bool_]
    from_copy: Pose


@dataclass(frozen=True, eq=False)
class Evidence:
    """Disagreement per canvas pixel, (H, W), as multiples of what the picture's own noise predicts, ≥ 0.

    likeness: plain correlation (ZNCC) of the coarse band, −1…1; textured: where detail is strong enough to compare.
    """

    fine: Field
    coarse: Field
    colour: Field
    likeness: Field
    textured: NDArray[np.bool_]


def canvas(copy_rgb: NDArray[np.uint8], ref_rgb: NDArray[np.uint8], pose: Pose) -> Canvas | None:
    """Bring both pictures into one frame; None when they overlap by less than 8 × 8 pixels."""
    rows, cols, cut = poses.part_under(pose, ref_rgb.shape, copy_rgb.shape)
    part = copy_rgb[rows, cols]
    if part.size == 0 or min(part.shape[:2]) < 8:
        return None
    finest = max(part.shape[:2]) / max(poses.scale_of(poses.linear_at(pose, poses.centre(ref_rgb.shape))), 1)
    small, down = poses.shrink(part.astype(np.float32), min(CANVAS_SIDE, max(16, round(finest))))
    into = down @ cut
    ref = np.clip(poses.warp(ref_rgb.astype(np.float32), into @ pose, small.shape), 0, 255)
    seen = poses.covered(ref_rgb.shape, into @ pose, small.shape, margin=2.5)
    return Canvas(small, ref, seen, into)


# 2. Tone.


def tone_matched(c: Canvas, rounds: int = 8) -> Field:
    """The reference with the copy's tone: a low-order map fitted on scattered pixels, outliers losing their vote."""
    h, w = c.seen.shape
    place = _places(w, h)
    sample = np.flatnonzero(c.seen)[:: max(1, int(c.seen.sum()) // TONE_SAMPLES)]
    if len(sample) < 60:
        return c.ref
    ref, copy = (p.reshape(-1, 3)[sample] / np.float32(255) for p in (c.ref, c.copy))
    terms, voice = _terms(ref, place[:, sample]).T, _voices(c.ref)[sample]
    ridge = 1e-5 * float(voice.sum()) * np.eye(terms.shape[1])
    weight, predicted = voice, ref.astype(np.float64)
    for step in range(rounds):
        # what clipped at black or white may have been anything beyond: it only has to stay beyond
        goal = np.where(((copy > 0.985) & (predicted > copy)) | ((copy < 0.015) & (predicted < copy)), predicted, copy)
        left = terms * weight[:, None]
        solution = np.linalg.solve(left.T @ terms + ridge, left.T @ (goal - ref))
        predicted = np.asarray(ref + terms @ solution, dtype=np.float64)
        off = np.sqrt(((np.clip(predicted, 0, 1) - copy) ** 2).sum(axis=1))
        # nobody is an outlier at first, when the map is still wrong
        spread = max(1.4826 * float(np.median(off)), 1.5 / 255, 0.3 * 0.5**step)
        weight = np.asarray(voice / (1 + (off / (2 * spread)) ** 2) ** 2, dtype=np.float64)
    x = c.ref.reshape(-1, 3) / np.float32(255)
    mapped = x + (solution.T.astype(np.float32) @ _terms(x, place)).T
    return np.asarray(np.clip(mapped.reshape(h, w, 3) * np.float32(255), 0, 255), dtype=np.float32)


def _voices(ref: Field) -> NDArray[np.float64]:
    """How much each pixel of a reference is heard, shape (N,).

    Every tone is heard, also of a picture that is nearly all black; pixels within plain surroundings are heard more,
    since blur and misplacement do not change them.
    """
    luma = ref @ _OPPONENT[0]
    span = cv2.dilate(luma, np.ones((3, 3), np.uint8)) - cv2.erode(luma, np.ones((3, 3), np.uint8))
    tones = np.clip(luma.ravel() / 16, 0, 15).astype(np.intp)
    crowd = np.bincount(tones, minlength=16) / tones.size
    return np.asarray(1 / np.maximum(crowd, 0.01)[tones] / (8 + span.ravel()), dtype=np.float64)


def _places(w: int, h: int) -> Field:
    """Position of each pixel of a frame, −1…1, shape (2, N)."""
    ys, xs = np.mgrid[0:h, 0:w].astype(np.float32)
    return np.stack([(xs.ravel() + 0.5) * (2 / w) - 1, (ys.ravel() + 0.5) * (2 / h) - 1])


def _terms(x: Field, place: Field) -> Field:
    """Regressors for RGB 0–1: curves per channel, a colour matrix with saturation, a vignette that multiplies; (terms, N)."""
    luma = x @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    radius = (place * place).sum(axis=0) / 2
    r, g, b = x.T
    squares, products = (r * r, g * g, b * b), (r * g, g * b, r * b)
    cubes = (r * squares[0], g * squares[1], b * squares[2])
    fall = (radius, radius * luma, radius * radius * luma)
    return np.stack((np.ones_like(r), r, g, b, *squares, *cubes, *products, *fall))


# 3. and 4. Evidence.


def evidence(c: Canvas, ref: Field) -> Evidence:
    """Compare a canvas with its tone-matched reference."""
    a, b = c.copy @ _OPPONENT.T, ref @ _OPPONENT.T
    a[~c.seen] = b[~c.seen]  # what lies beside the reference must not leak in through the filters
    fine, _, strong = _detail(a[..., 0], b[..., 0], c.seen, (1.0, 4.0), window=5.0, floor=2.0)
    half_a, half_b, half_seen = _halved(a), _halved(b), _halved(c.seen.astype(np.float32)) > 0.5
    coarse, likeness, _ = _detail(half_a[..., 0], half_b[..., 0], half_seen, (1.25, 5.0), window=4.0, floor=1.5)
    colour = _colour(half_a, half_b, half_seen)
    size = (c.seen.shape[1], c.seen.shape[0])
    coarse, likeness, colour = (poses.resize(f, size) for f in (coarse, likeness, colour))
    return Evidence(fine, coarse, colour, likeness, strong)


def _halved(field: Field) -> Field:
    return poses.resize(field, (max(1, field.shape[1] // 2), max(1, field.shape[0] // 2)))


def _smooth(field: Field, sigma: float) -> Field:
    return np.asarray(cv2.GaussianBlur(field, (0, 0), sigma, borderType=cv2.BORDER_REFLECT), dtype=np.float32)


def _detail(
    a: Field, b: Field, seen: NDArray[np.bool_], band: tuple[float, float], window: float, floor: float
) -> tuple[Field, Field, NDArray[np.bool_]]:
    """Of one band: unexplained detail ÷ expected, correlation (ZNCC), and where there is texture to compare."""
    da = _smooth(a, band[0]) - _smooth(a, band[1])
    db = _smooth(b, band[0]) - _smooth(b, band[1])
    aa, bb, ab = (_smooth(m, window) for m in (da * da, db * db, da * db))
    # an honest filter may change local contrast: the best gain within limits is granted, and one sign only
    gain = np.clip(ab / np.maximum(bb, 1e-3), 0.5, 1.8)
    rest = np.maximum(aa - 2 * gain * ab + gain * gain * bb, 0)
    unexplained = np.asarray(np.sqrt(rest) / np.maximum(gain, np.float32(1)), dtype=np.float32)
    strength = np.sqrt(np.maximum(aa, bb))
    likeness = np.asarray(ab / np.sqrt((aa + 1) * (bb + 1)), dtype=np.float32)
    return unexplained / _yardstick(strength, unexplained, seen, floor), likeness, strength > 3.0


def _colour(a: Field, b: Field, seen: NDArray[np.bool_]) -> Field:
    """Low-frequency colour distance ÷ expected; half-size fields."""
    off = _smooth(a - b, 2.5) * np.array([1.0, 1.4, 1.4], dtype=np.float32)
    distance = np.asarray(np.sqrt((off * off).sum(axis=2)), dtype=np.float32)
    slope = _smooth(np.abs(_smooth(b[..., 0], 1) - _smooth(b[..., 0], 4)), 2.5)
    return distance / _yardstick(slope, distance, seen, 3.0)


def _yardstick(strength: Field, amount: Field, seen: NDArray[np.bool_], floor: float) -> Field:
    """Expected amount as floor + a + b · strength, by least absolute deviations over the picture's own windows."""
    s, y = strength[1::3, 1::3][seen[1::3, 1::3]], amount[1::3, 1::3][seen[1::3, 1::3]]
    if len(s) < 40:
        return np.full_like(amount, floor)
    slope, offset = 0.0, float(np.median(y))
    for _ in range(8):  # reweighting: a changed part below half of the picture has no say
        w = 1 / np.maximum(np.abs(y - slope * s - offset), 0.1)
        ms, my = np.average(s, weights=w), np.average(y, weights=w)
        slope = float(np.average((s - ms) * (y - my), weights=w) / max(np.average((s - ms) ** 2, weights=w), 1e-6))
        slope = min(max(slope, 0.0), 0.35)
        offset = max(float(my - slope * ms), 0.0)
    return np.asarray(floor + offset + slope * strength, dtype=np.float32)
