"""`colophon demo`: the whole story, on bundled media."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.cli.options import FOLDER, declare, now
from api.cli.terminal import Cell, Row, Terminal, status_style

if TYPE_CHECKING:
    from api.demo.story import Step

AS_TOLD, ASTRAY = 0, 1
_STEPS = 7


@declare("demo", example="colophon demo\ncolophon demo --report /tmp/story --keep\ncolophon demo --feed && colophon serve")
@click.option("--report", type=FOLDER, default=Path("demo-report"), show_default=True, help="Folder for the report.")
@click.option("--keep", is_flag=True, help="Keep the media and the home of the story, in the report's folder.")
@click.option("--feed", "feed", is_flag=True, help="Instead: sign thirty samples into the home, for the page /feed of serve.")
def command(terminal: Terminal, home: Path | None, report: Path, keep: bool, feed: bool) -> int:
    """Tell the whole story in a minute: sign and mark a photo and a speech, lose the credential, get it back, forge a copy.

    It runs in a home of its own, unless --home names one. Exit 1 if a step does not end as the story says.
    """
    if feed:
        return _feed(terminal, home)
    from importlib.metadata import version

    from api.cli.app import finish
    from api.cli.house import open_house
    from api.demo.cast import bundled
    from api.demo.report import render
    from api.demo.story import tell

    report.mkdir(parents=True, exist_ok=True)
    page = report / "index.html"
    kept = report if keep else None
    with _workshop(kept) as folder:
        own = folder / "home"
        steps: list[Step] = []
        with (
            open_house(terminal, home or own, signing=True, quiet=home is None) as house,
            bundled() as cast,
            terminal.progress("Telling", _STEPS) as begin,
        ):
            begin("")
            for step in tell(house, cast, folder, clock=now):
                steps.append(step)
                begin(step.title)
    then = _then(kept, home)
    page.write_text(render(steps, made_at=now(), made_by=f"colophon {version('colophon')}", then=then), "utf-8")
    if not terminal.as_json:
        _print(terminal, steps, page)
    document = {"steps": [_plain(step) for step in steps], "report": str(page)}
    return finish(terminal, document, AS_TOLD if all(step.as_told for step in steps) else ASTRAY)


def _feed(terminal: Terminal, home: Path | None) -> int:
    """Thirty samples into the home, each signed for what it is."""
    from api.cli.app import finish
    from api.cli.house import open_house
    from api.demo.cast import bundled
    from api.demo.feed import COUNT, fill

    made = []
    with (
        tempfile.TemporaryDirectory(prefix="colophon-feed-") as folder,
        open_house(terminal, home, signing=True) as house,
        bundled() as cast,
        terminal.progress("Signing", COUNT) as begin,
    ):
        for signed in fill(house, cast, Path(folder), clock=now):
            begin(signed.path.name)
            made.append(signed.asset_id)
    if not terminal.as_json:
        terminal.line(f"{len(made)} samples are registered. See them: colophon serve, then http://127.0.0.1:8000/feed")
    return finish(terminal, {"assets": made}, AS_TOLD)


@contextmanager
def _workshop(kept: Path | None) -> Iterator[Path]:
    """The folder that the story plays in: a temporary one, or one to keep."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="colophon-demo-") as name:
        yield Path(name)


def _print(terminal: Terminal, steps: list[Step], page: Path) -> None:
    body = [
        (
            Cell(str(number), "quiet"),
            Cell(step.title),
            Cell(step.status, status_style(step.status)),
            Cell(step.verification.verdict.summary),
        )
        for number, step in enumerate(steps, start=1)
    ]
    terminal.table(("", "what was done", "status", "what it says"), body)
    for number, step in enumerate(steps, start=1):
        if not step.as_told:
            terminal.complain(f"step {number} should have ended as {' or '.join(sorted(step.expected))}")
    terminal.line()
    terminal.rows(
        [
            Row("report", f"{page} (open it in a browser: {page.resolve().as_uri()})"),
            Row("service", "make serve, or colophon serve, then http://127.0.0.1:8000/"),
        ]
    )


def _then(kept: Path | None, home: Path | None) -> str:
    if kept is None:
        return "To try it yourself: colophon sign photo.jpg -o signed.jpg, then colophon verify signed.jpg."
    where = home or kept / "home"
    return f"The files are kept: try colophon verify {kept / 'shared.jpg'} --home {where}."


def _plain(step: Step) -> dict[str, object]:
    return {
        "title": step.title,
        "done": step.done,
        "status": str(step.status),
        "expected": sorted(step.expected),
        "as_told": step.as_told,
        "verdict": step.verification.verdict.as_dict(),
    }
