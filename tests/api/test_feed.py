"""Feed status: stored bytes, in the order asked, with caches told what they may do."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from api.wiring import House
from provenance.store.quick import QuickStatuses
from provenance.store.registry import Registry

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
PATH = "/api/v1/feed/status"


def digest(word: str) -> str:
    return hashlib.sha256(word.encode()).hexdigest()


@pytest.fixture(scope="module")
def registry(house: House) -> Registry:
    for word in ("trusted", "none"):
        house.registry.set_status(None, digest(word), {"status": word, "label": f"»{word}«"}, at=AT)
    return house.registry


@pytest.fixture
def changing(registry: Registry) -> str:
    return digest("changing")


def test_items_come_in_the_order_asked_with_what_was_stored(client: TestClient, registry: Registry) -> None:
    answer = client.get(PATH, params={"ids": f"{digest('none')},never,{digest('trusted')}"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "items": [
            {"id": digest("none"), "status": "none", "label": "»none«"},
            {"id": "never", "status": "unregistered"},
            {"id": digest("trusted"), "status": "trusted", "label": "»trusted«"},
        ]
    }


def test_post_answers_the_same_for_long_lists(client: TestClient, registry: Registry) -> None:
    ids = [digest("trusted"), *(f"never-{n}" for n in range(499))]
    answer = client.post(PATH, json={"ids": ids})
    assert [item["id"] for item in answer.json()["items"]] == ids
    assert answer.headers["etag"] == client.get(PATH, params={"ids": ",".join(ids)}).headers["etag"]


def test_the_same_id_twice_is_one_item(client: TestClient) -> None:
    assert len(client.get(f"{PATH}?ids=a,b,a&ids=b,c").json()["items"]) == 3


@pytest.mark.parametrize(
    "unknown", ["x", "G" * 64, "ab" * 31, "AB" * 32, "' OR 1=1 --", "../../etc/passwd", "<script>", "\x00", "é\u202e", "x" * 4000]
)
def test_what_is_no_id_is_unregistered_and_no_error(client: TestClient, unknown: str) -> None:
    expected = {"items": [{"id": unknown, "status": "unregistered"}]}
    assert client.get(PATH, params={"ids": unknown}).json() == expected
    assert client.post(PATH, json={"ids": [unknown]}).json() == expected


def test_unregistered_is_not_none(client: TestClient, registry: Registry) -> None:
    asked = client.get(PATH, params={"ids": f"{digest('none')},{digest('unheard of')}"}).json()["items"]
    assert [item["status"] for item in asked] == ["none", "unregistered"]


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*", ' W/"x" , {} '])
def test_nothing_changed(client: TestClient, registry: Registry, form: str) -> None:
    path = f"{PATH}?ids={digest('trusted')},never"
    first = client.get(path)
    again = client.get(path, headers={"if-none-match": form.format(first.headers["etag"])})
    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["cache-control"] == first.headers["cache-control"] == "public, max-age=15, stale-if-error=300"


@pytest.mark.parametrize("other", ["", '"x"', "nonsense", '"'])
def test_another_tag_gets_the_answer(client: TestClient, other: str) -> None:
    assert client.get(f"{PATH}?ids=never", headers={"if-none-match": other}).status_code == 200


def test_a_change_changes_the_tag_at_once(client: TestClient, registry: Registry, changing: str) -> None:
    tags = []
    for word in (None, "trusted", "revoked"):
        if word:
            registry.set_status(None, changing, {"status": word}, at=AT + timedelta(minutes=len(tags)))
        answer = client.get(f"{PATH}?ids={changing}", headers={"if-none-match": ",".join(tags)})
        assert answer.json()["items"][0]["status"] == (word or "unregistered")
        tags.append(answer.headers["etag"])
    assert len(set(tags)) == 3


def test_other_ids_have_other_tags(client: TestClient) -> None:
    tags = {client.get(PATH, params={"ids": ids}).headers["etag"] for ids in ("a", "b", "a,b", "b,a")}
    assert len(tags) == 4


def test_five_hundred_are_answered_and_one_more_is_not(client: TestClient, problem: Any) -> None:
    ids = [digest(str(n)) for n in range(501)]
    assert len(client.post(PATH, json={"ids": ids[:500]}).json()["items"]) == 500
    problem(client.post(PATH, json={"ids": ids}), 422, "too-many-ids")
    problem(client.get(PATH, params={"ids": ",".join(ids)}), 422, "too-many-ids")


@pytest.mark.parametrize("query", ["", "?ids=", "?ids=,,,", "?id=x"])
def test_no_ids_at_all(client: TestClient, problem: Any, query: str) -> None:
    assert problem(client.get(PATH + query), 422, "invalid-request")["errors"]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"nul", b"[" * 100_000])
def test_a_body_that_is_not_json(client: TestClient, problem: Any, body: bytes) -> None:
    problem(client.post(PATH, content=body), 400, "bad-request")


@pytest.mark.parametrize(
    "body", [[], {}, "x", 1, {"ids": None}, {"ids": "a"}, {"ids": [1]}, {"ids": [["a"]]}, {"ids": {"a": 1}}, {"ids": []}]
)
def test_a_body_of_another_shape(client: TestClient, problem: Any, body: Any) -> None:
    problem(client.post(PATH, json=body), 422, "invalid-request")


def test_a_body_that_is_too_large(client: TestClient, problem: Any) -> None:
    problem(client.post(PATH, json={"ids": ["x" * 300_000]}), 413, "too-large")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=20))
def test_any_strings_are_answered_with_themselves(client: TestClient, ids: list[str]) -> None:
    body = json.dumps({"ids": ids}).encode()  # escaped, so that lone surrogates travel too
    answer = client.post(PATH, content=body)
    assert answer.status_code == 200
    assert [item["id"] for item in answer.json()["items"]] == list(dict.fromkeys(ids))


def test_nothing_is_judged_on_the_read_path(client: TestClient, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes go out as they were stored, known members or not."""
    odd = {"status": "trusted", "x": [1.5, None, {"ü": "\u2028"}]}
    registry.set_status(None, digest("odd"), odd, at=AT)
    monkeypatch.setattr("provenance.judge.judge", None)
    assert client.get(f"{PATH}?ids={digest('odd')}").json()["items"] == [{"id": digest("odd"), **odd}]


def test_a_database_that_is_gone_is_said(client: TestClient, problem: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from provenance.errors import DatabaseUnavailableError

    def gone(*_: Any) -> Any:
        raise DatabaseUnavailableError("postgresql://host/db", "connection refused")

    monkeypatch.setattr(QuickStatuses, "read", gone)
    answer = client.get(f"{PATH}?ids=x")
    assert "postgresql" not in answer.text
    problem(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == "5"
