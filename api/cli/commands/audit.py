"""`colophon audit`: check a bundle offline, or follow a whole log."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.cli.options import PATH, declare
from api.cli.terminal import Cell, Row, Terminal

if TYPE_CHECKING:
    from provenance.bundle.audit import BundleAudit
    from provenance.trail.audit import LogAudit
    from provenance.trail.note import NoteKey

_EXITS = {"holds": 0, "fails": 2, "undecided": 4}
_STYLES = {"holds": "good", "fails": "bad", "undecided": "doubt"}


@declare(
    "audit",
    example="colophon audit story.zip --checkpoint held.txt\ncolophon audit --log https://media.example/api/v1/log",
)
@click.argument("bundle", type=PATH, required=False)
@click.option("--checkpoint", type=PATH, help="A checkpoint of the log that you kept: the bundle's log must continue it.")
@click.option(
    "--key", "keys", multiple=True, help="The log's public key (vkey) as you have it from elsewhere, or a file of them."
)
@click.option("--witness", "witnesses", multiple=True, help="A witness's public key, or a file of them: it must have cosigned.")
@click.option("--media", type=PATH, help="A file that is to be the bundle's asset.")
@click.option("--log", "log", metavar="URL", help="Follow the log served under this address instead.")
@click.option("--state", type=PATH, help="Where what was seen of a log is remembered; default in the home folder.")
def command(
    terminal: Terminal,
    home: Path | None,
    bundle: Path | None,
    checkpoint: Path | None,
    keys: tuple[str, ...],
    witnesses: tuple[str, ...],
    media: Path | None,
    log: str | None,
    state: Path | None,
) -> int:
    """Check a bundle, with no server and no network; or follow a log since the last time.

    Exit 0: all holds. 2: something is not what was recorded, and is named. 4: something could not be decided.
    """
    if (bundle is None) == (log is None):
        raise click.UsageError("Name a bundle, or a log with --log URL.")
    if log is not None:
        return _follow(terminal, home, log, _vkeys(keys), _vkeys(witnesses), state)
    assert bundle is not None
    from api.cli.app import finish
    from provenance.bundle.audit import Held, audit
    from provenance.isolation import Workers

    held = Held(
        checkpoint=checkpoint.read_bytes() if checkpoint else None,
        keys=_vkeys(keys),
        witnesses=_vkeys(witnesses),
        media_sha256=_digest(media) if media else None,
    )
    data = bundle.read_bytes()
    with Workers(1) as workers:
        found = audit(data, workers, held)
    if not terminal.as_json:
        _print(terminal, bundle, found)
    document = {
        "path": str(bundle),
        "result": found.result,
        "status": found.status,
        "asset": dict(found.asset) if found.asset else None,
        "findings": [finding.as_dict() for finding in found.findings],
    }
    return finish(terminal, document, _EXITS[found.result])


def _print(terminal: Terminal, bundle: Path, found: BundleAudit) -> None:
    words = {"holds": "all holds", "fails": "not what was recorded", "undecided": "not all could be decided"}
    terminal.rows(
        [
            Row("bundle", str(bundle), "strong"),
            *([Row("asset", str(found.asset["id"]))] if found.asset else []),
            *([Row("verdict", found.status)] if found.status else []),
            Row("audit", words[found.result], _STYLES[found.result]),
        ]
    )
    terminal.line()
    rows = [(Cell(f.result, _STYLES[f.result]), Cell(f.where), Cell(f.say)) for f in found.findings]
    terminal.table(("", "where", "found"), rows)


def _follow(
    terminal: Terminal, home: Path | None, url: str, keys: tuple[NoteKey, ...], witnesses: tuple[NoteKey, ...], state: Path | None
) -> int:
    """Follow a log; what was found good is remembered for the next time."""
    from api.cli.app import finish
    from api.cli.files import write_new
    from api.cli.house import settings_of
    from provenance.errors import InputError, MalformedError
    from provenance.trail.audit import follow, keys_of, remembered
    from provenance.trail.wire import wire

    prefix = url.rstrip("/")
    place = state or settings_of(home).home / "audits" / f"{hashlib.sha256(prefix.encode()).hexdigest()[:16]}.json"
    since = None
    if place.exists():
        try:
            since = remembered(place.read_bytes())
        except MalformedError as error:
            raise InputError(str(place), str(error)) from error
    with wire() as client, terminal.counting("entries") as seen:
        trusted = keys or (since.keys if since else keys_of(client.get(f"{prefix}/keys") or b""))
        if not keys and since is None:
            terminal.note("note: first look at this log: its keys are taken from itself; compare them with what others have")
        found = follow(lambda path: client.get(f"{prefix}/{path}"), trusted, since, witnesses=witnesses, seen=seen)
    missing = sorted({key.name for key in witnesses} - found.witnesses)
    good = not found.faults and not missing
    if good and found.remembered is not None:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_new(place, bytes(found.remembered))
    if not terminal.as_json:
        _say(terminal, found, missing, first=since is None)
    document = {
        "log": url,
        "origin": found.checkpoint.origin if found.checkpoint else None,
        "size": found.checkpoint.size if found.checkpoint else None,
        "root": found.checkpoint.root.hex() if found.checkpoint else None,
        "new": found.new,
        "witnesses": sorted(found.witnesses),
        "not_witnessed_by": missing,
        "faults": [{"where": fault.where, "say": fault.say} for fault in found.faults],
        "remembered": str(place) if good else None,
    }
    return finish(terminal, document, 0 if good else 2)


def _say(terminal: Terminal, found: LogAudit, missing: list[str], *, first: bool) -> None:
    if found.checkpoint is not None:
        since = "all recomputed" if first else f"{found.new} new ones recomputed; it continues what was seen last time"
        terminal.rows(
            [
                Row("log", found.checkpoint.origin, "strong"),
                Row("entries", f"{found.checkpoint.size}" if found.faults else f"{found.checkpoint.size}, {since}"),
                Row("witnesses", ", ".join(sorted(found.witnesses)) or "none that you named"),
            ]
        )
    for fault in found.faults:
        terminal.line(f"{fault.where}: {fault.say}", "bad")
    for name in missing:
        terminal.line(f"checkpoint: {name} did not cosign it.", "bad")


def _vkeys(given: tuple[str, ...]) -> tuple[NoteKey, ...]:
    """Keys given as such, or as files of one a line.

    Raises:
        InputError: neither.
    """
    from provenance.errors import InputError, MalformedError
    from provenance.trail.audit import keys_of

    found: list[NoteKey] = []
    for one in given:
        try:
            found += keys_of(Path(one).read_bytes() if "+" not in one and Path(one).is_file() else one.encode())
        except MalformedError as error:
            raise InputError(one[:120], f"is no public key of a log, nor a file of them ({error})") from error
    return tuple(found)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
