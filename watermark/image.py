"""The image mark `org.colophon.mark.image.1`: embedding, and detection that knows nothing. README.md specifies the layout."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from watermark import code, payload
from watermark.detection import CANONICAL_AREA, SMALLEST_UNIT, Detection, Transform, canonical_unit
from watermark.errors import CarrierTooSmallError, UnsupportedError
from watermark.lattice import TILE, TILES, Lattice, Real, lattice
from watermark.mask import visibility, whiten
from watermark.pattern import interpolation, synthesise
from watermark.placing import follow_pilots, settle
from watermark.reading import Matrix, Reading, read
from watermark.spectrum import spectrum
from watermark.strength import choose
from watermark.sync import Alignment, PoseSearch

ALGORITHM = "org.colophon.mark.image.1"
SMALLEST = 32
"""Pixels on the short side under which nothing is embedded."""
STRONGEST = 8.0
WORK_AREA = 327_680
"""Pixels to which larger copies are shrunk before anyone looks for a mark."""
P_FALSE = 1e-9
"""A picture is said to carry a mark only if chance is bounded by this, over the whole search."""
READINGS = 40
"""Most readings of one picture under one key; part of the bound."""
VIEWS = ((WORK_AREA, ((0.45, 0.8), (0.8, 1.25))), (120_000, ((1.2, 2.15),)), (45_000, ((2.1, 3.4),)))
"""Areas at which a copy is looked at, and the scales searched there, times that of an uncropped copy.

