"""`kill -9` in mid-stream, under eight writers: contiguous, no receipt broken, tiles as a full recomputation gives them.

COLOPHON_KILLS sets how often; the issue's figure is fifty.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from keys.logkeys import init_log_keys
from provenance.store.database import reading
from provenance.store.log import Log
from provenance.store.tables import trail_checkpoint, trail_entry, trail_pending, trail_sequence, trail_tile
from provenance.trail.checkpoint import open_checkpoint, parse_checkpoint
from provenance.trail.note import parse_note
from provenance.trail.sequencer import log_keys
from provenance.trail.tile import Builder
from provenance.trail.tree import EMPTY_ROOT, consistent, leaf_hash

ROOT = Path(__file__).resolve().parents[2]
KILLS = int(os.environ.get("COLOPHON_KILLS", "6"))
ORIGIN = "log.example/kill"

WRITERS = """
import secrets, sys, threading
from datetime import UTC, datetime
from provenance.store import connect
from provenance.store.grouped import Grouped

line = Grouped(connect(sys.argv[1]), salt=lambda: secrets.token_bytes(16), most=64)
say = threading.Lock()

def write(who):
    while True:
        entry = line.append("judged", None, {"who": who}, at=datetime.now(UTC)).result()
        with say:
            sys.stdout.write(f"{entry}\\n")
            sys.stdout.flush()

for who in range(8):
    threading.Thread(target=write, args=(who,), daemon=True).start()
threading.Event().wait()
"""

SEQUENCER = """
import sys, threading
from provenance.trail.service import Task, run
print("ready", flush=True)
run(Task(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4]), stop=threading.Event())
"""


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_in_mid_stream(database_url: str, engine: Engine, tmp_path: Path) -> None:
    rng = random.Random(11)
    public = init_log_keys(tmp_path / "keys")
    keys = log_keys(ORIGIN, public.ed25519, public.ml_dsa_44)
    log = Log(engine)
    acknowledged: list[int] = []
    receipts: list[bytes] = []
    spared = tmp_path / "trail.checkpoint"
    for kill in range(KILLS):
        writers = _start(WRITERS, database_url)
        numbering = _start(SEQUENCER, database_url, str(tmp_path / "keys"), ORIGIN, str(spared))
        assert writers.stdout is not None
        assert numbering.stdout is not None
        first = writers.stdout.readline()
        assert numbering.stdout.readline() == "ready\n"
        time.sleep(rng.uniform(0.3, 0.8))
        if log.size():
            receipts.append(log.checkpoint())
        for victim in (numbering, writers) if kill % 2 else (writers, numbering):
            victim.kill()
            time.sleep(rng.uniform(0, 0.05))
        said = writers.communicate()[0].splitlines(keepends=True)
        numbering.communicate()
        acknowledged += [int(line) for line in [first, *said] if line.endswith("\n")]
    last = _start(SEQUENCER, database_url, str(tmp_path / "keys"), ORIGIN, str(spared))
    until = time.monotonic() + 120
    while log.waiting() and time.monotonic() < until:
        time.sleep(0.05)
    last.kill()
    last.communicate()
    assert log.waiting() == 0
    _require_sound(engine, log, acknowledged, receipts, keys)


def _require_sound(engine: Engine, log: Log, acknowledged: list[int], receipts: list[bytes], keys: object) -> None:
    with reading(engine) as connection:
        numbers = connection.scalars(select(trail_sequence.c.seq).order_by(trail_sequence.c.seq)).all()
        stored = {(t.level, t.number): (bytes(t.hashes), t.root) for t in connection.execute(select(trail_tile))}
        notes = connection.execute(select(trail_checkpoint).order_by(trail_checkpoint.c.size)).all()
        entries = connection.scalar(select(func.count()).select_from(trail_entry))
        assert connection.scalar(select(func.count()).select_from(trail_pending)) == 0
        known = set(connection.scalars(select(trail_entry.c.id)))
    assert numbers == list(range(len(numbers)))
    assert len(numbers) == entries
    assert len(acknowledged) > KILLS
    assert set(acknowledged) <= known
    builder, full = Builder(), {}
    roots = {0: EMPTY_ROOT}  # a log that is served before its first entry has signed that it is empty
    sizes = {note.size for note in notes}
    for entry in log.entries(0, len(numbers)):
        full |= {(t.level, t.number): (t.hashes, t.root.hex()) for t in builder.append(leaf_hash(entry.body))}
        if builder.size in sizes:
            roots[builder.size] = builder.root()
    assert stored == full
    assert max(sizes) == len(numbers)
    for note in notes:
        opened = open_checkpoint(bytes(note.note), keys[:1])  # type: ignore[index]
        assert opened.signed
        assert opened.checkpoint.root == roots[note.size]
    newest = parse_checkpoint(parse_note(log.checkpoint()).text)
    for receipt in receipts:
        then = parse_checkpoint(parse_note(receipt).text)
        assert consistent(then.size, then.root, newest.size, newest.root, log.consistency(then.size, newest.size))
    print(f"\n{KILLS} kills, {len(numbers)} entries, {len(notes)} checkpoints")


def _start(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True)
