"""`make bench-image`: the whole table of the image mark beside invisible-watermark, in one run, into watermark/README.md.

    python -m tests.bench.image_table [--save FILE] [--only-print] [--minutes N]

Every engine marks the same photos and reads the same copies: ours an id of 64 bits without a hint, the peers 64 bits (rivaGan
32) whose right value has to come out whole. Photos have 512 pixels and more on the short side. The peers take seconds a
megapixel: they have those up to 0.4 megapixels, and ours has all, those above 4 megapixels with every fourth row. Finished
photos are kept in FILE, so that a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from tests.bench.__main__ import CORPUS, ROOT, put
from tests.bench.image_rows import ROWS
from watermark import image, quality
from watermark.attacks import Pixels
from watermark.imwatermark import METHODS
from watermark.payload import PUBLIC_KEY

MARK_ID = 0x9E3779B97F4A7C15
SEED = 7
PEERED, LARGE = 400_000, 4_000_000
"""Pixels up to which the peers are measured too, and above which every fourth row is."""
PEERS = ("imwatermark.dwtDct", "imwatermark.dwtDctSvd", "imwatermark.rivaGan")
SHORT = 512
"""Pixels on the short side from which a photo counts."""
README = ROOT / "watermark" / "README.md"

Engine = tuple[Callable[[Pixels], Pixels], Callable[[Pixels], bool]]


def engines() -> dict[str, Engine]:
    """Name → (embed, reads it exactly); rivaGan only where its runtime is installed."""
    found: dict[str, Engine] = {"ours": (_embed, _reads)}
    for alg in PEERS:
        if alg.endswith("rivaGan") and importlib.util.find_spec("onnxruntime") is None:
            continue
        found[alg.partition(".")[2]] = _peer(alg)
    return found


def _embed(rgb: Pixels) -> Pixels:
    return np.asarray(image.embed(rgb, MARK_ID, key=PUBLIC_KEY), np.uint8)


def _reads(copy: Pixels) -> bool:
    found = image.detect(copy, keys=[PUBLIC_KEY])
    assert found.mark_id in (None, MARK_ID), "a wrong id"
    return found.found


def _peer(alg: str) -> Engine:
    method = METHODS[alg]
    bits = np.unpackbits(np.frombuffer(MARK_ID.to_bytes(8), np.uint8))[: method.bits or 64]

    def reads(copy: Pixels) -> bool:
        return copy.shape[0] * copy.shape[1] >= 65_536 and np.array_equal(method.detect(copy, len(bits)), bits)

    return lambda rgb: method.embed(rgb, bits), reads


def measure(path: Path) -> dict[str, Any]:
    """All rows of one photo: for each engine quality, CPU seconds and what it read."""
    source = np.asarray(Image.open(path).convert("RGB"))
    size = source.shape[0] * source.shape[1]
    rows = [step for _, steps in ROWS for step in steps][:: 4 if size > LARGE else 1]
    result: dict[str, Any] = {"photo": path.name, "pixels": size}
    for name, (embed, reads) in engines().items():
        if size > PEERED and name != "ours":
            continue
        marked, embed_s = _timed(lambda embed=embed: embed(source))
        read, took = {}, {}
        for step in rows:
            copy = step.apply(marked, SEED)
            read[step.name], took[step.name] = _timed(lambda reads=reads, copy=copy: reads(copy))
        unmarked, unmarked_s = _timed(lambda reads=reads: reads(source))
        assert not unmarked, "an unmarked photo"
        result[name] = {
            "psnr": quality.psnr(source, marked),
            "ssim": quality.ssim(source, marked),
            "embed_s": embed_s,
            "unmarked_s": unmarked_s,
            "read": read,
            "took": took,
        }
    return result


def _photos(folder: Path) -> list[Path]:
    """Photos that are large enough, the small ones first."""
    sizes = {}
    for path in folder.iterdir():
        with Image.open(path) as picture:
            sizes[path] = picture.size
    return sorted((path for path, size in sizes.items() if min(size) >= SHORT), key=lambda path: (math.prod(sizes[path]), path))


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    done = work()
    return done, time.process_time() - start


def table(results: list[dict[str, Any]]) -> str:
    """Markdown: quality and speed, then a line for each treatment."""
    names = [name for name in ("ours", *(peer.partition(".")[2] for peer in PEERS)) if any(name in r for r in results)]
    lines = [_summary(results, names), f"| exact id | {' | '.join(names)} |", "|---|" + "---|" * len(names)]
    for title, steps in ROWS:
        lines.append(f"| **{title}** |" + " |" * len(names))
        for step in steps:
            cells = []
            for name in names:
                read = [r[name]["read"][step.name] for r in results if name in r and step.name in r[name]["read"]]
                cells.append(f"{sum(read)} / {len(read)}")
            lines.append(f"| {step.title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _summary(results: list[dict[str, Any]], names: list[str]) -> str:
    rows = ["| | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    kept = {name: [r[name] for r in results if name in r] for name in names}
    shared = [r for r in results if all(name in r for name in names)]

    def row(title: str, value: Callable[[str], str]) -> None:
        rows.append(f"| {title} | " + " | ".join(value(name) for name in names) + " |")

    row("photos", lambda name: str(len(kept[name])))
    row("mean PSNR, lowest, dB", lambda name: "{:.2f}, {:.2f}".format(*_spread([k["psnr"] for k in kept[name]])))
    row("mean SSIM, lowest", lambda name: "{:.4f}, {:.4f}".format(*_spread([k["ssim"] for k in kept[name]])))
    row("embedding, of dwtDct's time, same photos", lambda name: f"{_total(shared, name) / _total(shared, 'dwtDct'):.2f} ×")
    row("reading a social copy, CPU s", lambda name: f"{np.mean([k['took'].get('social', np.nan) for k in kept[name]]):.2f}")
    row("an unmarked photo, CPU s", lambda name: f"{np.mean([k['unmarked_s'] for k in kept[name]]):.2f}")
    return "\n".join(rows) + "\n"


def _spread(values: list[float]) -> tuple[float, float]:
    return float(np.mean(values)), min(values)


def _total(results: list[dict[str, Any]], name: str) -> float:
    return sum(r[name]["embed_s"] for r in results)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--save", type=Path, help="Keep what is measured here, and go on from it.")
    parser.add_argument("--only-print", action="store_true", help="Leave the README alone.")
    parser.add_argument("--minutes", type=float, default=1e9, help="Begin no further photo after so long.")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    results: list[dict[str, Any]] = []
    if options.save and options.save.exists():
        results = [json.loads(line) for line in options.save.read_text("utf-8").splitlines()]
    done, start = {result["photo"] for result in results}, time.monotonic()
    for path in _photos(CORPUS / "photos"):
        if path.name in done or time.monotonic() - start > 60 * options.minutes:
            continue
        results.append(measure(path))
        if options.save:
            with options.save.open("a", encoding="utf-8") as kept:
                kept.write(json.dumps(results[-1]) + "\n")
        if options.only_print:
            print(path.name, flush=True)
    text = table(results)
    print(text)
    if not options.only_print:
        put(README, "image", text)


if __name__ == "__main__":
    main()
