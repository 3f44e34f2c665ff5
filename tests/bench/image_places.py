"""Small pictures, where a copy lies on its reference, and where the mark is: `python -m tests.bench.image_places PART …`.

PART is `small`, `pose` or `presence`, the photos all or those named after it. Prints Markdown of watermark/README.md.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.bench.__main__ import CORPUS
from watermark import attacks as a
from watermark import image
from watermark.detection import Detection
from watermark.payload import PUBLIC_KEY
from watermark.presence import MISSING, absence

MARK_ID = 0x9E3779B97F4A7C15
SMALL, SHORT, AREA = 256, 512, 1_000_000
"""Pixels each way of the small pictures, on the short side of a photo that counts, and to which larger photos are brought."""
Pixels = NDArray[np.uint8]
Matrix = NDArray[np.float64]


def photos(names: list[str]) -> dict[str, Pixels]:
    """Photos of 512 pixels and more on the short side, at most a megapixel."""
    folder = CORPUS / "photos"
    found = {}
    for path in sorted(folder.iterdir()):
        with Image.open(path) as opened:
            if min(opened.size) >= SHORT and (not names or path.name in names):
                rgb = np.asarray(opened.convert("RGB"))
                found[path.name] = a.scale(rgb, min(1.0, math.sqrt(AREA / (rgb.shape[0] * rgb.shape[1]))))
    return found


def marked(rgb: Pixels) -> Pixels:
    return np.asarray(image.embed(rgb, MARK_ID, key=PUBLIC_KEY), np.uint8)


def found(copy: Pixels) -> Detection:
    result = image.detect(copy, keys=[PUBLIC_KEY])
    assert result.mark_id in (None, MARK_ID), "a wrong id"
    return result


# Small pictures


def small_pictures(rgb: Pixels, count: int = 3) -> list[Pixels]:
    """The middle square brought to 256 pixels, and cuts of 256 pixels."""
    rng, side = np.random.default_rng(1), min(rgb.shape[:2])
    top, left = (rgb.shape[0] - side) // 2, (rgb.shape[1] - side) // 2
    pictures = [a.resize(rgb[top : top + side, left : left + side], SMALL, SMALL)]
    for _ in range(count):
        top, left = (int(rng.integers(0, size - SMALL + 1)) for size in rgb.shape[:2])
        pictures.append(np.ascontiguousarray(rgb[top : top + SMALL, left : left + SMALL]))
    return pictures


def small(sources: dict[str, Pixels]) -> None:
    rows: dict[str, Callable[[Pixels], Pixels]] = {
        "JPEG 50": lambda rgb: a.jpeg(rgb, 50),
        "scale 0.75": lambda rgb: a.scale(rgb, 0.75),
        "cut to 0.5": lambda rgb: a.crop(rgb, 0.5, seed=7),
    }
    pictures = [marked(part) for rgb in sources.values() for part in small_pictures(rgb)]
    print("| 256 × 256 pixels | exact id |\n|---|---|")
    for title, row in rows.items():
        print(f"| {title} | {sum(found(row(rgb)).found for rgb in pictures)} / {len(pictures)} |", flush=True)


# Where a copy lies


def turned(degrees: float, rgb: Pixels) -> tuple[Pixels, Matrix]:
    """A copy turned anticlockwise, and the map of reference to copy pixels."""
    copy = a.rotate(rgb, degrees)
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    matrix = np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]])
    middles = (np.array([picture.shape[1], picture.shape[0]]) / 2 for picture in (copy, rgb))
    there, here = middles
    matrix[:2, 2] = there - matrix[:2, :2] @ here
    return copy, matrix


def cut(share: float, rgb: Pixels) -> tuple[Pixels, Matrix]:
    """A copy cut to a share of the area, somewhat right of and below the middle."""
    height, width = (round(size * math.sqrt(share)) for size in rgb.shape[:2])
    top, left = int(0.7 * (rgb.shape[0] - height)), int(0.6 * (rgb.shape[1] - width))
    return np.ascontiguousarray(rgb[top : top + height, left : left + width]), np.array(
        [[1, 0, -left], [0, 1, -top], [0, 0, 1.0]]
    )


def scaled(factor: float, rgb: Pixels) -> tuple[Pixels, Matrix]:
    copy = a.scale(rgb, factor)
    return copy, np.diag([copy.shape[1] / rgb.shape[1], copy.shape[0] / rgb.shape[0], 1.0])


def social(rgb: Pixels) -> tuple[Pixels, Matrix]:
    copy = a.social(rgb)
    return copy, np.diag([copy.shape[1] / rgb.shape[1], copy.shape[0] / rgb.shape[0], 1.0])


CHAINS: dict[str, tuple[Callable[[Pixels], tuple[Pixels, Matrix]], ...]] = {
    "scale 0.6 + social": (lambda rgb: scaled(0.6, rgb), social),
    "turned by 5° + social": (lambda rgb: turned(5, rgb), social),
    "cut to 0.5 + social": (lambda rgb: cut(0.5, rgb), social),
    "turned by 5°, cut to 0.5, scale 0.8 + social": (
        lambda rgb: turned(5, rgb),
        lambda rgb: cut(0.5, rgb),
        lambda rgb: scaled(0.8, rgb),
        social,
    ),
}


def error(result: Detection, truth: Matrix, copy: Pixels, rgb: Pixels) -> float:
    """Largest error, in reference pixels, over what the copy shows of the reference."""
    assert result.transform is not None
    pose = result.transform.against(rgb.shape[1], rgb.shape[0])
    matrix = np.array(pose.homography or (*pose.matrix, 0, 0, 1)).reshape(3, 3)
    x, y = np.meshgrid(np.linspace(0, copy.shape[1], 9), np.linspace(0, copy.shape[0], 9))
    seen = np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    there, wanted = np.linalg.solve(matrix, seen), np.linalg.solve(truth, seen)
    there, wanted = there[:2] / there[2], wanted[:2] / wanted[2]
    inside = ((wanted >= 0) & (wanted <= np.array([[rgb.shape[1]], [rgb.shape[0]]]))).all(0)
    return float(np.hypot(*(there - wanted)[:, inside]).max())


def pose(sources: dict[str, Pixels]) -> None:
    print("| treatment | read | error, pixels of the reference: median | largest | ≤ 1 |\n|---|---|---|---|---|")
    pictures = [marked(rgb) for rgb in sources.values()]
    for title, chain in CHAINS.items():
        errors = []
        for rgb in pictures:
            copy, truth = rgb, np.eye(3)
            for step in chain:
                copy, moved = step(copy)
                truth = moved @ truth
            if (result := found(copy)).found:
                errors.append(error(result, truth, copy, rgb))
        good = sum(value <= 1 for value in errors)
        print(f"| {title} | {len(errors)} | {np.median(errors):.2f} | {max(errors):.2f} | {good} / {len(errors)} |", flush=True)


# Where the mark is


def replaced(rgb: Pixels, source: Pixels) -> tuple[Pixels, NDArray[np.bool_]]:
    """A square of a quarter of the sides put back as it was before marking, and which pixels that are."""
    height, width = rgb.shape[:2]
    area = np.s_[height // 3 : height // 3 + height // 4, width // 3 : width // 3 + width // 4]
    copy, where = rgb.copy(), np.zeros(rgb.shape[:2], np.bool_)
    copy[area], where[area] = source[area], True
    return copy, where


def shares(evidence: NDArray[np.float32], where: NDArray[np.bool_]) -> tuple[float, float]:
    """Share of cells said to carry nothing, away from the replaced square, and within it."""
    inside = cv2.resize(where.astype(np.float32), evidence.shape[::-1], interpolation=cv2.INTER_AREA)
    near = cv2.dilate(inside, np.ones((5, 5)))
    absent = evidence > MISSING
    return float(absent[near == 0].mean()), float(absent[cv2.erode(inside, np.ones((3, 3))) > 0.99].mean())


def regions(sources: dict[str, Pixels]) -> None:
    rows: dict[str, Callable[[Pixels], Pixels]] = {
        "as it was": lambda rgb: rgb,
        "JPEG 70": lambda rgb: a.jpeg(rgb, 70),
        "social": a.social,
        "scale 0.5": lambda rgb: a.scale(rgb, 0.5),
        "messaging": a.messaging,
    }
    print("| copy | cells said to carry nothing: honest | replaced |\n|---|---|---|")
    pairs = [(rgb, *replaced(marked(rgb), rgb)) for rgb in sources.values()]
    for title, row in rows.items():
        measured = []
        for _, edited, where in pairs:
            copy = row(edited)
            if (result := found(copy)).found:
                measured.append(shares(absence(copy, result, PUBLIC_KEY), where))
        honest, gone = np.mean(measured, axis=0)
        print(f"| {title} | {100 * honest:.1f} % | {100 * gone:.0f} % |", flush=True)


PARTS = {"small": small, "pose": pose, "presence": regions}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=sorted(PARTS))
    parser.add_argument("photos", nargs="*")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    PARTS[options.part](photos(options.photos))


if __name__ == "__main__":
    main()
