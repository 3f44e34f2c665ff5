"""`colophon keys`: the keys of this home, and what is wrong with a certificate chain."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.cli.commands import applying
from api.cli.commands.enrol import token
from api.cli.commands.listing import listing
from api.cli.commands.revoke import revoke
from api.cli.options import Instant, declare, now
from api.cli.terminal import Cell, Row, Terminal
from api.cli.words import moment

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from keys.profile import Finding

FIT, UNFIT = 0, 2


@click.group("keys")
def command() -> None:
    """Make development keys, check what a key may sign, and take back what it signed.

    \b
    Example:
      colophon keys init --dev
      colophon keys check development
    """


@declare("init", example="colophon keys init --dev")
@click.option("--dev", is_flag=True, help="Yes, a development authority: it proves nobody's identity.")
def init(terminal: Terminal, home: Path | None, dev: bool) -> int:
    """Make a development certificate authority, time stamp authority and signing key in this home.

    Done twice it changes nothing, except that a key near its end is renewed. Keys of your own are never touched.
    """
    if not dev:
        raise click.UsageError("only a development authority can be made here; say so with --dev")
    from api.cli.app import finish
    from api.cli.house import settings_of
    from keys.keystore import DEVELOPMENT, init_development

    keystore = init_development(settings_of(home).keys_folder, now=now())
    leaf = keystore.chain(DEVELOPMENT)[0]
    signers, clocks = keystore.development_lists()
    if not terminal.as_json:
        terminal.rows(
            [
                Row("key", f"{DEVELOPMENT}, until {moment(leaf.not_valid_after_utc)}", "strong"),
                Row("lists", f"{signers.name}; {clocks.name}"),
                Row("folder", str(keystore.folder)),
            ]
        )
        terminal.note("note: these prove nobody's identity; do not publish what they sign.")
    return finish(terminal, {"folder": str(keystore.folder), "key": DEVELOPMENT, **_certificate(leaf)}, 0)


@declare(
    "check",
    example="colophon keys check development\ncolophon keys check chain.pem --at 2027-01-01",
)
@click.argument("key", metavar="FILE|REF")
@click.option("--at", type=Instant(), help="Check as of this instant; default: now.")
def check(terminal: Terminal, home: Path | None, key: str, at: datetime | None) -> int:
    """Check a certificate chain against the C2PA certificate profile: what is wrong, by which clause, and what mends it.

    FILE is a PEM file, leaf first; REF names a key of this home. Exit 0 if it may sign claims, 2 if not. Whether
    anybody trusts it is another question: see `trust show`.
    """
    from api.cli.app import finish
    from keys.profile import check as check_

    chain = _chain(key, home)
    findings = check_(chain, at=at or now())
    fit = all(finding.severity != "error" for finding in findings)
    if not terminal.as_json:
        _print(terminal, key, chain, findings, fit=fit)
    document = {
        "key": key,
        "fit_to_sign": fit,
        "chain": [_certificate(one) for one in chain],
        "findings": [_finding(one) for one in findings],
    }
    return finish(terminal, document, FIT if fit else UNFIT)


def _chain(named: str, home: Path | None) -> Sequence[Certificate]:
    from api.cli.house import settings_of
    from keys.certificate import read_pem
    from keys.errors import KeyFileError
    from keys.keystore import Keystore

    path = Path(named)
    if not path.is_file():
        if path.suffix in (".pem", ".crt", ".cer") or path.exists():
            raise KeyFileError(path, "is a folder" if path.is_dir() else "no such file")
        return Keystore.open(settings_of(home).keys_folder).signer(named).chain
    return read_pem(path)


def _print(terminal: Terminal, key: str, chain: Sequence[Certificate], findings: Sequence[Finding], *, fit: bool) -> None:
    from keys.certificate import subject

    verdict = Cell("fit to sign", "good") if fit else Cell("not fit to sign", "bad")
    terminal.table((), [(verdict, Cell(key, "strong"))])
    terminal.rows([Row("leaf" if i == 0 else "issuer", f"{subject(one)}, {_span(one)}") for i, one in enumerate(chain)], indent=2)
    for finding in findings:
        terminal.line()
        terminal.line(f"{finding.severity}: {finding.say}", "bad" if finding.severity == "error" else "doubt", indent=2)
        mend = Row("mend", finding.mend)
        terminal.rows([Row("of", finding.subject), Row("rule", f"{finding.rule}, {finding.clause}"), mend], indent=4)


def _span(certificate: Certificate) -> str:
    return f"{certificate.not_valid_before_utc:%Y-%m-%d} to {certificate.not_valid_after_utc:%Y-%m-%d}"


def _certificate(certificate: Certificate) -> dict[str, Any]:
    from keys.certificate import fingerprint, subject
    from provenance.verdict import iso

    return {
        "subject": subject(certificate),
        "fingerprint": f"sha256:{fingerprint(certificate)}",
        "not_before": iso(certificate.not_valid_before_utc),
        "not_after": iso(certificate.not_valid_after_utc),
    }


def _finding(finding: Finding) -> dict[str, str]:
    names = ("rule", "severity", "subject", "say", "mend", "clause")
    return {name: getattr(finding, name) for name in names}


command.add_command(init)
command.add_command(check)
command.add_command(revoke)
command.add_command(token)
command.add_command(listing)
for one in (applying.new, applying.take, applying.rotate, applying.code):
    command.add_command(one)
