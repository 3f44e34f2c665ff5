"""`colophon watch`: sign what appears in a folder, offline if need be."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.cli.commands.sign import read_consent
from api.cli.options import FOLDER, PATH, Known, declare, now, source_types
from api.cli.terminal import Terminal

if TYPE_CHECKING:
    from provenance.watching import Deliver, Event

DONE, LEFT = 0, 4
KEY_VARIABLE = "COLOPHON_SERVER_KEY"
_STYLES = {"signed": "strong", "registered": "good", "refused": "bad", "waiting": "doubt"}


@declare(
    "watch", example="colophon watch incoming --to signed\ncolophon watch card --to signed --server https://desk.example --once"
)
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.option("--to", required=True, type=FOLDER, help="Folder for the signed files; made if it is missing.")
@click.option("--key", metavar="REF", help="Which key signs; default: the key of this home.")
@click.option("--identity", metavar="REF", help="A second key, an organisation's, that signs an identity assertion (CAWG).")
@click.option(
    "--source", type=Known("source type", source_types), default="digitalCapture", show_default=True, help="How it came about."
)
@click.option("--mark", default="auto", show_default=True, metavar="auto|none|ALG", help="Invisible mark to embed.")
@click.option("--redact", multiple=True, type=click.Choice(["gps"]), help="Camera metadata to leave out.")
@click.option(
    "--training-mining",
    "training",
    type=click.Choice(["allowed", "notAllowed", "constrained"]),
    help="May machines learn from it.",
)
@click.option("--consent", type=PATH, metavar="FILE", help="Consent record of whoever is depicted or voiced, JSON.")
@click.option("--server", metavar="URL", help=f"Deposit at this service instead of this home; its API key is in {KEY_VARIABLE}.")
@click.option("--offline", is_flag=True, help="Ask no time stamp authority; the stamps are queued.")
@click.option("--every", default=2.0, show_default=True, type=click.FloatRange(min=0.1), help="Seconds between two looks.")
@click.option("--once", is_flag=True, help="Take what is there now, and end.")
def command(
    terminal: Terminal,
    home: Path | None,
    folder: Path,
    to: Path,
    key: str | None,
    identity: str | None,
    source: str,
    mark: str,
    redact: tuple[str, ...],
    training: str | None,
    consent: Path | None,
    server: str | None,
    offline: bool,
    every: float,
    once: bool,
) -> int:
    """Sign every file that appears in DIR, once, and register it when the registry or the service can be reached.

    Nothing is needed to sign, no database and no network: what cannot be delivered waits in a queue on disk, in order, and
    survives a power cut. Files are signed when a whole look has left them unchanged; the sources are never touched. With --once:
    exit 4 if something still waits.
    """
    if terminal.as_json and not once:
        raise click.UsageError("--json prints one document: give --once")
    from api.cli.app import finish
    from api.cli.house import open_workshop, tell_of_waiting
    from api.late import LateRegistry
    from provenance.capture import SignRequest
    from provenance.watching import Watch

    request = SignRequest(
        folder, to, source_type=source, mark=mark, redact=frozenset(redact), training=training, consent=read_consent(consent)
    )
    watch = Watch(folder, to, request, settled=once)
    seen: list[dict[str, Any]] = []
    to_server = _to_server(server) if server is not None else None
    with (
        watch.backlog.held(),
        open_workshop(terminal, home) as workshop,
        LateRegistry(workshop.settings, unnumbered=tell_of_waiting(terminal)) as registry,
        suppress(KeyboardInterrupt),
    ):
        deliver, studio = to_server or registry.deliver, workshop.studio(key, offline=offline, identity=identity)
        if not once:
            terminal.note(f"Watching {folder} (Ctrl-C stops)")
        last: dict[Path, str] = {}
        while True:
            for event in watch.round(studio, deliver, clock=now):
                seen.append(_plain(event))
                if last.get(event.path) != event.kind:  # what waits is said once
                    _say(terminal, event)
                last[event.path] = event.kind
            registry.number()
            if once:
                break
            seen.clear()
            threading.Event().wait(every)
        waits = any(True for _ in watch.backlog.waiting())
    return finish(terminal, {"events": seen}, LEFT if once and waits else DONE)


def _to_server(server: str) -> Deliver:
    from urllib.parse import urlsplit

    from keys.hosts import is_local
    from provenance.fetch import Client
    from provenance.watching import to_service

    try:
        parts = urlsplit(server)
        scheme, host = parts.scheme, parts.hostname or ""
    except ValueError:
        scheme, host = "", ""
    if not host or (scheme != "https" and not (scheme == "http" and is_local(host))):
        raise click.UsageError("--server is an https address: an API key goes there")
    return to_service(server, os.environ.get(KEY_VARIABLE), Client(allow_private=True))  # whoever runs this named it


def _say(terminal: Terminal, event: Event) -> None:
    if not terminal.as_json:
        said = f": {event.why}" if event.why else f", asset {event.receipt}" if event.receipt else ""
        terminal.line(f"{event.kind} {event.path}{said}", _STYLES[event.kind])


def _plain(event: Event) -> dict[str, Any]:
    return {"event": event.kind, "path": str(event.path), "why": event.why, "receipt": event.receipt}
