"""Statuses in plain SQL on the driver's own connection: the one read that is made for every item of every page.

Building a statement costs more than running it, so a statement is text that is made once for each size of list; lists
are filled up to a power of two with what is in them already, so that drivers keep few prepared statements.
Nothing is written here, and what another process committed is seen at once.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Engine, exc, select

from provenance.errors import DatabaseUnavailableError
from provenance.store.database import reading
from provenance.store.objects import is_digest
from provenance.store.records import is_name
from provenance.store.tables import asset

_BUSY_MS = 2_000
_BY_DIGEST = "SELECT sha256, document, etag FROM status WHERE sha256 {}"
_BY_ASSET = "SELECT asset.id, document, etag FROM asset JOIN status ON status.sha256 = asset.sha256 WHERE asset.id {}"


class Served(NamedTuple):
    """A stored status: canonical JSON, and a tag that changes with it."""

    document: bytes
    etag: str


class Registered(NamedTuple):
    """A picture of the feed."""

    asset_id: str
    created_at: datetime


class QuickStatuses:
    """Reads statuses; safe to share between threads. SQLite gets a connection a thread, PostgreSQL the engine's pool."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._own = threading.local()
        self.local = engine.dialect.name == "sqlite"  # quick enough to be asked from an event loop

    def read(self, ids: Sequence[str]) -> dict[str, Served]:
        """Stored statuses by SHA-256 (of files) and by asset id, each once; ids without one are left out.

        Raises:
            DatabaseUnavailableError: it cannot be asked.
        """
        digests = [asked for asked in ids if is_digest(asked)]
        found: dict[str, Served] = {}
        if digests:
            rows = self._rows(_BY_DIGEST, [bytes.fromhex(asked) for asked in digests])
            found = {bytes(key).hex(): Served(bytes(document), etag) for key, document, etag in rows}
        if len(found) < len(ids):
            names = [asked for asked in ids if asked not in found and is_name(asked)]
            if names:
                found |= {key: Served(bytes(document), etag) for key, document, etag in self._rows(_BY_ASSET, names)}
        return found

    def recent(self, count: int) -> list[Registered]:
        """The pictures registered last that can be shown, newest first.

        Raises:
            DatabaseUnavailableError: it cannot be asked.
        """
        with reading(self._engine) as connection:
            shown = asset.c.withdrawn_at.is_(None) & asset.c.reference_digest.is_not(None) & asset.c.media_type.like("image/%")
            query = select(asset.c.id, asset.c.created_at).where(shown).order_by(asset.c.number.desc()).limit(count)
            return [Registered(row.id, row.created_at) for row in connection.execute(query)]

    def _rows(self, query: str, values: list[Any]) -> Iterable[Any]:
        return self._sqlite(query, values) if self.local else self._postgresql(query, values)

    def _sqlite(self, query: str, values: list[Any]) -> list[Any]:
        places = 1 << (len(values) - 1).bit_length()
        values += values[:1] * (places - len(values))
        try:
            connection: sqlite3.Connection | None = getattr(self._own, "connection", None)
            if connection is None:
                connection = self._own.connection = self._open()
            return connection.execute(_in(query, places), values).fetchall()
        except sqlite3.Error as error:
            with suppress(AttributeError):
                del self._own.connection  # the file may have been replaced: look again next time
            raise DatabaseUnavailableError(str(self._engine.url), str(error)) from error

    def _open(self) -> sqlite3.Connection:
        path = str(self._engine.url.database)
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
        connection.execute("PRAGMA query_only=ON")
        return connection

    def _postgresql(self, query: str, values: list[Any]) -> list[Any]:
        failures: tuple[type[Exception], ...] = (exc.SQLAlchemyError, *_postgresql_errors())
        try:
            pooled = self._engine.raw_connection()
            try:
                driver: Any = pooled.driver_connection
                return list(driver.execute(query.format("= ANY(%s)"), (values,), prepare=True).fetchall())
            finally:
                pooled.close()  # back into the pool, its transaction rolled back
        except failures as error:
            where = self._engine.url.render_as_string(hide_password=True)
            raise DatabaseUnavailableError(where, str(error).partition("\n")[0]) from error


@cache
def _in(query: str, places: int) -> str:
    return query.format(f"IN ({','.join('?' * places)})")


@cache
def _postgresql_errors() -> tuple[type[Exception], ...]:
    import psycopg

    return (psycopg.Error,)
