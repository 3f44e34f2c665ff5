"""p95 of a feed status while others send what is hostile, ÷ p95 when quiet: `python -m tests.bench.attack [KIND]…`

The service, whoever measures and the attackers are processes of their own; attackers step back in priority, for theirs would
be other machines. Each kind is measured beside a quiet stretch right before it. Where this machine is a guest, its host may take
the processors away for milliseconds: what was measured meanwhile (the kernel counts such time as stolen) is measured again.
A bare Starlette "hello" that nobody attacks is asked by turns with the service: what it suffers, the machine does.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from tests.bench.attackers import KINDS
from tests.bench.feed import served

AUTOGROUP, STAT = Path("/proc/self/autogroup"), Path("/proc/stat")
ROOT = Path(__file__).resolve().parents[2]
ASKED, ROUNDS, ATTACKERS = 400, 2, 4
STRETCH, TRIES = 20, 5  # requests that count or do not, together; times as many stretches as are needed, at most
_AHEAD = 10
_WARMING_S = 3.0  # until attackers have been read, and are at it
Times = NDArray[np.float64]


def table(kinds: list[str]) -> Iterator[str]:
    """A line for each kind of attack: medians over rounds, each of a service of its own."""
    with suppress(OSError):  # ahead of the machine's other work, which is no part of the question
        os.nice(-_AHEAD)  # what is started here inherits it
        AUTOGROUP.write_text(str(-2 * _AHEAD))  # where sessions are scheduled against each other, priorities count within one
    head = "feed status, one id, over a socket | quiet p50, p95 ms | under attack p50, p95 ms | p95 ÷ quiet | hello's p95 ÷ quiet"
    yield f"| {head} | answered |"
    yield "|---|---|---|---|---|---|"
    for kind in kinds:
        rounds, answered = [], Counter[str]()
        for _ in range(ROUNDS):
            quiet, under, said = _round(kind)
            answered.update(said)
            rounds.append(np.percentile([quiet, under], [50, 95], axis=2))  # by share, quiet or not, service or hello
        (q50, a50), (q95, a95) = np.median(rounds, axis=0)[:, :, 0]
        ours, bare = np.median([one[1, 1] / one[1, 0] for one in rounds], axis=0)
        told = ", ".join(f"{count} × {word}" for word, count in sorted(answered.items()))
        row = f"{q50:.2f}, {q95:.2f} | {a50:.2f}, {a95:.2f} | {ours:.2f} | {bare:.2f} | {told}"
        yield f"| {KINDS[kind].about} | {row} |"


def _round(kind: str) -> tuple[Times, Times, list[str]]:
    """Milliseconds of each answer when quiet and under attack, service and hello; and what the attackers were told."""
    path = f"/api/v1/feed/status?ids={hashlib.sha256(b'1').hexdigest()}"
    with tempfile.TemporaryDirectory() as folder, served("feed", folder) as feed, served("hello", folder) as hello:
        asked = ((feed.port, path), (hello.port, "/"))
        _latencies(asked, STRETCH)
        quiet = _latencies(asked, ASKED)
        with _attacked(kind, feed.port) as answered:
            time.sleep(_WARMING_S)
            under = _latencies(asked, ASKED)
        return quiet, under, answered


@contextmanager
def _attacked(kind: str, port: int) -> Iterator[list[str]]:
    """Four attackers for the length of the block; then what they were answered."""
    command = [sys.executable, "-m", "tests.bench.attack", "--send", kind, str(port)]
    senders = [
        subprocess.Popen([*command, str(number)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for number in range(ATTACKERS)
    ]
    answered: list[str] = []
    try:
        yield answered
    finally:
        for one in senders:
            one.terminate()
            answered += one.communicate()[0].split()


def _latencies(asked: Sequence[tuple[int, str]], count: int) -> Times:
    """Milliseconds of that many answers of each, from stretches of which the host took nothing.

    Where it took something too often, those count as well.

    Args:
        asked: Port and path of each server.
        count: A multiple of `STRETCH`.
    Returns:
        Shape (servers, count).
    """
    kept: list[list[list[float]]] = [[] for _ in asked]
    disturbed: list[list[list[float]]] = [[] for _ in asked]
    with ExitStack() as stack:
        lines = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for port, _ in asked]
        readers = [stack.enter_context(line.makefile("rb")) for line in lines]
        for _ in range(TRIES * count // STRETCH):
            for number, (line, answers, (_, path)) in enumerate(zip(lines, readers, asked, strict=True)):
                before = _stolen()
                stretch = [_latency(line, answers, path) for _ in range(STRETCH)]
                (kept if _stolen() == before else disturbed)[number].append(stretch)
            if min(map(len, kept)) * STRETCH >= count:
                break
    chosen = [(good + bad)[: count // STRETCH] for good, bad in zip(kept, disturbed, strict=True)]
    return np.array(chosen, float).reshape(len(asked), -1)


def _latency(line: socket.socket, answers: BinaryIO, path: str) -> float:
    began = time.perf_counter()
    line.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    length = 0
    while (header := answers.readline().lower()) != b"\r\n":
        if header.startswith(b"content-length:"):
            length = int(header.split(b":")[1])
    answers.read(length)
    took = (time.perf_counter() - began) * 1e3
    time.sleep(0.005)
    return took


def _stolen() -> int:
    """Hundredths of seconds that the host gave to others while something here was ready to run; 0 where nobody counts."""
    try:
        return int(STAT.read_text("ascii").split()[8])
    except (OSError, IndexError):
        return 0


def _send(kind: str, port: int, seed: int) -> None:
    """Attack until ended; says the status of each answer."""
    os.nice(_AHEAD)
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    for number in range(seed, 1 << 30, ATTACKERS):
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        try:
            status = KINDS[kind].send(line, number)
        except OSError:
            status = 0  # cut off, as it should be
        finally:
            line.close()
        print(status, flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--send"]:
        _send(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        for row in table(sys.argv[1:] or list(KINDS)):
            print(row, flush=True)
