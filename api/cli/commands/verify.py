"""`colophon verify`: what is known of one file, or of many."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.cli.options import PATH, Instant, declare, now, require_file
from api.cli.terminal import Cell, Terminal, status_style
from api.cli.words import count

if TYPE_CHECKING:
    from provenance.verdict import Verdict

NOTHING = 3
# By their names, for folders only: what a file is, its bytes tell.
_PICTURES = "jpg jpeg jpe png apng webp avif heic heif hif tif tiff dng gif jxl svg pdf"
_RECORDINGS = "mp4 m4v mov webm mkv avi wav mp3 m4a flac ogg"
MEDIA = frozenset(f".{name}" for name in f"{_PICTURES} {_RECORDINGS}".split())


@declare(
    "verify",
    example="colophon verify photo.jpg\ncolophon verify -r inbox/ --at 2026-11-21T10:00:00Z --json",
)
@click.argument("paths", nargs=-1, required=True, type=PATH, metavar="PATH...")
@click.option("-r", "--recursive", is_flag=True, help="Look into folders.")
@click.option("--at", type=Instant(), help="Judge as of this instant; default: now.")
@click.option("--trust", type=PATH, metavar="FILE", help="PEM file of trust anchors to use instead of this home's.")
@click.option("--offline", is_flag=True, help="Ask nobody outside; what was not asked is listed.")
@click.option("--sidecar", type=PATH, metavar="FILE", help="Read the credential from this .c2pa file.")
@click.option("--no-marks", is_flag=True, help="Look at the credential only; read no mark, search no fingerprint.")
def command(
    terminal: Terminal,
    home: Path | None,
    paths: tuple[Path, ...],
    recursive: bool,
    at: datetime | None,
    trust: Path | None,
    offline: bool,
    sidecar: Path | None,
    no_marks: bool,
) -> int:
    """Say what is known of each file: one status, a sentence, who signed and when.

    \b
      trusted, valid, recovered              the credential holds     exit 0
      altered, conflict, revoked, invalid    it is contradicted       exit 2
      none       no credential, no mark found: proves nothing         exit 3
      unknown    it could not be decided                              exit 4
    """
    if sidecar is not None and (len(paths) > 1 or recursive):
        raise click.UsageError("--sidecar belongs to one file")
    from api.cli.app import finish
    from api.cli.batch import each
    from api.cli.house import desk_trusting, open_house
    from api.cli.verdicts import row
    from provenance.verify import verify

    instant = at or now()
    files = walk(terminal, paths) if recursive else list(paths)
    if not files:
        terminal.note("note: no media in there")
        return finish(terminal, {"results": []}, NOTHING)
    with open_house(terminal, home) as house:
        desk = desk_trusting(house.desk, trust, today=now())
        batch = each(
            terminal,
            "Verifying",
            files,
            lambda path: verify(_file(path), desk, at=instant, sidecar=sidecar, marks=not no_marks).verdict,
        )
    if not terminal.as_json:
        if len(files) == 1 and batch.done:
            paragraph(terminal, *batch.done[0])
        elif batch.done:
            body = [row(str(path), verdict) for path, verdict in batch.done]
            terminal.table(("status", "file", "says"), body)
    results = batch.results(lambda verdict: {"verdict": verdict.as_dict()})
    return finish(terminal, {"results": results}, batch.exit_code(lambda verdict: verdict.status.exit_code))


def paragraph(terminal: Terminal, path: Path, verdict: Verdict) -> None:
    """The status, its sentence, and the facts behind it."""
    from api.cli.verdicts import facts

    terminal.table((), [headline(path, verdict)])
    terminal.line(verdict.summary, indent=2)
    terminal.rows(facts(verdict), indent=2)


def headline(path: Path, verdict: Verdict) -> tuple[Cell, ...]:
    return (Cell(verdict.status, status_style(verdict.status)), Cell(str(path), "strong"))


def walk(terminal: Terminal, paths: Iterable[Path]) -> list[Path]:
    """Files as given, and below a folder every visible file whose name is that of a medium, in order of name."""
    found: list[Path] = []
    passed_over = 0
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        shut: list[OSError] = []
        for folder, folders, names in os.walk(path, onerror=shut.append):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            media = sorted(name for name in names if not name.startswith(".") and Path(name).suffix.lower() in MEDIA)
            found += [Path(folder, name) for name in media]
            passed_over += len(names) - len(media)
        found += [Path(error.filename) for error in shut]  # to be told with the others
    if passed_over:
        terminal.note(f"note: {count(passed_over, 'other file')} passed over; name a file to have it looked at anyway")
    return found


def _file(path: Path) -> Path:
    from provenance.errors import InputError

    if path.is_dir():
        allowed = os.access(path, os.R_OK | os.X_OK)
        raise InputError(str(path), "is a folder; -r looks into it" if allowed else "no permission to look into it")
    require_file(path)
    return path
