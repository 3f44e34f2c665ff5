"""What a command may say: lines on standard output, complaints and progress on standard error, or one JSON document.

With `--json` standard output carries exactly one document, also after an error; otherwise it carries text, wrapped
for a terminal and left unwrapped, uncoloured and without progress bars in a pipe.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

import click

from api.cli.words import printable

if TYPE_CHECKING:
    from provenance.progress import Progress

_WIDEST = 100  # columns of running text that are comfortable to read
_STYLES: Mapping[str, Mapping[str, Any]] = {
    "": {},
    "strong": {"bold": True},
    "quiet": {"dim": True},
    "good": {"fg": "green", "bold": True},
    "bad": {"fg": "red", "bold": True},
    "doubt": {"fg": "yellow", "bold": True},
}


@dataclass(frozen=True, slots=True)
class Row:
    """A label and what it says, as in `signed by  A. Person`."""

    label: str
    value: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    style: str = ""


class Terminal:
    """The two streams of one run. Effects live here; what to say is composed elsewhere, by pure functions."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._bar_print: Callable[[str], None] | None = None
        self._bar_move: Callable[[Progress], None] | None = None

    def line(self, text: str = "", style: str = "", *, indent: int = 0) -> None:
        """One paragraph of text, wrapped on a terminal only."""
        for part in self._wrapped(printable(text), indent, indent):
            self._put(_styled(part, style))

    def rows(self, rows: Iterable[Row], *, indent: int = 0) -> None:
        """Labels in one column, values in the next."""
        listed = list(rows)
        width = max((_cells(row.label) for row in listed), default=0)
        for row in listed:
            label = _padded(printable(row.label), width, "quiet")
            hang = indent + width + 2
            first, *more = self._wrapped(printable(row.value), hang, hang)
            self._put(" " * indent + label + "  " + _styled(first[hang:], row.style))
            for part in more:
                self._put(_styled(part, row.style))

    def table(self, head: Sequence[str], body: Sequence[Sequence[Cell]]) -> None:
        """Aligned columns; the last one is wrapped on a terminal, so that no line is cut."""
        lines = [[Cell(name, "quiet") for name in head], *body] if head else list(body)
        if not lines:
            return
        widths = [max(_cells(printable(line[column].text)) for line in lines) for column in range(len(lines[0]) - 1)]
        hang = sum(widths) + 2 * len(widths)
        for line in lines:
            lead = "".join(
                _padded(printable(cell.text), width, cell.style) + "  " for cell, width in zip(line, widths, strict=False)
            )
            first, *more = self._wrapped(printable(line[-1].text), hang, hang)
            self._put((lead + _styled(first[hang:], line[-1].style)).rstrip())
            for part in more:
                self._put(_styled(part, line[-1].style))

    def document(self, values: Mapping[str, Any]) -> None:
        """The JSON of this run; call it once, and only when `as_json`."""
        click.echo(json.dumps(values, indent=2, ensure_ascii=False, sort_keys=False))

    def complain(self, text: str) -> None:
        """One line on standard error, above the progress bar if one is shown."""
        (self._bar_print or _to_stderr)(_one_line(f"colophon: {text}"))

    def note(self, text: str) -> None:
        """A remark on standard error that is no error."""
        (self._bar_print or _to_stderr)(_one_line(text))

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Callable[[str], None]]:
        """A bar on standard error, told the name of each thing begun. None in a pipe; for a single thing from `so_far` on."""
        if not sys.stderr.isatty():
            yield lambda _name: None
            return
        from rich.console import Console
        from rich.markup import escape
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        console = Console(stderr=True, highlight=False)
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        bar = Bar(*columns, console=console, transient=True, redirect_stdout=False)
        task = bar.add_task(what, total=total)
        begun, title = 0, what

        def begin(name: str) -> None:
            nonlocal begun, title
            title = f"{what} {escape(printable(name))}"
            bar.update(task, completed=begun, description=title)
            begun += 1

        def move(done: Progress) -> None:
            bar.start()
            speed = f" at {done.speed:.1f} ×" if done.speed else ""
            bar.update(task, completed=max(begun - 1, 0) + done.share, description=f"{title}{speed}")

        self._bar_print = lambda text: console.print(text, markup=False, soft_wrap=True)
        self._bar_move = move
        if total > 1:
            bar.start()
        try:
            yield begin
        finally:
            self._bar_print = self._bar_move = None
            bar.stop()

    def so_far(self, done: Progress) -> None:
        """Move the bar within the thing that was begun last, if there is one to be seen."""
        if self._bar_move is not None:
            self._bar_move(done)

    @contextmanager
    def counting(self, what: str) -> Iterator[Callable[[int, int], None]]:
        """A bar on standard error for work whose size shows on the way: told how many of how many are done."""
        if not sys.stderr.isatty():
            yield lambda _done, _all: None
            return
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(stderr=True, highlight=False), transient=True, redirect_stdout=False) as bar:
            task = bar.add_task(what, total=None)
            yield lambda done, most: bar.update(task, completed=done, total=most)

    def _wrapped(self, text: str, indent: int, hang: int) -> list[str]:
        lead = " " * indent
        if not sys.stdout.isatty():
            return [lead + text]
        width = max(40, min(_WIDEST, shutil.get_terminal_size().columns))
        if width - indent < 20:
            return [lead + text]
        wrapper = textwrap.TextWrapper(width, lead, " " * hang, break_long_words=False, break_on_hyphens=False)
        return wrapper.wrap(text) or [lead]

    @staticmethod
    def _put(text: str) -> None:
        click.echo(text, color=_colour(sys.stdout))


def status_style(status: str) -> str:
    """The colour of a status; the word always stands beside it."""
    if status in ("trusted", "valid", "recovered"):
        return "good"
    if status in ("altered", "conflict", "revoked", "invalid", "error"):
        return "bad"
    return "doubt" if status == "unknown" else "strong"


def _to_stderr(text: str) -> None:
    click.echo(text, err=True)


def _one_line(text: str) -> str:
    return printable(" ".join(text.split("\n")).strip())


def _colour(stream: TextIO) -> bool | None:
    return False if os.environ.get("NO_COLOR") or not stream.isatty() else None


def _styled(text: str, style: str) -> str:
    return click.style(text, **_STYLES[style]) if style and text.strip() else text


def _cells(text: str) -> int:
    """Columns that a terminal gives a text: two for each wide letter."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _padded(text: str, width: int, style: str) -> str:
    return _styled(text, style) + " " * (width - _cells(text))
