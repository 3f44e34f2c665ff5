"""What chance gives: `python -m tests.bench.image_chance [--trials N] [--save FILE] [--minutes N] [--write]`.

A trial is one unmarked cut under one wrong key in a random pose. It gives the score of one fixed code word, which the stated law
is about, and is decoded as the detector would, at the tile offsets that it would try. Batches are seeded by their number and
kept in FILE, so that a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.bench.__main__ import CORPUS, ROOT, put
from watermark import code, payload
from watermark.image import ALLOWANCES, P_FALSE
from watermark.lattice import Lattice, lattice
from watermark.mask import whiten
from watermark.reading import gather, likely_offsets, log_chance, soft_values
from watermark.tiles import despread

BATCH, CUTS, SIDE = 50, 360, 192
"""Trials under one key, cuts in all, and their pixels each way, of photos brought to 576 lines."""
LIKELY = max(kind.offsets for kind in ALLOWANCES)
LIMIT = math.log(P_FALSE / min(kind.weight for kind in ALLOWANCES))
"""Natural logarithm of the chance of one decoding that the detector accepts of the kind of pose that it trusts most."""
LEVELS = (1.0, 2.0, 3.0, 3.5, 4.0)


def cuts(folder: Path) -> list[NDArray[np.float32]]:
    """Unmarked cuts of the photos, whitened."""
    pages = []
    for path in sorted(folder.iterdir()):
        with Image.open(path) as opened:
            pages.append(np.asarray(opened.convert("RGB").resize((round(opened.width * 576 / opened.height), 576))))
    rng, found = np.random.default_rng(2026), []
    for number in range(CUTS):
        page = pages[number % len(pages)]
        top, left = (int(rng.integers(0, size - SIDE + 1)) for size in page.shape[:2])
        found.append(whiten(page[top : top + SIDE, left : left + SIDE].astype(np.float32)))
    return found


def batch(number: int, whites: list[NDArray[np.float32]]) -> dict[str, Any]:
    """Trials under one key: scores of one word, log10 of the bound of the best path of each, ids that were accepted."""
    rng = np.random.default_rng([2026, number])
    layout = lattice(rng.bytes(32))
    scores, best, accepted = [], [], 0
    for cut in rng.choice(len(whites), BATCH, replace=False):
        scale, angle = rng.uniform(0.6, 1.5), rng.uniform(0, 2 * math.pi)
        cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
        plane = np.array([[cosine, -sine, rng.uniform(0, 64)], [sine, cosine, rng.uniform(0, 64)], [0, 0, 1]])
        sums = gather(despread(whites[cut], layout.carriers, plane), layout)
        softs = [soft_values(sums[place], layout) for place, _ in likely_offsets(sums, layout, LIKELY)]
        word = code.encode(payload.pack(int(rng.integers(0, 2**63))))
        scores.append(float(softs[0] @ (1 - 2 * word[layout.order].astype(np.float32))) / float(np.linalg.norm(softs[0])))
        paths = [_best_path(soft, layout) for soft in softs]
        best.append(min(path for path, _ in paths) / math.log(10))
        accepted += sum(read for _, read in paths)
    return {"batch": number, "scores": np.round(scores, 4).tolist(), "best": np.round(best, 3).tolist(), "accepted": accepted}


def _best_path(soft: NDArray[np.float32], layout: Lattice) -> tuple[float, bool]:
    """Logarithm of the bound of the best path through the trellis, which no word exceeds, and whether an id is accepted."""
    bounds: list[float] = []

    def worth(most: float) -> bool:
        bounds.append(log_chance(soft, np.sign(soft) * np.float32(most / np.abs(soft).sum())))
        return bounds[0] + 64 * math.log(2) <= LIMIT

    received = np.bincount(layout.order, soft, code.RATE * payload.PAYLOAD_BITS).astype(np.float32)
    found = any(payload.unpack(bits) is not None for bits in code.decode(received, worth=worth))
    return bounds[0], found


def table(results: list[dict[str, Any]]) -> str:
    scores = np.concatenate([result["scores"] for result in results])
    best = np.concatenate([result["best"] for result in results])
    lines = [
        f"{len(scores):,} cuts under {len(results)} keys, {LIKELY} decodings each. Score of one word: mean {scores.mean():.3f},",
        f"standard deviation {scores.std():.3f}.",
        "",
        "| score ≥ | measured | normal | bound exp(−t²/2) |",
        "|---|---|---|---|",
    ]
    for t in LEVELS:
        share, normal = float(np.mean(scores >= t)), 0.5 * math.erfc(t / math.sqrt(2))
        lines.append(f"| {t} | {share:.5f} | {normal:.5f} | {math.exp(-t * t / 2):.5f} |")
    need = LIMIT / math.log(10) - 64 * math.log10(2)
    lines += [
        "",
        f"The best path through the trellis, log10 of one word's bound: {np.median(best):.1f} at the median, {best.min():.1f} at",
        f"the lowest; {need:.1f} is needed. Ids accepted: {sum(result['accepted'] for result in results)}.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=20_000)
    parser.add_argument("--save", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=1e9, help="Begin no further batch after so long.")
    parser.add_argument("--write", action="store_true", help="Put the table into watermark/README.md.")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    results = [json.loads(line) for line in options.save.read_text("utf-8").splitlines()] if options.save.exists() else []
    done, start = {result["batch"] for result in results}, time.monotonic()
    whites = cuts(CORPUS / "photos")
    for number in range(-(-options.trials // BATCH)):
        if number in done or time.monotonic() - start > 60 * options.minutes:
            continue
        results.append(batch(number, whites))
        with options.save.open("a", encoding="utf-8") as kept:
            kept.write(json.dumps(results[-1]) + "\n")
    print(text := table(results))
    if options.write:
        put(ROOT / "watermark" / "README.md", "image-chance", text)


if __name__ == "__main__":
    main()
