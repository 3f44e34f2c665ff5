"""Group commit: entries of many threads in one transaction, since what an append costs is the flush at its end.

A thread puts its entry down and gets an answer to wait for; one writer takes all that lies there, writes it in one
transaction, and tells each its id. While that transaction is flushed the next group gathers, so groups grow with load by
themselves. Whoever was just answered often has more to say: the writer gives as many as there were a moment to come back,
else two half groups take turns.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine

from provenance.errors import UnavailableError
from provenance.store import bulk
from provenance.store.database import writing
from provenance.store.tables import trail_entry, trail_payload, trail_pending
from provenance.trail.entry import Kind, body, canonical, leaf_digest, payload_digest, utc

MOST = 1_000
_FULL = 20_000  # in line before a caller is told to come back
_MOMENT = 0.25  # how long the writer waits for a group to fill, in parts of the time that the last one took to write


# what is written of one entry, table by table
ENTRY = [trail_entry.c[name] for name in ("id", "at", "kind", "asset_id", "body", "digest")]
PAYLOAD = [trail_payload.c[name] for name in ("entry_id", "salt", "payload")]
PENDING = [trail_pending.c.entry_id]

# PostgreSQL takes a group in one statement, a third of the CPU of three COPYs and one journey instead of seven
_AT_ONCE = """
WITH line AS (
  SELECT nextval((SELECT pg_get_serial_sequence('trail_entry', 'id')::regclass)) AS id, given.*
  FROM unnest(%b::timestamptz[], %b::text[], %b::text[], %b::bytea[], %b::bytea[], %b::bytea[], %b::bytea[])
    WITH ORDINALITY AS given (at, kind, asset_id, body, digest, salt, payload, place)
), entries AS (
  INSERT INTO trail_entry (id, at, kind, asset_id, body, digest) SELECT id, at, kind, asset_id, body, digest FROM line
), payloads AS (
  INSERT INTO trail_payload (entry_id, salt, payload) SELECT id, salt, payload FROM line
), pending AS (
  INSERT INTO trail_pending (entry_id) SELECT id FROM line
)
SELECT id FROM line ORDER BY place
"""


class Answer:
    """The id of an entry, once that is on disk. No more than a lock: dozens wait at once, and a `Future` costs ten times that."""

    __slots__ = ("_error", "_id", "_wait")

    def __init__(self) -> None:
        self._wait = threading.Lock()
        self._wait.acquire()
        self._id = 0
        self._error: Exception | None = None

    def result(self, timeout_s: float = -1.0) -> int:
        """Wait for the id, for ever if no time is given.

        Raises:
            UnavailableError: not within the time; the entry is still in line.
            Exception: what kept the entry from the disk.
        """
        if not self._wait.acquire(timeout=timeout_s):
            raise UnavailableError("the trail's writer")
        self._wait.release()
        if self._error is not None:
            raise self._error
        return self._id

    def give(self, entry_id: int) -> None:
        """For the writer, once."""
        self._id = entry_id
        self._wait.release()

    def fail(self, error: Exception) -> None:
        """For the writer, once."""
        self._error = error
        self._wait.release()


class _Waiting(NamedTuple):
    at: datetime
    kind: str
    asset_id: str | None
    body: bytes
    digest: str
    salt: bytes
    payload: bytes
    answer: Answer


class Grouped:
    """Appends to the trail of one database for any number of threads; close it to write what is left.

    It checks no asset: use it for entries that speak of many, or of ids that are known to be registered.
    """

    def __init__(self, engine: Engine, *, salt: Callable[[], bytes], most: int = MOST) -> None:
        self._engine, self._salt, self._most = engine, salt, most
        self._line: deque[_Waiting] = deque()
        self._something = threading.Condition()
        self._expected = 1  # as many as the last group had
        self._closed = False
        self._writer = threading.Thread(target=self._run, name="trail-writer", daemon=True)
        self._writer.start()

    def append(self, kind: str, asset_id: str | None, payload: Mapping[str, Any], *, at: datetime) -> Answer:
        """Put an entry in line; the answer is its id once it is on disk, or the error that kept it from there.

        Raises:
            ValueError: no such kind; the payload is no JSON; a naive instant.
            UnavailableError: closed, or the line is too long.
        """
        at, known, salt, data = utc(at), Kind(kind), self._salt(), canonical(payload)
        leaf = body(known, asset_id, payload_digest(salt, data), at)
        waiting = _Waiting(at, known.value, asset_id, leaf, leaf_digest(leaf), salt, data, Answer())
        with self._something:
            if self._closed or len(self._line) >= _FULL:
                raise UnavailableError("the trail's writer")
            self._line.append(waiting)
            if len(self._line) in (1, self._expected):  # the writer is woken for nothing else
                self._something.notify()
        return waiting.answer

    def close(self) -> None:
        """Write what is in line, then stop."""
        with self._something:
            self._closed = True
            self._something.notify()
        self._writer.join()

    def __enter__(self) -> Grouped:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        took = 0.0
        while group := self._next(took * _MOMENT):
            start = time.monotonic()
            try:
                with writing(self._engine) as connection:
                    ids = _write(connection, group)
            except Exception as error:  # noqa: BLE001 - it belongs to those who wait
                for one in group:
                    one.answer.fail(error)
            else:
                took = time.monotonic() - start
                for one, entry_id in zip(group, ids, strict=True):
                    one.answer.give(entry_id)

    def _next(self, patience_s: float) -> list[_Waiting]:
        with self._something:
            self._something.wait_for(lambda: self._line or self._closed)
            self._something.wait_for(lambda: len(self._line) >= self._expected or self._closed, patience_s)
            group = [self._line.popleft() for _ in range(min(self._most, len(self._line)))]
            self._expected = max(len(group), 1)
            return group


def _write(connection: Connection, group: list[_Waiting]) -> list[int]:
    """Insert a group and return the ids in its order."""
    if connection.dialect.name == "postgresql":
        columns = zip(
            *((one.at, one.kind, one.asset_id, one.body, bytes.fromhex(one.digest), one.salt, one.payload) for one in group),
            strict=True,
        )
        return bulk.returned(connection, _AT_ONCE, [list(column) for column in columns])
    ids = bulk.reserve(connection, trail_entry, len(group))
    numbered = list(zip(ids, group, strict=True))
    bulk.put(connection, ENTRY, [(i, one.at, one.kind, one.asset_id, one.body, one.digest) for i, one in numbered])
    bulk.put(connection, PAYLOAD, [(i, one.salt, one.payload) for i, one in numbered])
    bulk.put(connection, PENDING, [(i,) for i in ids])
    return ids
