"""Open the home of this run, and say once when that has just been made."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from api.cli.terminal import Terminal

if TYPE_CHECKING:
    from api.settings import Settings
    from api.wiring import House
    from api.workshop import Workshop
    from keys.trust import TrustList
    from provenance.desk import Desk
    from provenance.errors import ProvenanceError


def settings_of(home: Path | None) -> Settings:
    """The settings of this run: --home, then $COLOPHON_HOME, then the platform's data folder."""
    from api.settings import load

    return load(os.environ, home)


@contextmanager
def open_house(terminal: Terminal, home: Path | None, *, signing: bool = False, quiet: bool = False) -> Iterator[House]:
    """Open what the use cases need, and close it again.

    Args:
        signing: Whether anything will be signed.
        quiet: Say nothing of a new home: it will not outlive the run.
    """
    from api.wiring import open_house as open_

    settings = settings_of(home)
    fresh = not (settings.keys_folder / "authority").exists()
    with open_(settings, signing=signing, unnumbered=tell_of_waiting(terminal)) as house:
        if fresh and not quiet:
            _tell_of_new(terminal, settings)
        yield house


@contextmanager
def open_workshop(terminal: Terminal, home: Path | None) -> Iterator[Workshop]:
    """Open what signing alone needs: no database has to be there."""
    from api.workshop import open_workshop as open_

    settings = settings_of(home)
    fresh = not (settings.keys_folder / "authority").exists()
    with open_(settings) as workshop:
        if fresh:
            _tell_of_new(terminal, settings)
        yield workshop


def tell_of_waiting(terminal: Terminal) -> Callable[[ProvenanceError], None]:
    """What says, once in a run, that the log may not be continued: what was done is done, and waits."""
    said: list[str] = []

    def tell(why: ProvenanceError) -> None:
        if not said:
            terminal.complain(
                f"warning: {why}. What is recorded waits without a number and without a proof, until a newer copy of the "
                "database is restored (provenance/trail/README.md, Backup and restore)."
            )
        said.append(str(why))

    return tell


def _tell_of_new(terminal: Terminal, settings: Settings) -> None:
    if (settings.keys_folder / "authority").exists():
        terminal.note(
            f"note: first use: made a development certificate authority, time stamp authority and key in "
            f"{settings.home}. They prove nobody's identity; do not publish what they sign."
        )


def desk_trusting(desk: Desk, anchors: Path | None, *, today: datetime) -> Desk:
    """The desk with the anchors of a PEM file in place of its signer lists; lists of time stamp authorities stay."""
    if anchors is None:
        return desk
    from keys.trust import ListKind

    stay = tuple(one for one in desk.lists if one.kind is not ListKind.SIGNER)
    return replace(desk, lists=(_list_in(anchors, today), *stay))


def _list_in(path: Path, today: datetime) -> TrustList:
    """A list named by the user: whoever is on it may sign under any purpose that the standard has for signers."""
    from keys import oids
    from keys.trust import ListKind, TrustList

    return TrustList.from_pem(
        path.read_bytes(),
        kind=ListKind.SIGNER,
        name=path.name,
        uri=path.resolve().as_uri(),
        date=today.date(),
        source=str(path),
        ekus=frozenset({oids.CLAIM_SIGNING, oids.DOCUMENT_SIGNING, oids.EMAIL_PROTECTION}),
    )
