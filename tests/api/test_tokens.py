"""Status tokens: checked as a client checks them, with the published key and nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from starlette.testclient import TestClient

from api.tokens import WINDOW_S, Tokens
from api.wiring import House
from keys.errors import SigningRefusedError
from keys.feedkey import FeedPublicKey, SocketFeedKey, feed_public_key, init_feed_key
from provenance.store.quick import Served

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
DIGEST = hashlib.sha256(b"token").hexdigest()
STATUS = {"status": "trusted", "label": "Content Credentials", "at": "2026-11-21T09:30:00Z", "x": ["ü"]}


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def opened(token: str, jwk: dict[str, str]) -> dict[str, Any]:
    """What a client does: check, then believe."""
    header, payload, signature = token.split(".")
    head = json.loads(decode(header))
    assert head == {"alg": "EdDSA", "kid": jwk["kid"], "typ": "colophon-status+jwt"}
    Ed25519PublicKey.from_public_bytes(decode(jwk["x"])).verify(decode(signature), f"{header}.{payload}".encode())
    claims: dict[str, Any] = json.loads(decode(payload))
    return claims


@pytest.fixture
def item(client: TestClient, house: House) -> dict[str, Any]:
    house.registry.set_status(None, DIGEST, STATUS, at=AT)
    found: dict[str, Any] = client.get(f"/api/v1/feed/status?ids={DIGEST},never&tokens=true").json()["items"][0]
    return found


@pytest.fixture
def jwk(client: TestClient) -> dict[str, str]:
    keys: list[dict[str, str]] = client.get("/api/v1/feed/key").json()["keys"]
    return keys[0]


def test_a_token_is_checked_with_the_published_key(item: dict[str, Any], jwk: dict[str, str]) -> None:
    claims = opened(item["token"], jwk)
    assert {name: claims[name] for name in ("sub", "status", "label", "at")} == {
        "sub": DIGEST, "status": "trusted", "label": "Content Credentials", "at": "2026-11-21T09:30:00Z",
    }  # fmt: skip
    assert claims["iat"] <= time.time() < claims["exp"] <= time.time() + 2 * WINDOW_S


def test_doc_covers_every_member(item: dict[str, Any], jwk: dict[str, str]) -> None:
    rest = {name: value for name, value in item.items() if name not in {"id", "token"}}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert opened(item["token"], jwk)["doc"] == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_token_that_was_touched_does_not_hold(item: dict[str, Any], jwk: dict[str, str], part: int) -> None:
    parts = item["token"].split(".")
    at = len(parts[part]) // 2
    parts[part] = parts[part][:at] + ("A" if parts[part][at] != "A" else "B") + parts[part][at + 1 :]
    with pytest.raises((InvalidSignature, AssertionError, ValueError)):
        opened(".".join(parts), jwk)


def test_nobody_vouches_for_what_nobody_looked_at(client: TestClient) -> None:
    assert client.get("/api/v1/feed/status?ids=never&tokens=true").json()["items"] == [{"id": "never", "status": "unregistered"}]


@pytest.mark.parametrize("query", ["", "&tokens=false", "&tokens=1", "&tokens=", "&xtokens=true"])
def test_tokens_come_only_where_asked_for(client: TestClient, item: dict[str, Any], query: str) -> None:
    assert "token" not in client.get(f"/api/v1/feed/status?ids={DIGEST}{query}").json()["items"][0]


@pytest.mark.usefixtures("item")
def test_a_change_is_in_the_next_token_at_once(client: TestClient, house: House, jwk: dict[str, str]) -> None:
    house.registry.set_status(None, DIGEST, {"status": "revoked"}, at=AT)
    answer = client.post("/api/v1/feed/status?tokens=true", json={"ids": [DIGEST]}).json()
    assert opened(answer["items"][0]["token"], jwk)["status"] == "revoked"


def test_the_tag_changes_with_the_window(client: TestClient, item: dict[str, Any]) -> None:
    plain, signed = (client.get(f"/api/v1/feed/status?ids={DIGEST}{more}").headers["etag"] for more in ("", "&tokens=true"))
    assert plain != signed


def test_any_page_may_ask(client: TestClient) -> None:
    for path in ("/api/v1/feed/status?ids=x", "/api/v1/feed/key"):
        assert client.get(path).headers["access-control-allow-origin"] == "*"


class Counting:
    """A key in this process that counts what it is asked for."""

    def __init__(self, folder: Path) -> None:
        self._key = init_feed_key(folder)
        self.asked = 0

    @property
    def public(self) -> FeedPublicKey:
        return self._key.public

    def sign(self, inputs: Any) -> list[bytes]:
        self.asked += len(inputs)
        return [self._key.sign([message]) for message in inputs]


def test_each_is_signed_once_a_window(tmp_path: Path) -> None:
    now, key = [1_000.0 * WINDOW_S], Counting(tmp_path)
    tokens = Tokens(key, clock=lambda: now[0])
    found = {"a": Served(b'{"status":"valid"}', "1"), "b": Served(b'{"status":"none"}', "2")}
    assert tokens.known(found) is None
    first = tokens.sign(found)
    now[0] += WINDOW_S - 1
    assert tokens.known(found) == tokens.sign(found) == first
    assert key.asked == 2
    now[0] += 1
    assert tokens.known(found) is None
    assert tokens.sign(found) != first


def test_the_key_signs_nothing_else(house: House) -> None:
    assert house.signer_override is not None
    path = Path(house.signer_override.removeprefix("unix:"))
    key = SocketFeedKey(path, feed_public_key(house.keystore.folder))
    for message in (b"", b"x", key.public.header, key.public.header + b"a.b.c", b"Signature1", b"x" * 900_000):
        if message != key.public.header:
            with pytest.raises(SigningRefusedError):
                key.sign([message])


def test_the_key_is_made_once_and_is_no_claim_key(tmp_path: Path) -> None:
    first, again = init_feed_key(tmp_path), init_feed_key(tmp_path)
    assert first.public == again.public == feed_public_key(tmp_path)
    assert (tmp_path / "feed" / "ed25519.key").stat().st_mode & 0o077 == 0
    assert not list(tmp_path.glob("*.pem"))
