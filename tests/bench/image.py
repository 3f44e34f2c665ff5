"""Measure the image mark on the corpus: `python -m tests.bench.image [--ladder NAME] [PHOTO …]`.

Prints the Markdown tables of watermark/README.md. Times are CPU seconds on one core.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from tests.bench.__main__ import CORPUS
from watermark import attacks as a
from watermark import image, payload, quality
from watermark.ladder import IMAGE_2026, LADDERS, Ladder, Step, do

KEY = payload.PUBLIC_KEY
MARK_ID = 0x9E3779B97F4A7C15
SEED = 7

HARD = Ladder(
    "image-hard",
    "image",
    (
        Step("jpeg-10", "JPEG at quality 10", (do(a.jpeg, 10),)),
        Step("scale-0.25", "a quarter of the size", (do(a.scale, 0.25),)),
        Step("crop-50+social", "cut to 50 %, then a feed", (do(a.crop, 0.5), do(a.social))),
        Step("rotate-30", "turned by 30°", (do(a.rotate, 30),)),
        Step("rotate-180", "turned by 180°", (do(a.rotate, 180),)),
        Step("aspect-0.83", "20 % narrower than it was", (do(a.stretch, 1 / 1.2),)),
        Step("perspective-3", "seen at an angle, 3 %", (do(a.perspective, 0.03),)),
        Step("equalise", "histogram equalised", (do(a.equalise),)),
        Step("median-3", "median, 3 × 3", (do(a.median, 3),)),
        Step("sharpen", "sharpened", (do(a.sharpen),)),
        Step("gamma-0.8", "gamma 0.8", (do(a.gamma, 0.8),)),
        Step("three-platforms", "three platforms in a row", (do(a.three_platforms),)),
        Step("screen-photo", "photo of a screen, simulated", (do(a.screen_photo),)),
        Step("print-scan", "print and scan, simulated", (do(a.print_scan),)),
    ),
)
_LADDERS = {**LADDERS, HARD.name: HARD}


@dataclass(frozen=True, slots=True)
class Result:
    """One photo's results: `steps` maps a name to (exact, CPU seconds of detection)."""

    name: str
    size: tuple[int, int]
    psnr: float
    ssim: float
    embed_s: float
    unmarked_s: float
    steps: dict[str, tuple[bool, float]]


def measure(path: Path, ladder: str) -> Result:
    """Mark one photo, put it through a ladder, look for the mark after each step and in the unmarked photo."""
    cv2.setNumThreads(1)
    source = np.asarray(Image.open(path).convert("RGB"))
    marked, embed_s = _timed(lambda: image.embed(source, MARK_ID, key=KEY))
    steps = {}
    for step in _LADDERS[ladder].steps:
        copy = step.apply(marked, SEED)
        found, seconds = _timed(lambda copy=copy: image.detect(copy, keys=[KEY]))
        assert found.mark_id in (None, MARK_ID), f"a wrong id in {path.name} after {step.name}"
        steps[step.name] = (found.found, seconds)
    unmarked, unmarked_s = _timed(lambda: image.detect(source, keys=[KEY]))
    assert not unmarked.found
    return Result(
        path.name, source.shape[1::-1], quality.psnr(source, marked), quality.ssim(source, marked), embed_s, unmarked_s, steps
    )


def _timed(work):  # type: ignore[no-untyped-def]  # any result
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


def measure_all(photos: list[Path], ladder: str) -> list[Result]:
    with ProcessPoolExecutor(2) as pool:
        return list(pool.map(measure, photos, [ladder] * len(photos)))


def print_ladder(results: list[Result], ladder: str) -> None:
    print("| photo | pixels | PSNR dB | SSIM | embed s | unmarked s | not read after |\n|---|---|---|---|---|---|---|")
    for r in results:
        missed = ", ".join(name for name, (exact, _) in r.steps.items() if not exact) or "–"
        size, times = f"{r.size[0]} × {r.size[1]}", f"{r.embed_s:.2f} | {r.unmarked_s:.2f}"
        print(f"| {r.name} | {size} | {r.psnr:.1f} | {r.ssim:.4f} | {times} | {missed} |")
    psnrs, ssims = [r.psnr for r in results], [r.ssim for r in results]
    print(f"\nMean PSNR {np.mean(psnrs):.2f} dB (lowest {min(psnrs):.2f}), mean SSIM {np.mean(ssims):.4f}.\n")
    print("| step | exact id | detect s |\n|---|---|---|")
    for step in _LADDERS[ladder].steps:
        exact, seconds = zip(*(r.steps[step.name] for r in results), strict=True)
        print(f"| {step.title} | {sum(exact)} / {len(exact)} | {np.mean(seconds):.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ladder", default=IMAGE_2026.name, choices=sorted(_LADDERS))
    parser.add_argument("photos", nargs="*", type=Path)
    options = parser.parse_args()
    photos = options.photos or sorted(path for path in (CORPUS / "photos").iterdir())
    print_ladder(measure_all(photos, options.ladder), options.ladder)


if __name__ == "__main__":
    main()
