"""What an entry hashes, and that neither database lets go of one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, exc, insert, select, text

from provenance.errors import NotFoundError
from provenance.store import Kind, Objects, Registration, Registry
from provenance.store.database import writing
from provenance.store.tables import trail_entry, trail_payload, trail_pending, trail_sequence
from provenance.store.trail import body, canonical, leaf_digest, payload_digest

Make = Callable[..., Registration]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def test_a_worked_example(registry: Registry, engine: Engine, objects: Objects, make: Make, at: datetime) -> None:
    """Every byte of an entry, written out by hand."""
    Registry(engine, objects, salt=lambda: bytes(range(16))).register(make(1, summary={"b": [1, None], "a": "é"}), at=at)
    (entry,) = registry.trail("asset-1")
    of_payload = hashlib.sha256(bytes(range(16)) + '{"a":"é","b":[1,null]}'.encode()).hexdigest()
    leaf = '{"asset":"asset-1","at":"2026-11-21T09:30:00.123456Z","kind":"captured","payload_digest":"' + of_payload + '"}'
    assert entry.body == leaf.encode()
    assert entry.digest == hashlib.sha256(b"\x00" + leaf.encode()).hexdigest()
    assert entry.salt == bytes(range(16))
    assert (entry.at, entry.kind, entry.asset_id, entry.seq) == (at, "captured", "asset-1", None)


def test_the_leaf_hash_is_rfc_6962s() -> None:
    """Leaves of the test tree that RFC 6962 implementations share."""
    assert leaf_digest(b"") == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert leaf_digest(b"\x00") == "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"


@settings(max_examples=50)
@given(value=st.dictionaries(st.text(), JSON))
def test_canonical_json_reads_back_and_is_one_way_to_write(value: dict[str, Any]) -> None:
    try:
        data = canonical(value)
    except ValueError:  # a lone surrogate
        assert any(0xD800 <= ord(c) < 0xE000 for c in json.dumps(value, ensure_ascii=False))
        return
    assert json.loads(data) == value
    assert canonical(json.loads(data)) == data
    assert canonical(dict(reversed(value.items()))) == data
    assert b"\0" not in data


@given(asset_id=st.none() | st.text(st.characters(codec="utf-8")), at=st.datetimes(timezones=st.just(UTC)))
def test_a_body_says_what_went_in(asset_id: str | None, at: datetime) -> None:
    said = json.loads(body(Kind.JUDGED, asset_id, "0" * 64, at))
    assert body(Kind.JUDGED, asset_id, "0" * 64, at) == canonical(said)
    assert said == {
        "asset": asset_id,
        "at": at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "kind": "judged",
        "payload_digest": "0" * 64,
    }


def test_a_year_has_four_digits() -> None:
    assert b'"at":"0099-01-02T03:04:05.000006Z"' in body(Kind.JUDGED, None, "0" * 64, datetime(99, 1, 2, 3, 4, 5, 6, tzinfo=UTC))


@pytest.mark.parametrize("size", [0, 15, 17])
def test_a_salt_has_sixteen_bytes(size: int) -> None:
    with pytest.raises(ValueError, match="16"):
        payload_digest(bytes(size), b"{}")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\udfff"])
def test_what_json_cannot_say_is_refused(value: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        canonical({"x": value})


def test_kinds_are_exactly_these(registry: Registry, at: datetime) -> None:
    kinds = ["captured", "edited", "rendition", "registered", "bound", "revoked", "withdrawn", "judged", "reviewed"]
    kinds += ["consent", "signed", "erased", "access"]
    ids = [registry.append(kind, None, {"n": n}, at=at) for n, kind in enumerate(kinds)]
    assert ids == sorted(ids)
    assert [k.value for k in Kind] == kinds
    for other in ("deleted", "", "Captured", "captured "):
        with pytest.raises(ValueError):  # noqa: PT011
            registry.append(other, None, {}, at=at)


def test_the_database_knows_the_kinds_as_well(engine: Engine, at: datetime) -> None:
    row = {"at": at, "kind": "deleted", "asset_id": None, "body": b"", "digest": "0" * 64}
    with pytest.raises(exc.IntegrityError), writing(engine) as connection:
        connection.execute(insert(trail_entry), row)


def test_an_entry_names_a_registered_asset_or_none(registry: Registry, make: Make, at: datetime) -> None:
    with pytest.raises(NotFoundError, match="nobody"):
        registry.append("judged", "nobody", {}, at=at)
    registry.register(make(1), at=at)
    registry.append("judged", "asset-1", {"status": "trusted"}, at=at)
    assert [e.kind for e in registry.trail("asset-1")] == ["captured", "judged"]
    assert registry.trail("nobody") == ()


def test_salts_differ(registry: Registry, at: datetime, make: Make) -> None:
    registry.register(make(1), at=at)
    for _ in range(3):
        registry.append("judged", "asset-1", {"same": True}, at=at)
    entries = registry.trail("asset-1")
    assert len({e.salt for e in entries}) == len({e.digest for e in entries}) == 4


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE trail_entry SET kind = 'edited'",
        "UPDATE trail_entry SET body = body",
        "DELETE FROM trail_entry",
        "DELETE FROM trail_entry WHERE id = (SELECT max(id) FROM trail_entry)",
        "UPDATE trail_sequence SET seq = seq + 1",
        "DELETE FROM trail_sequence",
        "UPDATE trail_payload SET payload = salt",
    ],
)
def test_nothing_is_taken_out_of_the_trail(engine: Engine, registry: Registry, make: Make, at: datetime, sql: str) -> None:
    registry.register(make(1), at=at)
    registry.append("judged", "asset-1", {}, at=at)
    number_all(engine)
    before = registry.trail("asset-1")
    with pytest.raises(exc.DBAPIError, match="append-only"), writing(engine) as connection:
        connection.execute(text(sql))
    assert registry.trail("asset-1") == before


def test_no_statement_of_one_database_gets_round_that(engine: Engine, registry: Registry, make: Make, at: datetime) -> None:
    registry.register(make(1), at=at)
    number_all(engine)
    if engine.dialect.name == "postgresql":
        attempts = [
            "TRUNCATE trail_entry CASCADE",
            "TRUNCATE trail_sequence",
            "SET session_replication_role = replica; DELETE FROM trail_sequence",
            "INSERT INTO trail_sequence SELECT * FROM trail_sequence ON CONFLICT (seq) DO UPDATE SET entry_id = 9",
        ]
    else:
        attempts = [
            "INSERT OR REPLACE INTO trail_entry SELECT * FROM trail_entry",
            "REPLACE INTO trail_sequence SELECT seq + 1, entry_id FROM trail_sequence",
            "REPLACE INTO trail_payload SELECT entry_id, salt, salt FROM trail_payload",
            "UPDATE OR REPLACE trail_sequence SET seq = 7",
        ]
    before = registry.trail("asset-1")
    for sql in attempts:
        for recursive in ("ON", "OFF"):
            with writing(engine) as connection:
                if engine.dialect.name == "sqlite":
                    connection.exec_driver_sql(f"PRAGMA recursive_triggers={recursive}")
                *before_it, last = sql.split("; ")
                for part in before_it:
                    connection.execute(text(part))
                with pytest.raises(exc.DBAPIError, match="append-only"):
                    connection.execute(text(last))
                connection.rollback()
    assert registry.trail("asset-1") == before


def test_an_erased_payload_leaves_the_entry_as_it_was(engine: Engine, registry: Registry, make: Make, at: datetime) -> None:
    registry.register(make(1, summary={"name": "Ada Lovelace"}), at=at)
    (before,) = registry.trail("asset-1")
    with writing(engine) as connection:
        connection.execute(delete(trail_payload).where(trail_payload.c.entry_id == before.id))
    (after,) = registry.trail("asset-1")
    assert (after.payload, after.salt) == (None, None)
    assert (after.body, after.digest, after.id, after.at) == (before.body, before.digest, before.id, before.at)
    assert leaf_digest(after.body) == after.digest
    assert b"Lovelace" not in after.body
    assert before.salt is not None
    assert before.payload is not None
    assert json.loads(after.body)["payload_digest"] == payload_digest(before.salt, canonical(before.payload))


def test_a_sequencer_can_number_what_waits(engine: Engine, registry: Registry, make: Make, at: datetime) -> None:
    for n in range(5):
        registry.register(make(n), at=at)
    assert [e.seq for n in range(5) for e in registry.trail(f"asset-{n}")] == [None] * 5
    assert number_all(engine) == 5
    assert [e.seq for n in range(5) for e in registry.trail(f"asset-{n}")] == [0, 1, 2, 3, 4]
    assert number_all(engine) == 0
    with pytest.raises(exc.DBAPIError), writing(engine) as connection:  # one entry, one number
        connection.execute(insert(trail_sequence), {"seq": 9, "entry_id": registry.trail("asset-0")[0].id})
    with pytest.raises(exc.DBAPIError), writing(engine) as connection:
        connection.execute(insert(trail_sequence), {"seq": -1, "entry_id": 99})


def number_all(engine: Engine) -> int:
    """What a sequencer will do, at its smallest: contiguous numbers for what waits, in one transaction."""
    with writing(engine) as connection:
        waiting = connection.scalars(select(trail_pending.c.entry_id).order_by(trail_pending.c.entry_id)).all()
        taken = len(connection.scalars(select(trail_sequence.c.seq)).all())
        if waiting:
            rows = [{"seq": taken + n, "entry_id": entry_id} for n, entry_id in enumerate(waiting)]
            connection.execute(insert(trail_sequence), rows)
            connection.execute(delete(trail_pending).where(trail_pending.c.entry_id.in_(waiting)))
    return len(waiting)
