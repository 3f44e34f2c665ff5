"""`make bench`: every table of figures in the READMEs, printed by one command; `--write` puts them in their place.

Ratios are to a peer or a limit in the same run, in CPU time of this process: milliseconds of a busy machine mean nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.bench import keys, road

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: list[str]) -> None:
    table = road.table()
    print(table)
    costs = keys.table()
    print(costs)
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
