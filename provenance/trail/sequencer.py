"""The sequencer: the one that gives numbers. What waits becomes entries of the log, full tiles and a signed checkpoint.

    BEGIN                                              one writer: SQLite's lock, PostgreSQL's advisory lock
      take up to 1,000 of trail_pending, in order of arrival
      number them, fill tiles, sign the checkpoint
      write numbers, tiles, checkpoint; delete from trail_pending
    COMMIT                                             all or nothing: kill it anywhere, the next one goes on

Any number of sequencers may run; one at a time does the work. It remembers, outside the database, the last checkpoint that
it gave out, and signs nothing more where the database does not continue it (a restored older copy): see `RollbackError`.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine, LargeBinary, select, type_coerce

from provenance.errors import ConflictError, MalformedError, OutputError, RollbackError
from provenance.store import bulk, log, tiles
from provenance.store.database import insert, reading, writing
from provenance.store.tables import trail_checkpoint, trail_entry, trail_key, trail_pending, trail_sequence, trail_tile
from provenance.trail.checkpoint import Checkpoint, message, parse_checkpoint, signature
from provenance.trail.note import KeyType, Note, NoteKey, parse_note
from provenance.trail.tile import Builder, FullTile
from provenance.trail.tree import EMPTY_ROOT, root_from

BATCH = 1_000
_LOCK = 0x436F6C6F70686F6F  # "Colophoo": beside the migrations' "Colophon"


class LogSigner(Protocol):
    """What holds the log's private keys (`keys.logkeys.LogKeys`)."""

    def sign_ed25519(self, message: bytes) -> bytes: ...

    def sign_ml_dsa_44(self, message: bytes) -> bytes: ...


def log_keys(origin: str, ed25519: bytes, ml_dsa_44: bytes) -> tuple[NoteKey, NoteKey]:
    """The two keys under which a log signs its checkpoints, both of the log's name.

    Raises:
        MalformedError: the origin cannot be a key's name.
    """
    return NoteKey(origin, KeyType.ED25519, ed25519), NoteKey(origin, KeyType.COSIGNATURE_ML_DSA_44, ml_dsa_44)


