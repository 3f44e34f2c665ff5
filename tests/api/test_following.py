"""Changes of statuses: told to followers as they are committed, in order, without gaps; and to webhooks once."""

from __future__ import annotations

import hashlib
import http.client
import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from api.wiring import House
from provenance.outbox import status_changed
from provenance.store import connect, migrate
from provenance.store.chores import Chores
from provenance.store.database import writing
from provenance.store.events import PENDING
from provenance.store.served import pending, set_status
from tests.api.test_jobs import served

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
PATH = "/api/v1/feed/events"


def digest(word: str) -> str:
    return hashlib.sha256(word.encode()).hexdigest()


class Stream:
    """One follower behind a real socket."""

    def __init__(self, address: str, query: str = "", last: int | None = None) -> None:
        parts = urlsplit(address)
        self._connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=120)
        self._connection.request("GET", PATH + query, headers={} if last is None else {"Last-Event-ID": str(last)})
        self.answer = self._connection.getresponse()

    def next(self) -> dict[str, str]:
        """The next event's fields; comments are passed over."""
        found: dict[str, str] = {}
        while True:
            line = self.answer.readline().decode().rstrip("\n")
            if line == "" and found:
                return found
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                found[name] = value

    def status(self) -> dict[str, Any]:
        """The next change."""
        while (found := self.next()).get("event") != "status":
            assert "event" not in found, found
        return {"id": int(found["id"]), **json.loads(found["data"])}

    def close(self) -> None:
        self._connection.close()


@contextmanager
def following(address: str, query: str = "", last: int | None = None) -> Iterator[Stream]:
    stream = Stream(address, query, last)
    try:
        yield stream
    finally:
        stream.close()


def test_a_follower_hears_each_change_once_and_in_order(server: str, house: House) -> None:
    one, other = digest("followed"), digest("not followed")
    with following(server, f"?ids={one}") as stream:
        assert stream.answer.headers["content-type"].startswith("text/event-stream")
        stream.next()
        for word in ("none", "trusted", "trusted", "revoked"):
            house.registry.set_status(None, other, {"status": word}, at=AT)
            house.registry.set_status(None, one, {"status": word, "at": word}, at=AT)
        heard = [stream.status() for _ in range(3)]
    assert [(h["before"], h["after"]) for h in heard] == [(None, "none"), ("none", "trusted"), ("trusted", "revoked")]
    assert {h["sha256"] for h in heard} == {one}
    assert [h["id"] for h in heard] == sorted({h["id"] for h in heard})
    assert heard[2]["status"] == {"status": "revoked", "at": "revoked"}


def test_who_was_away_goes_on_where_they_were(server: str, house: House) -> None:
    sha256 = digest("resumed")
    house.registry.set_status(None, sha256, {"status": "valid"}, at=AT)
    with following(server, f"?ids={sha256}", last=0) as stream:
        first = stream.status()
    house.registry.set_status(None, sha256, {"status": "altered"}, at=AT)
    with following(server, f"?ids={sha256}", last=first["id"]) as stream:
        assert stream.status()["after"] == "altered"


def test_withdrawing_reaches_followers(
    server: str, house: House, client: TestClient, signed: dict[str, Any], photo: bytes
) -> None:
    """A real asset, withdrawn over HTTP: its status says so at once."""
    made = client.post(
        "/api/v1/sign", files={"file": ("w.jpg", photo)}, data={"mark": "none"}, headers={"accept": "application/json"}
    ).json()
    with following(server, f"?ids={made['asset_id']}") as stream:
        stream.next()
        answer = client.post(f"/api/v1/assets/{made['asset_id']}/withdrawal", json={"reason": "taken by mistake"})
        assert answer.status_code == 200, answer.text
        heard = stream.status()
    assert (heard["after"], heard["cause"]) == ("revoked", "withdrawn")
    item = client.get(f"/api/v1/feed/status?ids={made['asset_id']}").json()["items"][0]
    assert item["status"] == "revoked"


def test_too_many_ids_or_listeners_are_refused(client: TestClient, problem: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    problem(client.get(PATH, params={"ids": ",".join(f"i{n}" for n in range(501))}), 422, "too-many-ids")
    monkeypatch.setattr("api.following.MOST", 0)
    problem(client.get(PATH), 503, "busy")


@pytest.fixture
def chores(database_url: str) -> Iterator[tuple[Engine, Chores]]:
    engine = connect(database_url)
    migrate(engine)
    yield engine, Chores(engine)
    engine.dispose()


def test_what_webhooks_are_due_for(chores: tuple[Engine, Chores]) -> None:
    """Not the first word of all, not "pending", not the same again; everything else, once."""
    engine, kept = chores
    sha256 = digest("hooked")
    with writing(engine) as connection:
        assert pending(connection, sha256, {"status": PENDING}, AT)
        assert not pending(connection, sha256, {"status": PENDING}, AT)
        for word in ("none", "none", "trusted"):
            set_status(connection, None, sha256, {"status": word, "at": str(AT)}, AT)
    told: list[Any] = []

    def compose(changes: Any) -> Any:
        told.extend(changes)
        return status_changed([c.as_dict() for c in changes], targets=["https://a.example/"], at=AT, new_id=lambda: "x")

    assert (kept.tell(compose, at=AT), kept.tell(compose, at=AT)) == (2, 0)
    assert [(c.before, c.after) for c in told] == [(PENDING, "none"), ("none", "trusted")]
    [waiting] = kept.take(now=AT)
    assert [c["after"] for c in json.loads(waiting.message.body)["data"]["changes"]] == ["none", "trusted"]
    assert kept.bounds()[1] == kept.changes(0)[-1].id


def test_old_changes_are_forgotten_but_never_the_place_of_the_newest(chores: tuple[Engine, Chores]) -> None:
    engine, kept = chores
    for n in range(3):
        with writing(engine) as connection:
            set_status(connection, None, digest(str(n)), {"status": "none"}, AT)
    assert kept.forget(changes_before=AT + timedelta(days=1), verdicts_before=AT) == 2
    assert [c.sha256 for c in kept.changes(0)] == [digest("2")]


def test_writers_at_once_leave_no_gap_that_fills_later(chores: tuple[Engine, Chores]) -> None:
    """Whoever reads up to an id misses none below it: ids come in the order of commits."""
    engine, kept = chores
    over, wrong = threading.Event(), list[str]()

    def read() -> None:
        last, seen = 0, set[int]()
        while not over.is_set() or kept.changes(last):
            for change in kept.changes(last):
                seen.add(change.id)
                last = change.id
        missed = {c.id for c in kept.changes(0)} - seen
        wrong.extend(map(str, missed))

    def write(name: str) -> None:
        for n in range(15):
            with writing(engine) as connection:
                set_status(connection, None, digest(f"{name}{n}"), {"status": "none"}, AT)

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    over.set()
    reader.join(120)
    assert len(kept.changes(0)) == 60
    assert not wrong


@pytest.mark.slow
def test_followers_do_not_hold_up_a_service_that_stops(tmp_path: Path) -> None:
    with served(tmp_path / "home") as (address, process), following(address) as stream:
        stream.next()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) in {0, -signal.SIGTERM}  # well below the half minute that others get
