"""What was signed, in words. Shared by `sign` and `edit`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from api.cli.terminal import Cell, Row, Terminal
from api.cli.words import moment

if TYPE_CHECKING:
    from provenance.finishing import Signed

_UNSTAMPED = {
    "queued": "time stamp queued",
    "absent": "no time stamp",
}


def print_signed(terminal: Terminal, signed: Sequence[Signed]) -> None:
    """Three lines for one file; a line each for several."""
    if len(signed) == 1:
        terminal.rows(rows(signed[0]))
    elif signed:
        body = [(Cell(str(one.path)), Cell(_mark(one)), Cell(_trail(one))) for one in signed]
        terminal.table(("signed", "mark", "trail"), body)
    for one in signed if len(signed) > 1 else ():
        if one.sidecar:
            terminal.note(f"note: the credential of {one.path.name} lies beside it, in {one.sidecar.name}")
    for note in dict.fromkeys(note for one in signed for note in one.notes):
        terminal.note(f"note: {note}")


def rows(signed: Signed) -> Iterator[Row]:
    """signed / mark / trail."""
    stamp = _UNSTAMPED.get(signed.time_state, signed.time_state)
    if signed.time:
        stamp = f"time-stamped {moment(signed.time)}"
    own = " (development)" if signed.development and "development" not in signed.signer else ""
    yield Row("signed", f"{signed.path} by {signed.signer}{own}, {stamp}", "strong")
    if signed.sidecar:
        yield Row("credential", f"{signed.sidecar}: keep it beside the film, which cannot hold it")
    yield Row("mark", _mark(signed))
    yield Row("trail", _trail(signed))


def _mark(signed: Signed) -> str:
    return f"{signed.binding.alg} {signed.binding.value}" if signed.binding else "none"


def _trail(signed: Signed) -> str:
    if not signed.registered:
        return "not registered"
    entry = f"entry {signed.entry_id}, " if signed.entry_id is not None else ""
    return f"{entry}asset {signed.asset_id}"
