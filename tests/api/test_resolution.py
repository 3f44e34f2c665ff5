"""The C2PA Soft Binding Resolution API 2.4: every route of its table, its shapes, and who may write."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi import FastAPI
from PIL import Image
from starlette.testclient import TestClient

from api.access import Access
from api.depositing import active_alone
from api.routes.resolution_shapes import QueryResult
from api.wiring import House
from provenance.jumbf import manifests

JPEG = {"content-type": "image/jpeg"}
STORE = {"content-type": "application/c2pa"}
ROUTES = {
    ("/v1/matches/byBinding", "get", "post"), ("/v1/matches/byContent", "post"), ("/v1/matches/byReference", "post"),
    ("/v1/manifests", "post"), ("/v1/manifests/{manifest_id}", "get", "delete"),
    ("/v1/manifests/{manifest_id}/receipts", "get", "post"), ("/v1/bindings", "post", "put"),
    ("/v1/services/supportedAlgorithms", "get"), ("/v1/services/status", "get"), ("/v1/services/capabilities", "get"),
    ("/.well-known/c2pa-soft-binding-resolution", "get"),
}  # fmt: skip


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def matches(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    QueryResult.model_validate(answer.json())
    found: list[dict[str, Any]] = answer.json()["matches"]
    return found


@pytest.fixture
def mark(signed: dict[str, Any]) -> dict[str, str]:
    return {"alg": signed["binding"]["alg"], "value": b64(signed["binding"]["value"])}


@pytest.fixture
def registered(app: FastAPI) -> Iterator[tuple[str, str]]:
    """A client that may write: its id and key; gone with the test."""
    access: Access = app.state.access
    key, text = access.new("a repository", ["signer", "feed"], at=datetime.now(UTC))
    yield key.id, text
    access.revoke(key.id, at=datetime.now(UTC))


@pytest.fixture
def bearer(client: TestClient, registered: tuple[str, str]) -> dict[str, str]:
    answer = client.post("/v1/oauth/token", data={"grant_type": "client_credentials"}, auth=registered)
    assert answer.json()["token_type"] == "Bearer", answer.text
    assert answer.headers["cache-control"] == "no-store"
    return {"authorization": f"Bearer {answer.json()['access_token']}"}


def test_every_route_of_the_table_is_there(client: TestClient) -> None:
    described = client.get("/api/openapi.json").json()["paths"]
    for path, *methods in ROUTES:
        assert set(methods) <= set(described[path]), path


class TestServices:
    def test_the_pointer_leads_to_the_rest(self, client: TestClient) -> None:
        found = client.get("/.well-known/c2pa-soft-binding-resolution").json()
        assert set(found) == {"apiEndpoint", "c2paSpecificationVersion", "capabilitiesEndpoint", "statusEndpoint"}
        assert found["apiEndpoint"].endswith("/v1")
        assert client.get(found["statusEndpoint"]).json()["status"] == "ok"
        assert client.get(found["capabilitiesEndpoint"]).json()["c2paSpecificationVersion"] == "2.4"

    def test_writing_is_offered_only_where_somebody_may(self, client: TestClient, request: pytest.FixtureRequest) -> None:
        before = client.get("/v1/services/capabilities").json()["supportedCapabilities"]
        assert before == ["queryByContent", "queryByReference"]
        request.getfixturevalue("registered")
        after = client.get("/v1/services/capabilities").json()["supportedCapabilities"]
        assert after == [*before, "storeManifests", "storeBindings"]

    def test_algorithms(self, client: TestClient) -> None:
        found = client.get("/v1/services/supportedAlgorithms").json()
        assert {"alg": "org.colophon.mark.image.1"} in found["watermarks"]
        assert found["fingerprints"] == [{"alg": "io.iscc.v0"}]


class TestByBinding:
    def test_both_ways_to_ask(self, client: TestClient, mark: dict[str, str], signed: dict[str, Any]) -> None:
        wanted = [{"manifestId": signed["manifest_id"]}]
        assert matches(client.get("/v1/matches/byBinding", params=mark)) == wanted
        assert matches(client.post("/v1/matches/byBinding", json=mark)) == wanted

    @pytest.mark.parametrize("value", ["", "!", "AAAA", "é", "=", "A" * 4000, b64("\0"), b64("0" * 16)])
    def test_other_values_lead_nowhere(self, client: TestClient, mark: dict[str, str], value: str) -> None:
        answer = client.get("/v1/matches/byBinding", params=mark | {"value": value})
        assert answer.status_code == 422 if not value else matches(answer) == []

    def test_the_algorithm_is_part_of_the_key(self, client: TestClient, mark: dict[str, str]) -> None:
        assert matches(client.post("/v1/matches/byBinding", json=mark | {"alg": "com.example.other.1"})) == []

    @pytest.mark.parametrize("query", [{}, {"alg": "x"}, {"value": "x"}, {"alg": "x", "value": "x", "maxResults": 0}])
    def test_half_a_question(self, client: TestClient, problem: Any, query: dict[str, Any]) -> None:
        problem(client.get("/v1/matches/byBinding", params=query), 422, "invalid-request")


class TestByContent:
    def test_a_stripped_copy_leads_back(self, client: TestClient, signed: dict[str, Any]) -> None:
        out = io.BytesIO()
        with Image.open(io.BytesIO(signed["bytes"])) as picture:
            picture.resize((picture.width * 3 // 4, picture.height * 3 // 4)).save(out, "JPEG", quality=80)
        found = matches(client.post("/v1/matches/byContent", content=out.getvalue(), headers=JPEG))
        assert found[0]["manifestId"] == signed["manifest_id"]
        assert found[0]["similarityScore"] > 80

    @pytest.mark.usefixtures("signed")
    def test_another_picture_leads_nowhere(self, client: TestClient, corpus: Any) -> None:
        out = io.BytesIO()
        with Image.open(corpus / "photos" / "tulips_500.png") as picture:
            picture.convert("RGB").resize((160, 120)).save(out, "PNG")
        assert matches(client.post("/v1/matches/byContent", content=out.getvalue(), headers={"content-type": "image/png"})) == []

    @pytest.mark.parametrize(
        ("body", "kind", "status", "slug"),
        [
            (b"x", "multipart/form-data", 415, "unsupported-media"),
            (b"", "image/jpeg", 422, "unusable-file"),
            (b"\xff\xd8\xff\xe0" + bytes(50), "image/jpeg", 422, "damaged-media"),
            (b"hello", "text/plain", 415, "unsupported-media"),
            (bytes(13 << 20), "image/jpeg", 413, "too-large"),
        ],
    )
    def test_what_is_no_picture(self, client: TestClient, problem: Any, body: bytes, kind: str, status: int, slug: str) -> None:
        problem(client.post("/v1/matches/byContent", content=body, headers={"content-type": kind}), status, slug)

    def test_an_algorithm_that_nobody_has(self, client: TestClient, problem: Any, photo: bytes) -> None:
        answer = client.post("/v1/matches/byContent?alg=com.example.none.1", content=photo, headers=JPEG)
        problem(answer, 422, "invalid-request")


class TestByReference:
    @pytest.mark.parametrize(
        "url",
        ["https://127.0.0.1/x", "https://localhost/x", "https://[::1]/", "https://169.254.169.254/latest", "https://0x7f.1/"],
    )
    def test_private_addresses_are_not_fetched(self, client: TestClient, problem: Any, url: str) -> None:
        problem(client.post("/v1/matches/byReference", json={"referenceUrl": url, "assetLength": 9}), 422, "not-fetched")

    @pytest.mark.parametrize("url", ["http://example.com/", "file:///etc/passwd", "ftp://x", ""])
    def test_only_https(self, client: TestClient, problem: Any, url: str) -> None:
        problem(client.post("/v1/matches/byReference", json={"referenceUrl": url, "assetLength": 9}), 422, "invalid-request")

    def test_what_is_too_long_is_not_even_asked_for(self, client: TestClient, problem: Any) -> None:
        body = {"referenceUrl": "https://example.com/", "assetLength": 1 << 40}
        problem(client.post("/v1/matches/byReference", json=body), 413, "too-large")


class TestManifests:
    def test_the_store_comes_back_byte_for_byte(self, client: TestClient, house: House, signed: dict[str, Any]) -> None:
        answer = client.get(f"/v1/manifests/{signed['manifest_id']}")
        assert answer.headers["content-type"] == "application/c2pa"
        assert answer.content == house.registry.manifest_store(signed["manifest_id"])

    def test_the_active_manifest_alone(self, client: TestClient, signed: dict[str, Any]) -> None:
        answer = client.get(f"/v1/manifests/{signed['manifest_id']}?returnActiveManifest=true")
        assert list(manifests(answer.content)) == [signed["manifest_id"]]
        assert active_alone(answer.content) == answer.content

    @pytest.mark.parametrize("label", ["x", "urn:c2pa:00000000-0000-0000-0000-000000000000", "%00", "x" * 500])
    @pytest.mark.parametrize("more", ["", "/receipts"])
    def test_unknown_labels(self, client: TestClient, problem: Any, label: str, more: str) -> None:
        problem(client.get(f"/v1/manifests/{label}{more}"), 404, "not-found")

    def test_writes_are_refused_where_no_client_is_registered(
        self, client: TestClient, problem: Any, signed: dict[str, Any]
    ) -> None:
        for method, path in (("POST", "/v1/manifests"), ("DELETE", f"/v1/manifests/{signed['manifest_id']}")):
            problem(client.request(method, path, content=b"x", headers=STORE), 403, "not-allowed")
        body = {"manifestId": signed["manifest_id"], "bindingValue": b64("x")}
        problem(client.post("/v1/bindings", json=body), 403, "not-allowed")

    def test_store_fetch_withdraw(
        self, client: TestClient, bearer: dict[str, str], corpus: Any, problem: Any, house: House
    ) -> None:
        store = _foreign_store(corpus, house)
        answer = client.post("/v1/manifests", content=store, headers=STORE | bearer)
        assert answer.status_code == 200, answer.text
        path = f"/v1/manifests/{answer.json()['manifestId']}"
        assert client.post("/v1/manifests", content=store, headers=STORE | bearer).json() == answer.json()
        assert client.get(path).content == store
        assert client.delete(path, headers=bearer).status_code == 204
        problem(client.get(path), 404, "not-found")
        problem(client.delete(path, headers=bearer), 404, "not-found")

    @pytest.mark.parametrize("body", [b"", b"x", b"\0" * 100, b"\0\0\0\x10jumb" + bytes(8)])
    def test_what_is_no_store(self, client: TestClient, bearer: dict[str, str], problem: Any, body: bytes) -> None:
        problem(client.post("/v1/manifests", content=body, headers=STORE | bearer), 422, "unusable-file")

    def test_a_store_that_was_touched(
        self, client: TestClient, bearer: dict[str, str], corpus: Any, problem: Any, house: House
    ) -> None:
        store = bytearray(_foreign_store(corpus, house))
        at = store.index(b"c2pa.actions") + 60
        store[at] ^= 1
        problem(client.post("/v1/manifests", content=bytes(store), headers=STORE | bearer), 422, "unusable-file")

    def test_another_media_type(self, client: TestClient, bearer: dict[str, str], problem: Any) -> None:
        problem(client.post("/v1/manifests", content=b"x", headers=JPEG | bearer), 415, "unsupported-media")


class TestBindings:
    @pytest.mark.parametrize("method", ["POST", "PUT"])
    def test_only_what_was_signed(
        self, client: TestClient, bearer: dict[str, str], signed: dict[str, Any], mark: dict[str, str], problem: Any, method: str
    ) -> None:
        body = {"manifestId": signed["manifest_id"], "bindingValue": mark["value"]}
        assert client.request(method, "/v1/bindings", json=body, headers=bearer).status_code == 204
        hijack = body | {"bindingValue": b64("0123456789abcdef")}
        problem(client.request(method, "/v1/bindings", json=hijack, headers=bearer), 422, "not-in-claim")
        other = body | {"alg": "com.example.other.1"}
        problem(client.request(method, "/v1/bindings", json=other, headers=bearer), 422, "not-in-claim")
        problem(client.request(method, "/v1/bindings", json=body | {"manifestId": "x"}, headers=bearer), 404, "not-found")


class TestReceipts:
    def test_a_receipt_holds_and_a_touched_one_does_not(self, client: TestClient, signed: dict[str, Any]) -> None:
        path = f"/v1/manifests/{signed['manifest_id']}/receipts"
        receipt = client.get(path).json()
        assert set(receipt) == {"@context", "@type", "repository", "anchor"}
        assert receipt["@type"] == "org.c2pa.manifest-receipt"
        assert receipt["repository"]["manifestId"] == signed["manifest_id"]
        assert client.post(path, json=receipt).json() == receipt | {"verified": True}
        receipt["anchor"]["proof"]["payload"] = receipt["anchor"]["proof"]["payload"].replace("a", "b", 1)
        bad = client.post(path, json=receipt).json()
        assert bad["verified"] is False
        assert bad["error"]

    @pytest.mark.parametrize("body", [{}, {"@type": 1}, {"anchor": []}, {"anchor": {"proof": None}}])
    def test_anything_else_is_no_receipt(self, client: TestClient, signed: dict[str, Any], body: dict[str, Any]) -> None:
        assert client.post(f"/v1/manifests/{signed['manifest_id']}/receipts", json=body).json()["verified"] is False


class TestTokens:
    @pytest.mark.parametrize(
        ("form", "status", "error"),
        [
            ({}, 400, "unsupported_grant_type"),
            ({"grant_type": "password"}, 400, "unsupported_grant_type"),
            ({"grant_type": "client_credentials"}, 401, "invalid_client"),
            ({"grant_type": "client_credentials", "client_id": "x", "client_secret": "y"}, 401, "invalid_client"),
        ],
    )
    def test_refusals(self, client: TestClient, form: dict[str, str], status: int, error: str) -> None:
        answer = client.post("/v1/oauth/token", data=form)
        assert (answer.status_code, answer.json()["error"]) == (status, error)

    def test_no_more_scopes_than_the_client_has(self, client: TestClient, registered: tuple[str, str]) -> None:
        for scope in ("admin", "store:manifests everything", "*"):
            form = {"grant_type": "client_credentials", "scope": scope}
            assert client.post("/v1/oauth/token", data=form, auth=registered).json()["error"] == "invalid_scope"

    def test_a_token_for_reading_does_not_write(self, client: TestClient, registered: tuple[str, str], problem: Any) -> None:
        form = {"grant_type": "client_credentials", "scope": "fetch:manifests"}
        token = client.post("/v1/oauth/token", data=form, auth=registered).json()["access_token"]
        answer = client.post("/v1/manifests", content=b"x", headers=STORE | {"authorization": f"Bearer {token}"})
        problem(answer, 403, "not-allowed")

    def test_it_ends_with_its_time_its_key_or_a_touch(self, app: FastAPI, registered: tuple[str, str]) -> None:
        access: Access = app.state.access
        key = access.key(registered[1])
        assert key is not None
        token = access.token(key, ["store:manifests"], now=1000)
        assert access.opened(token, now=1000 + 599)
        assert access.opened(token, now=1000 + 600) is None
        assert access.opened(token[:-1] + ("A" if token[-1] != "A" else "B"), now=1000) is None
        assert access.opened("ct_" + token[10:], now=1000) is None
        access.revoke(key.id, at=datetime.now(UTC))
        assert access.opened(token, now=time.time()) is None
        assert access.key(registered[1]) is None


def _foreign_store(corpus: Any, house: House) -> bytes:
    """A sound manifest store that nobody registered here: from a public C2PA file."""
    from provenance import tasks
    from provenance.credential import Credential

    for path in sorted((corpus / "c2pa").rglob("*.jp*g")):
        if path.stat().st_size > 2 << 20:
            continue
        found = house.desk.workers.run(tasks.read_credential, str(path), "image/jpeg", None)
        if isinstance(found, Credential) and not {c.code for c in found.manifest.results.failure} - {
            "signingCredential.untrusted"
        }:
            return found.store
    pytest.skip("no sound C2PA file in the corpus")
