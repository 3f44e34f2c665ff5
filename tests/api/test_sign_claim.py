"""Signing claims for others over HTTP: our own client, the library behind it, and what is refused."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.access import Access
from api.app import create_app
from api.wiring import House
from keys import journal
from keys.algorithms import verify
from keys.certificate import load_pem
from keys.errors import SigningRefusedError, UnknownSignerError
from keys.signer import load
from provenance import sdk
from provenance.claim import captured
from tests.api.conftest import running

NOW = datetime.now(UTC)
ROUTE = "/api/v1/sign/claim"
OCTETS = {"content-type": "application/octet-stream"}


@pytest.fixture(scope="module")
def known(client: TestClient) -> dict[str, Any]:
    answer = client.get(ROUTE)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def bytes_for(known: dict[str, Any], **claim: Any) -> bytes:
    leaf = load_pem(known["chain"].encode())[0].public_bytes(Encoding.DER)
    assertion = {"url": "self#jumbf=c2pa.assertions/c2pa.hash.data", "hash": bytes(32)}
    whole = {
        "instanceID": "xmp:iid:1", "claim_generator_info": {"name": "test"}, "signature": "self#jumbf=/c2pa/u/c2pa.signature",
        "created_assertions": [assertion], **claim,
    }  # fmt: skip
    return cbor2.dumps(["Signature1", cbor2.dumps({1: -7, 33: leaf}), b"", cbor2.dumps(whole)])


def test_a_signature_and_its_entry(client: TestClient, known: dict[str, Any], house: House) -> None:
    _, before = journal.read(house.keystore.folder)
    tbs = bytes_for(known)
    answer = client.post(ROUTE, content=tbs, headers=OCTETS)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/octet-stream"
    assert verify(load_pem(known["chain"].encode())[0].public_key(), known["alg"], answer.content, tbs)
    _, after = journal.read(house.keystore.folder)
    assert [entry.generator for entry in after[len(before) :]] == ["test"]


def test_what_is_refused(client: TestClient, known: dict[str, Any], problem: Any) -> None:
    problem(client.post(ROUTE, content=b"anything", headers=OCTETS), 403, "signing-refused")
    problem(client.post(ROUTE, content=bytes_for(known)), 415, "unsupported-media")
    problem(client.post(ROUTE, content=b"", headers=OCTETS), 400, "bad-request")
    problem(client.post(ROUTE, content=bytes(1_000_002), headers=OCTETS), 413, "too-large")
    problem(client.post(ROUTE + "?key=nobody", content=bytes_for(known), headers=OCTETS), 422, "unknown-key")
    problem(client.post(ROUTE + "?key=../x", content=bytes_for(known), headers=OCTETS), 422, "invalid-request")
    problem(client.get(ROUTE + "?key=nobody"), 422, "unknown-key")


def test_the_library_signs_through_our_client(server: str, house: House, photo: bytes) -> None:
    signer = load(f"{server}{ROUTE}", folder=house.keystore.folder)
    definition = captured(title="a", source_type="digitalCapture", at=NOW, binding=None, thumbnail=False)
    out = io.BytesIO()
    sdk.sign(
        definition, io.BytesIO(photo), out, "image/jpeg", algorithm=signer.alg, chain_pem=signer.certificate_pem,
        callback=signer.sign, tsa_url=None, resources={},
    )  # fmt: skip
    read = sdk.read(out, "image/jpeg")
    assert read is not None
    assert "claimSignature.validated" in {code.code for code in read.manifest.results.success}  # type: ignore[union-attr]


def test_an_unknown_key_and_a_refused_claim_over_the_wire(server: str, house: House) -> None:
    with pytest.raises(SigningRefusedError):
        load(f"{server}{ROUTE}?key=nobody", folder=house.keystore.folder)
    with pytest.raises(SigningRefusedError) as caught:
        load(f"{server}{ROUTE}", folder=house.keystore.folder).sign(b"not a claim")
    assert caught.value.code == "not_a_claim"
    with pytest.raises(UnknownSignerError, match="no secret"):
        load(f"{server}{ROUTE}?token=abc", folder=house.keystore.folder)


def test_beyond_loopback_it_asks_for_a_signer(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    guarded: FastAPI = create_app(house, guarded=True)
    access = Access(house.settings.home)
    _, reader = access.new("reader", ["feed"], at=NOW)
    _, writer = access.new("writer", ["signer"], at=NOW)
    folder = house.keystore.folder
    with running(guarded) as address:
        monkeypatch.delenv("COLOPHON_SIGNER_KEY", raising=False)
        for given in (None, reader):
            if given:
                monkeypatch.setenv("COLOPHON_SIGNER_KEY", given)
            with pytest.raises(SigningRefusedError):
                load(f"{address}{ROUTE}", folder=folder)
        monkeypatch.delenv("COLOPHON_SIGNER_KEY")
        (folder / "remote").mkdir()
        place = folder / "remote" / address.removeprefix("http://").replace(":", "_")
        place.write_text(writer + "\n")
        place.chmod(0o600)
        assert load(f"{address}{ROUTE}", folder=folder).alg == "es256"
