"""Statuses in plain SQL on the driver's own connection: the one read that is made for every item of every page.

Building a statement costs more than running it, so a statement is text that is made once for each size of list; lists
are filled up to a power of two with what is in them already, so that drivers keep few prepared statements.
Nothing is written here, and what another process committed is seen at once: SQLite tells in 2 µs whether anything was
(`PRAGMA data_version`), and what was read before is kept for exactly as long as nothing was.
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
_KEPT, _KEPT_LENGTH = 50_000, 128  # answers of one thread, some 50 MB; ids that are longer are nobody's
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
        if not self.local:
            return self._ask(ids)
        known = self._known()
        missing = [asked for asked in ids if asked not in known]
        if not missing:
            return {asked: served for asked in ids if (served := known[asked]) is not None}
        found = self._ask(missing)
        both = found | {asked: served for asked in ids if (served := known.get(asked)) is not None}
        if len(known) + len(missing) > _KEPT:
            known.clear()
        known |= {asked: found.get(asked) for asked in missing if len(asked) <= _KEPT_LENGTH}
        return both

    def _ask(self, ids: Sequence[str]) -> dict[str, Served]:
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

    def _known(self) -> dict[str, Served | None]:
        """What this thread read since the database last changed."""
        own = self._own
        version = self._run("PRAGMA data_version", ())[0][0]
        if getattr(own, "version", None) != version:
            own.version, own.known = version, {}
        known: dict[str, Served | None] = own.known
        return known

    def _rows(self, query: str, values: list[Any]) -> Iterable[Any]:
        return self._sqlite(query, values) if self.local else self._postgresql(query, values)

    def _sqlite(self, query: str, values: list[Any]) -> list[Any]:
        places = 1 << (len(values) - 1).bit_length()
        return self._run(_in(query, places), [*values, *values[:1] * (places - len(values))])

    def _run(self, statement: str, values: Sequence[Any]) -> list[Any]:
        try:
            connection: sqlite3.Connection | None = getattr(self._own, "connection", None)
            if connection is None:
                connection = self._own.connection = self._open()
                self._own.version = None
            return connection.execute(statement, values).fetchall()
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
