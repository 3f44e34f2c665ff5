"""p95 of a feed status while others send what is hostile, ÷ p95 when quiet: `python -m tests.bench.attack [KIND]…`

The service, whoever measures and the attackers are processes of their own; attackers step back in priority, for theirs would
be other machines. Each kind is measured beside a quiet stretch right before it. Where this machine is a guest, its host may take
the processors away for milliseconds: what was measured meanwhile (the kernel counts such time as stolen) is measured again.
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
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np

from tests.bench.attackers import KINDS
from tests.bench.feed import served

AUTOGROUP, STAT = Path("/proc/self/autogroup"), Path("/proc/stat")
ROOT = Path(__file__).resolve().parents[2]
ASKED, ROUNDS, ATTACKERS = 400, 3, 4
STRETCH, TRIES = 20, 10  # requests that count or do not, together; times as many stretches as are needed, at most
_AHEAD = 10
_WARMING_S = 3.0  # until attackers have been read, and are at it


def table(kinds: list[str]) -> Iterator[str]:
    """A line for each kind of attack: medians over rounds, each of a service of its own."""
    with suppress(OSError):  # ahead of the machine's other work, which is no part of the question
        os.nice(-_AHEAD)  # what is started here inherits it
        AUTOGROUP.write_text(str(-2 * _AHEAD))  # where sessions are scheduled against each other, priorities count within one
    yield "| feed status, one id, over a socket | quiet p50, p95 ms | under attack p50, p95 ms | p95 ÷ quiet | answered |"
    yield "|---|---|---|---|---|"
    for kind in kinds:
        rounds, answered = [], Counter[str]()
        for _ in range(ROUNDS):
            quiet, under, said = _round(kind)
            answered.update(said)
            rounds.append([float(np.percentile(times, share)) for times in (quiet, under) for share in (50, 95)])
        q50, q95, a50, a95 = np.median(rounds, axis=0)
        ratio = float(np.median([one[3] / one[1] for one in rounds]))
        told = ", ".join(f"{count} × {word}" for word, count in sorted(answered.items()))
        yield f"| {KINDS[kind].about} | {q50:.2f}, {q95:.2f} | {a50:.2f}, {a95:.2f} | {ratio:.2f} | {told} |"


def _round(kind: str) -> tuple[list[float], list[float], list[str]]:
    """Milliseconds of each answer when quiet and under attack; and what the attackers were told."""
    path = f"/api/v1/feed/status?ids={hashlib.sha256(b'1').hexdigest()}"
    with tempfile.TemporaryDirectory() as folder, served("feed", folder) as feed:
        port = feed._socket.getpeername()[1]
        _latencies(port, path, 50)
        quiet = _latencies(port, path, ASKED)
        with _attacked(kind, port) as answered:
            time.sleep(_WARMING_S)
            under = _latencies(port, path, ASKED)
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


def _latencies(port: int, path: str, count: int) -> list[float]:
    """Milliseconds of that many answers, from stretches of which the host took nothing; of all there were where it always did."""
    kept: list[float] = []
    disturbed: list[float] = []
    with socket.create_connection(("127.0.0.1", port)) as line, line.makefile("rb") as answers:
        while len(kept) < count and len(disturbed) < TRIES * count:
            before = _stolen()
            stretch = [_latency(line, answers, path) for _ in range(STRETCH)]
            (kept if _stolen() == before else disturbed).extend(stretch)
    return kept if len(kept) >= count else kept + disturbed


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
