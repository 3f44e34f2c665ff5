"""The express lane gives, to the byte, the answers of the common way; and leaves everything else to it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.access import Access
from api.app import create_app
from api.express import Express
from api.routes import feed
from api.wiring import House
from provenance.store.registry import Registry

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
PATH = "/api/v1/feed/status"
KNOWN = [hashlib.sha256(f"express {n}".encode()).hexdigest() for n in range(3)]


@pytest.fixture(scope="module")
def registry(house: House) -> Registry:
    for number, sha256 in enumerate(KNOWN):
        house.registry.set_status(None, sha256, {"status": "trusted", "n": number, "at": "2026-11-21T09:30:00Z"}, at=AT)
    return house.registry


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether the lane answered, question by question."""
    answered: list[bool] = []
    whole = Express._answer

    def watched(self: Express, scope: Any) -> Any:
        answer = whole(self, scope)
        answered.append(answer is not None)
        return answer

    monkeypatch.setattr(Express, "_answer", watched)
    return answered


@pytest.mark.parametrize("ids", [KNOWN[0], ",".join(KNOWN), f"{KNOWN[1]},never,{KNOWN[1]}", "urn:c2pa:x", "a,b"])
@pytest.mark.parametrize("tokens", ["", "&tokens=true"])
def test_both_ways_say_the_same(client: TestClient, registry: Registry, taken: list[bool], ids: str, tokens: str) -> None:
    given = {"x-request-id": "same-request"}
    common = client.get(f"{PATH}?ids={ids}{tokens}&via=common", headers=given)
    quick = client.get(f"{PATH}?ids={ids}{tokens}", headers=given)
    assert taken == [False, True]
    assert quick.content == common.content
    assert dict(quick.headers) == dict(common.headers)
    for answer, via in ((quick, ""), (common, "&via=common")):
        again = client.get(f"{PATH}?ids={ids}{tokens}{via}", headers=given | {"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == answer.headers["etag"]


@pytest.mark.parametrize(
    "query", ["", "?ids=", "?ids=,", "?ids=a,,b", "?ids=%41", "?ids=a+b", "?ids=a&ids=b", "?tokens=true&ids=a", "?ids=a&tokens=1",
              "?ids=" + ",".join(f"n{n}" for n in range(feed.INLINE + 1))],
)  # fmt: skip
def test_what_is_not_plain_goes_the_common_way(client: TestClient, registry: Registry, taken: list[bool], query: str) -> None:
    assert client.get(PATH + query).status_code in {200, 422}
    assert taken == [False]


def test_a_change_is_seen_at_once(client: TestClient, registry: Registry, taken: list[bool]) -> None:
    sha256 = hashlib.sha256(b"express changes").hexdigest()
    seen = []
    for word in ("none", "trusted", "revoked"):
        registry.set_status(None, sha256, {"status": word}, at=AT)
        seen += [client.get(f"{PATH}?ids={sha256},{KNOWN[0]}").json()["items"][0]["status"] for _ in range(2)]
    assert seen == ["none", "none", "trusted", "trusted", "revoked", "revoked"]
    assert all(taken)


def test_another_host_name_gets_no_answer(house: House, problem: Any) -> None:
    with TestClient(create_app(house, hosts=("localhost",)), base_url="http://localhost") as client:
        assert client.get(f"{PATH}?ids=a").status_code == 200
        problem(client.get(f"{PATH}?ids=a", headers={"host": "evil.example"}), 421, "misdirected")


def test_the_guard_stands_before_it(house: House, problem: Any, tmp_path: Path) -> None:
    app: FastAPI = create_app(replace(house, settings=replace(house.settings, home=tmp_path)), guarded=True)
    access = Access(tmp_path)
    key, text = access.new("a feed", ["feed"], at=AT)
    _, other = access.new("a signer", ["signer"], at=AT)
    with TestClient(app) as client:
        problem(client.get(f"{PATH}?ids=a"), 401, "no-key")
        assert client.get(f"{PATH}?ids=a", headers={"x-api-key": text}).status_code == 200
        problem(client.get(f"{PATH}?ids=a", headers={"x-api-key": other}), 403, "not-allowed")
        access.revoke(key.id, at=AT)
        problem(client.get(f"{PATH}?ids=a", headers={"x-api-key": text}), 401, "no-key")


def test_it_is_counted(client: TestClient, registry: Registry, taken: list[bool]) -> None:
    line = 'colophon_http_requests_total{method="GET",route="/api/v1/feed/status",status="200"}'

    def count() -> float:
        return sum(float(row.rpartition(" ")[2]) for row in client.get("/metrics").text.splitlines() if row.startswith(line))

    before = count()
    client.get(f"{PATH}?ids={KNOWN[0]}")
    assert count() == before + 1
    assert taken == [True]
