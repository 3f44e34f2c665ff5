"""Fingerprints that differ in few bits, found in plain SQL by multi-index hashing (Norouzi, Punjani, Fleet, CVPR 2012).

A code of 256 bits is cut into 16 chunks of 16 bits. Two codes that differ in at most 15 bits share a chunk for certain
(pigeonhole), and at 38 bits still three times in four. So: look up the 16 chunks in one index, count the shared ones,
and XX
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import iscc_lib
from sqlalchemy import CompoundSelect, Connection, Subquery, func, literal, select, union_all

from provenance.errors import UnstorableError
from provenance.store.records import is_name
from provenance.store.tables import asset, fingerprint_chunk

_CHUNK_BYTES = 2
_PER_CHUNK = 2_048  # a chunk that more codes have than this tells little
_CANDIDATES = 512  # codes compared bit by bit


@dataclass(frozen=True)
class Code:
    """An ISCC unit taken apart (ISO 24138): what it is of, and its bits.

    Attributes:
        kind: Main type, subtype, version; only codes of one kind and length can be compared.
        bits: The body.
    """

    kind: tuple[int, int, int]
    bits: bytes

    def chunks(self) -> tuple[int, ...]:
        """Return every 16 bits with their position in front, as one integer below 2²¹."""
        starts = range(0, len(self.bits) - 1, _CHUNK_BYTES)
        return tuple(start // _CHUNK_BYTES << 16 | int.from_bytes(self.bits[start : start + 2]) for start in starts)

    def distance(self, other: Code) -> int | None:
        """Return the number of differing bits; None where the codes cannot be compared."""
        if self.kind != other.kind or len(self.bits) != len(other.bits):
            return None
        return (int.from_bytes(self.bits) ^ int.from_bytes(other.bits)).bit_count()


def parse(code: str) -> Code:
    """Take an ISCC unit apart.

    Raises:
        UnstorableError: it is none.
    """
    if not is_name(code):  # decoding a megabyte takes seconds
        raise UnstorableError("fingerprint", "is not an ISCC unit")
    try:
        main, sub, version, _, bits = iscc_lib.iscc_decode(code)
    except ValueError as error:
        raise UnstorableError("fingerprint", "is not an ISCC unit") from error
    return Code((int(main), int(sub), int(version)), bytes(bits))


def add(connection: Connection, asset_number: int, code: str) -> None:
    """Index an asset's fingerprint inside the caller's transaction."""
    rows = [{"chunk": chunk, "asset_number": asset_number} for chunk in parse(code).chunks()]
    connection.execute(fingerprint_chunk.insert(), rows)


def nearest(connection: Connection, code: str, *, limit: int, max_distance: int) -> tuple[tuple[int, int], ...]:
    """Return up to `limit` pairs (asset number, differing bits ≤ max_distance), nearest first, then oldest."""
    wanted = parse(code)
    shared = _shared(connection, wanted.chunks()).subquery()
    best = (
        select(shared.c.asset_number)
        .group_by(shared.c.asset_number)
        .order_by(func.sum(shared.c.weight).desc(), shared.c.asset_number)
        .limit(_CANDIDATES)
        .subquery()
    )
    query = select(asset.c.number, asset.c.fingerprint).join(best, best.c.asset_number == asset.c.number)
    measured = ((row.number, wanted.distance(parse(row.fingerprint))) for row in connection.execute(query))
    near = [(number, distance) for number, distance in measured if distance is not None and distance <= max_distance]
    return tuple(sorted(near, key=lambda pair: (pair[1], pair[0]))[:limit])


def _shared(connection: Connection, chunks: Sequence[int]) -> CompoundSelect[tuple[int, int, int]]:
    """Return who has which of some chunks, weighted: one that few have outweighs all that very many have together."""
    beyond = union_all(*(select(_some(chunk, 1, skip=_PER_CHUNK)) for chunk in chunks))
    common = set(connection.scalars(beyond))
    return union_all(*(select(_some(chunk, _PER_CHUNK, weight=1 if chunk in common else len(chunks))) for chunk in chunks))


def _some(chunk: int, count: int, *, skip: int = 0, weight: int = 0) -> Subquery:
    table = fingerprint_chunk.c
    rows = select(table.chunk, table.asset_number, literal(weight).label("weight")).where(table.chunk == chunk)
    return rows.order_by(table.asset_number).limit(count).offset(skip).subquery()