At the right size a pixel is about a canonical unit. What was cut out of a large picture is looked at small: there the mark's
waves are long, and blocks of 16 pixels too short to tell its frequencies from the host's.
"""
FAMILIES = (PoseSearch.upright, PoseSearch.turned, PoseSearch.stretched)
SURE = 6.0
"""Agreement of pilots, in standard deviations, that chance hardly gives: such a pose is read before others are searched."""
MOST_SURE = 18
CLEAR = 4.8
"""Agreement of pilots that a true pose seldom lacks, and chance often has."""
TRIED = 3
"""Poses of a family that are read though they are not sure."""
STRAIGHT = 1e-9
"""Terms of perspective, per canonical unit, that count as none."""
BAND_ROWS = 256

Pixels = NDArray[np.uint8] | NDArray[np.uint16]


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
    luma = shrink(luma_of(pixels), wide, tall)
    parts = synthesise(layout, layout.symbols(word), layout.origin(mark_id), -(-tall // TILE), -(-wide // TILE))
    mark = (parts[0] + parts[1])[:tall, :wide] * visibility(luma)
    mark /= np.sqrt((mark**2).mean())
    mark *= choose(luma, mark, layout, word, mark_id) if strength is None else strength
    return _add(pixels, mark, unit)


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
    return search(Views([luma_of(pixels)]), keys)


def search(views: Views, keys: Sequence[bytes], *, searches: int = 1) -> Detection:
    """Look for a mark in a copy that is laid out for the search, as `detect`.

    Args:
        views: The copy.
        keys: Tried in order; the first that reads wins.
        searches: How many searches may be made of what is one carrier to the caller; all count in the bound on chance.
    """
    tries = READINGS * len(keys) * searches
    found = _search(views, keys, math.log(P_FALSE / max(tries, 1)))
    if found is None:
        return Detection(ALGORITHM, None, 1.0, None, None, None)
    index, view, reading, plane = found
    chance = math.exp(max(-700.0, reading.log_chance)) * tries
    return Detection(ALGORITHM, reading.mark_id, chance, reading.bit_errors, index, _transform(view, plane, reading))


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """A copy at one size, made ready for the search, whatever the key.

    Attributes:
        white: Whitened luma, shape (h, w).
        pixel: Copy pixels per pixel of `white`, (x, y).
        poses: The search of poses at the scales that this size is right for.
    """

    white: Real
    pixel: tuple[float, float]
    poses: PoseSearch


def _search(views: Views, keys: Sequence[bytes], limit: float) -> tuple[int, _View, Reading, Matrix] | None:
    """Try poses, the likely ones first, until one reads under one of the keys."""
    for index, key in enumerate(keys):
        layout = lattice(key)
        for view, plane in itertools.islice(_poses(views, layout), READINGS):
            reading = read(view.white, layout, plane, limit)
            if reading:
                return index, view, reading, settle(view.white, layout, plane, reading)
    return None


class Views:
    """A copy at the sizes at which it is looked at, each made when it is first asked for: most are read from the first.

    Several pictures that carry one mark in one pose, such as the frames of a film, add up: what differs between them fades.
    """

    def __init__(self, lumas: Iterable[NDArray[np.uint8]] = ()) -> None:
        self._lumas = list(lumas)
        self._summed = [(0, np.zeros((), np.float32))] * len(VIEWS)
        self._made: list[_View | None] = [None] * len(VIEWS)

    def add(self, luma: NDArray[np.uint8]) -> None:
        """Take one more picture, shape (H, W), of the size of those before."""
        self._lumas.append(luma)
        self._made = [None] * len(VIEWS)

    def __len__(self) -> int:
        return len(self._lumas)

    def __getitem__(self, index: int) -> _View:
        if (made := self._made[index]) is None:
            made = self._made[index] = self._make(index, *VIEWS[index])
        return made

    def __iter__(self) -> Iterator[_View]:
        return (self[index] for index in range(len(VIEWS)))

    def _make(self, index: int, area: float, bands: tuple[tuple[float, float], ...]) -> _View:
        height, width = self._lumas[0].shape
        factor = max(1.0, math.sqrt(height * width / area))
        wide, tall = max(1, round(width / factor)), max(1, round(height / factor))
        count, total = self._summed[index]
        for luma in self._lumas[count:]:
            total = total + whiten(shrink(luma, wide, tall))
        self._summed[index] = len(self._lumas), total
        white = np.asarray(total / np.float32(len(self._lumas)), np.float32)
        poses = PoseSearch(spectrum(white), math.sqrt(white.size / CANONICAL_AREA), bands)
        return _View(white, (width / wide, height / tall), poses)


def _poses(views: Views, layout: Lattice) -> Iterator[tuple[_View, Matrix]]:
    """Poses worth a reading, the likely and the cheap ones first.

    1. The whole picture, as it was or resized: needs no pilots.
    2. View by view, family by family: poses whose pilots leave little doubt. Most copies are read here.
    3. The whole picture, mirrored or turned by quarters: needs no pilots.
    4. The best of the other poses of each family.
    """
    whole = list(_whole(views[0]))
    yield views[0], whole[0]
    sure, doubtful = 0, [list[tuple[float, _View, Matrix]]() for _ in FAMILIES]
    for view in views:
        for left, search in zip(doubtful, FAMILIES, strict=True):
            for aligned in search(view.poses, layout):
                plane = _plane(view, aligned)
                if aligned.z > SURE and sure < MOST_SURE:
                    sure += 1
                    yield view, follow_pilots(view.white, layout, plane)
                elif aligned.z > CLEAR:
                    left.append((aligned.z, view, plane))
    for plane in whole[1:]:
        yield views[0], plane
    for left in doubtful:
        for _, view, plane in sorted(left, key=lambda pose: -pose[0])[:TRIED]:
            yield view, follow_pilots(view.white, layout, plane)


def _plane(view: _View, aligned: Alignment) -> Matrix:
    """A pose as a homography from canonical units, modulo the tile, to the view's pixels."""
    plane = np.eye(3)
    plane[:2, :2] = np.linalg.inv(aligned.waves).T
    middle = [view.white.shape[1] // 2 + 0.5, view.white.shape[0] // 2 + 0.5]
    plane[:2, 2] = middle - plane[:2, :2] @ aligned.centre
    return plane


def _whole(view: _View) -> Iterator[Matrix]:
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


def _transform(view: _View, plane: Matrix, reading: Reading) -> Transform:
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


def _add(pixels: Pixels, mark: Real, unit: float) -> Pixels:
    """Carry a mark from canonical samples to pixels and add it, in bands of rows."""
    height, width = pixels.shape[:2]
    tall, wide = mark.shape
    down = interpolation(height, unit, tall)
    across = np.ascontiguousarray(mark @ interpolation(width, unit, wide).T)
    out = pixels.copy()
    step = 257.0 if pixels.dtype == np.uint16 else 1.0
    for top in range(0, height, BAND_ROWS):
        rows = slice(top, min(top + BAND_ROWS, height))
        used = np.flatnonzero(down[rows].any(0))
        change = down[rows, used[0] : used[-1] + 1] @ across[used[0] : used[-1] + 1]
        out[rows] = _changed(pixels[rows], change * np.float32(step))
    return out


def _changed(pixels: Pixels, change: Real) -> Pixels:
    if pixels.ndim == 3:
        if pixels.shape[2] == 4:
            change = change * (pixels[..., 3] > 0)
        change = np.dstack([change] * 3 + [np.zeros_like(change)] * (pixels.shape[2] - 3))
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


def shrink(luma: NDArray[np.uint8], wide: int, tall: int) -> Real:
    """Return luma at another size, shape (tall, wide), float32, 0–255."""
    larger = wide > luma.shape[1] or tall > luma.shape[0]
    method = cv2.INTER_LINEAR if larger else cv2.INTER_AREA
    return np.asarray(cv2.resize(luma, (wide, tall), interpolation=method), np.float32)
