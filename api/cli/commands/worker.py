"""`colophon worker`: what is done by itself."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.cli.options import declare
from api.cli.terminal import Terminal
from api.cli.words import count, short

if TYPE_CHECKING:
    from api.chores import Done


@declare("worker", example="colophon worker\ncolophon worker --once --json")
@click.option("--once", is_flag=True, help="Do what is due now, and end.")
@click.option("--every", default=30.0, show_default=True, type=click.FloatRange(min=1), help="Seconds between two rounds.")
def command(terminal: Terminal, home: Path | None, once: bool, every: float) -> int:
    """Do what waits: judge statuses anew after a revocation, fetch time stamps that are missing, send webhooks.

    `colophon serve` does all this by itself; a worker of its own is for other machines, and for homes without a service.
    """
    from api.chores import round_of
    from api.cli.app import finish
    from api.cli.errors import describe
    from api.cli.house import open_house

    with open_house(terminal, home, signing=True) as house:
        if once:
            done = round_of(house)
            _say(terminal, done)
            return finish(terminal, _plain(done), 0)
        with suppress(KeyboardInterrupt):
            while True:
                try:
                    _say(terminal, round_of(house))
                except Exception as error:  # noqa: BLE001 - the next round may do better
                    terminal.complain(describe(error).line)
                threading.Event().wait(every)
    return 0


def _say(terminal: Terminal, done: Done) -> None:
    if terminal.as_json:
        return
    for one in done.rejudged:
        terminal.line(f"judged anew: {count(one.seen, 'status')} of {short(one.fingerprint)}, {one.changed} changed")
    stamped = sum(str(one.state) == "stamped" for one in done.stamped)
    if stamped:
        terminal.line(f"stamped: {count(stamped, 'manifest')}")
    if done.recorded:
        terminal.line(f"written into the trail: {count(done.recorded, 'signature')}")
    late = sum(str(one.state) == "expired" for one in done.stamped)
    if late:
        terminal.line(f"unstamped for ever: {count(late, 'manifest')} (colophon stamp --list)", "bad")
    for sent in done.sent:
        if sent.ok:
            terminal.line(f"told {sent.target}")
        else:
            terminal.line(f"could not tell {sent.target}: {sent.why}", "doubt")


def _plain(done: Done) -> dict[str, object]:
    return {
        "rejudged": [{"fingerprint": r.fingerprint, "seen": r.seen, "changed": r.changed} for r in done.rejudged],
        "recorded": done.recorded,
        "stamps": [one.as_dict() for one in done.stamped],
        "webhooks": [{"id": d.event_id, "target": d.target, "ok": d.ok, "why": d.why} for d in done.sent],
    }
