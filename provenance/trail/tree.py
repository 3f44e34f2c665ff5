"""The Merkle tree of RFC 6962 §2.1 (RFC 9162 §2.1), SHA-256. Pure; where hashes are kept is the caller's affair.

A tree over leaves 0 … n−1 splits at the largest power of two below n. Its *perfect* subtrees, those over
[i·2^l, (i+1)·2^l), never change once their leaves are there: `Node(l, i)` names one. Every hash that a proof needs is
the hash of a range that is perfect, or lies at the right edge and is folded from a few perfect ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()  # RFC 6962 §2.1: MTH({})
_NODE = b"\x01"


class Node(NamedTuple):
    """A perfect subtree: 2^level leaves from number·2^level on."""

    level: int
    number: int


class Range(NamedTuple):
    """Leaves [start, end), a subtree of some tree: perfect, or at its right edge."""

    start: int
    end: int


Hashes = Callable[[Sequence[Node]], Sequence[bytes]]  # where perfect subtrees' hashes come from, many at once


def leaf_hash(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(_NODE + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root over leaf hashes (or over equally high subtrees' hashes), in their order."""
    edge = Edge()
    edge.extend(hashes)
    return edge.root()


def pairs(hashes: bytes) -> bytes:
    """The nodes over neighbouring hashes, concatenated as those are; an odd one at the end has none."""
    sha256, pair = hashlib.sha256, 2 * HASH_BYTES  # this loop is most of what a proof costs
    return b"".join([sha256(_NODE + hashes[i : i + pair]).digest() for i in range(0, len(hashes) - HASH_BYTES, pair)])


def perfect_root(hashes: bytes) -> bytes:
    """The root over a power of two of hashes, concatenated."""
    while len(hashes) > HASH_BYTES:
        hashes = pairs(hashes)
    return hashes


class Edge:
    """All that a growing tree has to remember: the hashes of its largest perfect subtrees, left to right."""

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        """Take up a tree of `size` leaves where it stands.

        Raises:
            ValueError: not one hash for each bit of `size`.
        """
        self.size = size
        self.hashes = list(hashes)
        if size < 0 or len(self.hashes) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count() if size >= 0 else 'no'} perfect subtrees")

    def append(self, leaf: bytes) -> None:
        """Add a leaf's hash."""
        size, hashes = self.size, self.hashes
        while size & 1:
            leaf = node_hash(hashes.pop(), leaf)
            size >>= 1
        hashes.append(leaf)
        self.size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        for leaf in leaves:
            self.append(leaf)

    def root(self) -> bytes:
        return _fold(self.hashes) if self.hashes else EMPTY_ROOT

    def copy(self) -> Edge:
        return Edge(self.size, self.hashes)


def perfect_parts(span: Range) -> tuple[Node, ...]:
    """The perfect subtrees that a subtree folds from, left to right, largest first."""
    parts, start, left = [], span.start, span.end - span.start
    while left:
        level = left.bit_length() - 1
        parts.append(Node(level, start >> level))
        start += 1 << level
        left -= 1 << level
    return tuple(parts)


def inclusion_path(index: int, size: int) -> tuple[Range, ...]:
    """The subtrees whose hashes prove that leaf `index` is in a tree of `size`, from the leaf's sibling up (RFC 6962 §2.1.1).

    Raises:
        ValueError: not 0 ≤ index < size.
    """
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    path: list[Range] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(Range(middle, end))
            end = middle
        else:
            path.append(Range(start, middle))
            start = middle
    return tuple(reversed(path))


def consistency_path(old: int, new: int) -> tuple[Range, ...]:
    """The subtrees whose hashes prove that a tree of `new` leaves grew from one of `old` (RFC 6962 §2.1.2); none from 0.

    Raises:
        ValueError: not 0 ≤ old ≤ new.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} leaves did not grow from one of {old}")
    if old in (0, new):
        return ()
    path: list[Range] = []
    start, end = 0, new
    known = True  # whether the old root is the very subtree that is left: then the verifier has it
    while end - start > 1 and old != end:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(Range(middle, end))
            end = middle
        else:
            path.append(Range(start, middle))
            start, known = middle, False
    if not known:
        path.append(Range(start, end))
    return tuple(reversed(path))


def hashes_of(path: Sequence[Range], hashes: Hashes) -> tuple[bytes, ...]:
    """The hashes of some subtrees; the perfect ones that they fold from are asked for all at once."""
    parts = [perfect_parts(span) for span in path]
    flat = iter(hashes([node for nodes in parts for node in nodes]))
    return tuple(_fold([next(flat) for _ in nodes]) for nodes in parts)


def root_from(size: int, hashes: Hashes) -> bytes:
    """The root of the first `size` leaves."""
    return hashes_of([Range(0, size)], hashes)[0] if size else EMPTY_ROOT


def includes(root: bytes, size: int, index: int, leaf: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof leads from a leaf's hash to the root (RFC 9162 §2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last = index, size - 1
    reached = leaf
    for sibling in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            reached = node_hash(sibling, reached)
            while not at & 1 and at:
                at >>= 1
                last >>= 1
        else:
            reached = node_hash(reached, sibling)
        at >>= 1
        last >>= 1
    return last == 0 and reached == root


def consistent(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that the new tree begins with all of the old one (RFC 9162 §2.1.4.2).

    Anything grew from the empty tree, whose root has one value; equal sizes need equal roots. Neither takes a proof.
    """
    if not 0 <= old <= new:
        return False
    if old == 0:
        return not proof and old_root == EMPTY_ROOT
    if old == new:
        return not proof and old_root == new_root
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not path:
        return False
    at, last = old - 1, new - 1
    while at & 1:
        at >>= 1
        last >>= 1
    was = now = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            was, now = node_hash(sibling, was), node_hash(sibling, now)
            while not at & 1 and at:
                at >>= 1
                last >>= 1
        else:
            now = node_hash(now, sibling)
        at >>= 1
        last >>= 1
    return last == 0 and was == old_root and now == new_root


@dataclass(frozen=True)
class Leaves:
    """Hashes of perfect subtrees straight from all leaf hashes; for short lists."""

    hashes: Sequence[bytes]

    def __call__(self, nodes: Sequence[Node]) -> Sequence[bytes]:
        return [root_of(self.hashes[n.number << n.level : (n.number + 1) << n.level]) for n in nodes]


def _fold(hashes: Sequence[bytes]) -> bytes:
    folded = hashes[-1]
    for left in reversed(hashes[:-1]):
        folded = node_hash(left, folded)
    return folded


def _split(size: int) -> int:
    """The largest power of two below `size` > 1."""
    return 1 << ((size - 1).bit_length() - 1)
