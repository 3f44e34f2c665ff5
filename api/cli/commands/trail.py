"""`colophon trail`: what the record says of an asset."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.cli.commands.family import diff, erase, tree
from api.cli.options import declare
from api.cli.terminal import Cell, Row, Terminal
from api.cli.words import moment, short

if TYPE_CHECKING:
    from api.wiring import House
    from provenance.store.registry import AssetRecord, TrailEntry

FOUND, NOTHING = 0, 3
_SAME = ("fits", "changed")


@click.group("trail")
def command() -> None:
    """Read the append-only record: what was signed, edited, revoked, and when.

    \b
    Example:
      colophon trail show signed.jpg
    """


@declare("show", example="colophon trail show signed.jpg\ncolophon trail show 3f0c1d… --json")
@click.argument("asset", metavar="ASSET|FILE")
def show(terminal: Terminal, home: Path | None, asset: str) -> int:
    """List the entries of an asset and of what it was made from, oldest first.

    ASSET is an id as `sign` prints it; FILE is a registered file, or a copy of one that `find` recognises.
    """
    from api.cli.app import finish
    from api.cli.house import open_house

    with open_house(terminal, home) as house:
        record = resolve(house, asset)
        entries = house.registry.trail(record.asset_id, include_parents=True) if record else ()
    if record is None:
        if not terminal.as_json:
            terminal.line(f"Nothing is recorded here of {asset}.")
        return finish(terminal, {"asset": None, "entries": []}, NOTHING)
    if not terminal.as_json:
        _print(terminal, record, entries)
    return finish(terminal, _plain(record, entries), FOUND)


def resolve(house: House, named: str) -> AssetRecord | None:
    """By id; else by the bytes of a file; else by what the file can be recognised by.

    Raises:
        InputError: neither an id nor a file.
    """
    from provenance.errors import InputError, UnsupportedMediaError

    record = house.registry.asset(named)
    if record is not None:
        return record
    path = Path(named)
    if not path.is_file():
        raise InputError(named, "neither a file nor the id of an asset that is known here")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    record = house.registry.by_sha256(digest)
    if record is None:
        from provenance.find import find

        try:
            matches = find(path, house.desk)
        except UnsupportedMediaError:  # nothing but its bytes can be searched for
            return None
        record = next((match.asset for match in matches if match.agreement in _SAME), None)
    return record


def _print(terminal: Terminal, record: AssetRecord, entries: tuple[TrailEntry, ...]) -> None:
    size = f", {record.width} × {record.height}" if record.width and record.height else ""
    terminal.rows(
        [
            Row("asset", record.asset_id, "strong"),
            Row("file", f"{record.media_type}{size}, sha256 {short(record.sha256)}"),
            Row("signed by", f"{record.signer_name}, {moment(record.signed_at)}"),
            *([Row("withdrawn", moment(record.withdrawn_at), "bad")] if record.withdrawn_at else []),
        ]
    )
    terminal.line()
    terminal.table(("entry", "number", "when", "what", "asset", "digest"), [_row(entry) for entry in entries])


def _row(entry: TrailEntry) -> tuple[Cell, ...]:
    return (
        Cell(str(entry.id)),
        Cell("waits" if entry.seq is None else str(entry.seq)),  # in the log; as proofs and bundles count
        Cell(moment(entry.at)),
        Cell(entry.kind if entry.payload is not None else f"{entry.kind}, since erased", "strong"),
        Cell(short(entry.asset_id or "–")),
        Cell(short(entry.digest)),
    )


def _plain(record: AssetRecord, entries: tuple[TrailEntry, ...]) -> dict[str, Any]:
    from provenance.verdict import iso

    return {
        "asset": {
            "id": record.asset_id,
            "sha256": record.sha256,
            "media_type": record.media_type,
            "manifest_id": record.manifest_id,
            "signer": record.signer_name,
            "signed_at": iso(record.signed_at),
            "parent": record.parent_asset_id,
            "withdrawn_at": iso(record.withdrawn_at) if record.withdrawn_at else None,
        },
        "entries": [
            {
                "id": entry.id,
                "seq": entry.seq,
                "at": iso(entry.at),
                "kind": entry.kind,
                "asset": entry.asset_id,
                "digest": entry.digest,
                "payload": dict(entry.payload) if entry.payload is not None else None,
            }
            for entry in entries
        ],
    }


for one in (show, tree, diff, erase):
    command.add_command(one)
