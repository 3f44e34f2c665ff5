"""What the commands share: `--json`, `--home`, instants, and an example on every help page."""

from __future__ import annotations

import errno
import stat
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import wraps
from inspect import cleandoc
from pathlib import Path
from typing import Any

import click

from api.cli.terminal import Terminal

_WHY = {errno.ENOENT: "no such file", errno.EACCES: "no permission"}
# Existence, rights and kind of a file are told by the use cases, one file at a time: a batch goes on after a bad one.
PATH = click.Path(readable=False, path_type=Path)
FOLDER = click.Path(file_okay=False, readable=False, path_type=Path)


class Instant(click.ParamType[Any, Any]):
    """An ISO 8601 date or date and time; without a zone it is UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            instant = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a date or time like 2026-11-21 or 2026-11-21T10:00:00Z", param, ctx)
        return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


class Known(click.ParamType[Any, Any]):
    """A word of a table that is imported only when a word is given; a wrong one is told the right ones."""

    def __init__(self, what: str, table: Callable[[], Iterable[str]]) -> None:
        self.name, self._table = what, table

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        words = sorted(self._table())
        if value not in words:
            self.fail(f"{value!r} is none of {', '.join(words)}", param, ctx)
        return str(value)


def source_types() -> Iterable[str]:
    from provenance.actions import SOURCE_TYPES

    return SOURCE_TYPES


def edit_actions() -> Iterable[str]:
    from provenance.actions import EDIT_ACTIONS

    return EDIT_ACTIONS


def declare(name: str, *, example: str) -> Callable[[Callable[..., int]], click.Command]:
    """Declare a command. Its function gets `terminal`, `home` and its own parameters, and returns an exit code.

    Args:
        name: As typed.
        example: Lines for the help page, without a prompt.
    """

    def make(function: Callable[..., int]) -> click.Command:
        @wraps(function)
        def run(as_json: bool, home: Path | None, **parameters: Any) -> int:
            chosen = home or click.get_current_context().find_root().obj
            return function(terminal=Terminal(as_json=as_json), home=chosen, **parameters)

        shown = "\n".join(f"  {line}" for line in example.splitlines())
        made = click.command(name, help=f"{cleandoc(function.__doc__ or '')}\n\n\b\nExample:\n{shown}")(run)
        made.params += [
            click.Option(["--home"], type=FOLDER, help="Folder of keys, records and settings."),
            click.Option(["--json", "as_json"], is_flag=True, help="Print one JSON document and nothing else."),
        ]
        return made

    return make


def require_file(path: Path) -> None:
    """Pass if a file is there. Asked before anything is opened: a mistyped name is answered at once.

    Raises:
        InputError: nothing there, or a folder.
    """
    from provenance.errors import InputError

    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise InputError(str(path), _WHY.get(error.errno or 0, (error.strerror or str(error)).lower())) from error
    if stat.S_ISDIR(mode):
        raise InputError(str(path), "is a folder, not a file")


def now() -> datetime:
    return datetime.now(UTC)
