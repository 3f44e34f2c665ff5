"""Two databases, one schema; errors that say which database and why, and never its password."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, exc, inspect, text

from provenance import errors
from provenance.errors import DatabaseUnavailableError, SchemaError
from provenance.store import Registry, connect, current, migrate, require_current
from provenance.store import database as under_test
from provenance.store.database import reading, writing
from provenance.store.tables import metadata

ROOT = Path(__file__).resolve().parents[2]
STEPS = ("0001", "0002", "0003", "0004", "0005", "0006")
HEAD = STEPS[-1]


def test_a_new_database_is_brought_to_head_once(database_url: str) -> None:
    engine = connect(database_url)
    assert current(engine) is None
    with pytest.raises(SchemaError) as caught:
        require_current(engine)
    assert (caught.value.have, caught.value.need) == (None, HEAD)
    assert migrate(engine) == STEPS
    assert migrate(engine) == ()
    assert current(engine) == HEAD
    require_current(engine)
    engine.dispose()


def test_the_schema_is_the_sum_of_the_migrations(engine: Engine) -> None:
    with reading(engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_every_named_check_is_in_the_database(engine: Engine) -> None:
    """Alembic does not compare CHECK constraints: so this does."""
    wanted = {
        (table.name, str(c.name))
        for table in metadata.tables.values()
        for c in table.constraints
        if type(c).__name__ == "CheckConstraint"
    }
    found = {(t, c["name"]) for t in metadata.tables for c in inspect(engine).get_check_constraints(t)}
    assert wanted == found
    assert len(wanted) == 4


def test_a_database_of_a_newer_program_is_left_alone(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for refuse in (require_current, migrate):
        with pytest.raises(SchemaError) as caught:
            refuse(engine)
        assert (caught.value.have, caught.value.need) == ("9999", HEAD)


def test_processes_that_migrate_at_once_do_it_once(database_url: str) -> None:
    code = "import sys; from provenance.store import *; print(migrate(connect(sys.argv[1])))"
    started = [
        subprocess.Popen([sys.executable, "-c", code, database_url], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    said = sorted(process.communicate(timeout=240)[0].strip() for process in started)
    assert said == sorted(["()", "()", "()", str(STEPS)])


def test_threads_that_migrate_at_once_do_it_once(database_url: str) -> None:
    done: list[tuple[str, ...]] = []

    def run() -> None:
        engine = connect(database_url)
        done.append(migrate(engine))
        engine.dispose()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [(), (), (), STEPS]


def test_a_failed_migration_leaves_nothing(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = connect(database_url)
    real = under_test.command.upgrade

    def fail_late(*arguments: Any) -> None:
        real(*arguments)
        raise RuntimeError("late")

    with monkeypatch.context() as patched:
        patched.setattr(under_test.command, "upgrade", fail_late)
        with pytest.raises(RuntimeError, match="late"):
            migrate(engine)
    assert current(engine) is None
    assert migrate(engine) == STEPS
    engine.dispose()


def test_writes_are_rolled_back_when_the_block_raises(engine: Engine) -> None:
    with pytest.raises(ZeroDivisionError), writing(engine) as connection:
        assert connection.execute(text("DELETE FROM alembic_version")).rowcount / 0
    require_current(engine)


def test_reading_writes_nothing(engine: Engine) -> None:
    with reading(engine) as connection:
        connection.execute(text("DELETE FROM alembic_version"))
    require_current(engine)


def test_foreign_keys_hold(engine: Engine) -> None:
    with pytest.raises(exc.IntegrityError), writing(engine) as connection:
        connection.execute(text("INSERT INTO lineage (child, parent) VALUES (1, 2)"))


def test_sqlite_is_durable_and_lets_readers_pass(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'x.db'}")
    migrate(engine)
    with writing(engine) as connection:
        settings = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "recursive_triggers")
        assert [connection.exec_driver_sql(f"PRAGMA {s}").scalar() for s in settings] == ["wal", 2, 1, 5000, 1]
        connection.execute(text("DELETE FROM alembic_version"))
        assert current(engine) == HEAD  # a reader beside an open writer neither waits nor sees what is not committed
    assert current(engine) is None
    engine.dispose()


@pytest.mark.slow
def test_a_locked_database_is_unavailable_after_the_busy_timeout(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'x.db'}")
    migrate(engine)
    for other in (engine, connect(f"sqlite:///{tmp_path / 'x.db'}")):  # as another thread, as another process
        with writing(engine), pytest.raises(DatabaseUnavailableError, match="locked"), writing(other):
            pass
        other.dispose()
    with writing(engine) as connection:
        connection.execute(text("DELETE FROM alembic_version"))
    engine.dispose()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_the_ways_to_spell_postgresql(scheme: str) -> None:
    pytest.importorskip("psycopg")
    engine = connect(f"{scheme}://ada:secret@db.example/colophon")
    assert engine.url.drivername == "postgresql+psycopg"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "not a database URL"),
        ("colophon.db", "not a database URL"),
        ("a\0b", "not a database URL"),
        ("postgresql://ada:secret@host:port/x", "not a database URL"),
        ("mysql://ada:secret@host/x", "only sqlite"),
        ("sqlite://", "path of a file"),
        ("sqlite:///:memory:", "path of a file"),
        ("sqlite:///file:x?mode=memory&uri=true", "path of a file"),
        ("sqlite://ada:secret@host/x", "Invalid SQLite URL"),
    ],
)
def test_other_urls_are_refused_in_plain_words(url: str, why: str) -> None:
    with pytest.raises(DatabaseUnavailableError) as caught:
        migrate(connect(url))
    assert why in caught.value.why
    assert "secret" not in f"{caught.value} {caught.value!r}"


def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DatabaseUnavailableError, match=r"colophon\[scale\]") as caught:
        connect("postgresql://ada:secret@db.example/colophon")
    assert "secret" not in f"{caught.value} {caught.value!r}"


def test_an_unreachable_server_is_named_without_its_password() -> None:
    pytest.importorskip("psycopg")
    engine = connect("postgresql://ada:secret@127.0.0.1:1/colophon?sslpassword=secret")
    for ask in (current, migrate, require_current):
        with pytest.raises(DatabaseUnavailableError) as caught:
            ask(engine)
        assert "127.0.0.1:1/colophon" in caught.value.url
        assert "refused" in caught.value.why
        shown = f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"
        assert "secret" not in shown


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailableError, match="unable to open"):
        migrate(connect(f"sqlite:///{tmp_path / 'nowhere' / 'x.db'}"))


def test_a_file_that_is_no_database(tmp_path: Path, objects: Any) -> None:
    (tmp_path / "x.db").write_bytes(b"not a database at all" * 100)
    engine = connect(f"sqlite:///{tmp_path / 'x.db'}")
    with pytest.raises(DatabaseUnavailableError, match="not a database"):
        Registry(engine, objects).asset("a")
    with pytest.raises(DatabaseUnavailableError, match="not a database"):
        migrate(engine)
    assert (tmp_path / "x.db").read_bytes() == b"not a database at all" * 100


@pytest.mark.parametrize(
    "error",
    [
        errors.NotFoundError("asset", "x"),
        errors.ConflictError("asset", "x", "taken"),
        errors.UnstorableError("asset_id", "is empty"),
        errors.DamagedObjectError("0" * 64, "1" * 64),
        errors.DatabaseUnavailableError("sqlite:///x", "locked"),
        errors.SchemaError(None, "0001"),
    ],
)
def test_errors_survive_their_way_out_of_a_worker(error: errors.StoreError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), vars(again), str(again)) == (type(error), vars(error), str(error))
