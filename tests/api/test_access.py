"""API keys, roles and limits: what a service asks for that listens beyond its own machine."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from starlette.testclient import TestClient

from api.access import ROLES, Access
from api.app import create_app
from api.cli.app import run
from api.guard import Limits, role_for
from api.settings import load
from api.wiring import House, open_house
from provenance.errors import InputError, NotFoundError
from provenance.store import trail
from provenance.store.database import reading
from provenance.store.tables import trail_entry
from provenance.trail.entry import Kind

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


@pytest.fixture
def access(tmp_path: Path) -> Access:
    return Access(tmp_path)


@pytest.fixture
def guarded(house: House, tmp_path: Path) -> Iterator[tuple[TestClient, Access]]:
    """The same house behind a guard, with keys of its own."""
    settings = replace(house.settings, home=tmp_path, requests_per_minute=30, heavy_per_minute=2)
    app = create_app(replace(house, settings=settings), guarded=True)
    with TestClient(app) as client:
        yield client, app.state.access


def key(access: Access, *roles: str) -> dict[str, str]:
    return {"authorization": f"Bearer {access.new('one', roles, at=AT)[1]}"}


class TestKeys:
    def test_only_a_digest_is_kept_and_only_for_its_owner(self, access: Access, tmp_path: Path) -> None:
        made, text = access.new("desk", ["feed"], at=AT)
        stored = (tmp_path / "access.json").read_text()
        assert text.rsplit("_", 1)[-1] not in stored
        assert made.digest in stored
        assert stat.S_IMODE((tmp_path / "access.json").stat().st_mode) == 0o600
        assert access.key(text) == made

    def test_another_process_sees_it_come_and_go(self, access: Access, tmp_path: Path) -> None:
        other = Access(tmp_path)
        made, text = access.new("desk", ["feed"], at=AT)
        assert other.key(text) == made
        other.revoke(made.id, at=AT)
        assert access.key(text) is None
        assert [one.revoked_at for one in access.listed()] == ["2026-11-21T09:30:00+00:00"]
        assert other.revoke(made.id, at=datetime.now(UTC)).revoked_at == "2026-11-21T09:30:00+00:00"

    @given(st.text(max_size=80))
    def test_no_text_is_a_key(self, text: str) -> None:
        assert Access(Path("/nonexistent")).key(text) is None
        assert Access(Path("/nonexistent")).opened(text, now=0) is None

    def test_a_secret_opens_only_its_own_key(self, access: Access) -> None:
        (first, one), (second, two) = (access.new(name, ["feed"], at=AT) for name in "ab")
        swapped = f"colophon_{first.id}_{two[-43:]}"
        assert access.key(swapped) is None
        assert access.client(second.id, one) is None
        assert access.client(first.id, one) == access.client(first.id, one[-43:]) == first

    @pytest.mark.parametrize(
        ("name", "roles"), [("", ["feed"]), ("x", []), ("x", ["root"]), ("x\n", ["feed"]), ("x" * 101, ["feed"])]
    )
    def test_what_is_no_key(self, access: Access, name: str, roles: list[str]) -> None:
        with pytest.raises(InputError):
            access.new(name, roles, at=AT)
        with pytest.raises(NotFoundError):
            access.revoke("none", at=AT)

    @pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"keys": []}', b'{"token_secret": "x", "keys": []}'])
    def test_a_damaged_file_opens_to_nobody(self, access: Access, tmp_path: Path, content: bytes) -> None:
        _, text = access.new("x", ["admin"], at=AT)
        (tmp_path / "access.json").write_bytes(content)
        with pytest.raises(InputError):
            access.key(text)

    def test_an_admin_may_everything(self, access: Access) -> None:
        made, _ = access.new("x", ["admin"], at=AT)
        assert all(made.may(role) for role in ROLES)


class TestGuard:
    @pytest.mark.parametrize("path", ["/", "/healthz", "/problems/busy", "/v1/services/status", "/api/v1/feed/key"])
    def test_some_is_for_everyone(self, guarded: tuple[TestClient, Access], path: str) -> None:
        assert guarded[0].get(path).status_code == 200

    @pytest.mark.parametrize(
        ("method", "path"),
        [("GET", "/api/v1/feed/status?ids=x"), ("POST", "/api/v1/verify"), ("POST", "/api/v1/sign"), ("GET", "/metrics"),
         ("GET", "/api/v1/assets/x"), ("POST", "/v1/matches/byContent"), ("GET", "/no/such"), ("DELETE", "/")],
    )  # fmt: skip
    def test_the_rest_asks_for_a_key(self, guarded: tuple[TestClient, Access], problem: Any, method: str, path: str) -> None:
        answer = guarded[0].request(method, path)
        problem(answer, 401, "no-key")
        assert answer.headers["www-authenticate"].startswith("Bearer")

    def test_a_key_opens_what_its_role_may(self, guarded: tuple[TestClient, Access], problem: Any) -> None:
        client, access = guarded
        feed = key(access, "feed")
        assert client.get("/api/v1/feed/status?ids=x", headers=feed).status_code == 200
        assert client.get("/api/v1/feed/status?ids=x", headers={"x-api-key": feed["authorization"][7:]}).status_code == 200
        problem(client.post("/api/v1/sign", headers=feed), 403, "not-allowed")
        problem(client.post("/api/v1/verify", headers=key(access, "auditor")), 422, "invalid-request")
        problem(client.get("/no/such", headers=key(access, "admin")), 404, "not-found")

    def test_a_revoked_key_ends_at_once(self, guarded: tuple[TestClient, Access], problem: Any) -> None:
        client, access = guarded
        made, text = access.new("one", ["feed"], at=AT)
        headers = {"authorization": f"Bearer {text}"}
        assert client.get("/api/v1/feed/status?ids=x", headers=headers).status_code == 200
        access.revoke(made.id, at=AT)
        problem(client.get("/api/v1/feed/status?ids=x", headers=headers), 401, "no-key")

    def test_too_often(self, guarded: tuple[TestClient, Access], problem: Any) -> None:
        client, access = guarded
        auditor, other = key(access, "auditor"), key(access, "auditor")
        for _ in range(2):
            problem(client.post("/api/v1/verify", headers=auditor), 422, "invalid-request")
        answer = client.post("/api/v1/verify", headers=auditor)
        problem(answer, 429, "too-often")
        assert 0 < int(answer.headers["retry-after"]) <= 60
        problem(client.post("/api/v1/verify", headers=other), 422, "invalid-request")

    def test_on_loopback_nothing_is_asked(self, client: TestClient) -> None:
        assert client.get("/api/v1/feed/status?ids=x").status_code == 200

    @given(st.text(max_size=40), st.sampled_from(["GET", "POST", "PUT", "DELETE"]))
    def test_what_no_rule_names_is_an_administrators(self, path: str, method: str) -> None:
        assert role_for(method, "/x" + path) == "admin"


class TestLimits:
    def test_as_many_at_once_then_so_many_a_minute(self) -> None:
        now = [0.0]
        limits = Limits(60, clock=lambda: now[0])
        assert [limits.take("a") for _ in range(60)] == [0.0] * 60
        assert limits.take("a") == pytest.approx(1.0)
        assert limits.take("b") == 0
        now[0] += 1.01
        assert limits.take("a") == 0
        assert limits.take("a") > 0

    def test_many_callers_cost_little(self) -> None:
        limits = Limits(1)
        for number in range(11_000):
            limits.take(str(number))
        assert len(limits._buckets) == 10_000


def told(opened: House) -> list[Any]:
    """What the trail says of API keys, in order."""
    engine = opened.registry._engine
    with reading(engine) as connection:
        ids = list(connection.scalars(select(trail_entry.c.id).order_by(trail_entry.c.id)))
        found = [trail.entry(connection, entry_id) for entry_id in ids]
    return [one.payload for one in found if one is not None and one.kind == Kind.ACCESS]


class TestCommand:
    def test_new_list_revoke(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        def said(*arguments: str) -> Any:
            assert run(["api-key", *arguments, "--home", str(tmp_path), "--json"]) == 0
            return json.loads(capsys.readouterr().out)

        made = said("new", "picture desk", "--role", "feed", "--role", "auditor")
        assert Access(tmp_path).key(made["key"]) is not None
        assert [one["name"] for one in said("list")["keys"]] == ["picture desk"]
        assert said("revoke", made["id"])["revoked_at"]
        assert Access(tmp_path).key(made["key"]) is None

    @pytest.mark.slow
    def test_the_trail_tells_what_it_tells_of_the_same_over_http(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def said(*arguments: str) -> Any:
            assert run(["api-key", *arguments, "--home", str(tmp_path), "--json"]) == 0
            return json.loads(capsys.readouterr().out)

        made = said("new", "picture desk", "--role", "feed")
        again = said("rotate", made["id"])
        assert (again["name"], again["roles"]) == (made["name"], made["roles"])
        assert Access(tmp_path).key(made["key"]) is not None  # until it is ended
        for _ in range(2):  # the second time nothing changes, and nothing is told
            said("revoke", made["id"])
        with open_house(load({}, tmp_path), signing=False) as opened, TestClient(create_app(opened)) as client:
            key = {"instead_of": made["id"], "key": again["id"], "roles": ["feed"]}
            assert told(opened) == [
                {"what": "made", "by": "local", "key": made["id"], "roles": ["feed"]},
                {"what": "replaced", "by": "local", **key},
                {"what": "ended", "by": "local", "key": made["id"]},
            ]
            number = len(told(opened))
            over_http = client.post("/api/v1/access/keys", json={"name": "a", "roles": ["feed"]}).json()
            client.delete(f"/api/v1/access/keys/{over_http['id']}")
            first, *_, last = told(opened)
            assert told(opened)[number] == first | {"key": over_http["id"]}
            assert last == {"what": "ended", "by": "local", "key": over_http["id"]}

    @pytest.mark.parametrize("command", ["rotate", "revoke"])
    def test_a_mistyped_id_makes_no_home(self, tmp_path: Path, command: str) -> None:
        assert run(["api-key", command, "never", "--home", str(tmp_path / "new")]) == 1
        assert not (tmp_path / "new").exists() or not list((tmp_path / "new").iterdir())

    @pytest.mark.parametrize("arguments", [["new"], ["new", "x"], ["new", "x", "--role", "root"], ["revoke", "x"], ["revoke"]])
    def test_usage(self, tmp_path: Path, arguments: list[str]) -> None:
        assert run(["api-key", *arguments, "--home", str(tmp_path)]) == 1
