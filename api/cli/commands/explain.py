"""`colophon explain`: the whole account of one file."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.cli.options import PATH, Instant, declare, now, require_file
from api.cli.terminal import Row, Terminal

if TYPE_CHECKING:
    from provenance.verdict import Verdict


@declare("explain", example="colophon explain photo.jpg")
@click.argument("file", type=PATH)
@click.option("--at", type=Instant(), help="Judge as of this instant; default: now.")
@click.option("--trust", type=PATH, metavar="FILE", help="PEM file of trust anchors to use instead of this home's.")
@click.option("--offline", is_flag=True, help="Ask nobody outside; what was not asked is listed.")
@click.option("--sidecar", type=PATH, metavar="FILE", help="Read the credential from this .c2pa file.")
def command(
    terminal: Terminal,
    home: Path | None,
    file: Path,
    at: datetime | None,
    trust: Path | None,
    offline: bool,
    sidecar: Path | None,
) -> int:
    """Say one sentence about a file, then why, then every layer and code, then what was not checked.

    Exit codes as of `verify`. With --json, the document is the verdict itself.
    """
    require_file(file)
    from api.cli.app import finish
    from api.cli.house import desk_trusting, open_house
    from provenance.verify import verify

    with open_house(terminal, home) as house:
        desk = desk_trusting(house.desk, trust, today=now())
        verdict = verify(file, desk, at=at or now(), sidecar=sidecar).verdict
    if not terminal.as_json:
        account(terminal, file, verdict)
    return finish(terminal, {"path": str(file), **verdict.as_dict()}, verdict.status.exit_code)


def account(terminal: Terminal, file: Path, verdict: Verdict) -> None:
    """Everything the verdict holds, in the order in which a person would ask."""
    from api.cli import verdicts
    from api.cli.commands.verify import headline

    terminal.table((), [headline(file, verdict)])
    terminal.line(verdict.summary, indent=2)
    _section(terminal, "Why", [Row("·", reason.say) for reason in verdict.reasons])
    _section(
        terminal,
        "Layers",
        [*verdicts.credential(verdict.credential), *verdicts.mark(verdict.mark, looked="mark" not in verdict.not_checked)],
    )
    _section(terminal, "Declared", list(verdicts.declared(verdict.declared)))
    if verdict.changes:
        _section(terminal, "Where it changed", verdicts.changes(verdict.changes))
    if verdict.history:
        _section(terminal, "History, newest first", list(verdicts.history(verdict.history)))
    codes = [*verdict.credential.codes, *verdict.signals, *(reason.code for reason in verdict.reasons)]
    _section(terminal, "Codes", [Row("·", code) for code in codes])
    unchecked = [verdicts.unchecked(item) for item in verdict.not_checked] or ["nothing that this version can look at"]
    _section(terminal, "Not checked", [Row("·", item) for item in unchecked])
    _section(terminal, "Judged", verdicts.inputs(verdict.inputs))


def _section(terminal: Terminal, title: str, rows: list[Row]) -> None:
    if rows:
        terminal.line()
        terminal.line(title, "strong")
        terminal.rows(rows, indent=2)
