"""What taking in an archive costs: `python -m tests.bench.imports [--files 10000] [--duplicates 500] [--marks] [--folder PATH]`.

Small signed pictures are made, `colophon import` is started on them, killed with SIGKILL when a third is through, and started
again. Rates are wall time; CPU and memory are the command's own, without its workers'. In a folder that is given it can be
taken up again.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image

from keys.keystore import init_development
from provenance import sdk
from provenance.claim import captured
from provenance.store import Objects, Registry, connect

Row = tuple[str, str, str]
COLOPHON = [sys.executable, "-W", "ignore", "-m", "api.cli"]
_PER_MB = 1 << 20 if sys.platform == "darwin" else 1 << 10  # what the system counts memory in
PARENT = {"title": "parent", "relationship": "parentOf", "label": "parent"}


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--files", type=int, default=10_000)
    asked.add_argument("--duplicates", type=int, default=500)
    asked.add_argument("--marks", action="store_true", help="look for marks in the pixels too")
    asked.add_argument("--folder", type=Path, help="keep archive and home there, and go on with what is there")
    asked.add_argument("--write", action="store_true", help="put the table into provenance/README.md")
    options = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="colophon-import-") as passing:
        text = table(rows(options.folder or Path(passing), options.files, options.duplicates, options.marks))
    if options.write:
        from tests.bench.__main__ import ROOT, put

        put(ROOT / "provenance" / "README.md", "imports", text)


def table(measured: Iterable[Row]) -> str:
    """The rows as a table; each is printed as soon as it is known."""
    lines = []
    for line in itertools.chain(["| What | Figure | |", "|---|---|---|"], (f"| {' | '.join(row)} |" for row in measured)):
        lines.append(line)
        print(line, flush=True)
    return "\n".join(lines)


def rows(folder: Path, files: int, duplicates: int, marks: bool) -> Iterator[Row]:
    """The rows of a table, as they are measured."""
    start = time.monotonic()
    make(folder / "archive", folder / "elsewhere", files, duplicates)
    yield "files", f"{files:,}", f"{duplicates:,} of them copies, every tenth an edit; made in {time.monotonic() - start:.0f} s"
    home, extra = folder / "home", [] if marks else ["--no-marks"]
    command = [*COLOPHON, "import", str(folder / "archive"), "--json", *extra]
    environment = os.environ | {"COLOPHON_HOME": str(home), "COLOPHON_TSA": "none"}
    before = killed(command, environment, home, files // 3)
    yield "killed after", f"{before:,}", "assets, `kill -9`"
    start = time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    taken, used = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    totals = json.loads(done.stdout)["totals"]
    cpu = used.ru_utime + used.ru_stime
    yield (
        "taken in after that",
        f"{totals['new']:,}",
        f"known already {totals['known']:,}, failed {totals['failed']:,}; exit {done.returncode}",
    )
    yield (
        "rate of the second run",
        f"{(files - before) / taken:,.0f} files/s",
        f"{taken:.0f} s; the command itself: {cpu:.0f} s CPU in both runs, {used.ru_maxrss // _PER_MB:,} MB",
    )
    yield "assets registered", f"{assets(home):,}", f"{files - duplicates:,} different files"
    start = time.monotonic()
    subprocess.run(command, env=environment, capture_output=True, check=False)
    yield "a third run, nothing new", f"{files / (time.monotonic() - start):,.0f} files/s", "no file is opened"


def killed(command: list[str], environment: dict[str, str], home: Path, after: int) -> int:
    """Start an import and kill it, workers and all, when so many assets are there; return how many were."""
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        there = 0
        while process.poll() is None and there < after:
            time.sleep(0.1)
            there = assets(home)
        os.killpg(process.pid, signal.SIGKILL)
    return there


def assets(home: Path) -> int:
    """How many are registered; none before there is a database."""
    if next(home.glob("imports/*.jsonl"), None) is None:
        return 0
    engine = connect(f"sqlite:///{home / 'colophon.db'}")
    try:
        return len(Registry(engine, Objects(home / "objects")).manifest_labels(limit=1_000_000))
    finally:
        engine.dispose()


def make(folder: Path, elsewhere: Path, files: int, duplicates: int) -> None:
    """Signed pictures of 64 × 48: every tenth is an edit of the one before, the last are copies of the first."""
    signer = init_development(elsewhere, now=datetime.now(UTC)).signer()
    plain = elsewhere / "plain.jpg"
    places = [folder / f"{n // 1000:03d}" / f"{n:05d}.jpg" for n in range(files)]
    for n, place in enumerate(places):
        if place.exists():
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        if n >= files - duplicates:
            shutil.copy(places[n - (files - duplicates)], place)
            continue
        Image.fromarray(np.random.default_rng([3, n]).integers(0, 255, (48, 64, 3)).astype(np.uint8)).save(plain, quality=90)
        definition = captured(title=place.name, source_type="digitalCapture", at=datetime.now(UTC), binding=None, thumbnail=False)
        edit = n % 10 == 9
        if edit:
            opened = {"action": "c2pa.opened", "parameters": {"ingredientIds": ["parent"]}}
            definition["assertions"][-1]["data"]["actions"] = [opened]
        made = plain.with_name("made.jpg")
        made.unlink(missing_ok=True)
        with plain.open("rb") as source, made.open("x+b") as out, (places[n - 1] if n else plain).open("rb") as parent:
            sdk.sign(
                definition, source, out, "image/jpeg",
                algorithm=signer.alg, chain_pem=signer.certificate_pem, callback=signer.sign, tsa_url=None, resources={},
                ingredients=[(PARENT, "image/jpeg", parent)] if edit else (),
            )  # fmt: skip
        made.replace(place)


if __name__ == "__main__":
    main()
