"""The image mark `org.colophon.mark.image.1`: embedding, and detection that knows nothing. README.md specifies the layout."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from watermark import code, payload
from watermark.detection import CANONICAL_AREA, SMALLEST_UNIT, Detection, Transform, canonical_unit
from watermark.errors import CarrierTooSmallError, UnsupportedError
from watermark.lattice import PILOT_SHARE, TILE, TILES, Lattice, Real, lattice
from watermark.mask import luma_and_hues, visibility, whiten
from watermark.pattern import interpolation, synthesise
from watermark.placing import follow_pilots, settle
from watermark.reading import Reading, glimpse, read
from watermark.strength import USUAL, Shape, choose, unclipped
from watermark.sync import Alignment, PoseSearch
from watermark.tiles import Matrix

ALGORITHM = "org.colophon.mark.image.1"
SMALLEST = 32
"""Pixels on the short side under which nothing is embedded."""
STRONGEST = 8.0
WORK_AREA = 327_680
"""Pixels to which larger copies are shrunk before anyone looks for a mark."""
P_FALSE = 1e-9
"""A picture is said to carry a mark only if chance is bounded by this, over the whole search."""
VIEWS = ((WORK_AREA, ((0.45, 0.8), (0.8, 1.25))), (120_000, ((1.2, 2.15),)), (45_000, ((2.1, 3.4),)))
"""Areas at which a copy is looked at, and the scales searched there, times that of an uncropped copy.

