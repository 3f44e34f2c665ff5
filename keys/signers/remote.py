"""A key behind HTTPS: to-be-signed bytes go there, a signature comes back; the asset stays here.

    GET  URL   → 200 {"key": …, "alg": "es256", "chain": "-----BEGIN CERTIFICATE-----…"}
    POST URL   application/octet-stream (a COSE Sig_structure) → 200 application/octet-stream (the raw signature)
    else       a problem document (RFC 9457), whose `detail` is passed on; 401, 403 and 422 are refusals, all else is a failure

Our own service answers so under `/api/v1/sign/claim?key=NAME`. The API key comes from COLOPHON_SIGNER_KEY, or from the file
`remote/HOST` of the keys folder (`HOST_PORT` where a port is named), readable by its owner alone; never from the URL, which
ends up in settings and logs. It is sent as `Authorization: Bearer`. Certificates are verified, by `remote/HOST.ca.pem` where
there is one; plain http reaches this machine alone; nothing is redirected and no proxy is used. A signature is believed only
after it was verified here.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from cryptography import x509

from keys.algorithms import ALGORITHMS, fits, verify
from keys.certificate import load_pem, to_pem
from keys.errors import KeyFileError, SignerUnavailableError, SigningRefusedError, UnknownSignerError
from keys.files import read_private
from keys.hosts import is_local

KEY_VARIABLE = "COLOPHON_SIGNER_KEY"
TIMEOUT_S = 10.0
_FOLDER = "remote"
_MAX_ANSWER = 262_144
_BYTES = "application/octet-stream"
_SECRETIVE = re.compile(r"(^|[&;])(token|secret|password|passwd|pwd|api[-_]?key|auth[a-z]*|access[-_]?key|sig)=", re.IGNORECASE)
_REFUSALS = frozenset({400, 401, 403, 404, 413, 422})


@dataclass(frozen=True)
class Address:
    """Where a remote signer is, and how it is spoken to."""

    url: str
    host: str
    port: int
    target: str
    tls: ssl.SSLContext | None
    bearer: str | None = field(repr=False)

    @classmethod
    def of(cls, url: str, *, folder: Path) -> Address:
        """Read a reference.

        Raises:
            UnknownSignerError: no https address, plain http beyond this machine, or a secret in it.
            KeyFileError: the file with the API key, or with a CA, does not serve.
        """
        parts = _parts(url)
        host, secure = str(parts.hostname), parts.scheme == "https"
        name = f"{host}_{parts.port}" if parts.port else host
        port = parts.port or (443 if secure else 80)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(url, host, port, target, _tls(folder, name) if secure else None, _api_key(folder, name))


@dataclass(frozen=True)
class RemoteSigner:
    """A key held by somebody else. Safe to share between threads: every request has its own connection."""

    address: Address
    key: str
    alg: str
    chain: tuple[x509.Certificate, ...]
    timeout_s: float = TIMEOUT_S

    @classmethod
    def connect(cls, url: str, *, folder: Path, timeout_s: float = TIMEOUT_S) -> RemoteSigner:
        """Ask the service which key it has.

        Raises:
            UnknownSignerError, KeyFileError: as `Address.of`.
            SignerUnavailableError: it cannot be reached, or what answers is no signing service.
            SigningRefusedError: it will not sign for us, or has no such key.
        """
        address = Address.of(url, folder=folder)
        try:
            said = json.loads(_exchange(address, "GET", None, timeout_s))
            name, alg, chain = str(said["key"]), said["alg"], load_pem(said["chain"].encode("ascii"))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise SignerUnavailableError(url, "describes no key") from error
        if alg not in ALGORITHMS or not chain or not fits(alg, chain[0].public_key()):
            raise SignerUnavailableError(url, "describes a key that makes no sense")
        return cls(address, name, alg, chain, timeout_s)

    @cached_property
    def certificate_pem(self) -> str:
        return to_pem(self.chain)

    def sign(self, data: bytes) -> bytes:
        """Have bytes signed over there.

        Raises:
            SignerUnavailableError: no answer, or one that is no signature of this key over these bytes.
            SigningRefusedError: it will not sign this.
        """
        signature = _exchange(self.address, "POST", data, self.timeout_s)
        if not verify(self.chain[0].public_key(), self.alg, signature, data):
            raise SignerUnavailableError(self.address.url, "answered with something that is not this key's signature")
        return signature


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or any(ord(letter) <= 32 or ord(letter) > 126 for letter in url):
        raise UnknownSignerError(url[:200], "is no plain https address")
    if "@" in parts.netloc or _SECRETIVE.search(parts.query) or parts.fragment:
        raise UnknownSignerError(
            f"https://{parts.hostname}/…", f"no secret in a URL: use {KEY_VARIABLE} or remote/{parts.hostname}"
        )
    if parts.scheme == "http" and not is_local(str(parts.hostname)):
        raise UnknownSignerError(url, "plain http would show what is signed to others: write https")
    return parts


def _api_key(folder: Path, name: str) -> str | None:
    given = os.environ.get(KEY_VARIABLE)
    path = folder / _FOLDER / name
    if given is None and not path.exists():
        return None
    text = (given if given is not None else read_private(path).decode("utf-8", "replace")).strip()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise KeyFileError(path, f"holds no API key (or set {KEY_VARIABLE})")
    return text


def _tls(folder: Path, name: str) -> ssl.SSLContext:
    path = folder / _FOLDER / f"{name}.ca.pem"
    try:
        context = ssl.create_default_context(cafile=str(path) if path.exists() else None)
    except (OSError, ssl.SSLError) as error:
        raise KeyFileError(path, "holds no certificate of a CA") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _exchange(address: Address, method: str, body: bytes | None, timeout_s: float) -> bytes:
    """One request and its whole answer, within the time. Raises SignerUnavailableError, SigningRefusedError."""
    headers = {"User-Agent": "Colophon", "Accept": f"{_BYTES}, application/json", "Connection": "close"}
    headers |= {"Authorization": f"Bearer {address.bearer}"} if address.bearer else {}
    headers |= {"Content-Type": _BYTES} if body is not None else {}
    try:
        with _connected(address, timeout_s) as connection:
            connection.request(method, address.target, body, headers)
            response = connection.getresponse()
            data = response.read(_MAX_ANSWER + 1)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise SignerUnavailableError(address.url, _why(error)) from error
    if response.status in _REFUSALS:
        raise SigningRefusedError(*_refusal(response.status, data))
    if response.status != 200 or len(data) > _MAX_ANSWER or response.length:
        raise SignerUnavailableError(address.url, f"answered HTTP {response.status}, {len(data)} bytes")
    return data


@contextmanager
def _connected(address: Address, timeout_s: float) -> Iterator[http.client.HTTPConnection]:
    """A connection that is cut after a time, however slowly the other side drips."""
    if address.tls is not None:
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            address.host, address.port, timeout=timeout_s, context=address.tls
        )
    else:
        connection = http.client.HTTPConnection(address.host, address.port, timeout=timeout_s)
    connection.connect()
    sock, late = connection.sock, threading.Event()  # the connection forgets its socket once an answer begins

    def end() -> None:
        late.set()
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(timeout_s, end)
    timer.daemon = True
    timer.start()
    try:
        yield connection
    except (OSError, http.client.HTTPException, ValueError) as error:
        if late.is_set():
            raise TimeoutError(f"no whole answer in {timeout_s:g} s") from error
        raise
    finally:
        timer.cancel()
        connection.close()
    if late.is_set():
        raise TimeoutError(f"no whole answer in {timeout_s:g} s")


def _refusal(status: int, data: bytes) -> tuple[str, str]:
    """(code, words) of a refusal: the problem document's, as far as it is one."""
    try:
        said: Any = json.loads(data)
        code, why = said.get("code"), said.get("detail") or said.get("title")
    except (ValueError, AttributeError, RecursionError):
        code = why = None
    return str(code or f"http_{status}")[:60], _printable(why) or f"the signing service refused (HTTP {status})"


def _printable(text: Any) -> str:
    return "".join(letter for letter in str(text or "") if letter.isprintable())[:300]


def _why(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    return _printable(error) or type(error).__name__
