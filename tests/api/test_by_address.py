"""Files at an address: fetched through the guarded client from a server of our own, whose name only this test knows."""

from __future__ import annotations

import ipaddress
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI
from starlette.testclient import TestClient

from provenance.fetch import Address, Client

HOST = "photos.example"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for that name and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    form = serialization.PrivateFormat.PKCS8
    secret = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    return path


@contextmanager
def serving(certificate: Path, files: dict[str, bytes]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = files.get(self.path)
            self.send_response(302 if self.path == "/moved" else 200 if body is not None else 404)
            self.send_header("Location", "/photo.jpg")
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"https://{HOST}:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="module")
def place(certificate: Path, signed: dict[str, Any]) -> Iterator[str]:
    with serving(certificate, {"/photo.jpg": signed["bytes"], "/words": b"hello"}) as address:
        yield address


@pytest.fixture
def asked(app: FastAPI, certificate: Path) -> Iterator[list[str]]:
    """Names that were looked up; only ours has an address, and only its certificate counts."""
    names: list[str] = []

    def resolve(host: str, port: int) -> Sequence[Address]:
        names.append(host)
        return [ipaddress.IPv4Address("127.0.0.1")] if host == HOST else []

    client = Client(allow_private=True, resolve=resolve, trust=lambda: ssl.create_default_context(cafile=str(certificate)))
    before, app.state.fetching = app.state.fetching, client
    yield names
    app.state.fetching = before


def test_a_file_at_an_address_is_verified(client: TestClient, place: str, asked: list[str], signed: dict[str, Any]) -> None:
    answer = client.post("/api/v1/verify?marks=false", data={"url": f"{place}/photo.jpg"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "trusted"
    assert answer.json()["asset"]["sha256"] == signed["sha256"]
    assert asked == [HOST]


@pytest.mark.slow
def test_a_file_at_an_address_leads_to_its_manifest(
    client: TestClient, place: str, asked: list[str], signed: dict[str, Any]
) -> None:
    body = {"referenceUrl": f"{place}/photo.jpg", "assetLength": len(signed["bytes"])}
    answer = client.post("/v1/matches/byReference", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["matches"][0]["manifestId"] == signed["manifest_id"]


def test_no_more_than_was_promised_is_taken(
    client: TestClient, place: str, asked: list[str], signed: dict[str, Any], problem: Any
) -> None:
    body = {"referenceUrl": f"{place}/photo.jpg", "assetLength": len(signed["bytes"]) - 1}
    problem(client.post("/v1/matches/byReference", json=body), 422, "not-fetched")


@pytest.mark.parametrize(
    ("path", "status", "slug"),
    [("/none", 422, "not-fetched"), ("/moved", 422, "not-fetched"), ("/words", 415, "unsupported-media")],
)
def test_other_answers(client: TestClient, place: str, asked: list[str], problem: Any, path: str, status: int, slug: str) -> None:
    body = {"referenceUrl": place + path, "assetLength": 100}
    problem(client.post("/v1/matches/byReference", json=body), status, slug)
    assert asked == [HOST]  # and nobody followed


def test_another_name_than_the_certificates(client: TestClient, place: str, asked: list[str], problem: Any) -> None:
    body = {"referenceUrl": f"{place.replace(HOST, 'other.example')}/photo.jpg", "assetLength": 100}
    problem(client.post("/v1/matches/byReference", json=body), 422, "not-fetched")


def test_an_injected_resolver_opens_nothing_private(place: str, certificate: Path) -> None:
    """The addresses are checked whoever says so."""
    from provenance.errors import FetchError

    inside = Client(resolve=lambda *_: [ipaddress.IPv4Address("1.1.1.1"), ipaddress.IPv4Address("127.0.0.1")])
    with pytest.raises(FetchError, match=r"127\.0\.0\.1"):
        inside.get(f"{place}/photo.jpg")
    unknown = Client(allow_private=True, resolve=lambda *_: [ipaddress.IPv4Address("127.0.0.1")])
    with pytest.raises(FetchError, match="certificate"):
        unknown.get(f"{place}/photo.jpg")
