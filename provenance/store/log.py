"""The log in SQL: checkpoints and proofs, on the caller's connection; `Log` opens its own. Tiles: `store/tiles`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, bindparam, func, select

from provenance.errors import NotFoundError, UnavailableError
from provenance.store.database import insert, reading, writing
from provenance.store.tables import (
    trail_checkpoint,
    trail_cosignature,
    trail_entry,
    trail_key,
    trail_pending,
    trail_sequence,
)
from provenance.store.tiles import Shelf, bundle, node_hashes, tiles
from provenance.store.trail import Kind, TrailEntry, entry, numbered
from provenance.trail.checkpoint import parse_checkpoint
from provenance.trail.note import NoteKey, Signature, parse_note, parse_signatures, parse_vkey
from provenance.trail.proof import Proof
from provenance.trail.tile import ENTRIES, Tile
from provenance.trail.tree import consistency_path, hashes_of, inclusion_path, root_from

_AT_ONCE = 200  # checkpoints that are looked through

# Made once: building a statement costs more than running it.
_SIZE = select(func.max(trail_checkpoint.c.size))
_NOTES = select(trail_checkpoint.c.size, trail_checkpoint.c.note, trail_cosignature.c.line).outerjoin(trail_cosignature)
_NEWEST = _NOTES.where(trail_checkpoint.c.size == _SIZE.scalar_subquery())
_NOTE = _NOTES.where(trail_checkpoint.c.size == bindparam("size"))
_OLDEST = (
    select(trail_entry.c.at)
    .join(trail_pending, trail_pending.c.entry_id == trail_entry.c.id)
    .order_by(trail_pending.c.entry_id)
    .limit(1)
)
_MADE = select(trail_checkpoint.c.at).order_by(trail_checkpoint.c.size.desc()).limit(1)


@dataclass(frozen=True, slots=True)
class Head:
    """The newest checkpoint as stored; `note` without cosignatures."""

    size: int
    root: bytes
    note: bytes


def head(connection: Connection) -> Head | None:
    """The newest checkpoint; None before the first."""
    query = select(trail_checkpoint).order_by(trail_checkpoint.c.size.desc()).limit(1)
    row = connection.execute(query).first()
    return None if row is None else Head(row.size, bytes.fromhex(row.root), bytes(row.note))


def signed(connection: Connection, size: int) -> bytes | None:
    """A checkpoint with all cosignatures that came in for it."""
    return _cosigned(connection.execute(_NOTE, {"size": size}).all())


class Log:
    """The log for readers: whoever proves, serves or audits; it signs nothing and numbers nothing."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._shelf = engine, Shelf()

    def public_keys(self) -> tuple[NoteKey, ...]:
        """The log's public keys, as it says itself: to hand on, not to trust."""
        with reading(self._engine) as connection:
            return tuple(parse_vkey(vkey) for vkey in connection.scalars(select(trail_key.c.vkey).order_by(trail_key.c.at)))

    def origin(self) -> str | None:
        """The log's name; None before its first checkpoint."""
        with reading(self._engine) as connection:
            return connection.scalar(select(trail_key.c.origin).limit(1))

    def size(self) -> int:
        """Number of entries in the newest checkpoint."""
        with reading(self._engine) as connection:
            return connection.scalar(_SIZE) or 0

    def waiting(self) -> int:
        """Number of entries that have no number yet."""
        with reading(self._engine) as connection:
            return connection.scalar(select(func.count()).select_from(trail_pending)) or 0

    def stalled_s(self, at: datetime) -> float:
        """Seconds that entries have waited while no checkpoint was made: much of it, and no sequencer is at work.

        0 where nothing waits. A long line alone does not count: as long as it moves, there are checkpoints.
        """
        with reading(self._engine) as connection:
            oldest, newest = connection.scalar(_OLDEST), connection.scalar(_MADE)
        if oldest is None:
            return 0.0
        since: datetime = max(oldest, newest or oldest)
        return max((at - since).total_seconds(), 0.0)

    def checkpoint(self, size: int | None = None) -> bytes:
        """The checkpoint of a size, or the newest, with its cosignatures.

        Raises:
            NotFoundError: no checkpoint was made at that size, or none at all yet.
        """
        with reading(self._engine) as connection:
            note = _newest(connection)[1] if size is None else signed(connection, size)
        if note is None:
            raise NotFoundError("checkpoint", "latest" if size is None else str(size))
        return note

    def witnessed(self, names: Iterable[str], quorum: int) -> bytes | None:
        """The newest checkpoint that so many of the named witnesses cosigned; None for none."""
        wanted = frozenset(names)
        query = select(trail_cosignature.c.size).distinct().order_by(trail_cosignature.c.size.desc()).limit(_AT_ONCE)
        with reading(self._engine) as connection:
            for size in connection.scalars(query).all():
                note = signed(connection, size)
                if note and len({s.name for s in parse_note(note).signatures} & wanted) >= quorum:
                    return note
        return None

    def resource(self, tile: Tile) -> bytes:
        """The bytes that a tile or entry bundle is served as.

        Raises:
            NotFoundError: the log has not got that far.
        """
        with reading(self._engine) as connection:
            size = connection.scalar(_SIZE) or 0
            if tile.leaves_end > size:
                raise NotFoundError("tile", tile.path)
            return bundle(connection, tile) if tile.level == ENTRIES else tiles(connection, [tile])[0]

    def prove(self, seq: int, *, checkpoint: bytes | None = None) -> Proof:
        """Prove that an entry is in the log, against a checkpoint of this log or the newest.

        Raises:
            NotFoundError: no entry of that number in that checkpoint.
        """
        with reading(self._engine) as connection:
            if checkpoint is None:
                size, note = _newest(connection)
            else:
                size, note = parse_checkpoint(parse_note(checkpoint).text).size, checkpoint
            if note is None or not 0 <= seq < size:
                raise NotFoundError("entry", str(seq))
            hashes = hashes_of(inclusion_path(seq, size), node_hashes(connection, size, self._shelf))
        return Proof(seq, hashes, note)

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """Prove that the log of `new` entries begins with that of `old`.

        Raises:
            NotFoundError: the log has fewer entries, or `old` is more than `new`.
        """
        with reading(self._engine) as connection:
            if not 0 <= old <= new <= (connection.scalar(_SIZE) or 0):
                raise NotFoundError("consistency proof", f"{old}-{new}")
            return hashes_of(consistency_path(old, new), node_hashes(connection, new, self._shelf))

    def root(self, size: int) -> bytes:
        """The root of the first `size` entries."""
        with reading(self._engine) as connection:
            return root_from(size, node_hashes(connection, size, self._shelf))

    def entries(self, start: int, end: int) -> tuple[TrailEntry, ...]:
        """The entries with numbers start … end − 1."""
        with reading(self._engine) as connection:
            return numbered(connection, start, end)

    def entry(self, entry_id: int) -> TrailEntry | None:
        """An entry by its id in this database."""
        with reading(self._engine) as connection:
            return entry(connection, entry_id)

    def sizes(self, most: int) -> tuple[int, ...]:
        """The sizes of the newest checkpoints, newest first."""
        query = select(trail_checkpoint.c.size).order_by(trail_checkpoint.c.size.desc()).limit(most)
        with reading(self._engine) as connection:
            return tuple(connection.scalars(query))

    def revocations(self, fingerprints: Collection[str]) -> tuple[TrailEntry, ...]:
        """The entries that revoked these credentials."""
        if not fingerprints:
            return ()
        query = select(trail_entry.c.id).where(trail_entry.c.kind == Kind.REVOKED.value).order_by(trail_entry.c.id)
        with reading(self._engine) as connection:
            found = [entry(connection, entry_id) for entry_id in connection.scalars(query).all()]
        return tuple(e for e in found if e and e.payload and e.payload.get("fingerprint") in fingerprints)

    def number(self, entry_id: int) -> int | None:
        """The number that an entry was given; None while it waits."""
        with reading(self._engine) as connection:
            return connection.scalar(select(trail_sequence.c.seq).where(trail_sequence.c.entry_id == entry_id))

    def await_number(self, entry_id: int, *, timeout_s: float, sleep: Callable[[float], None], clock: Callable[[], float]) -> int:
        """Wait until the sequencer has numbered an entry: then it is in a signed checkpoint.

        Raises:
            UnavailableError: not within the time; the entry stays where it is and will be numbered.
        """
        until, pause = clock() + timeout_s, 0.001
        while (seq := self.number(entry_id)) is None:
            if clock() > until:
                raise UnavailableError("the sequencer of the trail")
            sleep(pause)
            pause = min(pause * 1.5, 0.05)
        return seq

    def cosign(self, size: int, lines: Sequence[Signature], *, at: datetime) -> None:
        """Keep cosignatures of a checkpoint that were verified; a second one of the same key changes nothing."""
        with writing(self._engine) as connection:
            for line in lines:
                row = {"size": size, "name": line.name, "key_id": line.key_id.hex(), "line": line.line, "at": at}
                connection.execute(insert(connection, trail_cosignature).values(row).on_conflict_do_nothing())


def _newest(connection: Connection) -> tuple[int, bytes | None]:
    """The newest checkpoint's size, and it with its cosignatures; 0 and None before the first."""
    rows = connection.execute(_NEWEST).all()
    return (rows[0].size if rows else 0), _cosigned(rows)


def _cosigned(rows: Sequence[Row[Any, Any, Any]]) -> bytes | None:
    """A checkpoint from its rows, one for each cosignature that came in, or one without."""
    if not rows:
        return None
    note, lines = bytes(rows[0].note), sorted(row.line for row in rows if row.line is not None)
    if not lines:
        return note
    more = [signature for line in lines for signature in parse_signatures(line)]
    return bytes(parse_note(note).with_signatures(more))
