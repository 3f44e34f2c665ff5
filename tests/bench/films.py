"""What `tests.bench.video` leaves open: `python -m tests.bench.films PART FILM … [--write]`.

Parts are `chance`, `gaps` (replaced scenes), `attackers` and `cost`; each is printed and, if wished, put into watermark/VIDEO.md.
Runs can be cut into pieces: `--save FILE` adds to what earlier pieces found, `--seed` makes them differ.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np

from tests.bench.__main__ import ROOT, corpus_films, put
from tests.bench.film_attacks import TRIES, looped, mixture, spoofed
from watermark import video_files
from watermark.payload import PUBLIC_KEY
from watermark.video.frames import length_s
from watermark.video_attacks import Pass, encode_again

MARK_ID, SECOND = 0x9E3779B97F4A7C15, 0x0123456789ABCDEF
PLATFORM = Pass(crf=28, lines=720)
_KEYS = 12
_TIGHT = 0.75

Found = dict[str, float]


def chance(films: list[Path], folder: Path, seed: int) -> Iterator[Found]:
    """Search one film after another, cut together from all, for marks under a dozen keys that are in none of them."""
    draw = np.random.default_rng(seed)
    for number in range(2):
        copy, marked = folder / f"mixture-{number}.mkv", number % 2 == 1
        mixture(films, copy, draw)
        if marked:
            video_files.mark_file(copy, folder / "marked.mkv", MARK_ID, PUBLIC_KEY, sound=False)
            copy = folder / "marked.mkv"
        keys = [draw.bytes(16) for _ in range(_KEYS)]
        found = video_files.detect_file(copy, keys)
        yield {"searches": _KEYS, "seconds": _KEYS * length_s(copy), "accepted": float(found.found)}


def _totals(rows: list[Found]) -> Found:
    return {name: sum(row[name] for row in rows) for name in rows[0]}


def say_chance(rows: list[Found]) -> str:
    total = _totals(rows)
    return (
        f"Full searches of unmarked and wrongly keyed films: {total['searches']:.0f}, {total['seconds'] / 3600:.1f} h; "
        f"{total['accepted']:.0f} accepted."
    )


def gaps(films: list[Path], folder: Path, seed: int) -> Iterator[Found]:
    """Replace two seconds of each marked film, by another film and by itself unmarked, and send it through the platform."""
    draw = np.random.default_rng(seed)
    for number, film in enumerate(films):
        marked = folder / f"marked-{film.stem}.mkv"
        video_files.mark_file(film, marked, MARK_ID, PUBLIC_KEY, sound=False)
        for other in (films[number - 1], film):
            length = length_s(film)
            start = float(draw.uniform(1, length - 3))
            spoofed(marked, other, folder / "spoofed.mkv", start, start + 2)
            encode_again(folder / "spoofed.mkv", folder / "copy.mp4", PLATFORM)
            found = video_files.detect_file(folder / "copy.mp4", [PUBLIC_KEY], locate=True)
            bad = [span for span in found.spans if not span.marked]
            outside = (
                max(0.0, min(s.end_s, start - _TIGHT) - s.start_s) + max(0.0, s.end_s - max(s.start_s, start + 2 + _TIGHT))
                for s in bad
            )
            seen = any(s.start_s < start + 1 < s.end_s for s in bad)
            yield {"trials": 1, "seen": float(seen), "false_s": sum(outside), "whole_s": length}


def say_gaps(rows: list[Found]) -> str:
    total = _totals(rows)
    return (
        f"Two seconds replaced, by another film or by the same frames unmarked, then the platform: {total['seen']:.0f} of "
        f"{total['trials']:.0f} gaps seen; false gaps {total['false_s']:.1f} s in {total['whole_s']:.0f} s."
    )


def attackers(films: list[Path], folder: Path, seed: int) -> Iterator[Found]:
    """Try to remove the mark or to forge it, on six seconds of each film."""
    for film in films:
        start = max(0.0, length_s(film) / 2 - 3)
        encode_again(film, folder / "piece.mkv", Pass(crf=12), start_s=start, seconds=6)
        marked, twin = folder / "marked.mkv", folder / "twin.mkv"
        video_files.mark_file(folder / "piece.mkv", marked, MARK_ID, PUBLIC_KEY, sound=False)
        video_files.mark_file(folder / "piece.mkv", twin, SECOND, PUBLIC_KEY, sound=False)
        for title, attempt in TRIES.items():
            attempt(marked, twin, folder / "copy.mp4")
            found = video_files.detect_file(folder / "copy.mp4", [PUBLIC_KEY]).mark_id
            assert found in (None, MARK_ID, SECOND), f"a third id after {title}"
            answer = "nothing" if found is None else "first" if found == MARK_ID else "second"
            print(f"{film.name}: {title}: {answer}", flush=True)
            yield {f"{title}|{answer}": 1}


def say_attackers(rows: list[Found]) -> str:
    counts = Counter(name for row in rows for name in row)
    lines = ["| attempt to remove or forge | first id | second id | nothing |", "|---|---|---|---|"]
    for title in TRIES:
        first, second, nothing = (counts[f"{title}|{answer}"] for answer in ("first", "second", "nothing"))
        lines.append(f"| {title} | {first}/{first + second + nothing} | {second} | {nothing} |")
    return "\n".join(lines)


def cost(films: list[Path], folder: Path, seed: int) -> Iterator[Found]:
    """CPU of reading ten minutes; peak memory of marking and reading a gigabyte. Each in a process of its own."""
    film = films[0]
    marked, ten = folder / "marked.mp4", folder / "ten.mp4"
    _apart("mark", film, marked)  # this process stays small: its size would count as its children's
    looped(marked, ten, 600.0)
    yield {"ten_minutes_cpu_s": _apart("detect", ten)[0]}
    giga = folder / "raw.mkv"
    looped(film, giga, (1 << 30) / _raw_rate(film), raw=True)
    for what in ("mark", "detect"):
        yield {f"{what}_mb": _apart(what, giga)[1], "raw_mb": giga.stat().st_size / 1e6}


def say_cost(rows: list[Found]) -> str:
    found = {name: value for row in rows for name, value in row.items()}
    return (
        f"Ten minutes at 720 lines that carry the mark: read in {found['ten_minutes_cpu_s']:.1f} s of CPU. "
        f"A file of {found['raw_mb']:,.0f} MB: marked in {found['mark_mb']:.0f} MB of memory, "
        f"searched in {found['detect_mb']:.0f} MB."
    )


def _raw_rate(film: Path) -> float:
    """Bytes a second of a film as plain 4:2:0."""
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        return stream.width * stream.height * 1.5 * float(stream.average_rate or 25)


def _apart(what: str, *paths: Path) -> tuple[float, float]:
    """CPU seconds and peak megabytes of marking or searching a file in a fresh process."""
    arguments = [sys.executable, "-m", "tests.bench.films", what, *map(str, paths)]
    out = subprocess.run(arguments, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    cpu, megabytes = json.loads(out.strip().splitlines()[-1])
    return cpu, megabytes


def _alone(what: str, path: Path, out: Path | None = None) -> None:
    begin = time.process_time()
    if what == "mark":
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            video_files.mark_file(path, out or Path(folder) / "marked.mkv", MARK_ID, PUBLIC_KEY)
    else:
        video_files.detect_file(path, [PUBLIC_KEY])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps([time.process_time() - begin, peak / (1000 if sys.platform == "linux" else 1e6)]))


PARTS: dict[str, tuple[Callable[[list[Path], Path, int], Iterator[Found]], Callable[[list[Found]], str]]] = {
    "chance": (chance, say_chance),
    "gaps": (gaps, say_gaps),
    "attackers": (attackers, say_attackers),
    "cost": (cost, say_cost),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=[*PARTS, "mark", "detect"])
    parser.add_argument("films", nargs="*", type=Path, help="those of the corpus if none are named")
    parser.add_argument("--save", type=Path, help="add what is found to this file, one JSON object a line")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="put the result into watermark/VIDEO.md")
    options = parser.parse_args()
    if options.part not in PARTS:
        _alone(options.part, *options.films[:2])
        return
    run, say = PARTS[options.part]
    rows = [json.loads(line) for line in options.save.read_text().splitlines()] if options.save and options.save.exists() else []
    with tempfile.TemporaryDirectory() as folder:
        for row in run(options.films or corpus_films(), Path(folder), options.seed):
            rows.append(row)
            if options.save:
                with options.save.open("a") as file:
                    file.write(json.dumps(row) + "\n")
    print(say(rows), flush=True)
    if options.write:
        put(ROOT / "watermark" / "VIDEO.md", f"video-{options.part}", say(rows))


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
