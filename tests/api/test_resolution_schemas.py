"""Every answer under `/v1` against the shapes of the Soft Binding Resolution API 2.4 (`resolution_schemas.json`)."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.access import Access
from api.wiring import House
from provenance.capture import SignRequest, sign
from tests.api.test_resolution import STORE
from tests.sound.conftest import music
from tests.sound.test_files import RATE, write_wav
from tests.video.conftest import write_film

SCHEMAS = json.loads(Path(__file__).with_name("resolution_schemas.json").read_text("utf-8"))


def wrong(name: str, answer: Any) -> list[str]:
    """What is not as the standard has it."""
    schema = {"$ref": f"#/$defs/{name}", "$defs": SCHEMAS["$defs"]}
    return [error.message for error in jsonschema_rs.validator_for(schema, validate_formats=True).iter_errors(answer)]


def holds(name: str, answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert wrong(name, answer.json()) == []
    return answer.json()


@pytest.fixture
def writer(app: FastAPI, client: TestClient) -> Iterator[dict[str, str]]:
    """Headers of a client that may write; gone with the test."""
    access: Access = app.state.access
    key, _ = access.new("a repository", ["signer", "feed"], at=datetime.now(UTC))
    token = access.token(key, ["fetch:manifests", "store:manifests", "store:bindings"], now=time.time())
    yield {"authorization": f"Bearer {token}"}
    access.revoke(key.id, at=datetime.now(UTC))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/services/supportedAlgorithms", "Algorithms"),
        ("/v1/services/status", "Status"),
        ("/v1/services/capabilities", "Capabilities"),
        ("/.well-known/c2pa-soft-binding-resolution", "Pointer"),
    ],
)
def test_what_it_says_of_itself(client: TestClient, path: str, name: str) -> None:
    holds(name, client.get(path))


def test_queries(client: TestClient, signed: dict[str, Any], photo: bytes) -> None:
    value = base64.b64encode(signed["binding"]["value"].encode()).decode()
    asked = {"alg": signed["binding"]["alg"], "value": value}
    assert holds("QueryResult", client.get("/v1/matches/byBinding", params=asked))["matches"]
    assert holds("QueryResult", client.post("/v1/matches/byBinding", json=asked))["matches"]
    assert holds("QueryResult", client.post("/v1/matches/byBinding", json=asked | {"alg": "org.nobody.1"}))["matches"] == []
    kind = {"content-type": "image/jpeg"}
    found = holds("QueryResult", client.post("/v1/matches/byContent", content=signed["bytes"], headers=kind))
    assert found["matches"][0]["manifestId"] == signed["manifest_id"]


def test_manifests_receipts_and_bindings(
    client: TestClient, house: House, signed: dict[str, Any], writer: dict[str, str]
) -> None:
    store = house.registry.manifest_store(signed["manifest_id"])
    assert store is not None
    stored = client.post("/v1/manifests?returnReceipt=true", content=store, headers=STORE | writer)
    assert holds("Stored", stored)["receipt"]["repository"]["manifestId"] == signed["manifest_id"]
    assert "receipt" not in holds("Stored", client.post("/v1/manifests", content=store, headers=STORE | writer))
    path = f"/v1/manifests/{signed['manifest_id']}"
    whole = client.get(path)
    assert (whole.status_code, whole.headers["content-type"], whole.content) == (200, "application/c2pa", store)
    receipt = holds("Receipt", client.get(f"{path}/receipts"))
    assert holds("CheckedReceipt", client.post(f"{path}/receipts", json=receipt))["verified"] is True
    bad = receipt | {
        "repository": receipt["repository"] | {"uri": "https://other.example"},
        "anchor": {"uri": "x", "proof": {"a": 1}},
    }
    assert holds("CheckedReceipt", client.post(f"{path}/receipts", json=bad))["verified"] is False
    value = base64.b64encode(signed["binding"]["value"].encode()).decode()
    for method in ("POST", "PUT"):
        body = {"manifestId": signed["manifest_id"], "bindingValue": value}
        answer = client.request(method, "/v1/bindings", json=body, headers=writer)
        assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.slow
def test_sound_leads_to_its_manifest(client: TestClient, house: House, tmp_path: Path) -> None:
    source = write_wav(tmp_path / "tune.wav", music(12, RATE, 2, seed=77), 16)
    made = sign(SignRequest(source, tmp_path / "signed.wav"), house.studio(), at=datetime.now(UTC))
    for kind, name, content in (
        ("audio/mpeg", "copy.mp3", _compressed(made.path, tmp_path / "copy.mp3")),
        ("audio/wav", "signed.wav", made.path.read_bytes()),
    ):
        answer = client.post("/v1/matches/byContent", content=content, headers={"content-type": kind})
        best = holds("QueryResult", answer)["matches"][0]
        assert best["manifestId"] == made.manifest_id, name
        assert best["similarityScore"] > 80
    other = write_wav(tmp_path / "other.wav", music(12, RATE, 2, seed=78), 16).read_bytes()
    assert holds("QueryResult", client.post("/v1/matches/byContent", content=other, headers={"content-type": "audio/wav"})) == {
        "matches": []
    }
    noise = client.post("/v1/matches/byContent", content=b"RIFF\x24\0\0\0WAVEfmt ", headers={"content-type": "audio/wav"})
    assert noise.status_code == 422


@pytest.mark.slow
def test_a_film_leads_to_its_manifest(client: TestClient, house: House, tmp_path: Path) -> None:
    source = write_film(tmp_path / "pan.mp4", seconds=6, rate=12)
    made = sign(SignRequest(source, tmp_path / "signed.mp4"), house.studio(), at=datetime.now(UTC))
    assert made.binding is not None
    query = f"/v1/matches/byContent?alg={made.binding.alg}"
    for asked in ("/v1/matches/byContent", query):
        answer = client.post(asked, content=made.path.read_bytes(), headers={"content-type": "video/mp4"})
        assert holds("QueryResult", answer)["matches"][0]["manifestId"] == made.manifest_id
    other = write_film(tmp_path / "other.mp4", seconds=3, rate=12, seed=9).read_bytes()
    answer = client.post("/v1/matches/byContent", content=other, headers={"content-type": "video/mp4"})
    assert holds("QueryResult", answer)["matches"] == []
    assert {"alg": made.binding.alg} in client.get("/v1/services/supportedAlgorithms").json()["watermarks"]


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("QueryResult", {}),
        ("QueryResult", {"matches": [{"manifestId": "x", "similarityScore": 101}]}),
        ("QueryResult", {"matches": [{"manifestId": "x", "similarityScore": 0.5}]}),
        ("QueryResult", {"matches": [{"endpoint": "x"}]}),
        ("Receipt", {"@context": "x", "@type": "x", "repository": {}, "anchor": {}}),
        ("CheckedReceipt", {"verified": True}),
        ("Stored", {"manifestId": ""}),
        ("Algorithms", {"watermarks": [{"alg": "nodots"}], "fingerprints": []}),
        ("Status", {"status": "fine"}),
        ("Status", {"status": "ok", "timestamp": "yesterday"}),
        ("Capabilities", {"c2paSpecificationVersion": "2.4", "supportedCapabilities": ["everything"]}),
        ("Pointer", {"apiEndpoint": "no uri", "c2paSpecificationVersion": "2.4"}),
    ],
)
def test_the_shapes_tell_what_is_not_so(name: str, answer: Any) -> None:
    assert wrong(name, answer)


def _compressed(source: Path, path: Path) -> bytes:
    from tests.sound.test_road import decode
    from tests.sound.test_road import encode as as_a_platform

    return as_a_platform(path, *decode(source), "libmp3lame", 128).read_bytes()
