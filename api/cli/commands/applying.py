"""`colophon keys new`, `import`, `rotate`, `code`: keys of outside CAs, successors, capture codes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from api.cli.options import PATH, declare, now, require_file
from api.cli.terminal import Row, Terminal
from api.cli.words import count, moment

ALGORITHMS = ("es256", "es384", "es512", "ps256", "ps384", "ps512", "ed25519")


@declare("new", example='colophon keys new studio --organization "The Studio" --common-name "Camera 3" --country DE')
@click.argument("name")
@click.option("--organization", required=True, help="Viewers show it as the signer.")
@click.option("--common-name", "common", required=True, help="Which of its products or desks.")
@click.option("--country", required=True, help="Two letters.")
@click.option("--alg", type=click.Choice(ALGORITHMS), default="es256", show_default=True)
def new(terminal: Terminal, home: Path | None, name: str, organization: str, common: str, country: str, alg: str) -> int:
    """Make a key and a request (CSR) for an outside CA. The key stays here; `keys import` takes the answer."""
    from api.cli.house import settings_of
    from keys import applying
    from keys.files import private_folder

    folder = private_folder(settings_of(home).keys_folder)
    who = applying.name_of(common=common, organization=organization, country=country)
    return _asked(terminal, name, applying.request(folder, name, who, alg=alg, now=now()))


@declare("import", example="colophon keys import studio answer.pem")
@click.argument("name")
@click.argument("file", type=PATH)
def take(terminal: Terminal, home: Path | None, name: str, file: Path) -> int:
    """Take a CA's answer to a request: certificates in PEM (or one in DER), checked against the key and the C2PA profile."""
    require_file(file)
    from api.cli.app import finish
    from api.cli.house import settings_of
    from keys import applying
    from keys.certificate import fingerprint, subject
    from provenance.verdict import iso

    done = applying.take(settings_of(home).keys_folder, name, file.read_bytes(), at=now())
    leaf = done.chain[0]
    if not terminal.as_json:
        terminal.rows([Row("key", f"{name}, until {moment(leaf.not_valid_after_utc)}", "strong"), Row("subject", subject(leaf))])
        for finding in done.findings:
            terminal.line(f"{finding.severity}: {finding.say}; {finding.mend}", "doubt")
    document: dict[str, Any] = {
        "key": name,
        "fingerprint": f"sha256:{fingerprint(leaf)}",
        "not_after": iso(leaf.not_valid_after_utc),
    }
    document["replaced"] = f"sha256:{done.replaced}" if done.replaced else None
    document["warnings"] = [finding.rule for finding in done.findings]
    return finish(terminal, document, 0)


@declare("rotate", example="colophon keys rotate development\ncolophon keys rotate studio")
@click.argument("name")
def rotate(terminal: Terminal, home: Path | None, name: str) -> int:
    """Give a key a successor: the development key at once, another by a new request to its CA.

    What the old key signed stays as it is. Until the answer to a request is imported, the old key goes on signing.
    """
    from api.cli.app import finish
    from api.cli.house import settings_of
    from keys import applying
    from keys.certificate import fingerprint
    from keys.keystore import DEVELOPMENT, rotate_development
    from provenance.verdict import iso

    settings = settings_of(home)
    if name != DEVELOPMENT:
        return _asked(terminal, name, applying.again(settings.keys_folder, name, now=now()))
    leaf = rotate_development(settings.keys_folder, now=now(), ocsp_url=settings.ocsp_url or None).chain(name)[0]
    if not terminal.as_json:
        terminal.rows([Row("key", f"{name}, until {moment(leaf.not_valid_after_utc)}", "strong")])
    document = {"key": name, "fingerprint": f"sha256:{fingerprint(leaf)}", "not_after": iso(leaf.not_valid_after_utc)}
    return finish(terminal, document, 0)


@declare("code", example="colophon keys code development\ncolophon keys code camera --count 20 --hours 12 --json")
@click.argument("name")
@click.option("--count", "how_many", default=1, show_default=True, type=click.IntRange(1, 1000))
@click.option("--hours", default=24, show_default=True, type=click.IntRange(1, 24 * 90), help="How long they may be used.")
def code(terminal: Terminal, home: Path | None, name: str, how_many: int, hours: int) -> int:
    """Make single-use capture codes for a key: each signs one claim (`sign --code`). Shown now and never again."""
    import hashlib
    import secrets

    from api.cli.app import finish
    from api.cli.house import settings_of
    from keys.book import Book
    from keys.keystore import Keystore
    from provenance.verdict import iso

    keystore = Keystore.open(settings_of(home).keys_folder)
    keystore.chain(name)  # there is such a key
    until, codes = now() + timedelta(hours=hours), [secrets.token_urlsafe(16) for _ in range(how_many)]
    Book(keystore.folder).offer_codes([hashlib.sha256(one.encode()).hexdigest() for one in codes], key=name, expires=until)
    if not terminal.as_json:
        terminal.rows([Row("key", name), Row("until", moment(until)), *(Row("code", one, "strong") for one in codes)])
        terminal.note(f"note: {count(how_many, 'code')}, each for one claim; only digests are kept")
    return finish(terminal, {"key": name, "expires": iso(until), "codes": codes}, 0)


def _asked(terminal: Terminal, name: str, path: Path) -> int:
    from api.cli.app import finish

    text = path.read_text("ascii")
    if not terminal.as_json:
        terminal.rows(
            [Row("request", str(path), "strong"), Row("next", f"send it to the CA, then: colophon keys import {name} FILE")]
        )
    return finish(terminal, {"key": name, "request": str(path), "csr": text}, 0)