At the right size a pixel is about a canonical unit. What was cut out of a large picture is looked at small: there the mark's
waves are long, and blocks of 16 pixels too short to tell its frequencies from the host's.
"""
FAMILIES = (PoseSearch.upright, PoseSearch.turned, PoseSearch.stretched)
SURE_Z = 6.0
"""Agreement of pilots, in standard deviations, that chance hardly gives: such a pose is read before others are searched."""
CLEAR, CLEAR_UPRIGHT = 4.8, 4.6
"""Agreement of pilots that a true pose seldom lacks, and chance often has; where there is less to fit, chance has less."""
EDGE = 0.5
"""Canonical units by which the edges of a faint upright cut may lie beside the place that the pilots tell."""
TRIED = 3
"""Poses of a family that are read though they are not sure; of the best upright one, two with its edges moved, too."""
COARSE_SIZE, SEEN = 0.45, 3.5
"""Size at which the picture mirrored or turned by quarters is looked at first, and what it must show there to be read."""
SAME, SAME_PLACE = 0.002, 0.03
"""Difference of two poses, as a share of their size, and of a tile, under which one reading is enough for both."""
STRAIGHT = 1e-9
"""Terms of perspective, per canonical unit, that count as none."""
BAND_ROWS = 256
SAMPLED = 250_000
"""Pixels, in rows here and there, that tell how strong a mark becomes once it is carried to them."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the poses of one kind may cost; settled before any picture is seen, for the bound on chance rests on it.

    Attributes:
        offsets: Tile offsets that are decoded under each: one where pilots do not speak for it.
        readings: Poses of the kind that are read under one key, at most.
        share: Share of the allowed chance that all of them have together.
    """

    offsets: int
    readings: int
    share: float

    @property
    def weight(self) -> float:
        """By how much the chance of each decoding counts: the inverses add up to the share."""
        return self.offsets * self.readings / self.share


WHOLE, TURNED_WHOLE = Allowance(4, 3, 1 / 4), Allowance(1, 7, 1 / 16)
"""The picture taken as whole, as most copies are: without its colours, with them, as a small one; and mirrored or turned."""
SURE, LATER = Allowance(4, 6, 1 / 4), Allowance(4, 12, 1 / 8)
"""The first poses whose pilots agree by more than `SURE_Z`, and more of them."""
UPRIGHT, OTHERS = Allowance(2, TRIED + 2, 3 / 16), Allowance(2, 2 * TRIED, 1 / 8)
"""The best of what is not sure."""
ALLOWANCES = (WHOLE, TURNED_WHOLE, SURE, LATER, UPRIGHT, OTHERS)

Pixels = NDArray[np.uint8] | NDArray[np.uint16]
Bands = tuple[tuple[float, float], ...]
Pose = tuple["View", Matrix, Allowance]
"""Where a mark may lie in a copy at one size: canonical units → its pixels; and of which kind this pose is."""
Poses = Callable[["Views", Lattice], Iterator[Pose]]


def embed(pixels: Pixels, mark_id: int, *, key: bytes, strength: float | None = None) -> Pixels:
    """Return a copy of a picture that carries an id as an invisible mark.

    Args:
        pixels: Shape (H, W), (H, W, 3) or (H, W, 4), uint8 or uint16, gamma-coded (sRGB or alike), upright; left unchanged.
        mark_id: 0 ≤ id < 2⁶⁴.
        key: At least 16 bytes; whoever detects needs the same.
        strength: RMS change of luma in 8-bit code values, 0 < strength ≤ 8; None chooses by content (`strength.choose`).
    Returns:
        Same shape and dtype. All colour channels change by the same amount; alpha, and what is fully transparent, not at all.
    Raises:
        CarrierTooSmallError: fewer than 32 pixels on the short side.
        UnsupportedError: another shape or dtype.
        ValueError: id, key or strength out of range.
    """
    _check(pixels)
    if min(pixels.shape[:2]) < SMALLEST:
        raise CarrierTooSmallError(min(pixels.shape[:2]), SMALLEST, "pixels on the short side")
    if strength is not None and not 0 < strength <= STRONGEST:
        raise ValueError(f"strength is 0–{STRONGEST} code values, not {strength}")
    layout = lattice(key)
    word = code.encode(payload.pack(mark_id))
    height, width = pixels.shape[:2]
    unit = canonical_unit(width, height)
    wide, tall = math.ceil(width / unit), math.ceil(height / unit)
    picture = shrink(pixels, wide, tall)
    luma = luma_and_hues(picture)[0]

    def shaped(shape: Shape) -> Real:
        symbols = layout.symbols(word) * layout.balance(shape.coarse)
        pilots, carriers = synthesise(layout, symbols, layout.origin(mark_id), -(-tall // TILE), -(-wide // TILE))
        more, less = math.sqrt(shape.pilots / PILOT_SHARE), math.sqrt((1 - shape.pilots) / (1 - PILOT_SHARE))
        mark = (more * pilots + less * carriers)[:tall, :wide] * visibility(luma, shape.contrast)
        return np.asarray(mark / np.sqrt((mark**2).mean()), np.float32)

    if strength is None:
        mark, wanted = choose(picture, shaped, layout, word, mark_id, unit)
    else:
        mark, wanted = shaped(USUAL), strength
    down = interpolation(height, unit, tall)
    across: Real = np.ascontiguousarray(mark @ interpolation(width, unit, wide).T)
    return _add(pixels, down, across * _factor(pixels, down, across, wanted, clipping=strength is None))


def detect(pixels: NDArray[np.uint8], *, keys: Sequence[bytes]) -> Detection:
    """Look for a mark in a picture of which nothing is known.

    Args:
        pixels: Shape (H, W), (H, W, 3) or (H, W, 4), uint8 (uint16 is reduced); any size.
        keys: Tried in order; the first that reads wins.
    Returns:
        A detection; where something is found its `p_false` ≤ 1e-9 bounds the chance over all poses, offsets, ids and keys.
    Raises:
        UnsupportedError: another shape or dtype.
    """
    _check(pixels)
    nothing = Detection(ALGORITHM, None, 1.0, None, None, None)
    if min(pixels.shape[:2]) < SMALLEST or pixels.min() == pixels.max():
        return nothing
    return search(Views([pixels]), keys)


def search(views: Views, keys: Sequence[bytes], *, searches: int = 1, poses: Poses | None = None) -> Detection:
    """Look for a mark in a copy that is laid out for the search, as `detect`.

    Args:
        views: The copy.
        keys: Tried in order; the first that reads wins.
        searches: How many searches may be made of what is one carrier to the caller; all count in the bound on chance.
        poses: Where to look; None for what is usual.
    """
    tries = max(1, len(keys) * searches)
    found = _search(views, keys, P_FALSE / tries, poses or _poses)
    if found is None:
        return Detection(ALGORITHM, None, 1.0, None, None, None)
    index, weight, view, reading, plane = found
    chance = math.exp(max(-700.0, reading.log_chance)) * weight * tries
    return Detection(ALGORITHM, reading.mark_id, chance, reading.bit_errors, index, _transform(view, plane, reading))


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A copy at one size, made ready for the search, whatever the key.

    Attributes:
        white: Whitened luma, shape (h, w).
        pixel: Copy pixels per pixel of `white`, (x, y).
        poses: The search of poses at the scales that this size is right for.
    """

    white: Real
    pixel: tuple[float, float]
    poses: PoseSearch


