"""`colophon survive`: what the mark of a file lives through."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.cli.options import FOLDER, PATH, declare, now, require_file
from api.cli.terminal import Cell, Row, Terminal
from api.cli.words import chance

if TYPE_CHECKING:
    from provenance.survival import Step, Survival


@declare("survive", example="colophon survive photo.jpg --report survival/")
@click.argument("file", type=PATH)
@click.option("--ladder", metavar="NAME", help="Which ladder; default: the newest of the medium, such as image-2026.")
@click.option("--report", type=FOLDER, help="Folder for an HTML report with a small picture of each step.")
def command(terminal: Terminal, home: Path | None, file: Path, ladder: str | None, report: Path | None) -> int:
    """Put a file through a fixed ladder of re-encodes, cuts and filters, and look for its mark after each, blindly.

    A file without a mark of ours is marked first: the copy that is tried, never the file. The result is stored with the
    registered asset that the mark belongs to. It is measured, and no promise. Exit 0 however many steps fail.
    """
    require_file(file)
    from api.cli.app import finish
    from api.cli.house import open_house
    from provenance.survival import survive

    if report is not None:
        report.mkdir(parents=True, exist_ok=True)
    with open_house(terminal, home) as house, terminal.counting("Trying") as progress:
        measured = survive(
            file,
            house.desk,
            ladder=ladder,
            new_id=lambda: secrets.randbits(64),
            at=now(),
            progress=progress,
            pictures=report is not None,
        )
    page = _write(measured, file, report) if report is not None else None
    if not terminal.as_json:
        _print(terminal, measured, page)
    said = {"marked_now": measured.marked_now, "summary": measured.sentence, "report": str(page) if page else None}
    document = {"path": str(file), **said, **measured.as_dict()}
    return finish(terminal, document, 0)


def _print(terminal: Terminal, measured: Survival, page: Path | None) -> None:
    if measured.marked_now:
        terminal.line("The file carries no mark of ours: a marked copy of it was tried.")
    terminal.table(("step", "mark", "what was done"), [_row(step) for step in measured.steps])
    terminal.line()
    terminal.line(f"{measured.ladder}: {measured.sentence}", "strong")
    stored = f"with asset {measured.asset_id}" if measured.asset_id else "nowhere: no asset that is registered here has this mark"
    report = [Row("report", f"{page} ({page.resolve().as_uri()})")] if page else []
    terminal.rows([Row("stored", stored), *report])


def _row(step: Step) -> tuple[Cell, ...]:
    trial = step.trial
    if not trial.found or trial.p_false is None:
        return Cell(step.name), Cell("not read", "bad"), Cell(step.title)
    return Cell(step.name), Cell(f"read, false {chance(trial.p_false)}", "good"), Cell(step.title)


def _write(measured: Survival, file: Path, folder: Path) -> Path:
    from importlib.metadata import version

    from api.cli.survival_report import render

    page = folder / "index.html"
    page.write_text(render(measured, name=file.name, made_by=f"colophon {version('colophon')}"), "utf-8")
    return page
