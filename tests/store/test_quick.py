"""Statuses as feeds read them: the same answers as the registry's, on both databases, and never an old one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from sqlalchemy import Engine

from provenance.errors import DatabaseUnavailableError
from provenance.store import Registration, Registry, connect
from provenance.store.quick import QuickStatuses, Served

Make = Callable[..., Registration]


def sha(n: int) -> str:
    return hashlib.sha256(b"quick %d" % n).hexdigest()


@pytest.fixture
def quick(engine: Engine, registry: Registry) -> QuickStatuses:
    return QuickStatuses(engine)


def test_only_sqlite_is_read_on_an_event_loop(quick: QuickStatuses, engine: Engine) -> None:
    assert quick.local is (engine.dialect.name == "sqlite")


@pytest.mark.parametrize("count", [1, 2, 3, 100, 500])
def test_batches_as_the_registry_answers_them(quick: QuickStatuses, registry: Registry, at: datetime, count: int) -> None:
    for n in range(0, count, 2):
        registry.set_status(None, sha(n), {"status": "valid", "n": n}, at=at)
    asked = [sha(n) for n in range(count)]
    told = registry.statuses(asked)
    assert quick.read(asked) == {key: Served(one.document, one.etag) for key, one in told.items()}
    assert len(told) == (count + 1) // 2


def test_by_asset_and_by_file_in_one_question(quick: QuickStatuses, registry: Registry, make: Make, at: datetime) -> None:
    registry.register(make(1), at=at)
    stored = registry.set_status("asset-1", make(1).sha256, {"status": "trusted"}, at=at)
    expected = Served(stored.document, stored.etag)
    assert quick.read(["asset-1", make(1).sha256, "asset-2", sha(9)]) == {"asset-1": expected, make(1).sha256: expected}


def test_a_change_is_seen_at_once_and_by_every_thread(quick: QuickStatuses, registry: Registry, at: datetime) -> None:
    asked = [sha(1), "no-such-asset"]
    assert quick.read(asked) == {}
    with ThreadPoolExecutor(3) as threads:
        for word in ("pending", "trusted", "revoked"):
            registry.set_status(None, sha(1), {"status": word}, at=at)
            for found in threads.map(lambda _: quick.read(asked), range(6)):
                assert word.encode() in found[sha(1)].document


@pytest.mark.parametrize(
    "name", ["", "'", "\0", "x" * 5000, "%s", "?", "a'; DROP TABLE status; --", "\ud800", "é", "AB" * 32, "0" * 63]
)
def test_a_name_that_is_nobodys(quick: QuickStatuses, registry: Registry, at: datetime, name: str) -> None:
    registry.set_status(None, sha(1), {"status": "none"}, at=at)
    assert set(quick.read([name, sha(1)])) == {sha(1)}
    assert set(quick.read([sha(1)])) == {sha(1)}


def test_nothing_is_answered_by_a_database_without_its_tables(database_url: str) -> None:
    engine = connect(database_url)
    with pytest.raises(DatabaseUnavailableError) as caught:
        QuickStatuses(engine).read([sha(1)])
    engine.dispose()
    assert "status" in str(caught.value)


def test_a_server_that_is_gone() -> None:
    engine = connect("postgresql://nobody:secret@127.0.0.1:1/none")
    with pytest.raises(DatabaseUnavailableError) as caught:
        QuickStatuses(engine).read([sha(1)])
    engine.dispose()
    assert "secret" not in str(caught.value)