def _search(views: Views, keys: Sequence[bytes], p_false: float, poses: Poses) -> tuple[int, float, View, Reading, Matrix] | None:
    """Try poses, the likely ones first, until one reads under one of the keys: key, weight of its decodings, what it gave."""
    for index, key in enumerate(keys):
        layout = lattice(key)
        left = {kind: kind.readings for kind in ALLOWANCES}
        for view, plane, kind in _distinct(poses(views, layout)):
            if not left[kind]:
                continue
            left[kind] -= 1
            reading = read(view.white, layout, plane, math.log(p_false / kind.weight), most=kind.offsets)
            if reading:
                return index, kind.weight, view, reading, settle(view.white, layout, plane, reading)
    return None


def _distinct(poses: Iterator[Pose]) -> Iterator[Pose]:
    """Leave out poses that were read before, at that size of the copy: several families find the same."""
    seen: list[tuple[View, Matrix]] = []
    for view, plane, kind in poses:
        if not any(view is other and _alike(plane, before) for other, before in seen):
            seen.append((view, plane))
            yield view, plane, kind


def _alike(one: Matrix, other: Matrix) -> bool:
    """Whether two poses differ by whole tiles and next to nothing else."""
    apart = np.linalg.solve(one, other)
    apart /= apart[2, 2]
    shift = np.abs(apart[:2, 2] / TILE)
    return bool(np.abs(apart[:2, :2] - np.eye(2)).max() < SAME and np.abs(shift - np.rint(shift)).max() < SAME_PLACE)


class Views:
    """A copy at the sizes at which it is looked at, each made when it is first asked for: most are read from the first.

    Several pictures that carry one mark in one pose, such as the frames of a film, add up: what differs between them fades.
    """

    def __init__(self, pictures: Iterable[Pixels] = ()) -> None:
        """Take pictures of one size and form, each as `detect` takes it."""
        self._pictures = list(pictures)
        self._weights = [1.0] * len(self._pictures)
        self._summed: dict[tuple[int, int], tuple[int, Real]] = {}
        self._first: tuple[Pixels, Real] | None = None
        self._made: list[View | None] = [None] * len(VIEWS)

    def add(self, picture: Pixels, weight: float = 1.0) -> None:
        """Take one more picture, of the size and form of those before; it counts by its weight, > 0."""
        self._pictures.append(picture)
        self._weights.append(weight)
        self._made = [None] * len(VIEWS)

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> View:
        if (made := self._made[index]) is None:
            made = self._made[index] = self._make(*VIEWS[index])
        return made

    def __iter__(self) -> Iterator[View]:
        return (self[index] for index in range(len(VIEWS)))

    def glance(self) -> View | None:
        """The first view of luma alone, in half the time, for a first reading; None where there is no colour to leave out."""
        if len(self) != 1 or self._pictures[0].ndim == 2 or self._made[0]:
            return None
        wide, tall = self._size(WORK_AREA)
        white = whiten(luma_and_hues(self._shrunk(self._pictures[0], wide, tall))[0])
        return self._view(white, VIEWS[0][1])

    def _make(self, area: float, bands: Bands) -> View:
        wide, tall = self._size(area)
        count, total = self._summed.get((wide, tall), (0, np.zeros((), np.float32)))
        for picture, weight in zip(self._pictures[count:], self._weights[count:], strict=True):
            total = total + np.float32(weight) * whiten(self._shrunk(picture, wide, tall))
        self._summed[wide, tall] = len(self), total
        return self._view(np.asarray(total / np.float32(sum(self._weights)), np.float32), bands)

    def _shrunk(self, picture: Pixels, wide: int, tall: int) -> Real:
        """A picture at another size, by way of the largest at which it is looked at: it may have millions of pixels."""
        if self._first is None or self._first[0] is not picture:
            self._first = picture, shrink(picture, *self._size(WORK_AREA))
        first = self._first[1]
        return first if first.shape[:2] == (tall, wide) else shrink(first, wide, tall)

    def _size(self, area: float) -> tuple[int, int]:
        height, width = self._pictures[0].shape[:2]
        factor = max(1.0, math.sqrt(height * width / area))
        return max(1, round(width / factor)), max(1, round(height / factor))

    def _view(self, white: Real, bands: Bands) -> View:
        (height, width), (tall, wide) = self._pictures[0].shape[:2], white.shape
        return View(white, (width / wide, height / tall), PoseSearch(white, math.sqrt(white.size / CANONICAL_AREA), bands))


