"""`kill -9` in the middle: a registration is there whole or not at all."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from provenance.store import Objects, Registration, Registry, migrate
from provenance.store.database import reading
from provenance.store.tables import asset, binding, fingerprint_chunk, manifest, trail_entry, trail_payload, trail_pending

ROOT = Path(__file__).resolve().parents[2]
Make = Callable[..., Registration]

WRITER = """
import hashlib, os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from sqlalchemy import event
from provenance.store import Binding, Objects, Registration, Registry, connect

AT = datetime(2026, 11, 21, tzinfo=UTC)

def registration(name):
    return Registration(
        asset_id=name, sha256=hashlib.sha256(name.encode()).hexdigest(), media_type="image/jpeg",
        manifest_id="urn:c2pa:" + name, manifest_store=name.encode() * 1000, signer_name="Ada",
        signer_fingerprint="f", signed_at=AT, time_state="none", action="captured",
        bindings=(Binding("a", name), Binding("b", name)), reference=name.encode(), reference_media_type="image/webp",
        fingerprint="ISCC:EEDYAAAAAAAAAAAAAAAAAAAAAAAAAAEAACAAAAAAAAAAAAAAAAAAAAA",
    )

def registry():
    engine = connect(sys.argv[1])
    return engine, Registry(engine, Objects(Path(sys.argv[2])))
"""

DIES_AT_EVERY_STATEMENT = (
    WRITER
    + """
def child(step):
    engine, store = registry()
    left = [step]
    @event.listens_for(engine, "after_cursor_execute")
    def die(*_):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    store.register(registration(f"step-{step}"), at=AT)
    os._exit(0)

step = 0
while True:
    step += 1
    pid = os.fork()
    if pid == 0:
        child(step)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0:
        break
print(step)
"""
)

NEVER_STOPS = (
    WRITER
    + """
_, store = registry()
n = 0
while True:
    n += 1
    store.register(registration(f"{sys.argv[3]}-{n}"), at=AT)
    print(n, flush=True)
"""
)


@pytest.mark.slow
def test_killed_after_each_statement(database_url: str, engine: Engine, registry: Registry, objects: Objects) -> None:
    command = [sys.executable, "-c", DIES_AT_EVERY_STATEMENT, database_url, str(objects.folder)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=True)
    last = int(run.stdout)
    assert last > 8
    assert [registry.asset(f"step-{n}") is not None for n in range(1, last + 1)] == [False] * (last - 1) + [True]
    require_whole(engine, objects, expected=1)


@pytest.mark.slow
def test_killed_at_any_moment(database_url: str, engine: Engine, registry: Registry, objects: Objects) -> None:
    """Two writers at a time, killed wherever they are: what was acknowledged is there, and nothing is half there."""
    rng = random.Random(5)
    acknowledged: list[str] = []
    for round_ in range(2):
        writers = []
        for who in ("a", "b"):
            name = f"{who}{round_}"
            command = [sys.executable, "-c", NEVER_STOPS, database_url, str(objects.folder), name]
            writers.append((name, subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)))
        for _, process in writers:
            assert process.stdout is not None
            assert process.stdout.readline() == "1\n"
        time.sleep(rng.uniform(0.05, 0.25))
        for name, process in writers:
            process.kill()
            said = process.communicate()[0].split()
            acknowledged += [f"{name}-{n}" for n in ["1", *said]]
    assert all(registry.asset(name) for name in acknowledged)
    assert migrate(engine) == ()
    require_whole(engine, objects, expected=len(acknowledged))


def require_whole(engine: Engine, objects: Objects, *, expected: int) -> None:
    """Every asset has all that belongs to it, and nothing belongs to no asset."""
    with reading(engine) as connection:
        assets = connection.execute(select(asset.c.number, asset.c.id, asset.c.reference_digest)).all()
        assert len(assets) >= expected

        def count(column: object) -> int:
            return connection.scalar(select(func.count()).select_from(column)) or 0  # type: ignore[arg-type]

        assert count(binding) == 2 * len(assets)
        assert count(fingerprint_chunk) == 16 * len(assets)
        assert count(manifest) == count(trail_entry) == count(trail_payload) == count(trail_pending) == len(assets)
        assert set(connection.scalars(select(trail_entry.c.asset_id))) == {a.id for a in assets}
        digests = [*connection.scalars(select(manifest.c.digest)), *(a.reference_digest for a in assets)]
    for digest in digests:
        objects.get(digest)
