"""`colophon reverify`: a file again, beside an earlier verdict on it."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from api.cli.options import PATH, Instant, declare, now, require_file
from api.cli.terminal import Terminal


@declare(
    "reverify",
    example="colophon reverify photo.jpg\ncolophon reverify photo.jpg --verdict then.json --at 2027-11-21T10:00:00Z",
)
@click.argument("path", type=PATH, metavar="FILE")
@click.option("--verdict", "earlier", type=PATH, metavar="JSON", help="The earlier verdict; default: the one kept in this home.")
@click.option("--at", type=Instant(), help="Judge as of this instant; default: now.")
@click.option("--trust", type=PATH, metavar="PEM", help="PEM file of trust anchors to use instead of this home's.")
def command(
    terminal: Terminal, home: Path | None, path: Path, earlier: Path | None, at: datetime | None, trust: Path | None
) -> int:
    """Judge a file again and say what is another than it was, and why: time, trust lists, revocation, library, policy."""
    from api.cli.app import finish
    from api.cli.house import desk_trusting, open_house
    from provenance import tasks
    from provenance.errors import InputError
    from provenance.reverify import compare
    from provenance.verify import verify

    with open_house(terminal, home) as house:
        desk = desk_trusting(house.desk, trust, today=now())
        require_file(path)
        kept = None if earlier is not None else house.chores.verdict(desk.workers.run(tasks.probe, str(path)).sha256)
        before = _read(earlier) if earlier is not None else (json.loads(kept.verdict) if kept is not None else None)
        if before is None:
            raise InputError(str(path), "no earlier verdict on it is kept here: give one with --verdict")
        done = verify(path, desk, at=at or now(), marks="mark" not in (before.get("not_checked") or ()))
        try:
            found = compare(before, done.verdict, done.evidence, (*house.desk.lists, *desk.lists))
        except ValueError as error:
            raise InputError(str(earlier or path), str(error)) from error
    if not terminal.as_json:
        terminal.line(f"{before['status']} → {done.verdict.status}" if not found.same else f"{done.verdict.status}, as before")
        for one in found.differences:
            terminal.line(f"  {one.where}: {json.dumps(one.before)} → {json.dumps(one.after)}")
        for cause in found.causes:
            terminal.line(f"  {'because' if cause.certain else 'perhaps'}: {cause.what}. {cause.say}")
    return finish(terminal, found.as_dict(), done.verdict.status.exit_code)


def _read(path: Path) -> dict[str, Any]:
    """A verdict by itself, or the only one in what `verify --json` printed."""
    from provenance.errors import InputError

    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(str(path), "cannot be read as JSON") from error
    results = found.get("results") if isinstance(found, dict) else None
    if isinstance(results, list) and len(results) == 1:
        found = results[0].get("verdict")
    if not isinstance(found, dict):
        raise InputError(str(path), "holds no single verdict")
    return found
