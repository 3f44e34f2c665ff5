"""`colophon trust`: whose word counts here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.cli.options import declare
from api.cli.terminal import Cell, Terminal
from api.cli.words import count, short

if TYPE_CHECKING:
    from keys.trust import TrustList


@click.group("trust")
def command() -> None:
    """Read the trust lists that verdicts rest on.

    \b
    Example:
      colophon trust show
    """


@declare("show", example="colophon trust show\ncolophon trust show --json")
def show(terminal: Terminal, home: Path | None) -> int:
    """List the trust lists in use: kind, date, size, digest and source. Lists of signers and of clocks are never mixed."""
    from api.cli.app import finish
    from api.cli.house import open_house

    with open_house(terminal, home) as house:
        lists = house.desk.lists
    if not terminal.as_json:
        terminal.table(("kind", "list", "of", "holds", "digest", "source"), [_row(one) for one in lists])
    return finish(terminal, {"lists": [_plain(one) for one in lists]}, 0)


def _row(one: TrustList) -> tuple[Cell, ...]:
    holds = count(len(one.anchors), "anchor") + (f", {count(len(one.allowed), 'certificate')}" if one.allowed else "")
    return (
        Cell(one.kind.value),
        Cell(one.name, "doubt" if one.development else "strong"),
        Cell(one.date.isoformat()),
        Cell(holds),
        Cell(short(one.digest, 19)),
        Cell(one.source),
    )


def _plain(one: TrustList) -> dict[str, Any]:
    return {
        "kind": one.kind.value,
        "name": one.name,
        "date": one.date.isoformat(),
        "digest": one.digest,
        "uri": one.uri,
        "source": one.source,
        "anchors": len(one.anchors),
        "allowed": len(one.allowed),
        "purposes": sorted(one.ekus),
        "development": one.development,
    }


command.add_command(show)
