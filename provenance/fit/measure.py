"""Measure how a copy's content agrees with its reference, and say what that means."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from provenance.fit import pose as poses
from provenance.fit.align import Alignment, align
from provenance.fit.compare import Canvas, Evidence, canvas, evidence, tone_matched
from provenance.fit.kinds import kind_of
from provenance.fit.pose import Field, Gray, Pose
from provenance.fit.regions import GROW, SEED, Region, regions
from provenance.fit.result import NOT_ALIGNED, Agreement, Change, Fit, Hint
from provenance.fit.texture import is_plain

READ_SIDE = 1600  # px; a larger copy is reduced first: the reference has no more to say
HEAT_SIDE = 192  # cells on the long side of the copy
# disagreement, in multiples of the picture's own noise, at which a pixel counts as changed (tests/bench/fit.py)
FINE, COARSE, COLOUR = 1.7, 1.9, 2.8
LIKE = 0.35  # least ZNCC of a textured pixel that agrees; foreign content lies around 0
FOREIGN_BELOW = 0.5  # score; other photos that were forced into alignment reach less
MAX_HINT = 1e3  # no picture is enlarged a thousand times; also keeps NaN and infinity out
PLAIN_TOLERANCE = 14.0  # RGB distance up to which a colour of a plain picture counts as the same
PLAIN_SHARE = 0.9  # share of a plain copy's colours that its reference must have, too
PLAIN_CEILING = 0.75  # a plain picture's best score: its colours agree, and that is all that can be said


def measure(
    copy_rgb: NDArray[np.uint8],
    reference_rgb: NDArray[np.uint8],
    *,
    full_size: tuple[int, int] | None = None,
    hint: Hint | None = None,
) -> Fit:
    """Return how well a copy's content agrees with its reference, and where not.

    A copy without detail (a blank page, a gradient, a crop of clear sky) cannot be aligned. If the reference is as
    plain and has the same colours, it fits, with a score of at most `PLAIN_CEILING`; else that is left open (`plain`).

    Args:
        copy_rgb: The copy, sRGB, upright, shape (H, W, 3), uint8.
        reference_rgb: What was stored at registration, reduced and lossy; the same form.
        full_size: Registered (width, height), px; default: the reference's own. Only `scale` and `hint` refer to it.
        hint: What the mark told of the copy's geometry.
    Raises:
        ValueError: an array of another shape or type, an empty one, a full size below 1.
    """
    for name, array in (("copy", copy_rgb), ("reference", reference_rgb)):
        if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or array.size == 0:
            raise ValueError(f"{name}: want a non-empty uint8 array (H, W, 3), got {array.dtype} {array.shape}")
    height, width = reference_rgb.shape[:2]
    full = (width, height) if full_size is None else full_size
    if min(full) < 1:
        raise ValueError(f"full_size must be positive, got {full}")
    size, down = poses.reduced(copy_rgb.shape, READ_SIDE)
    copy = np.asarray(cv2.resize(copy_rgb, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    to_full = poses.resizing(full[0] / width, full[1] / height)
    linear = None
    if hint is not None and all(abs(v) < MAX_HINT for v in hint.matrix):
        linear = down[:2, :2] @ np.array(hint.matrix, dtype=np.float64).reshape(2, 2) @ to_full[:2, :2]
    copy_luma, ref_luma = _luma(copy), _luma(reference_rgb)
    found = align(copy_luma, ref_luma, linear)
    if found is not None:
        return _compared(copy, reference_rgb, found, poses.inverse(down), poses.inverse(to_full))
    if not is_plain(copy_luma):
        return NOT_ALIGNED
    return _by_colour(copy, reference_rgb, is_plain(ref_luma), float(copy_rgb.shape[1] / full[0]))


def classify(fit: Fit) -> Agreement:
    """Say what a fit means.

    FOREIGN: the reference was not found in the copy, or less than half of the compared area agrees: this is another
        picture, whatever its mark says.
    CHANGED: it was found, and some region says something else.
    UNDECIDED: the copy has too little detail to tell: it may be a crop of clear sky, or any other.
    FITS: it was found and nothing disagrees beyond what re-encoding explains. Borders, crops and collages are no
        change: `coverage` and `kept` tell of them.
    """
    if fit.plain and not fit.aligned:
        return Agreement.UNDECIDED
    if not fit.aligned or fit.score < FOREIGN_BELOW:
        return Agreement.FOREIGN
    return Agreement.CHANGED if fit.changes else Agreement.FITS


def fits(fit: Fit) -> bool:
    """Whether nothing in the copy disagrees with the reference."""
    return classify(fit) is Agreement.FITS


def _luma(rgb: NDArray[np.uint8]) -> Gray:
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY), dtype=np.float32)


def _compared(copy: NDArray[np.uint8], ref: NDArray[np.uint8], found: Alignment, up: Pose, from_full: Pose) -> Fit:
    c = canvas(copy, ref, found.pose)
    if c is None:
        return NOT_ALIGNED
    toned = tone_matched(c)
    seen = evidence(c, toned)
    heat = _heat(seen)
    cells, difference = _cells(heat, c, toned)
    changed = regions(cells, difference)
    for region in changed:  # what the filters only spread is not shown as changed
        cells[region.halo] = np.minimum(cells[region.halo], 0.9 * GROW)
    middle = poses.apply(poses.inverse(from_full), poses.centre(ref.shape)[None])[0]
    scale, rotation, flipped = _handling(up @ found.pose @ from_full, middle)
    compared = max(int(c.seen.sum()), 1)
    area = poses.overlap(found.pose, ref.shape, copy.shape)
    kept = poses.overlap(poses.inverse(found.pose), copy.shape, ref.shape)
    return Fit(
        score=float(_agrees(heat, seen)[c.seen].sum() / compared),
        aligned=True,
        coverage=min(1.0, area / (copy.shape[0] * copy.shape[1])),
        kept=min(1.0, kept / (ref.shape[0] * ref.shape[1])),
        scale=scale,
        rotation_deg=rotation,
        flipped=flipped,
        textured=float((seen.textured & c.seen).sum() / compared),
        plain=False,
        changes=tuple(_change(region, c, toned, copy.shape) for region in changed),
        heat=_over_copy(cells, c, copy.shape),
        pose=up @ found.pose,
    )


def _handling(pose: Pose, middle: NDArray[np.float64]) -> tuple[float, float, bool]:
    """Scale, clockwise turn in degrees and flip of a pose at a point of the reference."""
    linear = poses.linear_at(pose, middle)
    flipped = bool(np.linalg.det(linear) < 0)
    turned = linear @ np.diag([-1.0, 1.0]) if flipped else linear
    angle = float(np.degrees(np.arctan2(turned[1, 0] - turned[0, 1], turned[0, 0] + turned[1, 1])))
    return poses.scale_of(linear), 180.0 if angle <= -180 else angle, flipped


def _heat(seen: Evidence) -> Field:
    """Disagreement 0–1 per canvas pixel, .5 at the threshold of the strongest of the three."""
    strongest = np.maximum(np.maximum(seen.fine / FINE, seen.coarse / COARSE), seen.colour / COLOUR)
    return np.asarray(strongest**2 / (1 + strongest**2), dtype=np.float32)


def _agrees(heat: Field, seen: Evidence) -> NDArray[np.bool_]:
    """Unchanged, and correlating where there is texture: the yardstick adapts to the picture, this does not."""
    return np.asarray((heat < SEED) & (~seen.textured | (seen.likeness > LIKE)))


def _cells(heat: Field, c: Canvas, toned: Field) -> tuple[Field, Field]:
    """Disagreement and plain difference on a grid of at most `HEAT_SIDE` over the canvas; NaN where not compared."""
    size, _ = poses.reduced(heat.shape, HEAT_SIDE)
    known = poses.resize(c.seen.astype(np.float32), size) > 0.5
    cells = poses.resize(np.where(c.seen, heat, 0).astype(np.float32), size)
    difference = poses.resize(np.abs(c.copy - toned).mean(axis=2), size)
    return np.where(known, cells, np.nan).astype(np.float32), difference


def _change(region: Region, c: Canvas, toned: Field, shape: tuple[int, ...]) -> Change:
    rows, cols = region.mask.shape
    ys, xs = np.flatnonzero(region.mask.any(axis=1)), np.flatnonzero(region.mask.any(axis=0))
    height, width = c.seen.shape
    box = np.array([[xs[0] / cols * width, ys[0] / rows * height], [(xs[-1] + 1) / cols * width, (ys[-1] + 1) / rows * height]])
    (left, top), (right, bottom) = poses.apply(poses.inverse(c.from_copy), box - 0.5) + 0.5
    cell = (right - left) * (bottom - top) / ((xs[-1] + 1 - xs[0]) * (ys[-1] + 1 - ys[0]))
    pixels = poses.resize(region.mask.astype(np.float32), (width, height)) > 0.5
    x, y = max(left / shape[1], 0.0), max(top / shape[0], 0.0)
    return Change(
        x=float(x),
        y=float(y),
        w=float(min(right / shape[1], 1.0) - x),
        h=float(min(bottom / shape[0], 1.0) - y),
        score=region.score,
        area=float(region.mask.sum() * cell / (shape[0] * shape[1])),
        kind=kind_of(c, toned, pixels),
    )


def _over_copy(cells: Field, c: Canvas, shape: tuple[int, ...]) -> Field:
    """Bring cells of the canvas to a grid over the whole copy, NaN where nothing was compared."""
    size, down = poses.reduced(shape, HEAT_SIDE)
    to_cells = poses.resizing(cells.shape[1] / c.seen.shape[1], cells.shape[0] / c.seen.shape[0])
    to_grid, frame = down @ poses.inverse(to_cells @ c.from_copy), (size[1], size[0])
    known = ~np.isnan(cells)
    weight = poses.warp(known.astype(np.float32), to_grid, frame) * poses.covered(cells.shape, to_grid, frame)
    grid = poses.warp(np.where(known, cells, 0).astype(np.float32), to_grid, frame)
    return np.where(weight > 0.5, np.clip(grid / np.maximum(weight, 0.5), 0, 1), np.nan).astype(np.float32)


def _by_colour(copy: NDArray[np.uint8], ref: NDArray[np.uint8], both_plain: bool, scale: float) -> Fit:
    """Compare a copy without detail: how much of it has a colour that the reference has, too."""
    a, b = (poses.shrink(p.astype(np.float32), 24)[0].reshape(-1, 3) for p in (copy, ref))
    nearest = np.sqrt(((a[:, None] - b[None]) ** 2).sum(axis=2)).min(axis=1)
    same = float((nearest < PLAIN_TOLERANCE).mean())
    if same < PLAIN_SHARE or not both_plain:
        return replace(NOT_ALIGNED, plain=True)
    return replace(NOT_ALIGNED, score=PLAIN_CEILING * same, aligned=True, coverage=1.0, kept=1.0, scale=scale, plain=True)
