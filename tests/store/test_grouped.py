"""Entries of many threads in one transaction: each gets its own id, each learns of a failure, none is half there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import Engine, text

from provenance.errors import UnavailableError
from provenance.store import grouped
from provenance.store.database import reading, writing
from provenance.store.grouped import Answer, Grouped
from provenance.store.log import Log
from provenance.store.registry import Registry
from provenance.trail.entry import leaf_digest, parse_body, payload_digest

SALT = bytes(range(16))


def line(engine: Engine, **more: Any) -> Grouped:
    return Grouped(engine, salt=lambda: SALT, **more)


@pytest.mark.parametrize(
    ("asset", "payload"),
    [
        (None, {}),
        ("a1", {"n": 1, "list": [None, True, "x"]}),
        ('quo"ted \\ {b}, NULL', {"say": 'ä "é" \\ \u2028 🙂, {} NULL'}),
        ("", {"": ""}),
    ],
)
def test_an_entry_is_what_a_single_append_writes(
    engine: Engine, registry: Registry, at: datetime, asset: str | None, payload: dict[str, Any]
) -> None:
    with line(engine) as put:
        answer = put.append("judged", asset, payload, at=at.astimezone(timezone(timedelta(hours=5, minutes=45))))
    stored = Log(engine).entry(answer.result())
    assert stored is not None
    assert (stored.at, stored.kind, stored.asset_id, stored.payload, stored.salt) == (at, "judged", asset, payload, SALT)
    said = parse_body(stored.body)
    assert (said.kind, said.asset, said.at) == ("judged", asset, at)
    assert stored.digest == leaf_digest(stored.body)
    single = Registry(engine, registry._objects, salt=lambda: SALT).append("judged", None, payload, at=at)
    other = Log(engine).entry(single)
    assert other is not None
    assert parse_body(other.body).payload_digest == said.payload_digest
    assert (other.payload, other.salt, other.at) == (stored.payload, stored.salt, stored.at)


def test_every_thread_gets_the_id_of_its_own_entry(engine: Engine, at: datetime) -> None:
    got: dict[int, tuple[int, int]] = {}
    with line(engine, most=16) as put:

        def work(who: int) -> None:
            for n in range(5):
                got[put.append("judged", f"asset {who}", {"n": n}, at=at).result()] = (who, n)

        threads = [threading.Thread(target=work, args=(who,)) for who in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    log = Log(engine)
    assert len(got) == log.waiting() == 60
    for entry_id, (who, n) in got.items():
        stored = log.entry(entry_id)
        assert stored is not None
        assert (stored.asset_id, stored.payload) == (f"asset {who}", {"n": n})


def test_ids_ascend_in_the_order_of_one_thread(engine: Engine, at: datetime) -> None:
    with line(engine, most=7) as put:
        answers = [put.append("judged", None, {"n": n}, at=at) for n in range(50)]
    ids = [answer.result() for answer in answers]
    assert ids == sorted(set(ids))


def test_a_failure_reaches_all_who_wait_and_the_next_group_is_written(
    engine: Engine, at: datetime, rows: Callable[[], dict[str, int]]
) -> None:
    with line(engine) as put:
        with writing(engine) as connection:
            connection.execute(text("ALTER TABLE trail_pending RENAME TO away"))
        answers = [put.append("judged", None, {"n": n}, at=at) for n in range(3)]
        for answer in answers:
            with pytest.raises(Exception, match="trail_pending"):
                answer.result()
        with writing(engine) as connection:
            connection.execute(text("ALTER TABLE away RENAME TO trail_pending"))
        assert put.append("judged", None, {"n": 9}, at=at).result() > 0
    counts = rows()
    assert (counts["trail_entry"], counts["trail_payload"], counts["trail_pending"]) == (1, 1, 1)  # nothing half there


def test_an_answer_that_does_not_come_in_time() -> None:
    answer = Answer()
    with pytest.raises(UnavailableError):
        answer.result(0.01)
    answer.give(7)
    assert (answer.result(), answer.result(0.0)) == (7, 7)  # as often as one likes


@pytest.mark.parametrize(
    ("kind", "payload", "error"),
    [("invented", {}, ValueError), ("judged", {"x": float("nan")}, ValueError), ("judged", {"x": b"bytes"}, TypeError)],
)
def test_what_is_no_entry_never_gets_into_line(
    engine: Engine, at: datetime, kind: str, payload: dict[str, Any], error: type[Exception]
) -> None:
    with line(engine) as put, pytest.raises(error):
        put.append(kind, None, payload, at=at)
    with line(engine) as put, pytest.raises(ValueError, match="time zone"):
        put.append("judged", None, {}, at=at.replace(tzinfo=None))
    with reading(engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM trail_entry")).scalar() == 0


def test_a_line_that_is_closed_or_full_says_come_back(engine: Engine, at: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    put = line(engine)
    put.close()
    with pytest.raises(UnavailableError):
        put.append("judged", None, {}, at=at)
    monkeypatch.setattr(grouped, "_FULL", 0)
    with line(engine) as put, pytest.raises(UnavailableError):
        put.append("judged", None, {}, at=at)


def test_the_salted_digest_is_of_the_stored_payload(engine: Engine, at: datetime) -> None:
    with line(engine) as put:
        answer = put.append("judged", None, {"b": 1, "a": 2}, at=at)
    with reading(engine) as connection:
        payload = connection.execute(text("SELECT payload FROM trail_payload")).scalar_one()
    stored = Log(engine).entry(answer.result())
    assert stored is not None
    assert bytes(payload) == b'{"a":2,"b":1}'
    assert parse_body(stored.body).payload_digest == payload_digest(SALT, b'{"a":2,"b":1}')
