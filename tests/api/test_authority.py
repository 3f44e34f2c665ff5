"""The authority's counter over HTTP, with the tools that a device has: curl and openssl."""

from __future__ import annotations

import base64
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509 import ocsp

from api.wiring import House
from keys.book import Book
from keys.certificate import fingerprint, to_pem
from keys.enrolment import new_token


def run(folder: Path, *arguments: str) -> str:
    done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.slow
def test_a_device_with_curl_and_openssl(house: House, server: str, tmp_path: Path) -> None:
    book = Book(house.keystore.folder)
    token = new_token(book, "Camera 9", at=datetime.now(UTC))
    est = f"{server}/.well-known/est"
    run(tmp_path, "curl", "-s", "-o", "ca.b64", f"{est}/cacerts")
    run(tmp_path, "openssl", "base64", "-d", "-in", "ca.b64", "-out", "ca.p7")
    run(tmp_path, "openssl", "pkcs7", "-inform", "DER", "-in", "ca.p7", "-print_certs", "-out", "ca.pem")
    run(tmp_path, "openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
        "device.key", "-subj", "/CN=x", "-outform", "DER", "-out", "request.der")  # fmt: skip
    run(tmp_path, "openssl", "base64", "-in", "request.der", "-out", "request.b64")
    post = ("curl", "-s", "-H", "Content-Type: application/pkcs10", "--data-binary", "@request.b64")
    assert run(tmp_path, *post, "-o", "no", "-w", "%{http_code}", "-u", "x:wrong", f"{est}/simpleenroll") == "401"
    assert run(tmp_path, *post, "-o", "no", "-w", "%{http_code}", f"{est}/simpleenroll") == "401"
    run(tmp_path, *post, "-u", f"device:{token}", "-o", "leaf.b64", f"{est}/simpleenroll")
    run(tmp_path, "openssl", "base64", "-d", "-in", "leaf.b64", "-out", "leaf.p7")
    run(tmp_path, "openssl", "pkcs7", "-inform", "DER", "-in", "leaf.p7", "-print_certs", "-out", "leaf.pem")
    assert "leaf.pem: OK" in run(tmp_path, "openssl", "verify", "-CAfile", "ca.pem", "leaf.pem")

    run(tmp_path, "openssl", "cms", "-sign", "-binary", "-nodetach", "-md", "sha256", "-in", "request.der", "-signer", "leaf.pem",
        "-inkey", "device.key", "-outform", "DER", "-out", "renewal.der")  # fmt: skip
    run(tmp_path, "openssl", "base64", "-in", "renewal.der", "-out", "renewal.b64")
    again = (
        "curl",
        "-s",
        "-H",
        "Content-Type: application/pkcs7-mime",
        "--data-binary",
        "@renewal.b64",
        "-o",
        "new.b64",
        "-w",
        "%{http_code}",
    )
    assert run(tmp_path, *again, f"{est}/simplereenroll") == "200"
    (leaf,) = pkcs7.load_der_pkcs7_certificates(base64.b64decode((tmp_path / "new.b64").read_bytes()))

    (tmp_path / "new.pem").write_text(to_pem((leaf,)))
    issuer = house.keystore.chain("development")[1]
    (tmp_path / "issuer.pem").write_text(to_pem((issuer,)))
    asking = (
        "openssl",
        "ocsp",
        "-issuer",
        "issuer.pem",
        "-cert",
        "new.pem",
        "-CAfile",
        "ca.pem",
        "-url",
        f"{server}/api/v1/keys/ocsp",
    )
    said = run(tmp_path, *asking)
    assert "Response verify OK" in said, said
    assert "new.pem: good" in said
    book.revoke(fingerprint(leaf), reason="superseded", at=datetime.now(UTC))
    assert "new.pem: revoked" in run(tmp_path, *asking)
    assert run(tmp_path, *again, f"{est}/simplereenroll") == "200"  # the certificate that signed this one stands


def test_ocsp_by_get(house: House, client: Any) -> None:
    leaf, issuer = house.keystore.chain("development")
    request = ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, hashes.SHA1()).build().public_bytes(Encoding.DER)
    from urllib.parse import quote

    answer = client.get(f"/api/v1/keys/ocsp/{quote(base64.b64encode(request).decode(), safe='')}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/ocsp-response"
    assert ocsp.load_der_ocsp_response(answer.content).certificate_status is ocsp.OCSPCertStatus.GOOD


def test_a_refusal_says_why_and_how_to_ask(client: Any, house: House, problem: Any) -> None:
    """EST clients send a token only once they were asked for it (RFC 7030 §3.2.3), and show their user the reason."""
    est = "/.well-known/est/simpleenroll"
    bare = client.post(est, content=b"MA==")
    assert "password" in problem(bare, 401, "no-token")["detail"]
    assert bare.headers["www-authenticate"].startswith("Basic ")
    unknown = client.post(est, content=b"MA==", auth=("device", "wrong"))
    assert "token" in problem(unknown, 401, "no-token")["detail"]
    assert "www-authenticate" in unknown.headers
    token = new_token(Book(house.keystore.folder), "Camera 10", at=datetime.now(UTC))
    nonsense = client.post(est, content=base64.b64encode(b"junk"), auth=("device", token))
    assert problem(nonsense, 400, "bad-request")["detail"]
    problem(client.post("/.well-known/est/simplereenroll", content=base64.b64encode(b"junk")), 401, "no-token")


def test_nonsense(client: Any) -> None:
    est = "/.well-known/est"
    assert client.get("/api/v1/keys/ocsp/!!!").status_code == 400
    assert client.post("/api/v1/keys/ocsp", content=b"x").status_code == 415
    heads = {"content-type": "application/ocsp-request"}
    assert client.post("/api/v1/keys/ocsp", content=b"x" * 5000, headers=heads).status_code == 400
    malformed = client.post("/api/v1/keys/ocsp", content=b"x", headers=heads)
    assert ocsp.load_der_ocsp_response(malformed.content).response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST
    for body in (b"", b"\xff\xfe", b"not base64!", base64.b64encode(b"x" * 40_000)):
        assert client.post(f"{est}/simplereenroll", content=body).status_code == 400
    assert client.post(f"{est}/simplereenroll", content=base64.b64encode(b"junk")).status_code == 401
    for header in ("Basic !!", "Bearer x", "Basic " + base64.b64encode(b"nocolon").decode()):
        assert client.post(f"{est}/simpleenroll", content=b"MA==", headers={"authorization": header}).status_code == 401
