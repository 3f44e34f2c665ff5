"""The one word, as a total function of the layers: a table, first matching row wins. Pure.

DESIGN §4 gives the meanings. Layers are never averaged: each row names the few that decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from provenance.verdict import Status


class FileCredential(StrEnum):
    """The credential that the file itself carries."""

    INTACT = "intact"  # sound, and the content is what was signed
    MISMATCH = "mismatch"  # sound, but the content is not what was signed
    DAMAGED = "damaged"  # unreadable, or its signature, assertions or validity fail
    UNDECIDED = "undecided"  # only a remote pointer, or it could not be read within the budget
    ABSENT = "absent"


class Owner(StrEnum):
    """Whose mark was read from the content."""

    NONE = "none"  # no mark, or none was looked for
    OWN = "own"  # claimed by the file's credential or an ancestor in it
    REGISTERED = "registered"  # claimed by another registered asset
    UNREGISTERED = "unregistered"  # read, but no one here knows it
    UNDECIDED = "undecided"


class Content(StrEnum):
    """How the content agrees with the registered asset that mark, manifest or fingerprint led to."""

    UNCHECKED = "unchecked"  # nothing registered to compare with
    FITS = "fits"
    CHANGED = "changed"
    FOREIGN = "foreign"
    UNPROVEN = "unproven"  # the registered claim does not hold, or does not carry the mark that led to it
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Layers:
    credential: FileCredential
    trusted: bool  # of the credential that counts: the file's if intact, else the recovered one
    revoked: bool  # of the same, or the asset withdrawn
    owner: Owner
    content: Content
    clash: bool  # the claim says "camera", and a generator's mark is in the pixels


_C, _O, _N = FileCredential, Owner, Content
_Row = tuple[Mapping[str, object], Status]

# Read downwards. A row applies when each layer it names has (one of) the value(s) given.
TABLE: tuple[_Row, ...] = (
    ({"revoked": True}, Status.REVOKED),
    ({"credential": _C.INTACT, "clash": True}, Status.CONFLICT),
    ({"credential": (_C.INTACT, _C.MISMATCH), "owner": _O.REGISTERED}, Status.CONFLICT),
    ({"credential": _C.INTACT, "trusted": True}, Status.TRUSTED),
    ({"credential": _C.INTACT}, Status.VALID),
    ({"content": (_N.FOREIGN, _N.UNPROVEN)}, Status.CONFLICT),
    ({"content": _N.FITS}, Status.RECOVERED),
    ({"content": _N.CHANGED}, Status.ALTERED),
    ({"content": _N.UNDECIDED}, Status.UNKNOWN),
    ({"credential": _C.UNDECIDED}, Status.UNKNOWN),
    ({"owner": _O.UNDECIDED}, Status.UNKNOWN),
    ({"credential": _C.MISMATCH}, Status.ALTERED),
    ({"credential": _C.DAMAGED}, Status.INVALID),
    # A mark was read: something is known of this file, only not here.
    ({"owner": (_O.REGISTERED, _O.UNREGISTERED, _O.OWN)}, Status.UNKNOWN),
    ({}, Status.NONE),
)


def status(layers: Layers) -> Status:
    """The word for these layers; total over all of them."""
    return next(word for row, word in TABLE if all(_has(getattr(layers, name), want) for name, want in row.items()))


def _has(value: object, want: object) -> bool:
    return value in want if isinstance(want, tuple) else value == want
