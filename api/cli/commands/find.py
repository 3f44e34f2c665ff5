"""`colophon find`: which registered asset a file comes from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.cli.options import PATH, declare, require_file
from api.cli.terminal import Cell, Terminal
from api.cli.words import chance, moment, percent
from provenance import partly

if TYPE_CHECKING:
    from provenance.find import Match

FOUND, NOTHING = 0, 3
_AGREEMENT = {
    "fits": "the content fits",
    "changed": "the content was changed",
    "foreign": "shows something else",
    "unchecked": "not compared",
    "undecided": "too little to compare",
}


@declare("find", example="colophon find screenshot.png")
@click.argument("file", type=PATH)
@click.option("--limit", default=5, show_default=True, type=click.IntRange(1, 50), help="How many to list.")
def command(terminal: Terminal, home: Path | None, file: Path, limit: int) -> int:
    """Find the registered assets that a file may come from: by mark, then by fingerprint; best first.

    The second line is the runner-up: how much worse it is tells how sure the first is. Exit 3 if nothing is found.
    """
    require_file(file)
    from api.cli.app import finish
    from api.cli.house import open_house
    from provenance.find import find

    with open_house(terminal, home) as house:
        matches = find(file, house.desk, limit=limit)
    if not terminal.as_json:
        if matches:
            body = [row(index, match) for index, match in enumerate(matches)]
            terminal.table(("", "asset", "found by", "content", "signed by"), body)
        else:
            terminal.line("Nothing registered here was found. That proves nothing about the file.")
    document = {"path": str(file), "matches": [match.as_dict() for match in matches]}
    return finish(terminal, document, FOUND if matches else NOTHING)


def row(index: int, match: Match) -> tuple[Cell, ...]:
    """One match: its role, asset, how it was found, how well and how much of it the content fits, and who signed."""
    role = ("match", "runner-up")[index] if index < 2 else ""
    fit = f" ({percent(match.fit)}{_part(match)})" if match.fit is not None else ""
    style = "good" if match.agreement == "fits" else "bad" if match.agreement in ("changed", "foreign") else ""
    return (
        Cell(role, "strong"),
        Cell(match.asset.asset_id),
        Cell(_how(match)),
        Cell(_AGREEMENT.get(match.agreement, match.agreement) + fit, style),
        Cell(f"{match.asset.signer_name}, {moment(match.asset.signed_at)}"),
    )


def _part(match: Match) -> str:
    """How much of which was compared, where it was not all."""
    shares = {"covered": "{} of the file", "shown": "{} of the asset"}
    told = partly.told(match.covered, match.shown) if match.agreement == "fits" else {}
    return "".join(f"; {shares[name].format(partly.about(share))}" for name, share in told.items())


def _how(match: Match) -> str:
    if match.p_false is not None:
        return f"{match.how}, false {chance(match.p_false)}"
    if match.distance is not None:
        return f"{match.how}, {match.distance} of 256 bits differ"
    return match.how
