"""Follow a whole log: every leaf recomputed, every tile compared, and nothing that was there last time may be otherwise.

The wire is passed in (`fetch`); so is what the auditor remembers. What is remembered is the checkpoint and the edge of the tree
at that size: the new entries appended to that edge must give the new root, which proves consistency with all that was seen.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from provenance.errors import MalformedError
from provenance.trail.checkpoint import Checkpoint, open_checkpoint
from provenance.trail.entry import parse_body
from provenance.trail.note import NoteKey, parse_vkey
from provenance.trail.tile import WIDTH, Tile, bundles_of, split, unpack
from provenance.trail.tree import Edge, leaf_hash

Fetch = Callable[[str], bytes | None]


@dataclass(frozen=True)
class Remembered:
    """What an auditor keeps between two looks at a log.

    Attributes:
        keys: The log's keys, as first seen or given.
        checkpoint: The last one that was found good.
        edge: Hashes of the perfect subtrees at its size.
    """

    keys: tuple[NoteKey, ...]
    checkpoint: bytes
    edge: tuple[bytes, ...]

    def __bytes__(self) -> bytes:
        said = {
            "keys": [key.vkey for key in self.keys],
            "checkpoint": self.checkpoint.decode(),
            "edge": [h.hex() for h in self.edge],
        }
        return json.dumps(said, indent=1, ensure_ascii=False).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is not as a log's should be, and at which resource."""

    where: str
    say: str


@dataclass(frozen=True)
class LogAudit:
    """What following a log came to.

    Attributes:
        checkpoint: The log's newest; None if it could not be read or is not signed.
        new: Entries that were recomputed, those since the last time.
        faults: In the order found; none means that all holds.
        remembered: To keep for the next time; None where there are faults.
        witnesses: Names that cosigned.
    """

    checkpoint: Checkpoint | None
    new: int
    faults: tuple[Fault, ...]
    remembered: Remembered | None
    witnesses: frozenset[str] = frozenset()


def remembered(data: bytes) -> Remembered:
    """Read what was kept.

    Raises:
        MalformedError: it is not what was written.
    """
    try:
        said = json.loads(data)
        keys = tuple(parse_vkey(vkey) for vkey in said["keys"])
        note = said["checkpoint"].encode()
        edge = tuple(bytes.fromhex(h) for h in said["edge"])
        tree = open_checkpoint(note, keys)
        if not tree.signed or Edge(tree.checkpoint.size, edge).root() != tree.checkpoint.root:
            raise MalformedError("what was remembered", "does not fit together")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise MalformedError("what was remembered", "is not in its form") from error
    return Remembered(keys, note, edge)


def keys_of(data: bytes) -> tuple[NoteKey, ...]:
    """Read a list of vkeys, one a line.

    Raises:
        MalformedError: a line that is none.
    """
    try:
        return tuple(parse_vkey(line) for line in data.decode().splitlines() if line.strip())
    except UnicodeDecodeError as error:
        raise MalformedError("vkey", "is not text") from error


def follow(
    fetch: Fetch,
    keys: Sequence[NoteKey],
    since: Remembered | None = None,
    *,
    witnesses: Sequence[NoteKey] = (),
    seen: Callable[[int, int], None] = lambda _done, _all: None,
) -> LogAudit:
    """Audit a log from where it was left, or from its beginning.

    Args:
        fetch: Gives the resource at a path below the log's prefix; None where there is none.
        keys: The log's keys, from elsewhere or from the last time.
        seen: Told how many of how many new entries are done.
    Raises:
        UnavailableError: as `fetch` does; then nothing is known.
    """
    note = fetch("checkpoint")
    if note is None:
        return LogAudit(None, 0, (Fault("checkpoint", "There is none."),), None)
    try:
        opened = open_checkpoint(note, [*keys, *witnesses])
    except MalformedError as error:
        return LogAudit(None, 0, (Fault("checkpoint", f"{error}."),), None)
    tree = opened.checkpoint
    if not opened.signed:
        return LogAudit(None, 0, (Fault("checkpoint", "It is not signed by the log's key."),), None)
    edge, faults = _begin(since, tree)
    start = edge.size
    if not faults:
        faults = list(_read(fetch, tree, edge, seen))
    if not faults and edge.root() != tree.root:
        what = "The entries do not lead to its root"
        since_then = f", or what was there at {start} entries was changed" if start else ""
        faults = [Fault("checkpoint", f"{what}{since_then}.")]
    kept = None if faults else Remembered(tuple(keys), note, tuple(edge.hashes))
    return LogAudit(tree, edge.size - start, tuple(faults), kept, opened.witnesses)


def _begin(since: Remembered | None, tree: Checkpoint) -> tuple[Edge, list[Fault]]:
    """The edge to go on from, and what is wrong already."""
    if since is None:
        return Edge(), []
    old = open_checkpoint(since.checkpoint, since.keys).checkpoint
    edge = Edge(old.size, since.edge)
    if old.origin != tree.origin:
        return edge, [Fault("checkpoint", f"It is of {tree.origin}, and last time it was {old.origin}.")]
    if tree.size < old.size:
        return edge, [Fault("checkpoint", f"The log has {tree.size} entries, and last time it had {old.size}.")]
    return edge, []


def _read(fetch: Fetch, tree: Checkpoint, edge: Edge, seen: Callable[[int, int], None]) -> Iterator[Fault]:
    start = edge.size
    for tile in bundles_of(tree.size, start):
        skip = max(0, start - tile.number * WIDTH)
        try:
            leaves = [leaf_hash(body) for body in _bodies(fetch, tile)]
            hashes = _hashes(fetch, tile)
        except MalformedError as error:
            yield Fault(tile.path, f"{error}.")
            return
        other = next((i for i in range(skip, tile.width) if leaves[i] != hashes[i]), None)
        if other is not None:
            yield Fault(tile.path, f"Entry {tile.number * WIDTH + other} is not the one that the tile has the hash of.")
            return
        edge.extend(leaves[skip:])
        seen(edge.size - start, tree.size - start)


def _bodies(fetch: Fetch, tile: Tile) -> tuple[bytes, ...]:
    bodies = unpack(_resource(fetch, tile), tile.width)
    for body in bodies:
        parse_body(body)
    return bodies


def _hashes(fetch: Fetch, tile: Tile) -> tuple[bytes, ...]:
    hashes = split(_resource(fetch, Tile(0, tile.number, tile.width)))
    if len(hashes) != tile.width or any(len(h) != 32 for h in hashes):
        raise MalformedError("tile", f"holds {len(hashes)} hashes, not {tile.width}")
    return hashes


def _resource(fetch: Fetch, tile: Tile) -> bytes:
    found = fetch(tile.path)
    if found is None:
        raise MalformedError(tile.path, "is not there")
    return found
