"""Measure fit on real pictures: `python -m tests.bench.fit [--set photos|held-out|both] [--part i/n] [--foreign]`.

Prints false alarms by honest handling, recall by kind of edit after the social chain, foreign pairs, and time.
An edit that changes its area by less than `VISIBLE` levels (rms, at 512 px) shows nobody anything and is not counted.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from provenance.fit import Agreement, Fit, Hint, classify, measure
from tests.bench import fit_cases as cases

ROOT = Path(__file__).resolve().parents[2]
VISIBLE = 6.0
SHARES = (0.02, 0.05)
CORPUS = Path(os.environ.get("COLOPHON_CORPUS", ROOT.parent / "shared" / "corpus"))


class Table:
    """Counts of hits per name, their misses remembered."""

    def __init__(self) -> None:
        self.rows: dict[str, list[tuple[bool, str]]] = defaultdict(list)

    def add(self, name: str, hit: bool, what: str) -> None:
        self.rows[name].append((hit, what))

    def show(self, title: str, total: str) -> None:
        print(f"\n{title}")
        every = [hit for row in self.rows.values() for hit, _ in row]
        for name, row in self.rows.items():
            hits = sum(hit for hit, _ in row)
            misses = [what for hit, what in row if hit == (total == "false alarms")]
            print(f"  {name:28} {hits:4}/{len(row):<4} {', '.join(misses[:4])}")
        print(f"  {total}: {sum(every)} of {len(every)} = {100 * np.mean(every):.2f} %")


def found_inside(fit: Fit, mask: cases.Mask) -> bool:
    """Whether a reported region meets the touched area: a third of one lies in the other."""
    h, w = mask.shape
    for c in fit.changes:
        box = np.zeros_like(mask)
        box[int(c.y * h) : int(np.ceil((c.y + c.h) * h)), int(c.x * w) : int(np.ceil((c.x + c.w) * w))] = True
        if (box & mask).sum() > min(box.sum(), mask.sum()) / 3:
            return True
    return False


def one_picture(name: str, others: tuple[cases.Rgb, cases.Rgb, cases.Rgb], tables: dict[str, Table]) -> Iterator[float]:
    """Run every case of one picture; yields the seconds of each measurement."""
    original = cases.marked(cases.load(CORPUS / name))
    reference = cases.registered(original)
    full = (original.shape[1], original.shape[0])
    short = Path(name).stem
    for kind, step in cases.honest(others).items():
        copy = step(original)
        start = time.process_time()
        fit = measure(copy, reference, full_size=full)
        yield time.process_time() - start
        tables["lost"].add(kind, classify(fit) is Agreement.FOREIGN, short)
        tables["honest"].add(kind, bool(fit.changes), f"{short} {max((c.score for c in fit.changes), default=0):.2f}")
    for at, (kind, edit) in enumerate(cases.EDITS.items()):
        for share in SHARES:
            rng = np.random.default_rng([at, int(share * 100), *original.shape])
            edited, mask = edit(original, rng, share, others[int(rng.integers(3))])
            if cases.visibility(original, edited, mask) < VISIBLE:
                continue
            start = time.process_time()
            fit = measure(cases.social(edited), reference, full_size=full)
            yield time.process_time() - start
            tables["edits"].add(kind, classify(fit) is Agreement.CHANGED and found_inside(fit, mask), f"{short} {share}")


def foreign(names: tuple[str, ...], table: Table) -> None:
    """Every ordered pair of pictures: whole, with a false hint and a mark copied over, and cropped."""
    pictures = {name: cases.load(CORPUS / name, 1000) for name in names}
    references = {name: cases.registered(cases.marked(p)) for name, p in pictures.items()}
    worst = 0.0
    for i, (ref_name, reference) in enumerate(references.items()):
        for j, (name, picture) in enumerate(pictures.items()):
            if name == ref_name:
                continue
            kind = ("whole", "copied mark, hint", "crop")[(i + j) % 3]
            copy = cases.cropped(0.3, i * 100 + j)(picture) if kind == "crop" else cases.marked(picture)
            hint = Hint((1.0, 0.0, 0.0, 1.0)) if kind.endswith("hint") else None
            fit = measure(cases.jpeg(75)(copy), reference, hint=hint)
            worst = max(worst, fit.score)
            table.add(kind, fit.score >= 0.5, f"{Path(ref_name).stem} ~ {Path(name).stem} {fit.score:.2f}")
    print(f"\nhighest score of a foreign pair: {worst:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", choices=("photos", "held-out", "both"), default="both")
    parser.add_argument("--part", default="0/1", help="i/n: every n-th picture from the i-th")
    parser.add_argument("--foreign", action="store_true", help="only the pairs of different pictures")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    names = (cases.photos(CORPUS) if options.set != "held-out" else ()) + (cases.HELD_OUT if options.set != "photos" else ())
    first, of = (int(n) for n in options.part.split("/"))
    if options.foreign:
        table = Table()
        foreign(names[first::of], table)
        table.show("score ≥ .5 between different pictures", "false alarms")
        return
    tables = {key: Table() for key in ("honest", "lost", "edits")}
    seconds: list[float] = []
    for name in names[first::of]:
        # neighbours in a collage and donors of pasted parts: never the picture itself
        chosen = [n for n in ("street_2560.jpg", "kodim04.png", "coffee.png", "larch.jpg") if not name.endswith(n)][:3]
        first_other, second, third = (cases.load(CORPUS / "photos" / n, 800) for n in chosen)
        seconds += one_picture(name, (first_other, second, third), tables)
        print(f"{name}: {len(seconds)} measured", file=sys.stderr, flush=True)
    tables["lost"].show("honest copies called foreign", "false alarms")
    tables["honest"].show("honest copies with a region", "false alarms")
    tables["edits"].show("edits found after the social chain", "recall")
    print(f"\nseconds per measurement: mean {np.mean(seconds):.3f}, 95 % {np.quantile(seconds, 0.95):.3f}")


if __name__ == "__main__":
    main()
