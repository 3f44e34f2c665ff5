"""Pictures that nobody registered, against a registry of others: does anything lead to a false recovery?

    python -m tests.bench.strangers [--part i/n] [--save PART.json] [--marks N]
    python -m tests.bench.strangers --merge PART.json…

Half the pictures of the corpus are registered; the 5,000 are made of the other half: cropped to a tenth and more, mirrored, lit
anew, encoded. The fingerprint leads to every registered picture within its reach, and the content is measured then; of every
N-th picture the mark is looked for too. Whole, it takes half an hour of one core: parts may be saved and merged.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from provenance import fingerprint, fit
from provenance.store import similar
from tests.bench import fit_cases
from tests.bench.service import CORPUS
from watermark import engines
from watermark.payload import PUBLIC_KEY

Rgb = fit_cases.Rgb
UNREGISTERED, REACH, SIDE = 5_000, 40, 1024  # reach: as Registry.near
MARKS = 10


@dataclass(frozen=True)
class Count:
    """What a stretch of pictures came to."""

    pictures: int
    registered: int
    leads: int
    fits: int
    closest: int  # bits
    looked: int
    read: int


def measured(first: int, of: int, every: int) -> Count:
    """Every `of`-th of the pictures, from the first."""
    cv2.setNumThreads(1)
    names = sorted((*fit_cases.photos(CORPUS), *fit_cases.HELD_OUT))
    loaded = {name: fit_cases.load(CORPUS / name, SIDE) for name in names}
    known, strangers = names[::2], names[1::2]
    references = {name: fit_cases.registered(loaded[name]) for name in known}
    codes = {name: similar.parse(fingerprint.image_code(loaded[name])) for name in known}
    pictures = leads = fits = looked = read = 0
    closest = 256
    for number in range(first, UNREGISTERED, of):
        picture = handled(loaded[strangers[number % len(strangers)]], np.random.default_rng([2026, number]))
        pictures += 1
        for code in map(similar.parse, (fingerprint.image_code(picture), fingerprint.mirrored_image_code(picture))):
            far = {name: code.distance(other) for name, other in codes.items()}
            near = [name for name, distance in far.items() if distance is not None and distance <= REACH]
            closest = min(closest, *(distance for distance in far.values() if distance is not None))
            leads += len(near)
            fits += sum(str(fit.classify(fit.measure(picture, references[name]))) == "fits" for name in near)
        if number % every == 0:
            looked += 1
            read += engines.default("image").detect(picture, keys=(PUBLIC_KEY,)).mark_id is not None
    return Count(pictures, len(known), leads, fits, closest, looked, read)


def handled(rgb: Rgb, rng: np.random.Generator) -> Rgb:
    """A crop of a tenth to all of a picture, perhaps mirrored, brighter or darker, encoded anew."""
    height, width = rgb.shape[:2]
    share = rng.uniform(0.32, 1.0)
    h, w = max(64, int(height * share)), max(64, int(width * share))
    y, x = rng.integers(0, max(1, height - h + 1)), rng.integers(0, max(1, width - w + 1))
    part = rgb[y : y + h, x : x + w]
    part = part[:, ::-1] if rng.random() < 0.3 else part
    lit = np.clip(part.astype(np.float32) * rng.uniform(0.7, 1.3) + rng.uniform(-20, 20), 0, 255).astype(np.uint8)
    return fit_cases.jpeg(int(rng.integers(40, 95)))(np.ascontiguousarray(lit))


def table(parts: Sequence[Count]) -> str:
    """All parts together, as Markdown."""

    def total(name: str) -> int:
        return sum(getattr(part, name) for part in parts)

    closest = min(part.closest for part in parts)
    lines = [
        f"| {total('pictures'):,} unregistered pictures, {parts[0].registered} registered | |",
        "|---|---|",
        f"| led somewhere by fingerprint (≤ {REACH} bits of 256; closest {closest}) | {total('leads')} |",
        f"| of these, content fits: false recoveries (goal 0) | {total('fits')} |",
        f"| marks read in {total('looked'):,} of them (goal 0) | {total('read')} |",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", default="0/1", help="i/n: every n-th picture from the i-th")
    parser.add_argument("--marks", type=int, default=MARKS, help="look for a mark in every so-many-th picture")
    parser.add_argument("--save", type=Path, help="keep what was counted")
    parser.add_argument("--merge", type=Path, nargs="+", default=[], help="measure nothing: take what was kept")
    options = parser.parse_args()
    first, of = (int(number) for number in options.part.split("/"))
    parts = [Count(**json.loads(path.read_text())) for path in options.merge] or [measured(first, of, options.marks)]
    if options.save:
        options.save.write_text(json.dumps(asdict(parts[0])))
    print(table(parts))


if __name__ == "__main__":
    main()
