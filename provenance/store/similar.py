"""Fingerprints that differ in few bits, found in plain SQL by multi-index hashing (Norouzi, Punjani, Fleet, CVPR 2012).

A code of 256 bits is cut into 16 chunks of 16 bits. Two codes that differ in at most 15 bits share a chunk for certain
(pigeonhole), and at 38 bits still three times in four. So: look up the 16 chunks in one index, count the shared ones,
and XX
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import iscc_lib
from sqlalchemy import CompoundSelect, Connection, Integer, Select, bindparam, func, select, union_all

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
    chunks = wanted.chunks()
    values = {f"chunk{n}": chunk for n, chunk in enumerate(chunks)}
    common = set(connection.scalars(_common(len(chunks)), values))
    weights = {f"weight{n}": 1 if chunk in common else len(chunks) for n, chunk in enumerate(chunks)}
    measured = (
        (row.number, wanted.distance(parse(row.fingerprint)))
        for row in connection.execute(_candidates(len(chunks)), values | weights)
    )
    near = [(number, distance) for number, distance in measured if distance is not None and distance <= max_distance]
    return tuple(sorted(near, key=lambda pair: (pair[1], pair[0]))[:limit])


# Putting these queries together takes SQLAlchemy longer than SQLite needs to answer: once per length of code is enough.


@functools.cache
def _common(chunks: int) -> CompoundSelect[int]:
    """The chunks among `:chunk0`… that very many have."""
    table = fingerprint_chunk.c
    return union_all(
        *(
            select(
                select(table.chunk)
                .where(table.chunk == bindparam(f"chunk{n}", type_=Integer))
                .order_by(table.asset_number)
                .offset(_PER_CHUNK)
                .limit(1)
                .subquery()
            )
            for n in range(chunks)
        )
    )


@functools.cache
def _candidates(chunks: int) -> Select[int, str]:
    """Who shares most with `:chunk0`…; `:weight0`… let one that few have outweigh all that very many have together."""
    table = fingerprint_chunk.c
    shared = union_all(
        *(
            select(
                select(table.asset_number, bindparam(f"weight{n}", type_=Integer).label("weight"))
                .where(table.chunk == bindparam(f"chunk{n}", type_=Integer))
                .order_by(table.asset_number)
                .limit(_PER_CHUNK)
                .subquery()
            )
            for n in range(chunks)
        )
    ).subquery()
    best = (
        select(shared.c.asset_number)
        .group_by(shared.c.asset_number)
        .order_by(func.sum(shared.c.weight).desc(), shared.c.asset_number)
        .limit(_CANDIDATES)
        .subquery()
    )
    return select(asset.c.number, asset.c.fingerprint).join(best, best.c.asset_number == asset.c.number)
