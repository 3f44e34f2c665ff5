"""Measure fit on real pictures, and print its table.

    python -m tests.bench.fit [--set photos|held-out|both] [--part i/n] [--save ROWS.json] [--foreign]
    python -m tests.bench.fit --merge ROWS.json… [--write]

Whole, it takes half an hour of one core: parts may be saved and merged. An edit that changes its area by less than `VISIBLE`
levels (rms, at 512 px) shows nobody anything and is not counted; nor is one that the crop after it cut away.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from provenance.fit import Agreement, Change, Fit, Hint, Kind, classify, measure
from tests.bench import fit_cases as cases

ROOT = Path(__file__).resolve().parents[2]
VISIBLE = 6.0
SHARES = (0.02, 0.05)
CORPUS = Path(os.environ.get("COLOPHON_CORPUS", ROOT.parent / "shared" / "corpus"))
GOAL_EDITS = ("pasted", "pasted, blended", "cloned", "removed", "painted")
# what happens to an edited picture before anybody verifies it; the first is the goal's
CHAINS: dict[str, cases.Step] = {
    "social": cases.social,
    "crop 75 % + social": cases.then(cases.cropped(0.75, 11), cases.social),
    "crop 50 % + social": cases.then(cases.cropped(0.5, 12), cases.social),
    "rotate 5° + social": cases.then(cases.rotated(5), cases.social),
    "rotate 90° + social": cases.then(lambda a: np.rot90(a).copy(), cases.social),
    "flip + social": cases.then(cases.mirrored, cases.social),
    "screenshot": cases.screenshot,
}


@dataclass(frozen=True)
class Row:
    """One measurement: which table, which case, whether it was as it should be, and what to look at if not."""

    table: str  # honest | foreign | edit | kind
    group: str  # photos | held-out
    case: str
    chain: str
    good: bool
    what: str
    seconds: float = 0.0


def found(fit: Fit, mask: cases.Mask) -> Change | None:
    """The reported region that meets the touched area, if one does: a third of one lies in the other."""
    h, w = mask.shape
    for c in fit.changes:
        box = np.zeros_like(mask)
        box[int(c.y * h) : int(np.ceil((c.y + c.h) * h)), int(c.x * w) : int(np.ceil((c.x + c.w) * w))] = True
        if (box & mask).sum() > min(box.sum(), mask.sum()) / 3:
            return c
    return None


def one_picture(name: str, group: str, others: tuple[cases.Rgb, cases.Rgb, cases.Rgb]) -> Iterator[Row]:
    """Every case of one picture."""
    original = cases.marked(cases.load(CORPUS / name))
    reference = cases.registered(original)
    full, short = (original.shape[1], original.shape[0]), Path(name).stem

    def measured(copy: cases.Rgb) -> tuple[Fit, float]:
        start = time.process_time()
        fit = measure(copy, reference, full_size=full)
        return fit, time.process_time() - start

    for case, step in cases.honest(others).items():
        fit, seconds = measured(step(original))
        best = max((c.score for c in fit.changes), default=0.0)
        yield Row("honest", group, case, "", not fit.changes, f"{short} {best:.2f}", seconds)
        yield Row("foreign", group, case, "", classify(fit) is not Agreement.FOREIGN, short)
    for at, (case, edit) in enumerate(cases.EDITS.items()):
        for share in SHARES:
            rng = np.random.default_rng([at, int(share * 100), *original.shape])
            edited, mask = edit(original, rng, share, others[int(rng.integers(3))])
            if cases.visibility(original, edited, mask) < VISIBLE:
                continue
            for chain, step in CHAINS.items() if share == SHARES[0] else [("social", cases.social)]:
                where = carried(mask, step)
                if where.sum() < 0.6 * where.size * mask.mean() and chain.startswith("crop"):
                    continue
                fit, seconds = measured(step(edited))
                region = found(fit, where)
                good = region is not None and classify(fit) is Agreement.CHANGED
                yield Row("edit", group, case, chain, good, f"{short} {share}", seconds)
                if region is not None and chain == "social":
                    yield Row("kind", group, case, str(region.kind), True, f"{short} {share}")


def carried(mask: cases.Mask, step: cases.Step) -> cases.Mask:
    """Where a touched area lies after a chain: the chain is walked by the mask, and by nothing at all."""
    white, black = (np.repeat((on * 255).astype(np.uint8)[..., None], 3, axis=2) for on in (mask, np.zeros_like(mask)))
    return np.abs(step(white).astype(int) - step(black)).max(axis=2) > 127


def foreign(names: Iterable[str]) -> Iterator[Row]:
    """Every ordered pair of pictures: whole, with a false hint and a mark copied over, and cropped."""
    pictures = {name: cases.load(CORPUS / name, 1000) for name in names}
    references = {name: cases.registered(cases.marked(p)) for name, p in pictures.items()}
    for i, (ref_name, reference) in enumerate(references.items()):
        for j, (name, picture) in enumerate(pictures.items()):
            if name == ref_name:
                continue
            kind = ("whole", "copied mark, hint", "crop")[(i + j) % 3]
            copy = cases.cropped(0.3, i * 100 + j)(picture) if kind == "crop" else cases.marked(picture)
            hint = Hint((1.0, 0.0, 0.0, 1.0)) if kind.endswith("hint") else None
            fit = measure(cases.jpeg(75)(copy), reference, hint=hint)
            yield Row("pairs", "photos", kind, "", fit.score < 0.5, f"{Path(ref_name).stem} ~ {Path(name).stem} {fit.score:.2f}")


# The table.


def table(rows: list[Row]) -> str:
    """Markdown, from whatever was measured."""
    lines = ["| Case | corpus photos | other pictures |", "|---|---|---|"]

    def line(what: str, show: Callable[[list[Row]], str], **wanted: str | tuple[str, ...]) -> None:
        cells = [show(_chosen(rows, group=group, **wanted)) for group in ("photos", "held-out")]
        if any(cells):
            lines.append(f"| {what} | {cells[0] or '–'} | {cells[1] or '–'} |")

    goal = "pasted, cloned, removed or painted, 2 % and 5 % of the area, then 1080 px and JPEG 75: found (goal ≥ 95 %)"
    rest = tuple(case for case in cases.EDITS if case != "captioned")
    line("pictures", lambda of: str(len(of)) if of else "", table="foreign", case="none")
    line("honest handling, 57 kinds: copies with a region (goal ≤ 1 %)", _wrong, table="honest")
    line("… copies called foreign", _wrong, table="foreign")
    line(goal, _right, table="edit", chain="social", case=GOAL_EDITS)
    for case in cases.EDITS:
        line(f"… {case}", _right, table="edit", chain="social", case=case)
    for chain in list(CHAINS)[1:]:
        line(f"all edits of 2 %, then {chain}", _right, table="edit", chain=chain)
    line("captions said to be overlaid", _overlaid, table="kind", case="captioned")
    line("other edits said to be overlaid", _overlaid, table="kind", case=rest)
    line("other pictures under the same mark: taken for the registered one", _wrong, table="pairs")
    line("CPU a comparison, mean and 95 %", _time, table=("honest", "edit"))
    return "\n".join(lines)


def _chosen(rows: list[Row], **wanted: str | tuple[str, ...]) -> list[Row]:
    """The rows whose members are what is wanted, or one of it."""
    sets = {name: {values} if isinstance(values, str) else set(values) for name, values in wanted.items()}
    return [row for row in rows if all(getattr(row, name) in values for name, values in sets.items())]


def _right(rows: list[Row]) -> str:
    good = sum(row.good for row in rows)
    return f"{good} of {len(rows)} ({100 * good / len(rows):.1f} %)" if rows else ""


def _wrong(rows: list[Row]) -> str:
    bad = sum(not row.good for row in rows)
    return f"{bad} of {len(rows)} ({100 * bad / len(rows):.2f} %)" if rows else ""


def _overlaid(rows: list[Row]) -> str:
    return f"{sum(row.chain == Kind.OVERLAID for row in rows)} of {len(rows)}" if rows else ""


def _time(rows: list[Row]) -> str:
    spans = [row.seconds * 1000 for row in rows]
    return f"{np.mean(spans):.0f} ms, {np.quantile(spans, 0.95):.0f} ms" if spans else ""


def misses(rows: list[Row]) -> str:
    """What to look at, a line each."""
    return "\n".join(f"  {row.table}: {row.case} {row.chain}: {row.what}" for row in rows if not row.good)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=("photos", "held-out", "both"), default="both")
    parser.add_argument("--part", default="0/1", help="i/n: every n-th picture from the i-th")
    parser.add_argument("--foreign", action="store_true", help="only the pairs of different pictures")
    parser.add_argument("--save", type=Path, help="keep what was measured")
    parser.add_argument("--merge", type=Path, nargs="+", default=[], help="measure nothing: take what was kept")
    parser.add_argument("--write", action="store_true", help="put the table into provenance/README.md")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    rows = [Row(**row) for path in options.merge for row in json.loads(path.read_text())] or list(_measured(options))
    if options.save:
        options.save.write_text(json.dumps([asdict(row) for row in rows]))
    print(table(rows), misses(rows), sep="\n\n")
    if options.write:
        from tests.bench.__main__ import put

        put(ROOT / "provenance" / "README.md", "fit", table(rows))


def _measured(options: argparse.Namespace) -> Iterator[Row]:
    groups = [(name, "photos") for name in cases.photos(CORPUS) if options.set != "held-out"]
    groups += [(name, "held-out") for name in cases.HELD_OUT if options.set != "photos" and not options.foreign]
    first, of = (int(n) for n in options.part.split("/"))
    if options.foreign:
        yield from foreign(name for name, _ in groups[first::of])
        return
    for name, group in groups[first::of]:
        # neighbours in a collage and donors of pasted parts: never the picture itself
        chosen = [n for n in ("street_2560.jpg", "kodim04.png", "coffee.png", "larch.jpg") if not name.endswith(n)][:3]
        first_other, second, third = (cases.load(CORPUS / "photos" / n, 800) for n in chosen)
        yield from one_picture(name, group, (first_other, second, third))
        print(name, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
