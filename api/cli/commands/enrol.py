"""`colophon keys token`: let a device ask for a certificate."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from api.cli.options import declare, now
from api.cli.terminal import Row, Terminal
from api.cli.words import moment


@declare("token", example='colophon keys token "Camera 3"\ncolophon keys token "Camera 3" --days 1 --json')
@click.argument("name")
@click.option("--days", default=7, show_default=True, type=click.IntRange(1, 90), help="How long the token may be used.")
def token(terminal: Terminal, home: Path | None, name: str, days: int) -> int:
    """Make a one-time token with which a device of that NAME gets a certificate from this home's service (EST, RFC 7030).

    The token is shown now and never again; only its digest is kept. keys/README.md shows the device's side with openssl and curl.
    """
    from api.cli.app import finish
    from api.cli.house import settings_of
    from keys.book import Book
    from keys.enrolment import new_token
    from keys.keystore import init_development
    from provenance.verdict import iso

    if not name.strip() or len(name) > 40 or not name.isprintable():
        raise click.UsageError("a device's name has 1 to 40 printable letters")
    folder = init_development(settings_of(home).keys_folder, now=now()).folder
    until = now() + timedelta(days=days)
    made = new_token(Book(folder), name.strip(), at=now(), life=timedelta(days=days))
    if not terminal.as_json:
        terminal.rows([Row("token", made, "strong"), Row("enrols", name.strip()), Row("until", moment(until))])
    return finish(terminal, {"token": made, "name": name.strip(), "expires": iso(until)}, 0)
