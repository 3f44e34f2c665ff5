"""Stored statuses in batches, and answers to requests that come twice."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, event

from provenance.errors import ConflictError, UnstorableError
from provenance.store import Registration, Registry, StatusRecord
from provenance.store.database import writing
from provenance.store.served import set_status

Make = Callable[..., Registration]


def sha(n: int) -> str:
    return hashlib.sha256(b"file %d" % n).hexdigest()


def test_a_status_is_served_as_it_was_stored(registry: Registry, at: datetime) -> None:
    stored = registry.set_status(None, sha(1), {"status": "none", "summary": "Nothing was found. 🙂"}, at=at)
    assert registry.statuses([sha(1)]) == {sha(1): stored}
    assert json.loads(stored.document)["summary"] == "Nothing was found. 🙂"
    assert stored.updated_at == at


def test_a_new_status_takes_the_place_of_the_old(registry: Registry, at: datetime) -> None:
    first = registry.set_status(None, sha(1), {"status": "pending"}, at=at)
    same = registry.set_status(None, sha(1), {"status": "pending"}, at=at + timedelta(hours=1))
    other = registry.set_status(None, sha(1), {"status": "trusted"}, at=at + timedelta(hours=2))
    assert first.etag == same.etag != other.etag
    assert registry.statuses([sha(1)]) == {sha(1): other}


def test_an_asset_answers_with_the_status_of_its_own_bytes(registry: Registry, make: Make, at: datetime) -> None:
    registry.register(make(1), at=at)
    registry.set_status("asset-1", sha(9), {"status": "recovered"}, at=at)  # a copy that led to the asset
    assert registry.statuses(["asset-1"]) == {}
    own = registry.set_status("asset-1", make(1).sha256, {"status": "trusted"}, at=at)
    registry.set_status("asset-1", sha(8), {"status": "altered"}, at=at + timedelta(days=1))
    assert registry.statuses(["asset-1", make(1).sha256]) == {"asset-1": own, make(1).sha256: own}


def test_an_asset_whose_id_looks_like_a_digest(registry: Registry, make: Make, at: datetime) -> None:
    registry.register(make(1, asset_id="ab" * 32), at=at)
    own = registry.set_status(None, make(1).sha256, {"status": "trusted"}, at=at)
    assert registry.statuses(["ab" * 32]) == {"ab" * 32: own}


def test_five_hundred_ids_take_two_queries(engine: Engine, registry: Registry, make: Make, at: datetime) -> None:
    for n in range(20):
        registry.register(make(n), at=at)
    with writing(engine) as connection:
        for n in range(20):
            set_status(connection, f"asset-{n}", make(n).sha256, {"n": n}, at)
        for n in range(230):
            set_status(connection, None, sha(n), {"n": n}, at)
    ids = [sha(n) for n in range(250)] + [f"asset-{n}" for n in range(250)]
    said: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda c, cursor, sql, *_: said.append(sql))
    found = registry.statuses(ids)
    assert len([sql for sql in said if sql.startswith("SELECT")]) == 2
    assert set(found) == {sha(n) for n in range(230)} | {f"asset-{n}" for n in range(20)}
    assert all(json.loads(found[sha(n)].document) == {"n": n} for n in range(230))
    assert all(json.loads(found[f"asset-{n}"].document) == {"n": n} for n in range(20))


def test_more_ids_than_parameters(registry: Registry, at: datetime) -> None:
    kept = registry.set_status(None, sha(40_000), {}, at=at)
    many = [sha(n) for n in range(7_000, 40_001)] + ["x"] * 40_000
    assert registry.statuses(many) == {sha(40_000): kept}
    assert registry.statuses([]) == {}


@pytest.mark.parametrize("sha256", ["", "0" * 63, "A" * 64, "asset-1"])
def test_a_status_is_of_a_digest(registry: Registry, at: datetime, sha256: str) -> None:
    with pytest.raises(UnstorableError, match="sha256"):
        registry.set_status(None, sha256, {}, at=at)


def test_many_threads_set_one_status(registry: Registry, at: datetime) -> None:
    done: list[StatusRecord] = []
    threads = [
        threading.Thread(target=lambda n=n: done.append(registry.set_status(None, sha(1), {"n": n}, at=at))) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 8
    assert registry.statuses([sha(1)])[sha(1)] in done


def test_the_same_request_gets_the_same_answer(registry: Registry, at: datetime) -> None:
    assert registry.recall("key", "POST /sign", sha(1)) is None
    assert registry.remember("key", "POST /sign", sha(1), b"first \0 answer", at=at) == b"first \0 answer"
    assert registry.remember("key", "POST /sign", sha(1), b"second answer", at=at) == b"first \0 answer"
    assert registry.recall("key", "POST /sign", sha(1)) == b"first \0 answer"


def test_a_key_with_another_request_is_a_conflict(registry: Registry, at: datetime) -> None:
    registry.remember("key", "POST /sign", sha(1), b"answer", at=at)
    with pytest.raises(ConflictError, match="another request"):
        registry.recall("key", "POST /sign", sha(2))
    with pytest.raises(ConflictError, match="another request"):
        registry.remember("key", "POST /sign", sha(2), b"answer", at=at)
    assert registry.recall("key", "POST /verify", sha(2)) is None
    assert registry.recall("KEY", "POST /sign", sha(2)) is None


def test_a_request_digest_is_a_digest(registry: Registry, at: datetime) -> None:
    with pytest.raises(UnstorableError, match="request digest"):
        registry.remember("key", "POST /sign", "no digest", b"", at=at)


def test_old_answers_are_forgotten(registry: Registry, at: datetime) -> None:
    for n in range(4):
        registry.remember(f"key {n}", "r", sha(n), b"answer", at=at + timedelta(days=n))
    assert registry.forget(at + timedelta(days=2)) == 2
    assert registry.forget(at + timedelta(days=2)) == 0
    assert [registry.recall(f"key {n}", "r", sha(n)) for n in range(4)] == [None, None, b"answer", b"answer"]
