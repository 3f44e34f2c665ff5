"""A signer behind HTTPS, and services that lie, stall, drip or answer nonsense. Our own service: tests/api/test_sign_claim.py."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from keys.certificate import to_pem
from keys.errors import KeyFileError, SignerUnavailableError, SigningRefusedError, UnknownSignerError
from keys.keystore import Keystore, init_development
from keys.signer import load
from keys.signers.remote import RemoteSigner

Answer = Callable[[BaseHTTPRequestHandler, bytes], None]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, lab: Any) -> Keystore:
    return init_development(tmp_path_factory.mktemp("home") / "keys", now=lab.now)


def reply(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in ({"Content-Length": str(len(body))} | headers).items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


@contextmanager
def serving(store: Keystore, answer: Answer | None = None, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """A signing service; `answer` takes the place of what it does when asked to sign."""
    signer, seen = store.signer(), []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("Authorization"))
            reply(self, json.dumps({"key": "k", "alg": signer.alg, "chain": signer.certificate_pem}).encode())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            (answer or (lambda handler, data: reply(handler, signer.sign(data))))(self, body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}/sign?key=k"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_it_signs(store: Keystore) -> None:
    with serving(store) as url:
        signer = load(url, folder=store.folder)
        assert signer.alg == "es256"
        assert signer.certificate_pem == store.signer().certificate_pem
        assert len(signer.sign(b"bytes")) == 64


def _other_key(store: Keystore) -> Answer:
    from keys.algorithms import generate, sign

    key = generate("es256")
    return lambda handler, data: reply(handler, sign(key, "es256", data))


def _drip(handler: BaseHTTPRequestHandler, _: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "64")
    handler.end_headers()
    for _ in range(400):
        time.sleep(0.1)
        try:
            handler.wfile.write(b"x")
            handler.wfile.flush()
        except OSError:
            return


MISBEHAVIOUR: dict[str, tuple[Callable[[Keystore], Answer], str]] = {
    "signs with another key": (_other_key, "not this key's signature"),
    "signs other bytes": (lambda s: lambda h, d: reply(h, s.signer().sign(d + b"!")), "not this key's signature"),
    "empty": (lambda _: lambda h, _d: reply(h, b""), "not this key's signature"),
    "a page": (lambda _: lambda h, _d: reply(h, b"<html>log in</html>", Content_Type="text/html"), "not this key's"),
    "endless": (lambda _: lambda h, _d: reply(h, bytes(400_000)), "HTTP 200"),
    "cut short": (lambda _: lambda h, _d: reply(h, b"half", **{"Content-Length": "64"}), "HTTP 200, 4 bytes"),
    "elsewhere": (lambda _: lambda h, _d: reply(h, b"", 302, Location="http://127.0.0.1:1/"), "HTTP 302"),
    "broken": (lambda _: lambda h, _d: reply(h, b"oops", 500), "HTTP 500"),
    "no http": (lambda _: lambda h, _d: h.wfile.write(b"hello\r\n\r\n") and None, "hello"),
    "hangs up": (lambda _: lambda h, _d: h.close_connection, "closed connection"),
    "drips": (lambda _: _drip, "no whole answer in"),
}


@pytest.mark.parametrize("name", MISBEHAVIOUR)
def test_a_misbehaving_service_signs_nothing(store: Keystore, name: str) -> None:
    make, says = MISBEHAVIOUR[name]
    with serving(store, make(store)) as url:
        signer = RemoteSigner.connect(url, folder=store.folder, timeout_s=0.6)
        began = time.monotonic()
        with pytest.raises(SignerUnavailableError, match=says):
            signer.sign(b"bytes")
        assert time.monotonic() - began < 30


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_refusals_are_passed_on(store: Keystore, status: int) -> None:
    problem = json.dumps({"code": "source_type", "detail": "this key does not sign that\x1b[2J"}).encode()
    with serving(store, lambda handler, _: reply(handler, problem, status)) as url:
        with pytest.raises(SigningRefusedError) as caught:
            load(url, folder=store.folder).sign(b"bytes")
        assert caught.value.code == "source_type"
        assert caught.value.why == "this key does not sign that[2J"


@pytest.mark.parametrize(
    "described",
    [b"", b"[]", b'{"key": 1}', b'{"key": "k", "alg": "es256", "chain": ""}', b'{"key": "k", "alg": "none", "chain": "x"}'],
)  # fmt: skip
def test_a_service_that_describes_no_key(store: Keystore, described: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.keys.test_remote.json.dumps", lambda _: described.decode())
    with serving(store) as url, pytest.raises(SignerUnavailableError, match="describes"):
        load(url, folder=store.folder)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://sign.example/x", "plain http"),
        ("http://10.0.0.1/x", "plain http"),
        ("https://user:pass@sign.example/x", "no secret"),
        ("https://sign.example/x?token=abc", "no secret"),
        ("https://sign.example/x?key=a&api_key=abc", "no secret"),
        ("https://sign.example/x#abc", "no secret"),
        ("https:///x", "no plain"),
        ("https://sign.example:99999/x", "no plain"),
        ("https://sign.example/a b", "no plain"),
    ],
)
def test_addresses_that_are_refused(tmp_path: Path, url: str, says: str) -> None:
    with pytest.raises(UnknownSignerError, match=says) as caught:
        load(url, folder=tmp_path)
    assert "abc" not in str(caught.value)
    assert "pass" not in str(caught.value)


def test_the_api_key_comes_from_a_private_file_or_the_environment(store: Keystore, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str | None] = []

    def answer(handler: BaseHTTPRequestHandler, data: bytes) -> None:
        seen.append(handler.headers["Authorization"])
        reply(handler, store.signer().sign(data))

    with serving(store, answer) as url:
        place = store.folder / "remote" / f"127.0.0.1_{url.split(':')[2].split('/')[0]}"
        place.parent.mkdir(exist_ok=True)
        load(url, folder=store.folder).sign(b"x")
        place.write_text("from-file\n")
        place.chmod(0o644)
        with pytest.raises(KeyFileError, match="others may read"):
            load(url, folder=store.folder)
        place.chmod(0o600)
        load(url, folder=store.folder).sign(b"x")
        monkeypatch.setenv("COLOPHON_SIGNER_KEY", "from-environment")
        load(url, folder=store.folder).sign(b"x")
        monkeypatch.setenv("COLOPHON_SIGNER_KEY", "two words\r\nX-Evil: 1")
        with pytest.raises(KeyFileError, match="holds no API key"):
            load(url, folder=store.folder)
    assert seen == [None, "Bearer from-file", "Bearer from-environment"]


def test_tls_is_checked(store: Keystore, lab: Any, tmp_path: Path) -> None:
    ca = lab.ca("TLS root")
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    server = lab.issue("127.0.0.1", ca, purposes=("1.3.6.1.5.5.7.3.1",), extra=[(address, False)])
    (tmp_path / "chain.pem").write_text(to_pem((server.certificate,)))
    (tmp_path / "key.pem").write_bytes(server.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "chain.pem", tmp_path / "key.pem")
    with serving(store, tls=context) as url:
        with pytest.raises(SignerUnavailableError, match="certificate is not trusted"):
            load(url, folder=store.folder)
        place = store.folder / "remote" / f"127.0.0.1_{url.split(':')[2].split('/')[0]}.ca.pem"
        place.parent.mkdir(exist_ok=True)
        place.write_text("no certificate")
        with pytest.raises(KeyFileError, match="holds no certificate"):
            load(url, folder=store.folder)
        place.write_text(to_pem((ca.certificate,)))
        assert len(load(url, folder=store.folder).sign(b"x")) == 64
        with pytest.raises(SignerUnavailableError):
            load(url.replace("https", "http"), folder=store.folder)


def test_nobody_there(store: Keystore) -> None:
    with pytest.raises(SignerUnavailableError):
        load("http://127.0.0.1:1/sign", folder=store.folder)
