"""What a feed status costs, against a bare Starlette "hello" in the same run: `python -m tests.bench.feed`.

Two servers take turns behind real sockets; what counts is the CPU time of the serving process alone, as the kernel tells
it, so that neither the client nor a busy machine is in the figures.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import BinaryIO

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

ROOT = Path(__file__).resolve().parents[2]
ROWS, BATCH, ROUNDS = 20_000, 100, 5
_SHORT, _LONG = 400, 80  # requests of one round: single ids, batches


def table() -> str:
    """The figures as a Markdown table."""
    with tempfile.TemporaryDirectory() as folder, served("hello", folder) as hello, served("feed", folder) as feed:
        base: list[float] = []
        costs: dict[str, list[float]] = {name: [] for name in _CASES}
        for turn in range(ROUNDS):
            base.append(hello.cost(["/"] * _SHORT))
            for name, (count, signed, fresh) in _CASES.items():
                times = _SHORT if count == 1 else _LONG
                asked = [_path(turn, at if fresh else 0, count, signed) for at in range(times)]
                feed.cost(asked[:1] * 3)  # tokens of a window are made once
                if fresh:
                    feed.touch()
                costs[name].append(feed.cost(asked))
    zero = median(base)
    lines = ["| feed status, SQLite, one core | requests/s | ids/s | ÷ bare hello |", "|---|---|---|---|"]
    lines.append(f"| bare Starlette hello | {1 / zero:,.0f} | | 1 |")
    for name, (count, _, _) in _CASES.items():
        cost = median(costs[name])
        lines.append(f"| {name} | {1 / cost:,.0f} | {count / cost:,.0f} | {zero / cost:.2f} |")
    return "\n".join(lines)


# ids in one request, signed, every request for other ids that nobody asked for since the database last changed
_CASES = {
    "one id": (1, False, False),
    "one id, signed": (1, True, False),
    "one id, never asked before": (1, False, True),
    f"{BATCH} ids": (BATCH, False, False),
    f"{BATCH} ids, signed": (BATCH, True, False),
    f"{BATCH} ids, never asked before": (BATCH, False, True),
}


def _path(turn: int, at: int, count: int, signed: bool) -> str:
    start = turn * 1_000 + at * count
    query = ",".join(_digest((start + number) % ROWS) for number in range(count))
    return f"/api/v1/feed/status?ids={query}" + ("&tokens=true" if signed else "")


class Served:
    """A server in a process of its own, and one connection to it."""

    def __init__(self, process: int, port: int, database: Path) -> None:
        self._process, self._database = process, database
        self.port = port
        self._socket = socket.create_connection(("127.0.0.1", port))

    def cost(self, paths: Sequence[str]) -> float:
        """CPU seconds of the server for one request."""
        requests = b"".join(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() for path in paths)
        before = self._cpu_s()
        sender = threading.Thread(target=self._socket.sendall, args=(requests,))
        sender.start()  # one after the other without waiting: a busy machine would let each answer wait for its turn
        with self._socket.makefile("rb") as answers:
            for _ in paths:
                _pass_over(answers)
        sender.join()
        return (self._cpu_s() - before) / len(paths)

    def touch(self) -> None:
        """Change the database, so that nothing read before is kept."""
        with contextlib.closing(sqlite3.connect(self._database)) as connection, connection:
            connection.execute("UPDATE status SET updated_at = updated_at WHERE sha256 = (SELECT min(sha256) FROM status)")

    def _cpu_s(self) -> float:
        schedule = Path(f"/proc/{self._process}/task/{self._process}/schedstat").read_text().split()
        return int(schedule[0]) / 1e9


def _pass_over(answers: BinaryIO) -> None:
    status, length = answers.readline(), 0
    assert status.startswith(b"HTTP/1.1 200"), status
    while (line := answers.readline().lower()) != b"\r\n":
        if line.startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    answers.read(length)


@contextmanager
def served(what: str, folder: str) -> Iterator[Served]:
    """Run this module as a server for the length of the block."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.feed", what, folder], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            port = int(process.stdout.readline())
            yield Served(process.pid, port, Path(folder) / "home" / "colophon.db")
        finally:
            process.kill()  # it holds nothing, and what it started ends with it


def serve(what: str, folder: str) -> None:
    """Serve on a free port, and say which."""
    import uvicorn

    if what == "hello":
        _run(uvicorn.Config(Starlette(routes=[Route("/", _hello)]), log_level="warning"))
        return
    from api.app import create_app, serving_house
    from api.settings import Settings

    with serving_house(Settings(home=Path(folder) / "home", worker_count=1)) as house:
        from sqlalchemy import insert

        from provenance.store.tables import status
        from provenance.store.trail import canonical

        data = canonical(_DOCUMENT)
        row = {"document": data, "etag": hashlib.sha256(data).hexdigest()[:32], "updated_at": datetime.now(UTC)}
        with house.registry._engine.begin() as connection:  # straight in: a benchmark of reading needs many rows soon
            connection.execute(insert(status), [row | {"sha256": _digest(number)} for number in range(ROWS)])
        _run(uvicorn.Config(create_app(house), log_level="warning", server_header=False))


def _run(config: object) -> None:
    import uvicorn

    with socket.create_server(("127.0.0.1", 0)) as door:
        print(door.getsockname()[1], flush=True)
        uvicorn.Server(config).run(sockets=[door])  # type: ignore[arg-type]


async def _hello(_request: Request) -> Response:
    return Response(b"hello", media_type="text/plain")


def _digest(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


_DOCUMENT = {
    "status": "trusted",
    "label": "Content Credentials",
    "summary": "This picture carries an intact credential signed by Example Newsroom Camera 7 on 20 November 2026, 16:04 UTC.",
    "signer": {"name": "Example Newsroom Camera 7", "development": False},
    "signed_at": "2026-11-20T16:04:11Z",
    "manifest_id": "urn:c2pa:5f0c1b7e-3d2a-4c59-8e61-7b9a0d4f2c13",
    "asset_id": "a7c1e5d09b3f4826",
    "signals": ["inception:capturedMedia"],
    "at": "2026-11-21T09:30:00Z",
}


if __name__ == "__main__":
    if len(sys.argv) > 2:
        serve(sys.argv[1], sys.argv[2])
    else:
        began = time.perf_counter()
        print(table())
        print(f"\n{time.perf_counter() - began:.0f} s", file=sys.stderr)
