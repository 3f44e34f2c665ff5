"""One database by URL, SQLite or PostgreSQL, brought to the newest schema; the one place that knows the difference.

- SQLite: WAL, `synchronous=FULL` (a receipt survives a power cut); readers never wait, writers queue at BEGIN IMMEDIATE
  (a transaction that began as a reader and then wants to write would fail at once instead of waiting).
- PostgreSQL: psycopg 3, READ COMMITTED; who was first is decided by unique constraints, never by looking beforehand.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sqlite3
import threading
import time
from collections.abc import Iterator
from typing import Any

import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, Table, event, exc, make_url
from sqlalchemy.dialects import postgresql, sqlite

import migrations
from provenance.errors import DatabaseUnavailableError, SchemaError

_BUSY_MS = 5_000
_JOURNAL_PAGES = 4_000  # 16 MB of journal before it is written back, a quarter as often as by default: as durable
_CACHE_KB = 16_000
_MIGRATION_BUSY_MS = 60_000
_MIGRATION_LOCK = 0x436F6C6F70686F6E  # "Colophon" in ASCII: PostgreSQL's advisory locks are named by one bigint
_ALEMBIC = threading.Lock()  # it keeps the step it is at in a global
_SECRETS = frozenset({"password", "sslpassword", "passfile", "sslkey"})
_WRITES = "colophon_writes"
_TURN = "colophon_turn"


def connect(url: str) -> Engine:
    """Return an engine for `sqlite:///path` or `postgresql://…`; nothing is opened until it is first used.

    Raises:
        DatabaseUnavailableError: not such a URL, or PostgreSQL's driver is not installed.
    """
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError):
        shown = url[:200] if "@" not in url else url.partition(":")[0] + ":…"  # before an @ there may be a password
        raise DatabaseUnavailableError(shown, "not a database URL") from None
    backend = parsed.drivername.partition("+")[0]
    if backend == "sqlite":
        return _sqlite(parsed)
    if backend in {"postgresql", "postgres"}:
        return _postgresql(parsed)
    raise DatabaseUnavailableError(_public(parsed), "only sqlite:///… and postgresql://… are supported")


def current(engine: Engine) -> str | None:
    """Return the database's schema revision; None where it was never migrated.

    Raises:
        DatabaseUnavailableError: it cannot be asked.
    """
    with reading(engine) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def require_current(engine: Engine) -> None:
    """Pass if the schema is the one that this program was written for.

    Raises:
        SchemaError: it is older, newer or absent.
        DatabaseUnavailableError: it cannot be asked.
    """
    have, need = current(engine), _head()
    if have != need:
        raise SchemaError(have, need)


def migrate(engine: Engine) -> tuple[str, ...]:
    """Bring the schema to the newest revision and return the revisions applied, oldest first; all in one transaction.

    Any number of processes may try at once: one does the work, the others wait and find nothing left to do.

    Raises:
        SchemaError: the database is newer than this program.
        DatabaseUnavailableError: it cannot be reached, or another migration holds it for over a minute.
    """
    with _translated(engine), engine.connect() as connection, _migration_lock(connection):
        have, need = MigrationContext.configure(connection).get_current_revision(), _head()
        script = ScriptDirectory.from_config(configuration())
        if have is not None and have not in {step.revision for step in script.walk_revisions()}:
            raise SchemaError(have, need)
        steps = tuple(step.revision for step in script.iterate_revisions(need, have or "base"))
        with _ALEMBIC:
            command.upgrade(configuration(connection), need)
    return steps[::-1]


def about(revision: str) -> str:
    """Return what a step of the schema does, in its own words."""
    step = ScriptDirectory.from_config(configuration()).get_revision(revision)
    return (step.doc or "").strip() if step is not None else ""


def configuration(connection: Connection | None = None) -> Config:
    """Return Alembic's settings, which are code, so that no file has to be found at run time."""
    config = Config()
    config.set_main_option("script_location", str(migrations.__path__[0]).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


@contextlib.contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a connection to read with; whatever it wrote would be rolled back.

    Raises:
        DatabaseUnavailableError: see there.
    """
    with _translated(engine), engine.connect() as connection:
        yield connection


@contextlib.contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Open one write transaction: committed at the end of the block, rolled back if the block raises.

    Raises:
        DatabaseUnavailableError: see there.
    """
    with (
        _turn(engine),
        _translated(engine),
        engine.connect() as connection,
        connection.execution_options(**{_WRITES: True}).begin(),
    ):
        yield connection


def insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT that knows ON CONFLICT, which both databases have and standard SQL has not."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


@contextlib.contextmanager
def _turn(engine: Engine) -> Iterator[None]:
    """Let the writers of this process queue before SQLite does: its own waiters sleep, and some oversleep for seconds."""
    lock: threading.Lock | None = engine.get_execution_options().get(_TURN)
    if lock is None:
        yield
        return
    if not lock.acquire(timeout=_BUSY_MS / 1000):
        raise DatabaseUnavailableError(_public(engine.url), "database is locked by another thread")
    try:
        yield
    finally:
        lock.release()


def _head() -> str:
    head = ScriptDirectory.from_config(configuration()).get_current_head()
    assert head is not None
    return head


def _public(url: URL) -> str:
    """Write a URL without its secrets, which libpq also takes from the query."""
    return url.difference_update_query(_SECRETS).render_as_string(hide_password=True)


def _sqlite(url: URL) -> Engine:
    if url.database in {None, "", ":memory:"} or str(url.database).startswith("file:"):
        raise DatabaseUnavailableError(_public(url), "SQLite needs the path of a file")
    try:
        options = {_TURN: threading.Lock()}
        engine = sqlalchemy.create_engine(url.set(drivername="sqlite"), hide_parameters=True, execution_options=options)
    except (exc.ArgumentError, TypeError) as error:
        raise DatabaseUnavailableError(_public(url), str(error).partition("\n")[0]) from None

    @event.listens_for(engine, "connect")
    def prepare(raw: Any, record: Any) -> None:
        raw.isolation_level = None  # the driver's own BEGINs are off: `begin` below says them
        raw.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
        _enter_wal(raw)
        raw.execute("PRAGMA synchronous=FULL")
        raw.execute(f"PRAGMA wal_autocheckpoint={_JOURNAL_PAGES}")
        raw.execute(f"PRAGMA cache_size=-{_CACHE_KB}")
        raw.execute("PRAGMA foreign_keys=ON")
        raw.execute("PRAGMA recursive_triggers=ON")  # else INSERT OR REPLACE deletes without asking the triggers

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def _enter_wal(raw: Any) -> None:
    """Switch a file to WAL, where it stays. Where another does so at this moment, SQLite says "locked" and waits for none."""
    give_up = time.monotonic() + _BUSY_MS / 1000
    while True:
        try:
            raw.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
            time.sleep(0.01)
        else:
            return


def _postgresql(url: URL) -> Engine:
    if importlib.util.find_spec("psycopg") is None:
        raise DatabaseUnavailableError(_public(url), "PostgreSQL needs the extra: pip install 'colophon[scale]'")
    patience = {} if "connect_timeout" in url.query else {"connect_timeout": 5}
    return sqlalchemy.create_engine(
        url.set(drivername="postgresql+psycopg"), connect_args=patience, pool_pre_ping=True, hide_parameters=True
    )


@contextlib.contextmanager
def _migration_lock(connection: Connection) -> Iterator[None]:
    """Hold one transaction that only one process can hold, and commit it at the end."""
    if connection.dialect.name == "postgresql":
        with connection.begin():
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
            yield
        return
    raw = connection.connection.driver_connection
    assert raw is not None
    raw.execute(f"PRAGMA busy_timeout={_MIGRATION_BUSY_MS}")
    raw.execute("PRAGMA foreign_keys=OFF")  # SQLite alters a table by copying it and dropping the old one
    try:
        with connection.execution_options(**{_WRITES: True}).begin():
            yield
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
            if broken is not None:
                raise RuntimeError(f"a migration left rows of {broken[0]} without what they point to")
    finally:
        raw.execute("PRAGMA foreign_keys=ON")
        raw.execute(f"PRAGMA busy_timeout={_BUSY_MS}")


@contextlib.contextmanager
def _translated(engine: Engine) -> Iterator[None]:
    try:
        yield
    except (exc.OperationalError, exc.InterfaceError, exc.TimeoutError) as error:
        raise DatabaseUnavailableError(_public(engine.url), _first_line(error)) from error
    except exc.DatabaseError as error:
        if type(error) is not exc.DatabaseError:
            raise  # a subclass is a bug of ours; this class itself says "file is not a database"
        raise DatabaseUnavailableError(_public(engine.url), _first_line(error)) from error


def _first_line(error: exc.SQLAlchemyError) -> str:
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    return str(cause).strip().partition("\n")[0]
