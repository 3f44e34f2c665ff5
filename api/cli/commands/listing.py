"""`colophon keys list`: the keys of this home."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api.cli.options import declare, now
from api.cli.terminal import Cell, Terminal
from api.cli.words import moment, short

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from keys.book import Pages


@declare("list", example="colophon keys list\ncolophon keys list --json")
def listing(terminal: Terminal, home: Path | None) -> int:
    """List the keys in this home's folder: whose, until when, and whether they were revoked. No secret is opened."""
    from api.cli.app import finish
    from api.cli.house import settings_of
    from keys.book import Book
    from keys.keystore import Keystore

    keystore = Keystore.open(settings_of(home).keys_folder)
    pages = Book(keystore.folder).read()
    found = [_plain(name, keystore.chain(name)[0], pages, now()) for name in keystore.names()]
    if not terminal.as_json:
        terminal.table(("key", "state", "until", "fingerprint", "subject"), [_row(one) for one in found])
    return finish(terminal, {"keys": found}, 0)


def _plain(name: str, leaf: Certificate, pages: Pages, at: datetime) -> dict[str, Any]:
    from keys.certificate import fingerprint, outside_validity, subject
    from provenance.verdict import iso

    mark = fingerprint(leaf)
    state = "revoked" if mark in pages.revoked else "ended" if outside_validity(leaf, at) else "good"
    end = leaf.not_valid_after_utc
    return {"key": name, "state": state, "not_after": iso(end), "fingerprint": f"sha256:{mark}", "subject": subject(leaf)}


def _row(one: dict[str, Any]) -> tuple[Cell, ...]:
    until = moment(datetime.fromisoformat(one["not_after"]))
    state = Cell(one["state"], "good" if one["state"] == "good" else "bad")
    return Cell(one["key"], "strong"), state, Cell(until), Cell(short(one["fingerprint"], 19)), Cell(one["subject"])
