"""Signatures of the signing process in the trail: each once, in order, whoever copies and whenever it stops."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from keys.errors import KeyFileError
from keys.journal import NAME, Journal, Signature, rotate
from provenance.recording import record
from provenance.store.chores import Chores
from provenance.store.database import reading
from provenance.store.tables import trail_entry, trail_payload

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def sign(folder: Path, *numbers: int) -> None:
    for number in numbers:
        entry = Signature(NOW, "k", "f" * 64, f"{number:064x}", f"i{number}", "Colophon", "digitalCapture", "image/jpeg")
        Journal(folder).enter(entry, lambda _: None)


def written(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        query = select(trail_payload.c.payload).join(trail_entry).where(trail_entry.c.kind == "signed").order_by(trail_entry.c.id)
        return [bytes(row.payload).decode().partition('"instance":"')[2].partition('"')[0] for row in connection.execute(query)]


def test_each_signature_is_copied_once_and_in_order(engine: Engine, tmp_path: Path) -> None:
    chores = Chores(engine)
    assert record(tmp_path, chores) == 0
    sign(tmp_path, 1, 2)
    assert record(tmp_path, chores) == 2
    assert record(tmp_path, chores) == 0
    sign(tmp_path, 3)
    assert record(tmp_path, chores) == 1
    assert written(engine) == ["i1", "i2", "i3"]


def test_a_long_journal_is_laid_aside_and_copied_on(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provenance.recording.journal.rotate", partial(rotate, longer_than=0))
    sign(tmp_path, 1, 2)
    assert record(tmp_path, Chores(engine)) == 2
    assert (tmp_path / "signed.2.jsonl").exists()
    assert record(tmp_path, Chores(engine)) == 0
    sign(tmp_path, 3)
    assert record(tmp_path, Chores(engine)) == 1
    assert written(engine) == ["i1", "i2", "i3"]


def test_two_that_copy_at_once(engine: Engine, tmp_path: Path) -> None:
    sign(tmp_path, *range(40))
    counts: list[int] = []
    threads = [threading.Thread(target=lambda: counts.append(record(tmp_path, Chores(engine)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 40
    assert written(engine) == [f"i{number}" for number in range(40)]


def test_another_journal_begins_anew(engine: Engine, tmp_path: Path) -> None:
    sign(tmp_path, 1)
    record(tmp_path, Chores(engine))
    (tmp_path / NAME).unlink()
    sign(tmp_path, 2)
    assert record(tmp_path, Chores(engine)) == 1
    assert written(engine) == ["i1", "i2"]


def test_a_crash_in_the_middle_copies_nothing_twice(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sign(tmp_path, 1, 2, 3)
    from provenance.store import trail

    real, calls = trail.append, []

    def failing(*arguments: object, **more: object) -> int:
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError
        return real(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(trail, "append", failing)
    with pytest.raises(RuntimeError):
        record(tmp_path, Chores(engine))
    monkeypatch.undo()
    assert written(engine) == []
    assert record(tmp_path, Chores(engine)) == 3
    assert written(engine) == ["i1", "i2", "i3"]


def test_a_damaged_journal_is_told(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("rubbish\n")
    with pytest.raises(KeyFileError):
        record(tmp_path, Chores(engine))
