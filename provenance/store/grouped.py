"""Group commit: entries of many threads in one transaction, since what an append costs is the flush at its end.

A thread puts its entry down and gets a future; one writer takes all that lies there, writes it in one transaction, and tells
each its id. While that transaction is flushed the next group gathers, so groups grow with load by themselves.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine

from provenance.errors import UnavailableError
from provenance.store.database import writing
from provenance.store.tables import trail_entry, trail_payload, trail_pending
from provenance.trail.entry import Kind, body, canonical, leaf_digest, payload_digest, utc

MOST = 1_000
_FULL = 20_000  # in line before a caller is told to come back


@dataclass(frozen=True, slots=True)
class _Waiting:
    row: Mapping[str, Any]
    salt: bytes
    payload: bytes
    answer: Future[int]


class Grouped:
    """Appends to the trail of one database for any number of threads; close it to write what is left.

    It checks no asset: use it for entries that speak of many, or of ids that are known to be registered.
    """

    def __init__(self, engine: Engine, *, salt: Callable[[], bytes], most: int = MOST) -> None:
        self._engine, self._salt, self._most = engine, salt, most
        self._line: deque[_Waiting] = deque()
        self._something = threading.Condition()
        self._closed = False
        self._writer = threading.Thread(target=self._run, name="trail-writer", daemon=True)
        self._writer.start()

    def append(self, kind: str, asset_id: str | None, payload: Mapping[str, Any], *, at: datetime) -> Future[int]:
        """Put an entry in line; the future gives its id once it is on disk, or the error that kept it from there.

        Raises:
            ValueError: no such kind; the payload is no JSON; a naive instant.
            UnavailableError: closed, or the line is too long.
        """
        at, known, salt, data = utc(at), Kind(kind), self._salt(), canonical(payload)
        leaf = body(known, asset_id, payload_digest(salt, data), at)
        row = {"at": at, "kind": known.value, "asset_id": asset_id, "body": leaf, "digest": leaf_digest(leaf)}
        waiting = _Waiting(row, salt, data, Future())
        with self._something:
            if self._closed or len(self._line) >= _FULL:
                raise UnavailableError("the trail's writer")
            self._line.append(waiting)
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
        while group := self._next():
            try:
                with writing(self._engine) as connection:
                    ids = _write(connection, group)
            except Exception as error:  # noqa: BLE001 - it belongs to those who wait
                for one in group:
                    one.answer.set_exception(error)
            else:
                for one, entry_id in zip(group, ids, strict=True):
                    one.answer.set_result(entry_id)

    def _next(self) -> list[_Waiting]:
        with self._something:
            self._something.wait_for(lambda: self._line or self._closed)
            return [self._line.popleft() for _ in range(min(self._most, len(self._line)))]


def _write(connection: Connection, group: list[_Waiting]) -> list[int]:
    """Insert a group and return the ids in its order."""
    new = trail_entry.insert().returning(trail_entry.c.id, sort_by_parameter_order=True)
    ids = list(connection.scalars(new, [one.row for one in group]))
    payloads = [{"entry_id": i, "salt": one.salt, "payload": one.payload} for i, one in zip(ids, group, strict=True)]
    connection.execute(trail_payload.insert(), payloads)
    connection.execute(trail_pending.insert(), [{"entry_id": i} for i in ids])
    return ids
