"""`colophon trust`: whose word counts here."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.cli.options import PATH, declare, now, require_file
from api.cli.terminal import Cell, Terminal
from api.cli.words import count, short

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from keys.trust import TrustList


@click.group("trust")
def command() -> None:
    """Read the trust lists that verdicts rest on.

    \b
    Example:
      colophon trust show
      colophon trust update list.pem --sha256 75cacc98…
    """


@declare("show", example="colophon trust show\ncolophon trust show --json")
def show(terminal: Terminal, home: Path | None) -> int:
    """List the trust lists in use: kind, date, size, digest and source. Lists of signers and of clocks are never mixed."""
    from api.cli.app import finish
    from api.cli.house import open_house

    with open_house(terminal, home) as house:
        lists = house.desk.lists
    from keys.shelf import notices

    told = notices(lists, at=now())
    if not terminal.as_json:
        terminal.table(("kind", "list", "of", "holds", "digest", "source"), [_row(one) for one in lists])
        for notice in told:
            terminal.line(f"{notice.list_name}: {notice.say}", "doubt")
    warned = [{"list": notice.list_name, "say": notice.say} for notice in told]
    return finish(terminal, {"lists": [_plain(one) for one in lists], "warnings": warned}, 0)


@declare(
    "update",
    example="colophon trust update https://…/C2PA-TRUST-LIST.pem --sha256 75cacc98…\n"
    'colophon trust update desks.pem --kind identity --name "News desks" --signature desks.p7s --signer editor.pem',
)
@click.argument("place", metavar="FILE|URL")
@click.option("--kind", type=click.Choice(["signer", "tsa", "identity"]), default="signer", show_default=True)
@click.option("--name", default="C2PA Trust List", show_default=True, help="A list of this kind and name is replaced.")
@click.option("--sha256", "pinned", metavar="DIGEST", help="Its digest, from a place that you trust.")
@click.option("--signature", type=PATH, metavar="FILE", help="A detached CMS signature over it (DER).")
@click.option("--signer", type=PATH, metavar="FILE", help="The certificate that signed it (PEM).")
@click.option("--date", "day", metavar="DAY", help="The day it was published; default: today.")
def update(
    terminal: Terminal,
    home: Path | None,
    place: str,
    kind: str,
    name: str,
    pinned: str | None,
    signature: Path | None,
    signer: Path | None,
    day: str | None,
) -> int:
    """Take in a trust list (PEM) from a file or a public address. Its digest or its signature must be known: a list that
    anybody could have put there decides whom you trust.
    """
    if (pinned is None) == (signature is None) or (signature is None) != (signer is None):
        raise click.UsageError("give --sha256, or --signature with --signer")
    from api.cli.app import finish
    from api.cli.house import settings_of
    from keys import shelf
    from keys.trust import ListKind

    data, uri = _fetched(place)
    if pinned is not None:
        by = shelf.require_digest(data, pinned, name)
    else:
        assert signature is not None
        assert signer is not None
        by = shelf.require_signature(data, _bytes(signature), _certificate(signer), name, at=now())
    folder = settings_of(home).trust_folder
    made = shelf.keep(
        folder, data, kind=ListKind(kind), name=name, uri=uri, source=place, day=_day(day), pinned_by=by, today=now()
    )  # fmt: skip
    if not terminal.as_json:
        terminal.table(("kind", "list", "of", "holds", "digest", "source"), [_row(made)])
    return finish(terminal, {"list": _plain(made), "pinned_by": by}, 0)


def _fetched(place: str) -> tuple[bytes, str]:
    """The bytes of a list and where they came from. Raises FetchError, InputError."""
    from keys.shelf import MAX_LIST
    from provenance.errors import FetchError
    from provenance.fetch import Client

    if "://" not in place:
        path = Path(place)
        return _bytes(path), path.resolve().as_uri()
    if not place.startswith("https://"):
        raise click.UsageError("a list is fetched from https addresses, or read from a file")
    answer = Client(max_bytes=MAX_LIST, timeout_s=30).get(place)
    if answer.status != 200:
        raise FetchError(place, f"answered HTTP {answer.status}")
    return answer.body, place


def _bytes(path: Path) -> bytes:
    require_file(path)
    return path.read_bytes()


def _certificate(path: Path) -> Certificate:
    from keys.certificate import read_pem

    require_file(path)
    return read_pem(path)[0]


def _day(text: str | None) -> date:
    try:
        return date.fromisoformat(text) if text else now().date()
    except ValueError as error:
        raise click.UsageError(f"{text!r} is no day such as 2026-08-05") from error


def _row(one: TrustList) -> tuple[Cell, ...]:
    holds = count(len(one.anchors), "anchor") + (f", {count(len(one.allowed), 'certificate')}" if one.allowed else "")
    return (
        Cell(one.kind.value),
        Cell(one.name, "doubt" if one.development else "strong"),
        Cell(one.date.isoformat()),
        Cell(holds),
        Cell(short(one.digest, 19)),
        Cell(one.source),
    )


def _plain(one: TrustList) -> dict[str, Any]:
    from provenance.verdict import iso

    return {
        "kind": one.kind.value,
        "name": one.name,
        "date": one.date.isoformat(),
        "digest": one.digest,
        "uri": one.uri,
        "source": one.source,
        "anchors": len(one.anchors),
        "allowed": len(one.allowed),
        "purposes": sorted(one.ekus),
        "development": one.development,
        "validity": [
            {"not_before": iso(anchor.not_valid_before_utc), "not_after": iso(anchor.not_valid_after_utc)}
            for anchor in one.anchors
        ],
    }


command.add_command(show)
command.add_command(update)
