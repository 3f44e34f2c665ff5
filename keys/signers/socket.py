"""A key that lives in the signing process: this side holds the certificates and asks for each signature over a Unix
socket.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from cryptography import x509

from keys.algorithms import fits
from keys.certificate import load_pem, to_pem
from keys.errors import SignerUnavailableError, SigningRefusedError
from keys.frames import Frame, FrameError, encode, receive

TIMEOUT_S = 10.0


@dataclass(frozen=True)
class SocketSigner:
    """A signer by proxy. Safe to share between threads: every request opens its own connection."""

    path: Path
    key: str
    alg: str
    chain: tuple[x509.Certificate, ...]
    timeout_s: float = field(default=TIMEOUT_S)

    @classmethod
    def connect(cls, path: Path, *, key: str | None = None, timeout_s: float = TIMEOUT_S) -> SocketSigner:
        """Ask the process which key it has.

        Raises:
            SignerUnavailableError: nobody listens there, or what answers is no signing process.
            SigningRefusedError: it knows no such key.
        """
        answer = exchange(path, Frame({"op": "describe", "key": key}), timeout_s)
        name, alg = answer.header.get("key"), answer.header.get("alg")
        try:
            chain = load_pem(answer.body)
        except ValueError as error:
            raise SignerUnavailableError(str(path), f"sent unreadable certificates ({error})") from error
        if not isinstance(name, str) or not isinstance(alg, str) or not chain or not fits(alg, chain[0].public_key()):
            raise SignerUnavailableError(str(path), "described a key that makes no sense")
        return cls(path, name, alg, chain, timeout_s)

    @cached_property
    def certificate_pem(self) -> str:
        return to_pem(self.chain)

    def sign(self, data: bytes) -> bytes:
        """Have a COSE Sig_structure signed.

        Raises:
            SignerUnavailableError: the process went away or answered nonsense; nothing was signed for us.
            SigningRefusedError: it will not sign this.
        """
        answer = exchange(self.path, Frame({"op": "sign", "key": self.key}, data), self.timeout_s)
        if not answer.body:
            raise SignerUnavailableError(str(self.path), "answered without a signature")
        return answer.body


def exchange(path: Path, question: Frame, timeout_s: float) -> Frame:
    """Ask the signing process one thing.

    Raises:
        SignerUnavailableError, SigningRefusedError: see `SocketSigner.sign`.
    """
    try:
        message = encode(question)
    except FrameError as error:
        raise SigningRefusedError("too_large", str(error)) from error
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            connection.connect(str(path))
            connection.sendall(message)
            answer = receive(connection, within_s=timeout_s)
    except TimeoutError as error:
        raise SignerUnavailableError(str(path), f"no answer in {timeout_s:g} s") from error
    except OSError as error:
        raise SignerUnavailableError(str(path), error.strerror or str(error)) from error
    except FrameError as error:
        raise SignerUnavailableError(str(path), f"broken answer: {error}") from error
    if answer.header.get("ok") is not True:
        code, why = answer.header.get("code"), answer.header.get("why")
        raise SigningRefusedError(str(code or "unknown"), str(why or "no reason given"))
    return answer
