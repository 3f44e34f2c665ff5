"""A verdict beside an earlier one: what differs, and the input that made it so."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.wiring import House
from provenance.reverify import compare
from provenance.verify import Verification, verify


@pytest.fixture(scope="module")
def made(client: TestClient, photo: bytes) -> dict[str, Any]:
    """A photo of its own, signed without a mark: it is looked at in a moment."""
    answer = client.post(
        "/api/v1/sign", files={"file": ("r.jpg", photo)}, data={"mark": "none"}, headers={"accept": "application/json"}
    )
    facts: dict[str, Any] = answer.json()
    return facts | {"bytes": client.get(facts["download"]).content}


@pytest.fixture(scope="module")
def file(made: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reverify") / "r.jpg"
    path.write_bytes(made["bytes"])
    return path


@pytest.fixture(scope="module")
def found(file: Path, house: House) -> Verification:
    return verify(file, house.desk, at=datetime.now(UTC), marks=False)


def changed(found: Verification, **members: Any) -> dict[str, Any]:
    before = copy.deepcopy(found.verdict.as_dict())
    for path, value in members.items():
        place = before
        *way, last = path.split("__")
        for name in way:
            place = place[name]
        place[last] = value
    return before


def test_the_same_inputs_give_the_same_verdict(file: Path, house: House, found: Verification) -> None:
    again = verify(file, house.desk, at=datetime.now(UTC), marks=False)
    assert again.verdict.as_dict() == found.verdict.as_dict()
    assert compare(found.verdict.as_dict(), again.verdict, again.evidence, house.desk.lists).as_dict()["same"]


def test_new_trust_lists_are_named_as_the_cause(file: Path, house: House, found: Verification) -> None:
    bare = verify(file, replace(house.desk, lists=()), at=datetime.now(UTC), marks=False)
    assert (bare.verdict.status, found.verdict.status) == ("valid", "trusted")
    told = compare(bare.verdict.as_dict(), found.verdict, found.evidence, house.desk.lists)
    assert {d.where for d in told.differences} >= {"status", "credential.trust"}
    [cause] = [c for c in told.causes if "status" in c.explains]
    assert (cause.what, cause.certain) == ("trust lists", True)


def test_a_list_that_is_gone_can_only_be_suspected(house: House, found: Verification) -> None:
    before = changed(found, status="valid", inputs__trust_lists={"signer": ["sha256:gone"], "tsa": []})
    [cause] = compare(before, found.verdict, found.evidence, house.desk.lists).causes
    assert (cause.what, cause.certain, cause.explains) == ("trust lists", False, ("status",))


def test_time_is_named_as_the_cause(file: Path, house: House, found: Verification) -> None:
    """Before the certificate began, nothing could be signed with it."""
    early = verify(file, house.desk, at=datetime.now(UTC) - timedelta(days=4000), marks=False)
    assert early.verdict.status != found.verdict.status
    told = compare(early.verdict.as_dict(), found.verdict, found.evidence, house.desk.lists)
    assert [(c.what, c.certain) for c in told.causes if "status" in c.explains] == [("time", True)]


def test_another_library_or_policy_can_only_be_suspected(house: House, found: Verification) -> None:
    before = changed(found, status="invalid", inputs__validator="c2pa-python 0.1", inputs__policy="colophon-0")
    causes = compare(before, found.verdict, found.evidence, house.desk.lists).causes
    assert {(c.what, c.certain) for c in causes} == {("library", False), ("policy", False)}


def test_what_nothing_explains_is_put_down_to_the_registry(house: House, found: Verification) -> None:
    [cause] = compare(changed(found, status="none"), found.verdict, found.evidence, house.desk.lists).causes
    assert (cause.what, cause.certain) == ("registry", False)


@pytest.mark.parametrize("wrong", [{}, {"inputs": {}}, {"inputs": {"at": "x"}, "asset": {}}, {"inputs": 1, "asset": []}])
def test_what_is_no_verdict_on_these_bytes_is_refused(house: House, found: Verification, wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"verdict|bytes"):
        compare(wrong, found.verdict, found.evidence, house.desk.lists)


def test_an_instant_that_cannot_be_read_is_refused(house: House, found: Verification) -> None:
    with pytest.raises(ValueError, match="instant"):
        compare(changed(found, inputs__at="soon"), found.verdict, found.evidence, house.desk.lists)


def test_over_http_a_withdrawal_is_the_cause(client: TestClient, made: dict[str, Any]) -> None:
    files = {"file": ("r.jpg", made["bytes"])}
    first = client.post("/api/v1/verify?marks=false", files=files).json()
    assert first["status"] == "trusted"
    again = client.post("/api/v1/reverify", files=files | {"verdict": ("v.json", json.dumps(first).encode())})
    assert again.status_code == 200, again.text
    assert again.json()["same"]
    client.post(f"/api/v1/assets/{made['asset_id']}/withdrawal", json={"reason": "a mistake"})
    again = client.post("/api/v1/reverify", files=files | {"verdict": ("v.json", json.dumps(first).encode())}).json()
    assert not again["same"]
    assert {"where": "status", "before": "trusted", "after": "revoked"} in again["differences"]
    assert [(c["what"], c["certain"]) for c in again["causes"]] == [("withdrawal", True)]


def test_over_http_bad_input_is_said(client: TestClient, problem: Any, photo: bytes) -> None:
    files = {"file": ("r.jpg", photo + b"never verified here")}
    problem(client.post("/api/v1/reverify", files=files), 404, "not-found")
    for body in (b"", b"[]", b"{", b"[" * 100_000):
        problem(client.post("/api/v1/reverify", files=files | {"verdict": ("v", body)}), 422, "invalid-request")
    for at in ("soon", "2026-11-21", "2026-11-21T10:00:00"):
        problem(client.post("/api/v1/reverify", files=files, data={"at": at}), 422, "invalid-request")
