"""Inclusion proofs as files (C2SP tlog-proof): with the log's public key they stand by themselves, offline. Pure.

c2sp.org/tlog-proof@v1
extra base64(…)            optional, signed by nobody
index 41
base64(hash)               the leaf's sibling first; none in a tree of one
(empty line)
the checkpoint, verbatim
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

from provenance.errors import MalformedError
from provenance.trail.checkpoint import Opened, open_checkpoint
from provenance.trail.note import NoteKey, decode64
from provenance.trail.tree import HASH_BYTES, includes

HEADER = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})", re.ASCII)
_MAX_HASHES = 63


@dataclass(frozen=True, slots=True)
class Proof:
    """That an entry stands at a place of a log.

    Attributes:
        index: The entry's number, from 0.
        hashes: 32 bytes each, the leaf's sibling first.
        checkpoint: The signed checkpoint, as its log and witnesses wrote it.
        extra: Bytes that the proof does not vouch for; None for none.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    def __bytes__(self) -> bytes:
        lines = [HEADER]
        if self.extra is not None:
            lines.append(f"extra {base64.b64encode(self.extra).decode()}")
        lines.append(f"index {self.index}")
        lines += [base64.b64encode(h).decode() for h in self.hashes]
        return ("\n".join(lines) + "\n\n").encode() + self.checkpoint


@dataclass(frozen=True, slots=True)
class Proven:
    """What a proof comes to.

    Attributes:
        included: The leaf is in the tree of the checkpoint.
        opened: The checkpoint with the signatures that hold.
    """

    included: bool
    opened: Opened

    @property
    def holds(self) -> bool:
        return self.included and self.opened.signed


def parse_proof(data: bytes) -> Proof:
    """Read a proof file; nothing is verified yet.

    Raises:
        MalformedError: not such a file.
    """
    head, blank, checkpoint = data.partition(b"\n\n")
    if not blank or not head.isascii():
        raise MalformedError("proof", "has no checkpoint after an empty line")
    header, *lines = head.decode("ascii").split("\n")
    if header != HEADER:
        raise MalformedError("proof", f"does not begin with {HEADER}")
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = decode64(lines.pop(0).removeprefix("extra "), "proof")
    match = _INDEX.fullmatch(lines.pop(0)) if lines else None
    if match is None:
        raise MalformedError("proof", "has no index")
    hashes = tuple(decode64(line, "proof") for line in lines)
    if len(hashes) > _MAX_HASHES or any(len(h) != HASH_BYTES for h in hashes):
        raise MalformedError("proof", "holds what is no SHA-256, or too many")
    return Proof(int(match.group(1)), hashes, checkpoint, extra)


def prove(proof: Proof, leaf: bytes, keys: Sequence[NoteKey]) -> Proven:
    """Check a proof for a leaf's hash against keys of one's own choice.

    Raises:
        MalformedError: its checkpoint is not one.
    """
    opened = open_checkpoint(proof.checkpoint, keys)
    tree = opened.checkpoint
    return Proven(includes(tree.root, tree.size, proof.index, leaf, proof.hashes), opened)
