"""`colophon stamp`: time stamps for what was signed without one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.cli.commands.sign import destinations
from api.cli.options import FOLDER, PATH, declare, now
from api.cli.terminal import Cell, Terminal
from api.cli.words import count, moment, short

if TYPE_CHECKING:
    from api.wiring import House
    from provenance.finishing import Signed
    from provenance.stamping import Outcome

DONE, LEFT = 0, 4
_STYLES = {"stamped": "good", "waiting": "doubt", "expired": "bad", "unreadable": "bad"}


@declare("stamp", example="colophon stamp --list\ncolophon stamp\ncolophon stamp offline.jpg -o stamped.jpg")
@click.argument("files", nargs=-1, type=PATH, metavar="[FILE...]")
@click.option("-o", "--output", type=PATH, help="Where one stamped file goes.")
@click.option("--to", type=FOLDER, help="Folder for the stamped files; made if it is missing.")
@click.option("--key", metavar="REF", help="Which key signs the update; default: the key of this home.")
@click.option("--list", "only_list", is_flag=True, help="Show what waits for a time stamp, and what came too late.")
@click.option("--limit", default=500, show_default=True, type=click.IntRange(1, 100_000), help="At most so many of the queue.")
def command(
    terminal: Terminal,
    home: Path | None,
    files: tuple[Path, ...],
    output: Path | None,
    to: Path | None,
    key: str | None,
    only_list: bool,
    limit: int,
) -> int:
    """Get the time stamps that were missing when something was signed: offline, or with no authority answering.

    Without FILE, every registered manifest on the queue gets one; it is kept in this registry, for every copy that is verified
    here. With FILE, the file is written anew with an update manifest that holds the stamp, so that it is valid everywhere.
    Exit 0 if nothing is left waiting, 4 if something is.
    """
    if only_list and files:
        raise click.UsageError("--list shows the queue; it takes no files")
    if files:
        return _files(terminal, home, files, destinations(files, output, to, word="stamped"), key)
    if output is not None or to is not None or key is not None:
        raise click.UsageError("-o, --to and --key go with files; the queue needs none of them")
    from api.cli.house import open_house

    with open_house(terminal, home, signing=not only_list) as house:
        outcomes = _listed(house, limit) if only_list else _stamped(terminal, house, limit)
    return _report(terminal, outcomes)


def _listed(house: House, limit: int) -> list[Outcome]:
    from provenance.stamping import queued

    return list(queued(house.desk, at=now(), limit=limit))


def _stamped(terminal: Terminal, house: House, limit: int) -> list[Outcome]:
    from provenance.stamping import queued, stamp_queue

    waiting = len(queued(house.desk, at=now(), limit=limit))
    if not waiting:
        return []
    if house.tsa_url is None:
        raise click.UsageError("no time stamp authority is set: give its URL as `tsa` in config.toml or COLOPHON_TSA")
    outcomes = []
    with terminal.progress("Stamping", waiting) as begin:
        for outcome in stamp_queue(house.desk, house.tsa_url, clock=now, limit=limit):
            outcomes.append(outcome)
            begin(short(outcome.manifest_id, 24))
    return outcomes


def _report(terminal: Terminal, outcomes: Sequence[Outcome]) -> int:
    from api.cli.app import finish

    states = [str(one.state) for one in outcomes]
    if not terminal.as_json:
        if outcomes:
            terminal.table(("state", "until", "manifest", "why"), [_row(one) for one in outcomes])
        else:
            terminal.line("Nothing waits for a time stamp.")
        if "expired" in states:
            late = count(states.count("expired"), "manifest")
            terminal.note(f"note: {late} came too late: valid until the certificate's end, and no stamp will help")
    document = {"queue": [one.as_dict() for one in outcomes]}
    return finish(terminal, document, LEFT if "waiting" in states else DONE)


def _row(one: Outcome) -> tuple[Cell, ...]:
    said = f"stamped {moment(one.at)}" if one.at else (one.why or "")
    return Cell(str(one.state), _STYLES[str(one.state)]), Cell(moment(one.due)), Cell(one.manifest_id), Cell(said)


def _files(terminal: Terminal, home: Path | None, files: Sequence[Path], targets: dict[Path, Path], key: str | None) -> int:
    from api.cli.app import finish
    from api.cli.batch import each
    from api.cli.house import open_house
    from api.cli.signed import print_signed
    from provenance.stamping import stamp_file

    with open_house(terminal, home, signing=True) as house:
        studio = house.studio(key)

        def work(path: Path) -> Signed:
            return stamp_file(path, targets[path], studio, at=now())

        batch = each(terminal, "Stamping", files, work)
    if not terminal.as_json:
        print_signed(terminal, [signed for _, signed in batch.done])
    results = batch.results(lambda signed: {"signed": signed.as_dict()})
    return finish(terminal, {"results": results}, batch.exit_code(lambda _: 0))
