"""The guarded client: whom it talks to, and what it does not do."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from provenance.errors import FetchError
from provenance.fetch import Client, is_public

PRIVATE = (
    "127.0.0.1", "10.0.0.1", "172.16.5.5", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1", "240.0.0.1",
    "255.255.255.255", "192.0.2.1", "198.18.0.1", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
    "::ffff:169.254.169.254", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1",
)  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_no_public_address(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1"])
def test_public_addresses(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@contextmanager
def serving(reply: Any) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            reply(self)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def whole(handler: BaseHTTPRequestHandler, status: int = 200, body: bytes = b"hello", **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), "Content-Type": "text/plain", **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def test_loopback_only_when_allowed() -> None:
    with serving(whole) as url:
        with pytest.raises(FetchError, match="no public address"):
            Client().get(url)
        with pytest.raises(FetchError, match="no public address"):
            Client().get(url.replace("127.0.0.1", "localhost"))
        assert Client(allow_private=True).get(url).body == b"hello"


@pytest.mark.parametrize(
    "url", ["ftp://x/", "file:///etc/passwd", "http:///x", "//x", "", "http://a:b@1.1.1.1/", "http://x:99999/", "http://x/\r\nHost: y", "http://[::1"]  # noqa: E501 - one list of addresses
)  # fmt: skip
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(FetchError, match="no plain http"):
        Client(allow_private=True).get(url)


def test_every_address_of_a_name_must_be_public(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with one public and one private address; and the connection goes to the address that was checked."""
    info = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, 80)) for a in ("1.1.1.1", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: info)
    with pytest.raises(FetchError, match=r"10\.0\.0\.1"):
        Client().get("http://rebind.example/")
    tried: list[Any] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: info[:1])

    def connect(address: Any, timeout: float) -> socket.socket:
        tried.append(address)
        raise ConnectionRefusedError("refused")

    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(FetchError, match="refused"):
        Client().get("http://rebind.example/")
    assert tried == [("1.1.1.1", 80)]


def test_redirects_are_answers() -> None:
    with serving(lambda h: whole(h, 302, Location="http://169.254.169.254/")) as url:
        assert Client(allow_private=True).get(url).status == 302


def test_long_and_slow_answers() -> None:
    def dripping(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            for _ in range(1000):
                handler.wfile.write(b"x")
                handler.wfile.flush()
                time.sleep(0.05)
        except OSError:
            pass

    with serving(lambda h: whole(h, body=b"x" * 5000)) as url, pytest.raises(FetchError, match="more than 4096"):
        Client(allow_private=True, max_bytes=4096).get(url)
    with serving(dripping) as url:
        began = time.monotonic()
        with pytest.raises(FetchError, match=r"in time|timed out|Incomplete"):
            Client(allow_private=True, timeout_s=0.4).get(url)
        assert time.monotonic() - began < 30


def test_it_is_no_http() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:

        def rubbish() -> None:
            connection, _ = door.accept()
            connection.recv(1000)
            connection.sendall(b"SSH-2.0-x\r\n")
            connection.close()

        threading.Thread(target=rubbish, daemon=True).start()
        with pytest.raises(FetchError):
            Client(allow_private=True).get(f"http://127.0.0.1:{door.getsockname()[1]}/")
