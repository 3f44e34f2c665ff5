"""Checkpoints (C2SP tlog-checkpoint): a tree's size and root, signed by its log and cosigned by witnesses. Pure.

ORIGIN                     which log; also the name of the log's keys
123                        leaves
base64(root hash)

— ORIGIN …                 Ed25519 over these lines (type 0x01)
— ORIGIN …                 ML-DSA-44 over origin, size and root (type 0x06)
— WITNESS …                a witness: "consistent with all that I saw of this log" (types 0x04, 0x06)
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from provenance.errors import MalformedError
from provenance.trail.note import KeyType, Note, NoteKey, Signature, decode64, parse_note, timestamped
from provenance.trail.tree import EMPTY_ROOT, HASH_BYTES

_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_LABEL = b"subtree/v1\n\0"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of itself.

    Attributes:
        origin: The log's name, one line.
        size: Number of leaves.
        root: 32 bytes.
        extensions: Further lines; we write none, and ML-DSA-44 does not sign them.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        lines = (self.origin, str(self.size), base64.b64encode(self.root).decode(), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A signature that holds, by a key that we know; `at` is None where its kind carries no time."""

    key: NoteKey
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Opened:
    """A checkpoint whose signatures were checked against keys of our own choice.

    Attributes:
        note: As received, unknown signatures included.
        holds: Signatures by the given keys that hold.
        broken: Keys of ours under whose name and id a signature stands that does not hold: then nothing counts.
    """

    checkpoint: Checkpoint
    note: Note
    holds: tuple[Cosigned, ...]
    broken: tuple[NoteKey, ...]

    @property
    def signed(self) -> bool:
        """Whether the log's own key signed: one that bears the origin's name, and no known signature is broken."""
        return not self.broken and any(s.key.name == self.checkpoint.origin for s in self.holds)

    @property
    def witnesses(self) -> frozenset[str]:
        """Names of witnesses whose cosignatures hold."""
        return frozenset(s.key.name for s in self.holds if s.key.name != self.checkpoint.origin)


def parse_checkpoint(text: str) -> Checkpoint:
    """Read a checkpoint's text.

    Raises:
        MalformedError: not a checkpoint.
    """
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop() or not all(lines):
        raise MalformedError("checkpoint", "has not its three lines")
    origin, size, encoded, *extensions = lines
    if not _NUMBER.fullmatch(size) or int(size) >= 1 << 63:
        raise MalformedError("checkpoint", "has no size")
    root = decode64(encoded, "checkpoint")
    if len(root) != HASH_BYTES:
        raise MalformedError("checkpoint", "has a root that is no SHA-256")
    if size == "0" and root != EMPTY_ROOT:
        raise MalformedError("checkpoint", "has a root for an empty tree that is not the empty tree's")
    return Checkpoint(origin, int(size), root, tuple(extensions))


def message(key: NoteKey, checkpoint: Checkpoint, at: int = 0) -> bytes:
    """The bytes that a key signs for a checkpoint.

    Args:
        at: POSIX seconds of a cosignature; 0 where an ML-DSA-44 signer makes no statement about time. Ignored for 0x01.
    """
    if key.type is KeyType.ED25519:
        return checkpoint.text.encode()
    if key.type is KeyType.COSIGNATURE_ED25519:
        return f"cosignature/v1\ntime {at}\n{checkpoint.text}".encode()
    name, origin = key.name.encode(), checkpoint.origin.encode()
    if not 0 < len(name) < 256 or not 0 < len(origin) < 256:
        raise MalformedError("checkpoint", "has a name over 255 bytes, which ML-DSA-44 cosignatures cannot carry")
    return b"".join(
        (
            _LABEL,
            bytes([len(name)]),
            name,
            struct.pack(">Q", at),
            bytes([len(origin)]),
            origin,
            struct.pack(">QQ", 0, checkpoint.size),
            checkpoint.root,
        )
    )


def signature(key: NoteKey, bare: bytes, at: int = 0) -> Signature:
    """A signature as it stands in its line; cosignatures carry their time before them."""
    return Signature(key.name, key.id, bare if key.type is KeyType.ED25519 else struct.pack(">Q", at) + bare)


def open_checkpoint(data: bytes, keys: Sequence[NoteKey]) -> Opened:
    """Read a checkpoint and check every signature that one of these keys is said to have made.

    Raises:
        MalformedError: not a signed checkpoint.
    """
    note = parse_note(data)
    checkpoint = parse_checkpoint(note.text)
    holds: dict[Cosigned, None] = {}
    broken: dict[NoteKey, None] = {}
    for line in note.signatures:
        for key in keys:
            if not line.by(key):
                continue
            cosigned = _check(key, line, checkpoint)
            if cosigned is None:
                broken[key] = None
            else:
                holds[cosigned] = None
    return Opened(checkpoint, note, tuple(holds), tuple(broken))


def _check(key: NoteKey, line: Signature, checkpoint: Checkpoint) -> Cosigned | None:
    """The signature, if it holds."""
    try:
        at, bare = (0, line.blob) if key.type is KeyType.ED25519 else timestamped(line.blob)
        if not key.verifies(bare, message(key, checkpoint, at)):
            return None
        return Cosigned(key, datetime.fromtimestamp(at, UTC) if at else None)
    except (MalformedError, ValueError, OverflowError, OSError):
        return None
