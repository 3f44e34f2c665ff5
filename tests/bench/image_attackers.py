"""Those who want the mark gone, or elsewhere: `python -m tests.bench.image_attackers`. Prints a table of watermark/README.md.

Pictures are cuts of 512 × 512 from the photos of the corpus, marked at 42 dB under one key, each with an id of its own. The
attacker knows the layout and not the key. A mark is looked for in the whole picture, where no pilots are needed, and in its
middle half, where they are.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.bench.__main__ import CORPUS
from watermark import attacks as a
from watermark import image, quality
from watermark.detection import canonical_unit
from watermark.lattice import TILE

KEY = bytes(range(32))
SIDE = 512
STRENGTH = 1.95
SEEN = 40
"""Marked pictures that are averaged."""

Pixels = NDArray[np.uint8]
Plane = NDArray[np.float32]


def pictures(count: int) -> list[Pixels]:
    """Cuts from the photos in turn, at seeded places."""
    folder = CORPUS / "photos"
    names = sorted(folder.glob("*.png")) + sorted(folder.glob("[lrt]*.jpg"))
    photos = [np.asarray(Image.open(name).convert("RGB")) for name in names]
    photos = [photo for photo in photos if min(photo.shape[:2]) >= SIDE]
    rng, cuts = np.random.default_rng(1), []
    for number in range(count):
        photo = photos[number % len(photos)]
        top, left = rng.integers(0, photo.shape[0] - SIDE + 1), rng.integers(0, photo.shape[1] - SIDE + 1)
        cuts.append(photo[top : top + SIDE, left : left + SIDE])
    return cuts


def residue(rgb: Pixels) -> Plane:
    """What a plain denoiser would take out of luma."""
    luma = image.luma_of(rgb)
    return luma.astype(np.float32) - cv2.bilateralFilter(luma, 7, 12, 3).astype(np.float32)


def averaging(marked: Pixels, others: list[Pixels]) -> Pixels:
    """Subtract the mean residue of many marked pictures, at the gain that fits this one best."""
    return _without(marked, np.asarray(np.mean([residue(other) for other in others], axis=0), np.float32))


def folding(marked: Pixels, others: list[Pixels]) -> Pixels:
    """Fold the residue on the period of the tiles and subtract what adds up."""
    period = TILE * canonical_unit(SIDE, SIDE)
    size = round(SIDE / period * TILE)
    plane = cv2.resize(residue(marked), (size, size), interpolation=cv2.INTER_LINEAR)
    tiles = -(-size // TILE)
    padded = np.zeros((tiles * TILE, tiles * TILE), np.float32)
    count = padded.copy()
    padded[:size, :size], count[:size, :size] = plane, 1
    total = padded.reshape(tiles, TILE, tiles, TILE).sum((0, 2)) / count.reshape(tiles, TILE, tiles, TILE).sum((0, 2))
    tiled = np.tile(total, (tiles, tiles))[:size, :size].astype(np.float32)
    return _without(marked, np.asarray(cv2.resize(tiled, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR), np.float32))


def _without(marked: Pixels, estimate: Plane) -> Pixels:
    """Subtract an estimate at twice the gain by which it shows in this picture: more than it can know of the mark."""
    own = residue(marked)
    gain = 2 * float((own * estimate).sum() / max(float((estimate**2).sum()), 1e-9))
    return np.clip(np.rint(marked - gain * estimate[..., None]), 0, 255).astype(np.uint8)


def denoised(strength: int) -> Callable[[Pixels, list[Pixels]], Pixels]:
    """Non-local means, then half the size and back."""

    def attack(marked: Pixels, others: list[Pixels]) -> Pixels:
        clean = cv2.fastNlMeansDenoisingColored(marked, None, strength, strength, 5, 15)
        return a.there_and_back(np.asarray(clean, np.uint8), 0.5)

    return attack


def rows_cut(marked: Pixels, others: list[Pixels]) -> Pixels:
    """One row and one column in forty taken out, here and there."""
    rng = np.random.default_rng(3)
    rows, columns = (np.sort(rng.choice(SIDE, SIDE - SIDE // 40, replace=False)) for _ in range(2))
    return np.ascontiguousarray(marked[rows][:, columns])


ATTACKS: tuple[tuple[str, Callable[[Pixels, list[Pixels]], Pixels]], ...] = (
    ("nothing", lambda marked, others: marked),
    (f"mean residue of {SEEN} marked pictures subtracted", averaging),
    ("own residue folded on the tile's period, subtracted", folding),
    ("non-local means, h 3, half the size and back", denoised(3)),
    ("non-local means, h 10, half the size and back", denoised(10)),
    ("one row and column in 40 taken out", rows_cut),
)


def main(tried: int = 8) -> None:
    cv2.setNumThreads(1)
    sources = pictures(SEEN)
    marked = [np.asarray(image.embed(source, 1 + n, key=KEY, strength=STRENGTH), np.uint8) for n, source in enumerate(sources)]
    print("| attack | whole | middle half | PSNR to the original |\n|---|---|---|---|")
    quarter = round(SIDE * (1 - 0.5**0.5) / 2)
    for title, attack in ATTACKS:
        whole, half, psnr = 0, 0, []
        for n in range(tried):
            copy = attack(marked[n], marked)
            whole += image.detect(copy, keys=[KEY]).mark_id == 1 + n
            half += image.detect(copy[quarter:-quarter, quarter:-quarter].copy(), keys=[KEY]).mark_id == 1 + n
            if copy.shape == sources[n].shape:
                psnr.append(quality.psnr(sources[n], copy))
        shown = f"{np.mean(psnr):.1f} dB" if psnr else "–"
        print(f"| {title} | {whole} / {tried} | {half} / {tried} | {shown} |", flush=True)
    copied = [
        np.clip(np.rint(sources[n + 1] + gain * residue(marked[n])[..., None]), 0, 255).astype(np.uint8)
        for gain in (1, 2)
        for n in range(tried)
    ]
    read = [image.detect(copy, keys=[KEY]).mark_id == 1 + n % tried for n, copy in enumerate(copied)]
    print(
        f"\nResidue added to another picture: its id is read in {sum(read[:tried])} of {tried} at gain 1, "
        f"{sum(read[tried:])} of {tried} at gain 2. Whether the content fits is for `provenance` to say."
    )


if __name__ == "__main__":
    main()