def _poses(views: Views, layout: Lattice) -> Iterator[Pose]:
    """Poses worth a reading, and of which kind they are; the likely and the cheap ones first.

    1. The whole picture, as it was or resized: needs no pilots. First without its colours.
    2. View by view, family by family: poses whose pilots leave little doubt. Most copies are read here.
    3. The whole picture, mirrored or turned by quarters: needs no pilots.
    4. The best of the other poses of each family.
    """
    if glance := views.glance():
        yield glance, next(_whole(glance)), WHOLE
    whole = list(_whole(views[0]))
    for plane in (whole[0], *whole[len(_QUARTERS) :]):
        yield views[0], plane, WHOLE
    sure, doubtful = 0, [list[tuple[float, View, Matrix]]() for _ in FAMILIES]
    for view in views:
        for left, search in zip(doubtful, FAMILIES, strict=True):
            for aligned in search(view.poses, layout):
                plane = plane_of(view.white, aligned)
                if aligned.z > SURE_Z and sure < SURE.readings + LATER.readings:
                    sure += 1
                    yield view, follow_pilots(view.white, layout, plane), SURE if sure <= SURE.readings else LATER
                elif aligned.z > (CLEAR_UPRIGHT if left is doubtful[0] else CLEAR):
                    left.append((aligned.z, view, plane))
    tall, wide = views[0].white.shape
    size = max(1, round(COARSE_SIZE * wide)), max(1, round(COARSE_SIZE * tall))
    reduced = np.asarray(cv2.resize(views[0].white, size, interpolation=cv2.INTER_AREA), np.float32)
    shrinking = np.diag([size[0] / wide, size[1] / tall, 1.0])
    for plane in whole[1 : len(_QUARTERS)]:
        if glimpse(reduced, layout, shrinking @ plane) > SEEN:
            yield views[0], plane, TURNED_WHOLE
    upright, *others = (sorted(left, key=lambda pose: -pose[0])[:TRIED] for left in doubtful)
    for _, view, plane in upright:
        yield view, plane, UPRIGHT
    for _, view, plane in upright[:1]:
        for edge in (-EDGE, EDGE):
            yield view, _scaled(view, plane, edge), UPRIGHT
    for left in others:
        for _, view, plane in left:
            yield view, follow_pilots(view.white, layout, plane), OTHERS


def _scaled(view: View, plane: Matrix, edge: float) -> Matrix:
    """A pose at a slightly other scale: the copy's middle stays, its edges move by so many canonical units."""
    height, width = view.white.shape
    middle = np.array([width / 2, height / 2])
    factor = 1 + 2 * edge * math.sqrt(abs(np.linalg.det(plane[:2, :2])) / (width * height))
    moved = np.diag([factor, factor, 1.0])
    moved[:2, 2] = middle - factor * middle
    return np.asarray(moved @ plane, np.float64)


