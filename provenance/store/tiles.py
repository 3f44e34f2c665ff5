"""The log's tiles in SQL, on the caller's connection: all that one question needs in one statement.

Only full tiles are stored. The open ones follow: at level 0 from the newest entries, above from the roots of the tiles below.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from operator import itemgetter

from sqlalchemy import Connection, TextClause, select, text

from provenance.errors import NotFoundError
from provenance.store.tables import trail_entry, trail_sequence
from provenance.trail.tile import WIDTH, Folded, Tile, TileHashes, folded, pack, split
from provenance.trail.tree import HASH_BYTES

_KEPT = 1_024  # tiles, 16 kB each once folded

# one line of the statement, by how a tile is found; `at` puts what is found into the order of the question
_FULL = "SELECT {at} AS at, number AS n, hashes AS h FROM trail_tile WHERE level = :level{at} AND number = :start{at}"
_ROOTS = (
    "SELECT {at} AS at, number AS n, root AS h FROM trail_tile"
    " WHERE level = :level{at} AND number >= :start{at} AND number < :end{at}"
)
_LEAVES = (  # one look-up an entry: a join may read all of them, where PostgreSQL has not counted them yet
    "SELECT {at} AS at, seq AS n, (SELECT digest FROM trail_entry WHERE id = entry_id) AS h FROM trail_sequence"
    " WHERE seq >= :start{at} AND seq < :end{at}"
)


class Shelf:
    """Tiles that were read lately, folded: one at a given width never changes. Safe to share between threads."""

    def __init__(self, most: int = _KEPT) -> None:
        self._most = most
        self._held: OrderedDict[Tile, Folded] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, connection: Connection, wanted: Sequence[Tile]) -> list[Folded]:
        """Tiles with all that they fold to; those that are not at hand are read in one statement.

        Raises:
            NotFoundError: one that the log does not have (yet).
        """
        found: dict[Tile, Folded] = {}
        with self._lock:
            for tile in wanted:
                if tile in self._held:
                    self._held.move_to_end(tile)
                    found[tile] = self._held[tile]
        missing = [tile for tile in wanted if tile not in found]
        new = {tile: folded(hashes) for tile, hashes in zip(missing, tiles(connection, missing), strict=True)}
        with self._lock:
            self._held |= new
            while len(self._held) > self._most:
                self._held.popitem(last=False)
        found |= new
        return [found[tile] for tile in wanted]


def tiles(connection: Connection, wanted: Sequence[Tile]) -> list[bytes]:
    """The hashes of some tiles, concatenated, each at its width.

    Raises:
        NotFoundError: one that the log does not have (yet).
    """
    if not wanted:
        return []
    values: dict[str, int] = {}
    for at, tile in enumerate(wanted):
        values |= _values(at, tile)
    rows = connection.execute(_statement(tuple(map(_line, wanted))), values)
    read = {at: b"".join([bytes(row[2]) for row in some]) for at, some in groupby(rows, itemgetter(0))}
    found = [read.get(at, b"") for at in range(len(wanted))]
    for tile, hashes in zip(wanted, found, strict=True):
        if len(hashes) != tile.width * HASH_BYTES:
            raise NotFoundError("tile", tile.path)
    return found


def open_edges(connection: Connection, size: int) -> list[list[bytes]]:
    """The hashes of every open tile of a log of `size` entries, lowest level first."""
    open_tiles, level, count = [], 0, size
    while count:
        open_tiles.append(Tile(level, count // WIDTH, count % WIDTH))
        level, count = level + 1, count // WIDTH
    found = iter(tiles(connection, [tile for tile in open_tiles if tile.width]))
    return [list(split(next(found))) if tile.width else [] for tile in open_tiles]


def bundle(connection: Connection, tile: Tile) -> bytes:
    """The entries of a bundle.

    Raises:
        NotFoundError: the log has not got that far.
    """
    start = tile.number * WIDTH
    query = (
        select(trail_entry.c.body)
        .join(trail_sequence, trail_sequence.c.entry_id == trail_entry.c.id)
        .where(trail_sequence.c.seq >= start, trail_sequence.c.seq < start + tile.width)
        .order_by(trail_sequence.c.seq)
    )
    bodies = [bytes(body) for body in connection.scalars(query)]
    if len(bodies) != tile.width:
        raise NotFoundError("tile", tile.path)
    return pack(bodies)


def node_hashes(connection: Connection, size: int, shelf: Shelf | None = None) -> TileHashes:
    """Where proofs about the first `size` entries take their hashes from."""
    held = shelf or Shelf()
    return TileHashes(size, lambda wanted: held.take(connection, wanted))


def _line(tile: Tile) -> str:
    if tile.width == WIDTH:
        return _FULL
    return _ROOTS if tile.level else _LEAVES


def _values(at: int, tile: Tile) -> dict[str, int]:
    if tile.width == WIDTH:
        return {f"level{at}": tile.level, f"start{at}": tile.number}
    start = tile.number * WIDTH
    span = {f"start{at}": start, f"end{at}": start + tile.width}
    return {f"level{at}": tile.level - 1, **span} if tile.level else span


@lru_cache(maxsize=128)
def _statement(lines: tuple[str, ...]) -> TextClause:
    """Made once for each kind of question: putting a statement together costs more than running it."""
    return text(" UNION ALL ".join(line.format(at=at) for at, line in enumerate(lines)) + " ORDER BY 1, 2")
