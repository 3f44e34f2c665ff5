"""`make bench`: tables of figures in the READMEs, printed by one command; `--write` puts them in their place.

Those of the service (`feed`, `service`, `attack`, `strangers`), of `fit` and of the marks have commands of their own: `make help`
lists them. Those of the trail and of imports are printed small here, a minute; `make bench-trail` measures them whole, and
writes them.
Ratios are to a peer or a limit in the same run, in CPU time of this process: milliseconds of a busy machine mean nothing.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from tests.bench import imports, keys, road, trail

ROOT = Path(__file__).resolve().parents[2]
CORPUS = Path(os.environ.get("COLOPHON_CORPUS", ROOT.parent / "shared" / "corpus"))
"""Sounds in `audio/`, films in `video/`."""


def corpus_films() -> list[Path]:
    return sorted((CORPUS / "video").glob("*.mp4"))


def main(arguments: list[str]) -> None:
    table = road.table()
    print(table)
    costs = keys.table()
    print(costs)
    print(trail.table(trail.rows([10_000], [1, 64])))
    with tempfile.TemporaryDirectory(prefix="colophon-import-") as folder:
        imports.table(imports.rows(Path(folder), 200, 10, marks=False))
    if "--write" in arguments:
        put(ROOT / "README.md", "road", table)
        put(ROOT / "keys" / "README.md", "keys", costs)


def put(path: Path, name: str, table: str) -> None:
    """Replace what stands between `<!-- bench:NAME -->` and `<!-- /bench -->`."""
    head, tag, rest = path.read_text("utf-8").partition(f"<!-- bench:{name} -->")
    if not tag:
        raise SystemExit(f"{path} has no place for {name}")
    _, end, tail = rest.partition("<!-- /bench -->")
    path.write_text(f"{head}{tag}\n{table}\n{end}{tail}", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