def plane_of(white: Real, aligned: Alignment) -> Matrix:
    """A pose as a homography from canonical units, modulo the tile, to the pixels of the copy in which it was found."""
    plane = np.eye(3)
    plane[:2, :2] = np.linalg.inv(aligned.waves).T
    middle = [white.shape[1] // 2 + 0.5, white.shape[0] // 2 + 0.5]
    plane[:2, 2] = middle - plane[:2, :2] @ aligned.centre
    return plane


def _whole(view: View) -> Iterator[Matrix]:
    """The eight poses of an uncropped picture, and for small ones the pose under the floor of the canonical unit."""
    (wide, tall), (height, width) = view.pixel, view.white.shape
    unit = math.sqrt(wide * width * tall * height / CANONICAL_AREA)
    for a, b, c, d in _QUARTERS:
        x, y = width * (min(a, b) < 0), height * (min(c, d) < 0)
        yield np.array([[a * unit / wide, b * unit / wide, x], [c * unit / tall, d * unit / tall, y], [0, 0, 1]])
    if unit < SMALLEST_UNIT:
        yield np.diag([SMALLEST_UNIT, SMALLEST_UNIT, 1.0])


_QUARTERS = (
    (1, 0, 0, 1),
    (-1, 0, 0, 1),
    (-1, 0, 0, -1),
    (1, 0, 0, -1),
    (0, -1, 1, 0),
    (0, 1, -1, 0),
    (0, 1, 1, 0),
    (0, -1, -1, 0),
)
"""Row-major matrices of the turns by quarters, mirrored and not."""


def _transform(view: View, plane: Matrix, reading: Reading) -> Transform:
    """Undo the shrinking, and put the origin on the marked picture's corner."""
    height, width = view.white.shape
    middle = np.linalg.solve(plane, [width / 2, height / 2, 1.0])
    corner = np.array([reading.corner[1], reading.corner[0]], float)
    # the copy's middle lies in the first super-tile right of and below the corner
    corner += TILES * np.floor((middle[:2] / middle[2] / TILE - corner) / TILES)
    moved = np.eye(3)
    moved[:2, 2] = TILE * corner
    whole = np.diag([*view.pixel, 1.0]) @ plane @ moved
    whole /= whole[2, 2]
    if np.abs(whole[2, :2]).max() < STRAIGHT:
        (a, b, x), (c, d, y) = whole[:2].tolist()
        return Transform((a, b, c, d), (x, y))
    # the affine map that touches the perspective in the copy's middle
    there = np.linalg.solve(whole, [view.pixel[0] * width / 2, view.pixel[1] * height / 2, 1.0])
    there /= there[2]
    depth = whole[2] @ there
    seen = whole[:2] @ there / depth
    tangent = (whole[:2, :2] - np.outer(seen, whole[2, :2])) / depth
    (a, b), (c, d) = tangent.tolist()
    x, y = (seen - tangent @ there[:2]).tolist()
    return Transform((a, b, c, d), (x, y), tuple(whole.ravel().tolist()))


def _factor(pixels: Pixels, down: Real, across: Real, wanted: float, *, clipping: bool) -> np.float32:
    """By how much to multiply a mark for its RMS to be as wanted, on a sample of rows; if asked, after clipping to 0–255.

    What is clipped away makes the rest stronger, up to twice: on white pages half is.
    """
    rows = slice(0, None, max(1, pixels.shape[0] * pixels.shape[1] // SAMPLED))
    change = np.asarray(down[rows] @ across, np.float32)
    if not clipping:
        return np.float32(wanted * math.sqrt(change.size) / max(float(cv2.norm(change)), 1e-6))
    seen = shrink(pixels[rows], *change.shape[::-1])
    return np.float32(unclipped(seen, change if seen.ndim == 2 else np.asarray(cv2.merge([change] * 3), np.float32), wanted))


def _add(pixels: Pixels, down: Real, across: Real) -> Pixels:
    """Carry a mark from canonical samples to pixels and add it, in bands of rows.

    Args:
        pixels: The picture, H rows.
        down: Shape (H, rows of samples): weights from samples to pixels.
        across: Shape (rows of samples, W): the mark, carried to pixels along rows.
    """
    out = pixels.copy()
    step = 257.0 if pixels.dtype == np.uint16 else 1.0
    for top in range(0, len(pixels), BAND_ROWS):
        rows = slice(top, min(top + BAND_ROWS, len(pixels)))
        used = np.flatnonzero(down[rows].any(0))
        change = down[rows, used[0] : used[-1] + 1] @ across[used[0] : used[-1] + 1]
        out[rows] = _changed(pixels[rows], change * np.float32(step))
    return out


def _changed(pixels: Pixels, change: Real) -> Pixels:
    if pixels.ndim == 3:
        if pixels.shape[2] == 4:
            change = change * (pixels[..., 3] > 0)
        change = np.asarray(cv2.merge([change] * 3 + [np.zeros_like(change)] * (pixels.shape[2] - 3)), np.float32)
    if pixels.dtype == np.uint16:
        return np.asarray(cv2.add(pixels, change, dtype=cv2.CV_16U), np.uint16)
    return np.asarray(cv2.add(pixels, change, dtype=cv2.CV_8U), np.uint8)


def _check(pixels: Pixels) -> None:
    shaped = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))
    if not shaped or pixels.dtype not in (np.uint8, np.uint16):
        raise UnsupportedError("", f"pixels of shape {pixels.shape} and type {pixels.dtype}")


def luma_of(pixels: Pixels) -> NDArray[np.uint8]:
    """Return luma, 0–255, shape (H, W), of any pixels that `detect` takes."""
    if pixels.dtype == np.uint16:
        pixels = np.asarray(cv2.convertScaleAbs(pixels, alpha=1 / 257), np.uint8)
    return np.asarray(pixels if pixels.ndim == 2 else cv2.cvtColor(pixels[..., :3], cv2.COLOR_RGB2GRAY), np.uint8)


def shrink(pixels: Pixels | Real, wide: int, tall: int) -> Real:
    """Return a picture at another size, 0–255, float32: shape (tall, wide), or (tall, wide, 3) of colour, its alpha left out."""
    larger = wide > pixels.shape[1] or tall > pixels.shape[0]
    small = cv2.resize(pixels, (wide, tall), interpolation=cv2.INTER_LINEAR if larger else cv2.INTER_AREA)
    scale = np.float32(1 / 257 if pixels.dtype == np.uint16 else 1)
    return np.ascontiguousarray(small[..., :3] if pixels.ndim == 3 else small, np.float32) * scale
