"""Tokens of an identity provider: its signature, its audience, its roles, and nothing else."""

from __future__ import annotations

import base64
import hmac
import json
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey
from starlette.testclient import TestClient

from api.app import create_app
from api.oidc import Provider, looks_like_one
from api.settings import Settings
from api.wiring import House
from provenance.errors import FetchError, UnavailableError

ISSUER, AUDIENCE = "https://id.example", "colophon"
KEYS = {
    "RS256": RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"}),
    "ES256": ECKey.generate_key("P-256", {"kid": "ec", "use": "sig"}),
    "Ed25519": OKPKey.generate_key("Ed25519", {"kid": "ed", "use": "sig"}),
}


def public(*keys: Any) -> dict[str, Any]:
    return dict(KeySet(list(keys)).as_dict(private=False))


def token(alg: str = "ES256", key: Any = None, header: dict[str, Any] | None = None, **claims: Any) -> str:
    key = key or KEYS[alg]
    said = {"iss": ISSUER, "aud": AUDIENCE, "sub": "amira", "exp": int(time.time()) + 300, "roles": ["auditor"], **claims}
    said = {name: value for name, value in said.items() if value is not None}
    return jwt.encode({"alg": alg, "kid": key.kid, **(header or {})}, said, key, algorithms=[alg])


class Source:
    """A provider that can be asked, and counts."""

    def __init__(self) -> None:
        self.keys, self.asked, self.down = [*KEYS.values()], [], False

    def __call__(self, url: str) -> dict[str, Any]:
        self.asked.append(url)
        if self.down:
            raise FetchError(url, "down")
        if url.endswith("openid-configuration"):
            return {"jwks_uri": f"{ISSUER}/jwks"}
        return public(*self.keys)


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def clock() -> list[float]:
    return [time.time()]


@pytest.fixture
def provider(source: Source, clock: list[float], tmp_path: Path) -> Provider:
    settings = Settings(home=tmp_path, oidc_issuer=ISSUER, oidc_audience=AUDIENCE)
    return Provider(settings, fetch=source, clock=lambda: clock[0])


@pytest.mark.parametrize("alg", sorted(KEYS))
def test_a_good_token_has_its_roles_and_no_name(provider: Provider, alg: str) -> None:
    found = provider.caller(token(alg, roles=["colophon:reviewer", "feed", "root"]))
    assert found is not None
    assert found.roles == {"reviewer", "feed"}
    assert found.id.startswith("oidc:")
    assert "amira" not in found.id
    assert found.id == provider.caller(token("RS256")).id  # type: ignore[union-attr]
    assert found.id != provider.caller(token(sub="ben")).id  # type: ignore[union-attr]


def test_roles_may_be_words_in_one_string(provider: Provider) -> None:
    assert provider.caller(token(roles="auditor signer")).roles == {"auditor", "signer"}  # type: ignore[union-attr]


@pytest.mark.parametrize("roles", [None, 7, {"admin": True}, [["admin"]], "administrator", []])
def test_anything_else_is_no_role(provider: Provider, roles: Any) -> None:
    found = provider.caller(token(roles=roles))
    assert found is not None
    assert found.roles == frozenset()


@pytest.mark.parametrize(
    "claims",
    [{"iss": "https://evil.example"}, {"aud": "another"}, {"aud": None}, {"iss": None}, {"sub": None}, {"exp": None},
     {"exp": int(time.time()) - 120}, {"nbf": int(time.time()) + 3600}, {"exp": "soon"}],
)  # fmt: skip
def test_wrong_claims_are_nobody(provider: Provider, claims: dict[str, Any]) -> None:
    assert provider.caller(token(**claims)) is None


def test_a_key_of_ones_own_is_nobodys(provider: Provider) -> None:
    stranger = ECKey.generate_key("P-256", {"kid": "ec"})
    assert provider.caller(token("ES256", stranger)) is None


