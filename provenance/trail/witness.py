"""The client of C2SP tlog-witness: have a checkpoint cosigned by others who saw that the log only grew.

    POST <witness>/add-checkpoint
        old 20                    size that the witness cosigned last
        base64(hash)              consistency proof from there, 0 … 63 lines
        (empty line)
        the checkpoint
    200: its signature lines · 409: it remembers another size, and says which · 403, 404, 422: it refuses

The wire is passed in (`Poster`): fetching is the business of the one guarded client.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from provenance.errors import MalformedError, UnavailableError
from provenance.trail.checkpoint import open_checkpoint, parse_checkpoint
from provenance.trail.note import KeyType, Note, NoteKey, Signature, parse_note, parse_signatures, parse_vkey

SIZE_TYPE = "text/x.tlog.size"
_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n")
_MAX_ANSWER = 1 << 16


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    media_type: str = ""


Poster = Callable[[str, bytes], Answer]  # URL, body; raises UnavailableError


@dataclass(frozen=True, slots=True)
class Witness:
    """Somebody who cosigns: where, and under which keys we believe it."""

    url: str
    keys: tuple[NoteKey, ...]

    @property
    def name(self) -> str:
        return self.keys[0].name


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking one witness: its verified cosignatures, or why there are none."""

    witness: Witness
    signatures: tuple[Signature, ...]
    why_not: str | None = None


class Provable(Protocol):
    """What the client needs of a log."""

    def checkpoint(self) -> bytes: ...

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]: ...

    def cosign(self, size: int, lines: Sequence[Signature], *, at: datetime) -> None: ...


def parse_witness(line: str) -> Witness:
    """Read `URL VKEY [VKEY…]`, as settings name a witness.

    Raises:
        MalformedError: not that, or a key that makes no cosignatures.
    """
    url, *vkeys = line.split()
    keys = tuple(parse_vkey(vkey) for vkey in vkeys)
    if not keys or any(key.type is KeyType.ED25519 for key in keys) or len({key.name for key in keys}) != 1:
        raise MalformedError("witness", "is not a URL and the cosignature keys of one name")
    return Witness(url.rstrip("/"), keys)


def request(old: int, proof: Sequence[bytes], checkpoint: bytes) -> bytes:
    """The body of add-checkpoint."""
    lines = [f"old {old}", *(base64.b64encode(h).decode() for h in proof)]
    return ("\n".join(lines) + "\n\n").encode() + checkpoint


def ask(log: Provable, witness: Witness, post: Poster, *, old: int = 0) -> Asked:
    """Have the newest checkpoint cosigned by one witness; where it remembers another size, once more from there.

    Args:
        old: The size that it is believed to remember; wrong costs one round trip.
    """
    note = log.checkpoint()
    tree = parse_checkpoint(parse_note(note).text)
    for _ in range(2):
        if old > tree.size:
            return Asked(witness, (), f"it remembers {old} entries, and the log has {tree.size}")
        proof = log.consistency(old, tree.size)
        try:
            answer = post(f"{witness.url}/add-checkpoint", request(old, proof, note))
        except UnavailableError as error:
            return Asked(witness, (), str(error))
        if answer.status == 409 and (match := _SIZE.fullmatch(answer.body)) and int(match[1]) != old:
            old = int(match[1])
            continue
        return _answered(witness, note, answer)
    return Asked(witness, (), "it changes what it remembers while it is asked")


def collect(log: Provable, witnesses: Sequence[Witness], post: Poster, *, at: datetime) -> tuple[Asked, ...]:
    """Ask all, and keep with the checkpoint what holds.

    Raises:
        NotFoundError: there is no checkpoint yet.
    """
    tree = parse_checkpoint(parse_note(log.checkpoint()).text)
    asked = tuple(ask(log, witness, post) for witness in witnesses)
    lines = [signature for one in asked for signature in one.signatures]
    if lines:
        log.cosign(tree.size, lines, at=at)
    return asked


def _answered(witness: Witness, note: bytes, answer: Answer) -> Asked:
    if answer.status != 200:
        return Asked(witness, (), f"it answered {answer.status}")
    if len(answer.body) > _MAX_ANSWER:
        return Asked(witness, (), "its answer is too long")
    try:
        lines = parse_signatures(answer.body.decode())
    except (MalformedError, UnicodeDecodeError):
        return Asked(witness, (), "its answer is no list of signatures")
    good = tuple(line for line in lines if _holds(line, note, witness.keys))
    return Asked(witness, good, None if good else "its answer holds no cosignature of its keys")


def _holds(line: Signature, note: bytes, keys: Sequence[NoteKey]) -> bool:
    text = parse_note(note).text
    opened = open_checkpoint(bytes(Note(text, (line,))), keys)
    return bool(opened.holds) and not opened.broken
