"""`colophon api-key`: who may call the service, and what for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.cli.options import Known, declare, now
from api.cli.terminal import Cell, Row, Terminal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from api.access import Access, Key


def _roles() -> Iterable[str]:
    from api.access import ROLES

    return ROLES


@click.group("api-key")
def command() -> None:
    """Make, list, replace and end the keys that callers of the service need. Every change is an entry of the trail.

    \b
    Example:
      colophon api-key new "picture desk" --role feed --role auditor
      colophon api-key revoke 3f2a9c61d07b
    """


@declare("new", example='colophon api-key new "picture desk" --role feed --role auditor')
@click.argument("name")
@click.option("--role", "roles", multiple=True, required=True, type=Known("ROLE", _roles), help="What it may; several times.")
def new(terminal: Terminal, home: Path | None, name: str, roles: tuple[str, ...]) -> int:
    """Make a key and print it, once: only its digest is kept.

    Roles: feed reads statuses, records and manifests; auditor verifies; signer signs and stores; reviewer decides on
    reports; admin may do all of that and read the metrics. As an OAuth client: the key's id, and the key as its secret.
    """
    from api import acts
    from api.callers import LOCAL
    from api.cli.house import open_house

    with open_house(terminal, home) as house:
        key, text = acts.make_key(house, _access(home), name, roles, by=LOCAL, at=now())
    return _shown_once(terminal, key, text)


@declare("rotate", example="colophon api-key rotate 3f2a9c61d07b\ncolophon api-key revoke 3f2a9c61d07b")
@click.argument("key_id", metavar="ID")
def rotate(terminal: Terminal, home: Path | None, key_id: str) -> int:
    """Make a new key of the same name and roles; the old one goes on until it is revoked, so that callers can change over."""
    from api import acts
    from api.callers import LOCAL
    from api.cli.house import open_house

    acts.living(_access(home), key_id)  # before a home is made for a mistyped id
    with open_house(terminal, home) as house:
        key, text = acts.replace_key(house, _access(home), key_id, by=LOCAL, at=now())
    return _shown_once(terminal, key, text)


@declare("list", example="colophon api-key list")
def listing(terminal: Terminal, home: Path | None) -> int:
    """List the keys, revoked ones too."""
    from api.cli.app import finish

    keys = _access(home).listed()
    if not terminal.as_json:
        rows = [
            (Cell(key.id), Cell(key.name, "strong"), Cell(", ".join(key.roles)), Cell(_state(key), _style(key))) for key in keys
        ]
        terminal.table(("id", "name", "roles", "state"), rows)
    return finish(terminal, {"keys": [_document(key) for key in keys]}, 0)


@declare("revoke", example="colophon api-key revoke 3f2a9c61d07b")
@click.argument("key_id", metavar="ID")
def revoke(terminal: Terminal, home: Path | None, key_id: str) -> int:
    """End a key at once, with every token that it got."""
    from api import acts
    from api.callers import LOCAL
    from api.cli.app import finish
    from api.cli.house import open_house
    from provenance.errors import NotFoundError

    access = _access(home)
    if key_id not in {key.id for key in access.listed()}:
        raise NotFoundError("API key", key_id[:64])
    with open_house(terminal, home) as house:
        key = acts.end_key(house, access, key_id, by=LOCAL, at=now())
    if not terminal.as_json:
        terminal.line(f"{key.name} ({key.id}): {_state(key)}")
    return finish(terminal, _document(key), 0)


def _shown_once(terminal: Terminal, key: Key, text: str) -> int:
    from api.cli.app import finish

    if not terminal.as_json:
        terminal.rows([Row("id", key.id), Row("roles", ", ".join(key.roles)), Row("key", text, "strong")])
        terminal.note("note: this is the only time that the key is shown.")
    return finish(terminal, _document(key) | {"key": text}, 0)


def _access(home: Path | None) -> Access:
    from api.access import Access
    from api.cli.house import settings_of

    return Access(settings_of(home).home)


def _state(key: Key) -> str:
    return f"revoked {key.revoked_at}" if key.revoked_at else f"since {key.created_at}"


def _style(key: Key) -> str:
    return "bad" if key.revoked_at else ""


def _document(key: Key) -> dict[str, Any]:
    return {
        "id": key.id, "name": key.name, "roles": list(key.roles), "created_at": key.created_at, "revoked_at": key.revoked_at,
    }  # fmt: skip


for one in (new, listing, rotate, revoke):
    command.add_command(one)
