"""`colophon keys revoke`: a key whose signatures no longer count."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.cli.options import Instant, declare, now
from api.cli.terminal import Row, Terminal
from api.cli.words import count, moment

if TYPE_CHECKING:
    from api.wiring import House

# RFC 5280 §5.3.1, as people type them
REASONS = {
    "key-compromise": "keyCompromise",
    "ca-compromise": "cACompromise",
    "affiliation-changed": "affiliationChanged",
    "superseded": "superseded",
    "cessation": "cessationOfOperation",
    "privilege-withdrawn": "privilegeWithdrawn",
    "unspecified": "unspecified",
}
_FINGERPRINT = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


@declare("revoke", example="colophon keys revoke development --reason key-compromise --at 2026-11-01")
@click.argument("key", metavar="KEY|FINGERPRINT|FILE")
@click.option("--reason", required=True, type=click.Choice(list(REASONS)), help="Why, in the words of RFC 5280.")
@click.option("--at", type=Instant(), help="From when on; default: now. What was signed and time-stamped before stays good.")
def revoke(terminal: Terminal, home: Path | None, key: str, reason: str, at: datetime | None) -> int:
    """Revoke the certificate of a key: from then on what it signs is `revoked`. Nothing takes this back.

    Every stored status that it touches is judged anew at once, and whoever listens for `credential.status_changed` is told.
    """
    from api.chores import rejudge, send
    from api.cli.app import finish
    from api.cli.house import open_house

    moment_now = now()
    if at is not None and at > moment_now:
        raise click.UsageError("--at lies in the future: a certificate is revoked from now on, or from earlier on")
    with open_house(terminal, home) as house:
        fingerprint = _fingerprint(house, key)
        _tell_authority(house, fingerprint, REASONS[reason], at or moment_now)
        held = house.registry.revoke(fingerprint, reason=REASONS[reason], at=at or moment_now, now=moment_now)
        judged = rejudge(house)
        sent = send(house)
    seen, changed = sum(r.seen for r in judged), sum(r.changed for r in judged)
    if not terminal.as_json:
        terminal.rows(
            [
                Row("revoked", f"sha256:{fingerprint}", "strong"),
                Row("reason", f"{held.reason}, from {moment(held.at)} on"),
                Row("statuses", f"{count(seen, 'status')} judged anew, {changed} changed"),
                *([Row("told", count(sum(d.ok for d in sent), "webhook"))] if sent else []),
            ]
        )
    return finish(terminal, {**_plain(fingerprint, held.reason, held.at), "statuses": {"seen": seen, "changed": changed}}, 0)


def _fingerprint(house: House, named: str) -> str:
    """By fingerprint, by key name, or by a file that holds the certificate."""
    from keys.certificate import fingerprint, read_pem

    found = _FINGERPRINT.fullmatch(named.lower())
    if found:
        return found.group(1)
    path = Path(named)
    if path.suffix in (".pem", ".crt", ".cer") or path.is_file():
        return fingerprint(read_pem(path)[0])
    return fingerprint(house.keystore.chain(named)[0])


def _tell_authority(house: House, fingerprint: str, reason: str, at: datetime) -> None:
    """Note it in our own authority's book too, which its OCSP answers come from."""
    from keys.book import Book

    Book(house.keystore.folder).revoke(fingerprint, reason=reason, at=at)


def _plain(fingerprint: str, reason: str, at: datetime) -> dict[str, Any]:
    from provenance.verdict import iso

    return {"fingerprint": f"sha256:{fingerprint}", "reason": reason, "at": iso(at)}
