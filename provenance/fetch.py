"""The one client for addresses that others gave us: webhooks, revocation answers, remote manifests.

- Only http and https, only public addresses; every address that a name resolves to must be public, and the connection
  goes to the one that was checked (a second look-up could answer otherwise).
- No redirects, no proxies, no cookies, no credentials in the URL; one deadline for everything; answers are capped.
- Addresses of this machine and of private networks are refused, unless a test or a closed deployment says otherwise.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from provenance.errors import FetchError

_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # leads to the IPv4 address in its last four bytes
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status code."""

    status: int
    body: bytes = field(repr=False)
    media_type: str = ""


def look_up(host: str, port: int) -> Sequence[Address]:
    """Every address that the system's resolver has for a name. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


@dataclass(frozen=True, slots=True)
class Client:
    """A guarded client.

    Attributes:
        timeout_s: For one whole exchange, from the look-up to the last byte.
        max_bytes: Of a body; a longer one is an error.
        allow_private: Whether this machine and private networks may be reached.
        resolve: Addresses of a name; each is checked, whoever says so.
        trust: Makes the TLS context: whose certificates count.
    """

    timeout_s: float = 10.0
    max_bytes: int = 1 << 20
    allow_private: bool = False
    resolve: Callable[[str, int], Sequence[Address]] = look_up
    trust: Callable[[], ssl.SSLContext] = ssl.create_default_context

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send a body. Raises FetchError."""
        return self._exchange("POST", url, body, headers)

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Fetch a document. Raises FetchError."""
        return self._exchange("GET", url, None, headers or {})

    def _exchange(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        deadline = time.monotonic() + self.timeout_s
        parts = _parts(url)
        host, secure = str(parts.hostname), parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            address = self._address(url, host, port)
            connection = http.client.HTTPConnection(host, port, timeout=self.timeout_s)
            connection.sock = self._connect(address, port, host if secure else None, deadline)
            with _ended_at(deadline, connection.sock):
                connection.request(method, target, body, {"User-Agent": "Colophon", "Connection": "close", **headers})
                response = connection.getresponse()
                data = self._read(response, url)
                connection.close()
            _left(deadline)  # what was cut off looks like an end
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise FetchError(url, str(error) or type(error).__name__) from error
        return Answer(response.status, data, response.headers.get_content_type())

    def _address(self, url: str, host: str, port: int) -> Address:
        """The first address of a host, if all of them may be reached."""
        found = self.resolve(host, port)
        wrong = [] if self.allow_private else [address for address in found if not is_public(address)]
        if wrong or not found:
            raise FetchError(url, f"leads to {wrong[0]}, which is no public address" if wrong else "has no address")
        return found[0]

    def _connect(self, address: Address, port: int, tls_name: str | None, deadline: float) -> socket.socket:
        raw = socket.create_connection((str(address), port), timeout=_left(deadline))
        if tls_name is None:
            return raw
        try:
            raw.settimeout(_left(deadline))
            return self.trust().wrap_socket(raw, server_hostname=tls_name)
        except BaseException:
            raw.close()
            raise

    def _read(self, response: http.client.HTTPResponse, url: str) -> bytes:
        data = response.read(self.max_bytes + 1)
        if len(data) > self.max_bytes:
            raise FetchError(url, f"answered with more than {self.max_bytes} bytes")
        return data


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet, seen through the ways to write IPv4 in IPv6."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        ok = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1) > 0
    except ValueError:
        ok = False
    if not ok or "@" in parts.netloc or any(ord(letter) <= 32 or ord(letter) > 126 for letter in url):
        raise FetchError(url[:200], "is no plain http or https address")
    return parts


@contextmanager
def _ended_at(deadline: float, sock: socket.socket) -> Iterator[None]:
    """Shut a connection down at an instant, however it drips; a time limit on each read would not."""

    def end() -> None:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(_left(deadline), end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        sock.close()


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("no whole answer in time")
    return left