class Sequencer:
    """Numbers what waits in one database. Not to be shared between threads."""

    def __init__(
        self,
        engine: Engine,
        signer: LogSigner,
        keys: tuple[NoteKey, NoteKey],
        *,
        now: Callable[[], datetime],
        memory: Path | None = None,
        batch: int = BATCH,
    ) -> None:
        """Take a migrated database and the log's keys.

        Args:
            keys: As `log_keys` makes them.
            now: The clock: cosignatures of the log and checkpoint rows carry it.
            memory: File in which the last checkpoint given out is remembered; None remembers nothing.
            batch: Most entries of one transaction.
        """
        self._engine, self._signer, self._keys = engine, signer, keys
        self._now, self._memory, self._batch = now, memory, batch
        self._builder: Builder | None = None
        self._trusted = False  # whether the database was found to continue what is remembered

    @property
    def origin(self) -> str:
        return self._keys[0].name

    def begin(self) -> None:
        """Sign the empty log, if there is none yet: a log that is served has a checkpoint from the first moment.

        Raises:
            RollbackError, ConflictError: see `step`.
        """
        with writing(self._engine) as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            if log.head(connection) is None:
                self._claim(connection)
                self._require_continued(connection, 0)
                at = self._now()
                note = self._sign(Checkpoint(self.origin, 0, EMPTY_ROOT), at)
                row = {"size": 0, "root": EMPTY_ROOT.hex(), "note": note, "at": at}
                connection.execute(trail_checkpoint.insert(), row)

    def drain(self) -> int:
        """Number all that waits, and return how many entries that were.

        Raises:
            RollbackError, ConflictError: see `step`.
        """
        total = 0
        while count := self.step():
            total += count
        return total

    def step(self) -> int:
        """Number one batch and return its size; 0 if nothing waited, and then nothing was locked or written.

        Raises:
            RollbackError: the database is not what was published of it; nothing was signed.
            ConflictError: the database holds the log of another origin or other keys.
        """
        with reading(self._engine) as connection:
            if connection.execute(select(trail_pending.c.entry_id).limit(1)).first() is None:
                return 0
        with writing(self._engine) as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            builder = self._take_up(connection)
            waiting = self._waiting(connection)
            if not waiting:
                return 0
            note = self._write(connection, builder, waiting)
        self._builder, self._trusted = builder, True
        self._remember(note)
        return len(waiting)

    def _take_up(self, connection: Connection) -> Builder:
        """The tree as the database has it: the one in memory, unless somebody else went on since."""
        newest = log.head(connection)
        size, root = (newest.size, newest.root) if newest else (0, EMPTY_ROOT)
        if not self._trusted:
            self._claim(connection)
            self._require_continued(connection, size)
        kept = self._builder
        if kept is not None and kept.size == size and kept.root() == root:
            return kept.copy()
        builder = Builder(size, tiles.open_edges(connection, size))
        if builder.root() != root:  # rows that no trigger let through were changed: the signed root says so
            raise RollbackError(size, size)
        return builder

    def _claim(self, connection: Connection) -> None:
        """Write the log's public keys down, the first time; ever after they must be the same ones."""
        for key in self._keys:
            row = {"vkey": key.vkey, "origin": key.name, "at": self._now()}
            connection.execute(insert(connection, trail_key).values(row).on_conflict_do_nothing())
        origins = set(connection.scalars(select(trail_key.c.origin)))
        if origins != {self.origin}:
            other = min(origins - {self.origin})
            raise ConflictError("log", self.origin, f"this database holds the log {other}")

    def _require_continued(self, connection: Connection, size: int) -> None:
        """Refuse where what was published is not the beginning of what is here."""
        published = self._published()
        if published is None:
            return
        if published.origin != self.origin:
            raise ConflictError("log", self.origin, f"the last checkpoint remembered is of {published.origin}")
        grown = published.size <= size
        if not grown or root_from(published.size, tiles.node_hashes(connection, size)) != published.root:
            raise RollbackError(published.size, size)

    def _waiting(self, connection: Connection) -> list[tuple[int, bytes]]:
        query = (
            select(trail_pending.c.entry_id, type_coerce(trail_entry.c.digest, LargeBinary))
            .join(trail_entry, trail_pending.c.entry_id == trail_entry.c.id)
            .order_by(trail_pending.c.entry_id)
            .limit(self._batch)
        )
        return [(entry_id, bytes(digest)) for entry_id, digest in connection.execute(query)]

    def _write(self, connection: Connection, builder: Builder, waiting: list[tuple[int, bytes]]) -> bytes:
        start = builder.size
        filled: list[FullTile] = []
        for _, digest in waiting:
            filled += builder.append(digest)
        ids = [entry_id for entry_id, _ in waiting]
        bulk.put(connection, [trail_sequence.c.seq, trail_sequence.c.entry_id], list(enumerate(ids, start)))
        if filled:
            connection.execute(
                trail_tile.insert(),
                [{"level": t.level, "number": t.number, "hashes": t.hashes, "root": t.root.hex()} for t in filled],
            )
        at = self._now()
        checkpoint = Checkpoint(self.origin, builder.size, builder.root())
        note = self._sign(checkpoint, at)
        row = {"size": checkpoint.size, "root": checkpoint.root.hex(), "note": note, "at": at}
        connection.execute(trail_checkpoint.insert(), row)
        # by value, not "up to the last": an entry with a smaller id may have been committed since it was read
        bulk.remove(connection, trail_pending.c.entry_id, ids)
        return note

    def _sign(self, checkpoint: Checkpoint, at: datetime) -> bytes:
        plain, quantum = self._keys
        seconds = int(at.timestamp())
        return bytes(
            Note(
                checkpoint.text,
                (
                    signature(plain, self._signer.sign_ed25519(message(plain, checkpoint))),
                    signature(quantum, self._signer.sign_ml_dsa_44(message(quantum, checkpoint, seconds)), seconds),
                ),
            )
        )

    def _published(self) -> Checkpoint | None:
        if self._memory is None:
            return None
        try:
            return parse_checkpoint(parse_note(self._memory.read_bytes()).text)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OutputError(str(self._memory), (error.strerror or "cannot be read").lower()) from error
        except MalformedError as error:
            raise OutputError(str(self._memory), f"should hold the last checkpoint: {error}") from error

    def _remember(self, note: bytes) -> None:
        """Written after the commit: it may lag behind the log and never runs ahead of it."""
        if self._memory is None:
            return
        temporary: str | None = None
        try:
            handle, temporary = tempfile.mkstemp(dir=self._memory.parent, prefix=f".{self._memory.name}.")
            with os.fdopen(handle, "wb") as file:
                file.write(note)
            Path(temporary).replace(self._memory)
        except OSError as error:
            if temporary is not None:
                with contextlib.suppress(OSError):
                    Path(temporary).unlink()
            raise OutputError(str(self._memory), (error.strerror or "cannot be written").lower()) from error
