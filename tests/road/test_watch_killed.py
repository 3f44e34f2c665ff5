"""A watch is killed with -9 at twenty random moments: nothing is lost, nothing doubled, and the order is kept."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select

from keys.keystore import init_development
from provenance import sdk
from provenance.capture import SignRequest
from provenance.desk import Desk, Studio
from provenance.store import Objects, Registry, connect, migrate
from provenance.store.database import reading
from provenance.store.tables import asset, trail_entry
from provenance.watching import Watch, locally
from watermark.payload import PUBLIC_KEY

FILES, KILLS = 24, 20


def now() -> datetime:
    return datetime.now(UTC)


class Here:
    """Workers that work in this process: one kill ends everything at once, in the middle of whatever it is."""

    def run(self, task: Callable[..., Any], *arguments: Any) -> Any:
        return task(*arguments)


@dataclass(frozen=True)
class Place:
    """A home, a folder to watch, and where the signed files go."""

    root: Path

    @property
    def folders(self) -> tuple[Path, Path]:
        return self.root / "in", self.root / "out"

    def studio(self) -> Studio:
        engine = connect(f"sqlite:///{self.root / 'colophon.db'}")
        migrate(engine)
        keystore = init_development(self.root / "keys", now=now())
        desk = Desk(Here(), keystore.development_lists(), (PUBLIC_KEY,), Registry(engine, Objects(self.root / "objects")))  # type: ignore[arg-type]
        dice = random.SystemRandom()
        return Studio(
            desk,
            "development",
            keystore.folder,
            PUBLIC_KEY,
            lambda: None,
            lambda: dice.getrandbits(64),
            lambda: dice.randbytes(16).hex(),
        )

    def work(self, *, settled: bool, ready: Path | None = None) -> None:
        """Watch: until killed, or once over everything that is there."""
        studio = self.studio()
        assert studio.desk.registry is not None
        watch = Watch(*self.folders, SignRequest(*self.folders, mark="none"), settled=settled)
        with watch.backlog.held():
            if ready is not None:
                ready.touch()
            while True:
                for _ in watch.round(studio, locally(studio.desk.registry), clock=now):
                    pass
                if settled:
                    break
                time.sleep(0.01)


def drop(folder: Path, number: int) -> None:
    """A small picture of its own; its time of change is its number, so that the order is known."""
    pixels = np.random.default_rng(number).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    path = folder / f"{number:03d}.jpg"
    Image.fromarray(pixels).save(folder / f".{path.name}", "JPEG", quality=90)
    os.utime(folder / f".{path.name}", (1_700_000_000 + number, 1_700_000_000 + number))
    (folder / f".{path.name}").rename(path)


def _begin(place: Place, ready: Path) -> None:
    sdk._context.cache_clear()  # a context of the library is its process's own
    place.work(settled=False, ready=ready)


@pytest.mark.slow
def test_killed_twenty_times(tmp_path: Path) -> None:
    place, dice = Place(tmp_path), random.Random(11)
    for folder in place.folders:
        folder.mkdir()
    place.studio()  # the home is made before anything is killed
    dropped, left = iter(range(1, FILES + 1)), 0
    for turn in range(KILLS):
        ready = tmp_path / f"ready{turn}"
        process = multiprocessing.get_context("fork").Process(target=_begin, args=(place, ready), daemon=True)
        process.start()
        for number in (next(dropped, None), next(dropped, None)):
            if number is not None:
                drop(place.folders[0], number)
        while not ready.exists():
            assert process.is_alive(), "it ended by itself"
            time.sleep(0.005)
        time.sleep(dice.uniform(0.0, 1.2))
        assert process.pid is not None
        assert process.is_alive(), "it ended by itself"
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        process.close()
        left += len(list((place.folders[1] / ".colophon").glob("*/*"))) if (place.folders[1] / ".colophon").exists() else 0
    assert left, "nothing had begun when it was killed: the test shows nothing"
    sdk._context.cache_clear()
    place.work(settled=True)
    _check(place)


def _check(place: Place) -> None:
    backlog, names = place.folders[1] / ".colophon", [f"{number:03d}.jpg" for number in range(1, FILES + 1)]
    assert not [*(backlog / "queue").iterdir(), *(backlog / "work").iterdir(), *(backlog / "refused").iterdir()]
    notes = [json.loads(path.read_text()) for path in sorted((backlog / "done").iterdir())]
    assert sorted(note["name"] for note in notes) == names
    assert sorted(path.name for path in place.folders[1].glob("*.jpg")) == names
    studio = place.studio()
    registry = studio.desk.registry
    assert registry is not None
    with reading(registry._engine) as connection:
        ids = list(connection.scalars(select(asset.c.id)))
        captured = select(trail_entry.c.asset_id).where(trail_entry.c.kind == "captured").order_by(trail_entry.c.id)
        entries = list(connection.scalars(captured))
    assert len(ids) == len(set(ids)) == FILES  # none lost, none doubled
    assert entries == [note["asset_id"] for note in notes]  # in order
    for note in notes:  # and each file is, byte for byte, the one that was registered
        known = registry.by_sha256(hashlib.sha256((place.folders[1] / note["name"]).read_bytes()).hexdigest())
        assert known is not None
        assert known.asset_id == note["asset_id"]
