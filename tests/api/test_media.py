"""Signing and verifying over HTTP, on a real photo, with real keys: what went in comes out, and is found again."""

from __future__ import annotations

import base64
import hashlib
import io
from datetime import UTC, datetime
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from api import schemas
from api.wiring import House
from provenance.errors import UnsupportedMediaError

SIGN, VERIFY = "/api/v1/sign", "/api/v1/verify"
JSON = {"accept": "application/json"}


def post(client: TestClient, path: str, content: bytes, **options: Any) -> Any:
    return client.post(path, files={"file": ("photo.jpg", content)}, **options)


def reworked(data: bytes, *, side: int = 1080, quality: int = 75) -> bytes:
    """As a platform sends it on: smaller, recompressed, without metadata."""
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return out.getvalue()


def pasted(data: bytes) -> bytes:
    """With an eighth of the picture painted over."""
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    w, h = picture.size
    patch = picture.crop((0, 0, w // 3, h // 3)).transpose(Image.Transpose.ROTATE_180)
    picture.paste(patch, (w // 2, h // 2))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=90)
    return out.getvalue()


# ——— sign ———


def test_signing_answers_with_facts_and_a_link(client: TestClient, signed: dict[str, Any]) -> None:
    facts = {name: value for name, value in signed.items() if name != "bytes"}
    schemas.Signed.model_validate(facts, extra="forbid")
    assert facts["registered"]
    assert facts["development"]
    assert facts["binding"]["alg"] == "org.colophon.mark.image.1"
    assert hashlib.sha256(signed["bytes"]).hexdigest() == facts["sha256"]
    assert "/tmp" not in str(facts)


def test_signing_answers_with_the_file_and_facts_in_headers(client: TestClient, photo: bytes) -> None:
    answer = post(client, SIGN, photo, data={"mark": "none"})
    assert answer.status_code == 201
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["content-disposition"] == f'attachment; filename="{answer.headers["colophon-asset-id"]}.jpg"'
    digest = base64.b64encode(hashlib.sha256(answer.content).digest()).decode()
    assert answer.headers["repr-digest"] == f"sha-256=:{digest}:"
    assert answer.headers["location"] == f"/api/v1/assets/{answer.headers['colophon-asset-id']}"
    assert answer.headers["colophon-development"] == "?1"
    assert "colophon-mark" not in answer.headers
    assert "sandbox" in answer.headers["content-security-policy"]
    assert client.get(answer.headers["location"]).json()["credential"]["manifest_id"] == answer.headers["colophon-manifest-id"]


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("application/json", True), ("application/json;q=0.5, */*", True), ("text/html, application/json", True),
        ("*/*", False), ("", False), ("image/jpeg", False), ("application/json;q=0", False), ("application/*", False),
        ("application/problem+json", False), (";;;,,,", False), ("application/json; q = 0.0", False),
    ],
)  # fmt: skip
def test_only_a_client_that_names_json_gets_json(accept: str, wanted: bool) -> None:
    from api.routes.handing import wants_json

    assert wants_json(accept) is wanted


def test_the_link_serves_ranges_and_nothing_without_its_token(client: TestClient, signed: dict[str, Any], problem: Any) -> None:
    assert client.get(signed["download"], headers={"range": "bytes=0-1"}).content == signed["bytes"][:2]
    path, _, token = signed["download"].partition("?token=")
    problem(client.get(path, params={"token": token[::-1]}), 410, "gone")
    problem(client.get(path, params={"token": "../" * 8}), 410, "gone")
    problem(client.get(path), 422, "invalid-request")
    problem(client.get("/api/v1/assets/other/file", params={"token": token}), 404, "not-found")


def test_a_token_opens_only_its_own_asset(client: TestClient, signed: dict[str, Any], photo: bytes, problem: Any) -> None:
    other = post(client, SIGN, photo, data={"mark": "none"}).headers["location"]
    problem(client.get(f"{other}/file", params={"token": signed["download"].partition("?token=")[2]}), 410, "gone")


def test_the_same_key_signs_once(client: TestClient, photo: bytes, problem: Any) -> None:
    headers = JSON | {"idempotency-key": "once-and-for-all"}
    first, again = (post(client, SIGN, photo, data={"mark": "none"}, headers=headers) for _ in range(2))
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "?1"
    file = post(client, SIGN, photo, data={"mark": "none"}, headers={"idempotency-key": "once-and-for-all"})
    assert hashlib.sha256(file.content).hexdigest() == first.json()["sha256"]
    problem(post(client, SIGN, photo, data={"mark": "none", "redact": "gps"}, headers=headers), 422, "key-reused")
    problem(post(client, SIGN, photo + b"x", data={"mark": "none"}, headers=headers), 422, "key-reused")


@pytest.mark.parametrize("key", ["", " ", "a b", "é", "x" * 129])
def test_a_key_that_cannot_be_kept_is_refused(client: TestClient, photo: bytes, problem: Any, key: str) -> None:
    answer = post(client, SIGN, photo, headers={"idempotency-key": key.encode("utf-8")})
    assert problem(answer, 422, "invalid-request")["errors"][0]["where"] == "header.idempotency-key"


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"source": "madeUp"}, "body.source"),
        ({"redact": "everything"}, "body.redact.0"),
        ({"mark": "../../x"}, "body.mark"),
        ({"mark": "a b"}, "body.mark"),
        ({"key": "../../etc/passwd"}, "body.key"),
        ({"key": "file:/etc/passwd"}, "body.key"),
        ({"key": "unix:/run/other"}, "body.key"),
        ({"key": "pkcs11:token=x"}, "body.key"),
        ({"key": "a?key=b"}, "body.key"),
        ({"key": "x" * 65}, "body.key"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(client: TestClient, photo: bytes, problem: Any, fields: Any, where: str) -> None:
    body = problem(post(client, SIGN, photo, data=fields), 422, "invalid-request")
    assert [error["where"] for error in body["errors"]] == [where]


def test_a_key_that_nobody_has(client: TestClient, photo: bytes, problem: Any) -> None:
    problem(post(client, SIGN, photo, data={"key": "nobodys"}), 422, "unknown-key")


def test_a_mark_that_nobody_makes(client: TestClient, photo: bytes, problem: Any) -> None:
    problem(post(client, SIGN, photo, data={"mark": "org.example.none"}), 422, "unknown-mark")


def test_a_file_that_is_signed_already(client: TestClient, signed: dict[str, Any], problem: Any) -> None:
    assert "already" in problem(post(client, SIGN, signed["bytes"]), 422, "unusable-file")["detail"]


def test_nothing_of_an_upload_stays(client: TestClient, house: House, photo: bytes) -> None:
    post(client, VERIFY, photo, params={"marks": "false"})
    post(client, SIGN, b"not a picture")
    assert list((house.settings.home / "incoming").iterdir()) == []


def test_private_keys_are_not_in_this_process(house: House) -> None:
    assert house.studio().signer.startswith("unix:")
    assert house.studio("other").signer.startswith("unix:")


# ——— verify ———


def test_an_intact_file(client: TestClient, signed: dict[str, Any]) -> None:
    answer = post(client, VERIFY, signed["bytes"], params={"pictures": "true"})
    assert answer.status_code == 200
    body = answer.json()
    schemas.Verdict.model_validate(body, extra="forbid")
    assert body["status"] in {"trusted", "valid"}
    assert body["asset"]["id"] == signed["asset_id"]
    assert body["credential"]["signer"]["development"]
    assert body["mark"]["value"] == signed["binding"]["value"]
    assert body["pictures"]["copy"].startswith("data:image/jpeg;base64,")
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.slow
def test_a_stripped_copy_is_recovered_and_its_status_is_kept_for_feeds(client: TestClient, signed: dict[str, Any]) -> None:
    copy = reworked(signed["bytes"])
    digest = hashlib.sha256(copy).hexdigest()
    assert client.get("/api/v1/feed/status", params={"ids": digest}).json()["items"][0]["status"] == "unregistered"
    body = post(client, VERIFY, copy, params={"pictures": "true"}).json()
    schemas.Verdict.model_validate(body, extra="forbid")
    assert body["status"] == "recovered", body["reasons"]
    assert body["asset"]["id"] == signed["asset_id"]
    assert all(body["pictures"][name].startswith("data:image/jpeg;base64,") for name in ("copy", "reference"))
    ids = f"{digest},{signed['asset_id']},{signed['sha256']}"
    items = client.get("/api/v1/feed/status", params={"ids": ids}).json()["items"]
    for item in items:
        schemas.StatusItem.model_validate(item, extra="forbid")
    assert items[0]["status"] == "recovered"
    assert items[0]["asset_id"] == signed["asset_id"]
    assert items[1]["status"] == items[2]["status"]
    assert items[1]["status"] in {"trusted", "valid"}
    assert items[1]["signer"]["development"]


@pytest.mark.slow
def test_a_look_without_marks_does_not_unsay_a_full_one(client: TestClient, signed: dict[str, Any]) -> None:
    copy = reworked(signed["bytes"], quality=80)
    assert post(client, VERIFY, copy).json()["status"] == "recovered"
    half = post(client, VERIFY, copy, params={"marks": "false"}).json()
    assert "mark" in half["not_checked"]
    digest = hashlib.sha256(copy).hexdigest()
    assert client.get("/api/v1/feed/status", params={"ids": digest}).json()["items"][0]["status"] == "recovered"


@pytest.mark.slow
def test_an_altered_copy_says_where(client: TestClient, signed: dict[str, Any]) -> None:
    body = post(client, VERIFY, pasted(signed["bytes"]), params={"pictures": "true"}).json()
    schemas.Verdict.model_validate(body, extra="forbid")
    assert body["status"] == "altered"
    assert body["changes"]
    assert body["pictures"]["changes"]


@pytest.mark.slow
def test_an_unmarked_photo_is_none_and_not_unknown(client: TestClient, corpus: Any) -> None:
    body = post(client, VERIFY, (corpus / "photos" / "tulips_500.png").read_bytes()).json()
    schemas.Verdict.model_validate(body, extra="forbid")
    assert body["status"] == "none"
    assert body["credential"]["signer"] is None
    assert "pictures" not in body


def test_no_answer_uses_words_of_truth(client: TestClient, signed: dict[str, Any]) -> None:
    told = post(client, VERIFY, signed["bytes"]).text.lower()
    assert not [word for word in ("authentic", " real ", "fake", "genuine") if word in told]


# ——— assets ———


def test_an_asset_and_its_trail(client: TestClient, signed: dict[str, Any]) -> None:
    asset = client.get(f"/api/v1/assets/{signed['asset_id']}").json()
    schemas.Asset.model_validate(asset, extra="forbid")
    assert asset["sha256"] == signed["sha256"]
    assert asset["bindings"] == [signed["binding"]]
    trail = client.get(asset["links"]["trail"]).json()
    schemas.Trail.model_validate(trail, extra="forbid")
    entry = trail["entries"][0]
    assert entry["kind"] == "captured"
    assert hashlib.sha256(b"\0" + entry["body"].encode()).hexdigest() == entry["digest"]
    picture = client.get(asset["links"]["reference"])
    assert picture.headers["content-type"].startswith("image/")
    Image.open(io.BytesIO(picture.content)).verify()


@pytest.mark.slow
def test_a_withdrawn_asset_no_longer_shows_its_picture(client: TestClient, house: House, photo: bytes, problem: Any) -> None:
    asset = post(client, SIGN, photo, headers=JSON).json()
    house.registry.withdraw(asset["asset_id"], "by mistake", datetime.now(UTC))
    found = client.get(f"/api/v1/assets/{asset['asset_id']}").json()
    assert found["withdrawn_at"]
    assert "reference" not in found["links"]
    problem(client.get(f"/api/v1/assets/{asset['asset_id']}/reference"), 410, "gone")
    file = client.get(asset["download"]).content
    assert post(client, VERIFY, file).json()["status"] == "revoked"


def test_the_error_of_a_use_case_is_told(client: TestClient, photo: bytes, problem: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: Any, **__: Any) -> Any:
        raise UnsupportedMediaError("/tmp/in-x/upload.jpg", "image/x-odd cannot hold a credential")

    monkeypatch.setattr("api.routes.sign.sign", refuses)
    assert problem(post(client, SIGN, photo), 415, "unsupported-media")["detail"] == "image/x-odd cannot hold a credential"