def test_the_public_key_as_a_secret_is_no_signature(provider: Provider) -> None:
    """RS256 keys used as HMAC secrets (RFC 8725 §2.1)."""
    secret = KEYS["RS256"].as_pem(private=False)
    said = {"iss": ISSUER, "aud": AUDIENCE, "sub": "x", "exp": 2**40, "roles": ["admin"]}
    parts = [base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=") for p in ({"alg": "HS256", "kid": "rsa"}, said)]
    seal = base64.urlsafe_b64encode(hmac.digest(secret, b".".join(parts), "sha256")).rstrip(b"=")
    forged = b".".join([*parts, seal]).decode()
    assert provider.caller(forged) is None


@pytest.mark.parametrize("wrong", ["eyJ..", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.", "eyJ.e30.e30", "a.b.c", "", "eyJ\u00fc.a.b"])
def test_what_is_no_token_is_nobody(provider: Provider, wrong: str) -> None:
    assert provider.caller(wrong) is None


def test_a_changed_letter_is_nobody(provider: Provider) -> None:
    head, body, seal = token().split(".")
    assert provider.caller(f"{head}.{body}.{seal[:10]}{'A' if seal[10] != 'A' else 'B'}{seal[11:]}") is None
    assert provider.caller(f"{head}.{body[:-4]}AAAA.{seal}") is None


def test_keys_are_kept_and_asked_anew_for_a_new_one(provider: Provider, source: Source, clock: list[float]) -> None:
    assert provider.caller(token()) is not None
    asked = len(source.asked)
    fresh = ECKey.generate_key("P-256", {"kid": "new", "use": "sig"})
    source.keys = [fresh]
    clock[0] += 61
    assert provider.caller(token("ES256", fresh)) is not None
    assert len(source.asked) > asked
    for _ in range(20):  # strangers cannot make us ask the provider again and again
        provider.caller(token("ES256", ECKey.generate_key("P-256", {"kid": "x"})))
    assert len(source.asked) <= asked + 4


def test_a_provider_that_is_down(provider: Provider, source: Source, clock: list[float]) -> None:
    source.down = True
    with pytest.raises(UnavailableError):
        provider.caller(token())
    source.down = False
    assert provider.caller(token()) is not None
    source.down, clock[0] = True, clock[0] + 700
    assert provider.caller(token(sub="carla", exp=int(clock[0]) + 300)) is not None  # known keys are good enough


def test_a_token_ends_when_it_says(provider: Provider, clock: list[float]) -> None:
    given = token(exp=int(clock[0]) + 100)
    assert provider.caller(given) == provider.known(given) is not None
    clock[0] += 101
    assert provider.known(given) is None


@pytest.mark.parametrize(
    ("text", "so"), [("eyJ.a.b", True), ("eyJ.a", False), ("ct_eyJ.a.b", False), ("eyJ.a." + "b" * 9000, False)]
)
def test_the_form_of_a_token(text: str, so: bool) -> None:
    assert looks_like_one(text) is so


def test_at_the_service_with_an_issuer_of_this_machine(house: House, tmp_path: Path, problem: Any) -> None:
    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(public(*KEYS.values())).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None: ...

    issuer = HTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=issuer.serve_forever, daemon=True).start()
    settings = replace(
        house.settings, home=tmp_path, require_keys=True, oidc_issuer=ISSUER, oidc_audience=AUDIENCE, oidc_private=True,
        oidc_jwks=f"http://127.0.0.1:{issuer.server_address[1]}/jwks",
    )  # fmt: skip
    with TestClient(create_app(replace(house, settings=settings), guarded=True)) as client:

        def ask(path: str, given: str) -> Any:
            return client.get(path, headers={"authorization": f"Bearer {given}"})

        assert ask("/api/v1/review", token(roles=["reviewer"])).status_code == 200
        problem(ask("/api/v1/review", token(roles=["auditor"])), 403, "not-allowed")
        problem(ask("/api/v1/review", token(roles=["admin"], aud="another")), 401, "no-key")
        assert ask("/api/v1/feed/status?ids=a", token(roles=["feed"])).status_code == 200
    issuer.shutdown()
    issuer.server_close()
