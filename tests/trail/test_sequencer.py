"""Numbers without gaps, tiles that a recomputation gives again, receipts that hold; on SQLite and on PostgreSQL."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, exc, select, text

from provenance.errors import ConflictError, NotFoundError, OutputError, RollbackError, UnavailableError
from provenance.store import Registry, connect, migrate
from provenance.store.database import reading, writing
from provenance.store.grouped import Grouped
from provenance.store.log import Log
from provenance.store.tables import trail_checkpoint, trail_pending, trail_sequence, trail_tile
from provenance.trail.checkpoint import open_checkpoint, parse_checkpoint
from provenance.trail.note import NoteKey, parse_note
from provenance.trail.proof import parse_proof, prove
from provenance.trail.sequencer import Sequencer
from provenance.trail.tile import ENTRIES, Builder, Tile, parse_path, tiles_of, unpack
from provenance.trail.tree import consistent, leaf_hash, root_of

Keys = tuple[NoteKey, NoteKey]


@pytest.fixture
def many(engine: Engine, at: datetime) -> Callable[[int], None]:
    """Commit entries by the hundred."""

    def append(count: int) -> None:
        with Grouped(engine, salt=lambda: bytes(16)) as line:
            for n in range(count):
                line.append("judged", None, {"n": n}, at=at)

    return append


def tree_of(checkpoint: bytes) -> tuple[int, bytes]:
    tree = parse_checkpoint(parse_note(checkpoint).text)
    return tree.size, tree.root


def require_sound(engine: Engine, keys: Keys) -> int:
    """The whole log, recomputed: numbers from 0 without gaps, every tile, every checkpoint. Returns its size."""
    log = Log(engine)
    with reading(engine) as connection:
        numbers = connection.scalars(select(trail_sequence.c.seq).order_by(trail_sequence.c.seq)).all()
        stored = {(t.level, t.number): (bytes(t.hashes), t.root) for t in connection.execute(select(trail_tile))}
        notes = connection.execute(select(trail_checkpoint).order_by(trail_checkpoint.c.size)).all()
    size = len(numbers)
    assert numbers == list(range(size))
    leaves = [leaf_hash(entry.body) for entry in log.entries(0, size)]
    builder, full = Builder(), {}
    for leaf in leaves:
        full |= {(t.level, t.number): (t.hashes, t.root.hex()) for t in builder.append(leaf)}
    assert stored == full
    assert (notes[-1].size if notes else 0) == size
    for note in notes:
        opened = open_checkpoint(bytes(note.note), keys)
        assert opened.signed
        assert (opened.checkpoint.size, opened.checkpoint.root.hex()) == (note.size, note.root)
        assert opened.checkpoint.root == root_of(leaves[: note.size])
    return size


def test_nothing_waits_nothing_is_written(engine: Engine, sequencer: Sequencer, log: Log) -> None:
    assert (sequencer.step(), sequencer.drain(), log.size(), log.waiting()) == (0, 0, 0, 0)
    for ask in (log.checkpoint, lambda: log.prove(0), lambda: log.resource(Tile(0, 0, 1)), lambda: log.consistency(0, 1)):
        with pytest.raises(NotFoundError):
            ask()
    assert log.origin() is None
    assert log.consistency(0, 0) == ()


def test_what_waits_becomes_a_signed_log(
    engine: Engine, registry: Registry, sequencer: Sequencer, log: Log, keys: Keys, at: datetime
) -> None:
    ids = [registry.append("judged", None, {"n": n}, at=at) for n in range(7)]
    assert log.waiting() == 7
    assert sequencer.drain() == 7
    assert [log.number(i) for i in ids] == list(range(7))
    assert (log.waiting(), log.size(), log.origin(), log.public_keys()) == (0, 7, keys[0].name, keys)
    assert require_sound(engine, keys) == 7
    for entry_id in ids:
        seq = log.number(entry_id)
        assert seq is not None
        (entry,) = log.entries(seq, seq + 1)
        assert prove(parse_proof(bytes(log.prove(seq))), leaf_hash(entry.body), keys).holds


def test_batches_tiles_and_old_receipts(
    engine: Engine, many: Callable[[int], None], sequencer: Sequencer, log: Log, keys: Keys
) -> None:
    receipts = []
    for count in (1, 255, 1, 1000, 43, 600):
        many(count)
        assert sequencer.drain() == count
        size = log.size()
        receipts.append((log.checkpoint(), log.prove(size - 1), log.entries(size - 1, size)[0]))
    assert require_sound(engine, keys) == 1900
    size, root = tree_of(log.checkpoint())
    for checkpoint, proof, entry in receipts:
        assert prove(proof, leaf_hash(entry.body), keys).holds
        old, was = tree_of(checkpoint)
        assert consistent(old, was, size, root, log.consistency(old, size))
        assert log.root(old) == was
        assert log.checkpoint(old) == checkpoint


def test_every_resource_of_the_log_is_served(engine: Engine, many: Callable[[int], None], sequencer: Sequencer, log: Log) -> None:
    many(600)
    sequencer.drain()
    leaves = [leaf_hash(entry.body) for entry in log.entries(0, 600)]
    for tile in tiles_of(600):
        hashes = log.resource(parse_path(tile.path))
        assert len(hashes) == 32 * tile.width
        if tile.level == 0:
            assert hashes == b"".join(leaves[tile.number * 256 : tile.number * 256 + tile.width])
    for tile in (Tile(ENTRIES, 0), Tile(ENTRIES, 2, 88), Tile(ENTRIES, 2, 5), Tile(ENTRIES, 1, 3)):
        bodies = unpack(log.resource(tile), tile.width)
        assert [leaf_hash(b) for b in bodies] == leaves[tile.number * 256 : tile.number * 256 + tile.width]
    assert log.resource(Tile(0, 1, 9)) == b"".join(leaves[256:265])  # a part of what is full by now
    for missing in (
        Tile(0, 2),
        Tile(0, 2, 89),
        Tile(0, 3, 1),
        Tile(1, 0, 3),
        Tile(2, 0, 1),
        Tile(ENTRIES, 2, 89),
        Tile(63, 0, 1),
    ):
        with pytest.raises(NotFoundError):
            log.resource(missing)
    for seq in (-1, 600):
        with pytest.raises(NotFoundError):
            log.prove(seq)
    for old, new in ((-1, 5), (6, 5), (5, 601)):
        with pytest.raises(NotFoundError):
            log.consistency(old, new)


def test_two_sequencers_take_turns(
    engine: Engine, many: Callable[[int], None], signer: Any, keys: Keys, sequencer: Sequencer, log: Log, at: datetime
) -> None:
    other = Sequencer(engine, signer, keys, now=lambda: at, batch=100)
    for count in (5, 300, 17):
        many(count)
        assert other.step() == min(count, 100)
        assert sequencer.drain() == count - min(count, 100)
    assert require_sound(engine, keys) == 322


@pytest.mark.slow
def test_sequencers_at_once_give_each_number_once(
    engine: Engine, many: Callable[[int], None], signer: Any, keys: Keys, at: datetime
) -> None:
    many(400)
    done: list[int] = []

    def run() -> None:
        own = Sequencer(engine, signer, keys, now=lambda: at, batch=40)
        done.append(own.drain())

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(done) == 400
    assert require_sound(engine, keys) == 400


def test_a_receipt_can_be_awaited(engine: Engine, registry: Registry, sequencer: Sequencer, log: Log, at: datetime) -> None:
    entry = registry.append("judged", None, {}, at=at)
    late = threading.Timer(0.1, sequencer.drain)
    late.start()
    assert log.await_number(entry, timeout_s=10, sleep=time.sleep, clock=time.monotonic) == 0
    late.join()
    other = registry.append("judged", None, {}, at=at)
    with pytest.raises(UnavailableError):
        log.await_number(other, timeout_s=0.02, sleep=time.sleep, clock=time.monotonic)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE trail_tile SET hashes = root",
        "DELETE FROM trail_tile",
        "UPDATE trail_checkpoint SET root = root",
        "DELETE FROM trail_checkpoint WHERE size = 300",
        "TRUNCATE trail_tile",
        "TRUNCATE trail_checkpoint CASCADE",
        "INSERT OR REPLACE INTO trail_tile SELECT * FROM trail_tile",
        "REPLACE INTO trail_checkpoint SELECT * FROM trail_checkpoint",
    ],
)
def test_neither_database_lets_the_log_be_changed(
    engine: Engine, many: Callable[[int], None], sequencer: Sequencer, keys: Keys, sql: str
) -> None:
    if (engine.dialect.name == "sqlite") == sql.startswith("TRUNCATE") or (
        engine.dialect.name == "postgresql" and "REPLACE" in sql
    ):
        pytest.skip("no such statement there")
    many(300)
    sequencer.drain()
    with pytest.raises(exc.DBAPIError, match="append-only"), writing(engine) as connection:
        connection.execute(text(sql))
    assert require_sound(engine, keys) == 300


def test_tampered_rows_are_noticed_before_anything_is_signed(
    engine: Engine, many: Callable[[int], None], sequencer: Sequencer, signer: Any, keys: Keys, log: Log, at: datetime
) -> None:
    """The owner of the database takes the triggers away and changes an entry of the open tile: the signed root tells."""
    many(10)
    sequencer.drain()
    many(1)
    _without_triggers(engine, "trail_entry", "UPDATE trail_entry SET digest = (SELECT max(digest) FROM trail_entry)")
    fresh = Sequencer(engine, signer, keys, now=lambda: at)
    with pytest.raises(RollbackError):
        fresh.step()
    assert (log.size(), log.waiting()) == (10, 1)


def test_another_logs_database_is_refused(
    engine: Engine, many: Callable[[int], None], sequencer: Sequencer, signer: Any, at: datetime
) -> None:
    many(3)
    sequencer.drain()
    many(1)
    stranger = Sequencer(engine, signer, signer.keys("other.example/log"), now=lambda: at)
    with pytest.raises(ConflictError, match=r"log\.example"):
        stranger.step()


def test_a_database_restored_from_an_older_copy_is_noticed(
    tmp_path: Path, signer: Any, keys: Keys, memory: Path, at: datetime
) -> None:
    """Backup, more entries, restore: the log would tell a second story, so nothing is signed any more."""
    path = tmp_path / "colophon.db"
    engine = connect(f"sqlite:///{path}")
    migrate(engine)

    def more(count: int, story: str = "first") -> None:
        with Grouped(engine, salt=lambda: bytes(16)) as line:
            for n in range(count):
                line.append("judged", None, {"n": n, "story": story}, at=at)

    more(20)
    Sequencer(engine, signer, keys, now=lambda: at, memory=memory).drain()
    with contextlib.closing(sqlite3.connect(path)) as live, contextlib.closing(sqlite3.connect(tmp_path / "backup.db")) as copy:
        live.backup(copy)
    more(10)
    Sequencer(engine, signer, keys, now=lambda: at, memory=memory).drain()
    published = Log(engine).checkpoint()
    engine.dispose()
    for left in tmp_path.glob("colophon.db-*"):
        left.unlink()
    shutil.copy(tmp_path / "backup.db", path)

    engine = connect(f"sqlite:///{path}")
    log = Log(engine)
    size, root = tree_of(published)
    with pytest.raises(NotFoundError):  # for anybody who holds the newer checkpoint: the log cannot prove that it goes on
        log.consistency(size, log.size())
    more(15, "second")
    with pytest.raises(RollbackError) as caught:
        Sequencer(engine, signer, keys, now=lambda: at, memory=memory).step()
    assert (caught.value.published, caught.value.found) == (30, 20)
    assert log.waiting() == 15
    forgetful = Sequencer(engine, signer, keys, now=lambda: at)  # without memory it would go on; whoever remembers notices
    forgetful.drain()
    assert not consistent(size, root, *tree_of(log.checkpoint()), log.consistency(size, log.size()))
    more(1)
    with pytest.raises(RollbackError):
        Sequencer(engine, signer, keys, now=lambda: at, memory=memory).step()
    engine.dispose()


def test_a_memory_that_cannot_be_read_stops_the_log(
    engine: Engine, many: Callable[[int], None], sequencer: Sequencer, memory: Path
) -> None:
    many(1)
    memory.write_text("not a checkpoint")
    with pytest.raises(OutputError):
        sequencer.step()
    memory.unlink()
    assert sequencer.step() == 1


def test_the_first_releases_database_is_taken_along(database_url: str, signer: Any, keys: Keys, at: datetime) -> None:
    """Entries written at schema 0001 wait in its inbox; at 0002 they are numbered, in the order they came."""
    from alembic import command

    from provenance.store.database import configuration

    engine = connect(database_url)
    with writing(engine) as connection:
        command.upgrade(configuration(connection), "0001")
        for n in range(1, 4):
            row = {
                "n": n,
                "at": at.replace(tzinfo=None) if engine.dialect.name == "sqlite" else at,
                "d": bytes(32),
                "b": b"body %d" % n,
            }
            row["d"] = leaf_hash(row["b"])
            connection.execute(
                text("INSERT INTO trail_entry (at, kind, asset_id, body, digest) VALUES (:at, 'judged', NULL, :b, :d)"), row
            )
            connection.execute(text("INSERT INTO trail_payload VALUES (:n, :d, :b)"), row | {"d": bytes(16), "b": b"{}"})
            connection.execute(text("INSERT INTO trail_pending VALUES (:n)"), row)
    assert migrate(engine)[0] == "0002"
    assert migrate(engine) == ()
    log = Log(engine)
    assert Sequencer(engine, signer, keys, now=lambda: at).drain() == 3
    assert [entry.body for entry in log.entries(0, 3)] == [b"body 1", b"body 2", b"body 3"]
    with pytest.raises(exc.DBAPIError, match="append-only"), writing(engine) as connection:
        connection.execute(text("DELETE FROM trail_entry"))
    with writing(engine) as connection:
        row = {"at": at.replace(tzinfo=None) if engine.dialect.name == "sqlite" else at, "b": b"x", "d": bytes(32)}
        new = connection.execute(
            text("INSERT INTO trail_entry (at, kind, body, digest) VALUES (:at, 'erased', :b, :d) RETURNING id"), row
        ).scalar_one()
    assert new == 4
    with reading(engine) as connection:
        assert connection.execute(select(trail_pending)).all() == []
    engine.dispose()


def _without_triggers(engine: Engine, table: str, sql: str) -> None:
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
        else:
            connection.execute(text(f"DROP TRIGGER {table}_no_update"))
        connection.execute(text(sql))


def test_a_sequencer_that_is_gone_is_noticed(
    engine: Engine, many: Callable[[int], None], sequencer: Sequencer, log: Log, at: datetime
) -> None:
    """Entries of the fixture are of one instant, and so are its checkpoints."""
    assert log.stalled_s(at + timedelta(hours=1)) == 0  # nothing waits
    many(3)
    assert log.stalled_s(at + timedelta(seconds=40)) == 40
    assert log.stalled_s(at - timedelta(seconds=5)) == 0  # a clock that goes behind
    sequencer.drain()
    assert log.stalled_s(at + timedelta(hours=1)) == 0
    many(1)
    busy = Sequencer(engine, sequencer._signer, sequencer._keys, now=lambda: at + timedelta(seconds=50), batch=1)
    many(1)
    busy.step()  # one of two: the line is there still, and it moves
    assert log.waiting() == 1
    assert log.stalled_s(at + timedelta(seconds=60)) == 10
