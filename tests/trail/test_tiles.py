"""Proofs ask the database little: everything that one needs in one statement, and never twice for what cannot change."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest
from sqlalchemy import Engine, event

from provenance.errors import NotFoundError
from provenance.store.database import reading
from provenance.store.grouped import Grouped
from provenance.store.log import Log
from provenance.store.tiles import Shelf, node_hashes, open_edges, tiles
from provenance.trail.proof import prove
from provenance.trail.sequencer import Sequencer
from provenance.trail.tile import Tile, folded
from provenance.trail.tree import consistent, leaf_hash, perfect_root, root_from, root_of

SIZE = 700  # two full tiles, an open one, and an open one above


@pytest.fixture
def leaves(engine: Engine, sequencer: Sequencer, log: Log, at: datetime) -> list[bytes]:
    with Grouped(engine, salt=lambda: bytes(16)) as line:
        for n in range(SIZE):
            line.append("judged", None, {"n": n}, at=at)
    sequencer.drain()
    return [leaf_hash(entry.body) for entry in log.entries(0, SIZE)]


@contextmanager
def counted(engine: Engine) -> Iterator[list[str]]:
    """The statements that are run in the block."""
    seen: list[str] = []

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize(
    "ask",
    [lambda log: log.prove(300), lambda log: log.consistency(300, SIZE), lambda log: log.prove(SIZE - 1)],
    ids=["inclusion", "consistency", "newest"],
)
def test_a_proof_is_two_statements_and_the_next_one_is_one(
    engine: Engine, leaves: list[bytes], ask: Callable[[Log], object]
) -> None:
    log = Log(engine)
    for most in (2, 1):  # where the log ends, and the tiles; then the former alone
        with counted(engine) as seen:
            ask(log)
        assert len([statement for statement in seen if "SELECT" in statement]) == most


def test_what_was_kept_proves_as_what_was_read(engine: Engine, leaves: list[bytes], sequencer: Sequencer, at: datetime) -> None:
    """Proofs at one size, then at the next: a tile that has grown since is another tile."""
    log, rng = Log(engine), random.Random(5)
    for _ in range(2):
        size = log.size()
        for seq in [0, 255, 256, 511, 512, size - 1, *(rng.randrange(size) for _ in range(20))]:
            assert prove(log.prove(seq), leaves[seq], log.public_keys()).holds
        for old in [1, 255, 256, 512, size - 1, *(rng.randrange(1, size) for _ in range(20))]:
            assert consistent(old, root_of(leaves[:old]), size, root_of(leaves), log.consistency(old, size))
        with Grouped(engine, salt=lambda: bytes(16)) as line:
            for n in range(100):
                line.append("judged", None, {"n": n}, at=at)
        sequencer.drain()
        leaves = [leaf_hash(entry.body) for entry in log.entries(0, log.size())]


def test_a_shelf_keeps_so_many_and_stays_right(engine: Engine, leaves: list[bytes]) -> None:
    shelf = Shelf(most=2)
    with reading(engine) as connection:
        for size in (SIZE, 256, 257, 512, SIZE):
            assert root_from(size, node_hashes(connection, size, shelf)) == root_of(leaves[:size])
        wanted = [Tile(0, 0), Tile(0, 1), Tile(0, 2, 188)]
        assert shelf.take(connection, wanted) == [folded(b"".join(leaves[a : a + 256])) for a in (0, 256, 512)]


def test_tiles_come_in_the_order_of_the_question(engine: Engine, leaves: list[bytes]) -> None:
    roots = b"".join(perfect_root(b"".join(leaves[a : a + 256])) for a in (0, 256))
    with reading(engine) as connection:
        assert tiles(connection, []) == []
        assert tiles(connection, [Tile(1, 0, 2), Tile(0, 2, 5), Tile(0, 0)]) == [
            roots,
            b"".join(leaves[512:517]),
            b"".join(leaves[:256]),
        ]
        assert open_edges(connection, 512) == [[], [roots[:32], roots[32:]]]


@pytest.mark.parametrize("tile", [Tile(0, 2), Tile(0, 2, 189), Tile(0, 9, 1), Tile(1, 0), Tile(1, 0, 3), Tile(2, 0, 1)])
def test_a_tile_that_is_not_there_yet_is_named(engine: Engine, leaves: list[bytes], tile: Tile) -> None:
    with reading(engine) as connection, pytest.raises(NotFoundError, match=tile.path):
        tiles(connection, [Tile(0, 0), tile])


def test_half_a_pair_folds_to_nothing() -> None:
    a, b, c = (leaf_hash(bytes([n])) for n in range(3))
    assert folded(a + b + c) == (a + b + c, perfect_root(a + b))
    assert folded(a) == (a,)
