"""The review desk and privileged acts: who may, what is recorded, what feeds hear."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.access import Access
from api.app import create_app
from api.wiring import House
from provenance.errors import ConflictError, NotFoundError
from provenance.store import connect, migrate
from provenance.store.database import writing
from provenance.store.quotas import Quotas
from provenance.store.reviews import Decision, Reviews
from provenance.store.served import set_status, statuses
from provenance.trail.entry import Kind

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


def digest(word: str) -> str:
    return hashlib.sha256(word.encode()).hexdigest()


class TestDesk:
    def ask(self, client: TestClient, house: House, name: str, status: str = "altered") -> dict[str, Any]:
        house.registry.set_status(None, digest(name), {"status": status, "label": "Changed"}, at=AT)
        answer = client.post("/api/v1/review", json={"sha256": digest(name), "why": "asked by the desk"})
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def test_a_decision_stands_beside_the_status_and_in_the_trail(self, client: TestClient, house: House) -> None:
        asked = self.ask(client, house, "decided")
        since = house.chores.bounds()[1]
        given = {"decision": "explained", "say": "A caption of the agency."}
        done = client.post(f"/api/v1/review/{asked['id']}/decision", json=given).json()
        assert (done["decision"], done["decided_by"]) == ("explained", "local")
        item = client.get(f"/api/v1/feed/status?ids={digest('decided')}").json()["items"][0]
        assert item["status"] == "altered"
        assert item["review"] == {"decision": "explained", "say": "A caption of the agency.", "at": done["decided_at"]}
        [change] = house.chores.changes(since)
        assert (change.cause, change.before, change.after) == ("reviewed", "altered", "altered")
        assert isinstance(done["entry_id"], int)

    def test_it_stands_as_long_as_the_status_is_the_same_word(self, client: TestClient, house: House) -> None:
        asked = self.ask(client, house, "again")
        client.post(f"/api/v1/review/{asked['id']}/decision", json={"decision": "upheld", "say": "So it is."})
        for status, kept in (("altered", True), ("valid", False)):
            house.registry.set_status(None, digest("again"), {"status": status}, at=AT)
            item = client.get(f"/api/v1/feed/status?ids={digest('again')}").json()["items"][0]
            assert ("review" in item) is kept

    def test_a_question_is_asked_once_and_decided_once(self, client: TestClient, house: House, problem: Any) -> None:
        asked = self.ask(client, house, "once")
        assert self.ask(client, house, "once")["id"] == asked["id"]
        given = {"decision": "upheld", "say": "So it is."}
        client.post(f"/api/v1/review/{asked['id']}/decision", json=given)
        problem(client.post(f"/api/v1/review/{asked['id']}/decision", json=given), 409, "conflict")
        assert self.ask(client, house, "once")["id"] != asked["id"]

    def test_queue(self, client: TestClient, house: House) -> None:
        first, second = (self.ask(client, house, name)["id"] for name in ("q1", "q2"))
        waiting = [one["id"] for one in client.get(f"/api/v1/review?after={first - 1}").json()["items"]]
        assert waiting[:2] == [first, second]
        client.post(f"/api/v1/review/{first}/decision", json={"decision": "unresolved", "say": "Nobody knows."})
        assert first not in [one["id"] for one in client.get("/api/v1/review").json()["items"]]
        assert first in [one["id"] for one in client.get(f"/api/v1/review?decided=true&after={first - 1}").json()["items"]]

    @pytest.mark.parametrize(
        "given", [{}, {"decision": "fake", "say": "x"}, {"decision": "upheld"}, {"decision": "upheld", "say": ""},
                  {"decision": "upheld", "say": "x", "more": 1}, {"decision": "upheld", "say": "x" * 3000}],
    )  # fmt: skip
    def test_bad_decisions(self, client: TestClient, problem: Any, given: Any) -> None:
        problem(client.post("/api/v1/review/1/decision", json=given), 422, "invalid-request")

    def test_unknown(self, client: TestClient, problem: Any) -> None:
        problem(client.get("/api/v1/review/99999999"), 404, "not-found")
        problem(client.post("/api/v1/review", json={"sha256": digest("never"), "why": "x"}), 404, "not-found")
        problem(client.post("/api/v1/assets/never/withdrawal", json={"reason": "x"}), 404, "not-found")


class TestKeys:
    def test_every_change_is_an_entry(self, client: TestClient, house: House, problem: Any) -> None:
        made = client.post("/api/v1/access/keys", json={"name": "a desk", "roles": ["auditor"]}).json()
        again = client.post(f"/api/v1/access/keys/{made['id']}/rotation").json()
        ended = client.delete(f"/api/v1/access/keys/{made['id']}").json()
        assert again["secret"] != made["secret"]
        assert (again["name"], again["roles"]) == (made["name"], made["roles"])
        assert ended["revoked_at"]
        told = [one.payload for one in _entries(house) if one.kind == Kind.ACCESS and one.payload]
        about = [(one["what"], one["by"], one["key"]) for one in told if made["id"] in {one["key"], one.get("instead_of")}]
        assert about == [("made", "local", made["id"]), ("replaced", "local", again["id"]), ("ended", "local", made["id"])]
        assert not any("secret" in one for one in told)
        problem(client.post(f"/api/v1/access/keys/{made['id']}/rotation"), 404, "not-found")
        listed = client.get("/api/v1/access/keys").text
        assert made["id"] in listed
        assert made["secret"] not in listed

    @pytest.mark.parametrize(
        "given", [{"name": "", "roles": ["feed"]}, {"name": "x", "roles": []}, {"name": "x", "roles": ["root"]}]
    )
    def test_no_such_role(self, client: TestClient, given: Any) -> None:
        assert client.post("/api/v1/access/keys", json=given).status_code == 422


@pytest.fixture
def guarded(house: House, tmp_path: Path) -> Iterator[tuple[TestClient, Access]]:
    settings = replace(house.settings, home=tmp_path, require_keys=True, heavy_per_minute=2)
    app = create_app(replace(house, settings=settings), guarded=True)
    with TestClient(app) as opened:
        yield opened, app.state.access


ACTS = [
    ("GET", "/api/v1/review", "reviewer"), ("POST", "/api/v1/review/1/decision", "reviewer"),
    ("POST", "/api/v1/assets/x/withdrawal", "admin"), ("POST", "/api/v1/keys/revocations", "admin"),
    ("GET", "/api/v1/access/keys", "admin"), ("POST", "/api/v1/access/keys", "admin"),
    ("DELETE", "/api/v1/access/keys/x", "admin"), ("POST", "/api/v1/renditions", "signer"),
    ("POST", "/api/v1/reverify", "auditor"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "role"), ACTS)
def test_only_the_role_may(guarded: tuple[TestClient, Access], problem: Any, method: str, path: str, role: str) -> None:
    client, access = guarded
    problem(client.request(method, path), 401, "no-key")
    for other in {"feed", "signer", "auditor", "reviewer"} - {role}:
        _, secret = access.new("x", [other], at=AT)
        problem(client.request(method, path, headers={"x-api-key": secret}), 403, "not-allowed")
    _, secret = access.new("x", [role], at=AT)
    assert client.request(method, path, headers={"x-api-key": secret}).status_code not in {401, 403}


def test_heavy_work_is_counted_over_all_processes(guarded: tuple[TestClient, Access], house: House, problem: Any) -> None:
    client, access = guarded
    _, secret = access.new("x", ["auditor"], at=AT)
    given = {"x-api-key": secret}
    assert client.post("/api/v1/verify", headers=given).status_code == 422
    with TestClient(create_app(replace(house, settings=replace(house.settings, heavy_per_minute=2, home=access._path.parent)),
                               guarded=True)) as other:  # fmt: skip
        assert other.post("/api/v1/verify", headers=given).status_code == 422
    answer = client.post("/api/v1/verify", headers=given)
    problem(answer, 429, "too-often")
    assert 1 <= int(answer.headers["retry-after"]) <= 31


def test_a_bucket_fills_again_and_is_shared(database_url: str) -> None:
    engine = connect(database_url)
    migrate(engine)
    one, other = Quotas(engine), Quotas(engine)
    assert [one.take("key:a", "heavy", 2, now=0.0), other.take("key:a", "heavy", 2, now=0.0)] == [0.0, 0.0]
    assert one.take("key:a", "heavy", 2, now=0.0) == pytest.approx(30.0)
    assert other.take("key:b", "heavy", 2, now=0.0) == 0.0
    assert other.take("key:a", "heavy", 2, now=31.0) == 0.0
    assert one.take("key:a", "heavy", 2, now=20.0) > 0  # a clock that went back gives nothing
    assert one.forget(10.0) == 1
    engine.dispose()


def test_the_desk_on_both_databases(database_url: str) -> None:
    engine = connect(database_url)
    migrate(engine)
    desk = Reviews(engine)
    with pytest.raises(NotFoundError):
        desk.open(digest("x"), "why", by="a", at=AT)
    with writing(engine) as connection:
        set_status(connection, None, digest("x"), {"status": "conflict"}, AT)
    asked = desk.open(digest("x"), "why", by="a", at=AT)
    assert desk.open(digest("x"), "again", by="b", at=AT) == asked
    done = desk.decide(asked.id, Decision.MISLEADING, "It shows another place.", by="c", at=AT)
    assert (done.decision, done.decided_by, done.decided_at) == ("misleading", "c", AT)
    with pytest.raises(ConflictError):
        desk.decide(asked.id, Decision.UPHELD, "No.", by="c", at=AT)
    with writing(engine) as connection:
        assert b'"decision":"misleading"' in statuses(connection, [digest("x")])[digest("x")].document
    engine.dispose()


def _entries(house: House) -> Any:
    from sqlalchemy import select

    from provenance.store import trail
    from provenance.store.database import reading
    from provenance.store.tables import trail_entry

    with reading(house.registry._engine) as connection:
        ids = list(connection.scalars(select(trail_entry.c.id).order_by(trail_entry.c.id)))
        return [found for entry_id in ids if (found := trail.entry(connection, entry_id)) is not None]
