"""`colophon import`: files that others signed become registered assets, with their history."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.cli.options import PATH, declare, now
from api.cli.terminal import Cell, Terminal
from api.cli.words import count

if TYPE_CHECKING:
    from provenance.importing import Taken

_SAY = {"new": "taken in", "known": "known already", "unsigned": "without a credential", "failed": "not taken in"}


@declare("import", example="colophon import archive/\ncolophon import archive/ --no-marks --json")
@click.argument("folder", type=PATH)
@click.option("--no-marks", is_flag=True, help="Do not look for marks: faster, and nothing is joined by its mark alone.")
@click.option("--again", is_flag=True, help="Open every file anew, also those that an earlier run has dealt with.")
def command(terminal: Terminal, home: Path | None, folder: Path, no_marks: bool, again: bool) -> int:
    """Register every signed file below FOLDER; the files themselves stay as and where they are.

    It can be stopped at any time and run again: what was done is not done twice. Exit 1 if a file could not be taken in.
    """
    from api.cli.app import finish
    from api.cli.house import open_house
    from provenance.errors import InputError
    from provenance.importing import Journal, bring_in, files_in
    from provenance.importing import count as totals

    if not folder.is_dir():
        raise InputError(str(folder), "is no folder")
    paths = files_in(folder)
    taken: list[Taken] = []
    with open_house(terminal, home) as house:
        place = house.settings.home / "imports" / f"{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]}.jsonl"
        if again:
            place.unlink(missing_ok=True)
        with Journal(place) as journal, terminal.progress("importing", len(paths)) as begin:
            for one in bring_in(paths, house.desk, at=now, new_asset_id=_new_id, journal=journal, marks=not no_marks):
                begin(one.path.name)
                taken.append(one)
                if one.result == "failed":
                    terminal.complain(f"{one.path}: {one.why}")
    if not terminal.as_json:
        done = totals(taken)
        terminal.table(("", "files"), [(Cell(_SAY[word], "strong"), Cell(str(n))) for word, n in done.items()])
        inferred = sum(one.inferred is not None for one in taken)
        if inferred:
            terminal.line(f"{count(inferred, 'file')} joined to a parent by the mark in its pixels alone.")
    document = {"totals": totals(taken), "files": [_plain(one) for one in taken]}
    return finish(terminal, document, 1 if any(one.result == "failed" for one in taken) else 0)


def _plain(one: Taken) -> dict[str, str | None]:
    return {
        "path": str(one.path),
        "result": one.result,
        "asset": one.asset_id,
        "why": one.why,
        "inferred_parent": one.inferred,
    }


def _new_id() -> str:
    return uuid.uuid4().hex
