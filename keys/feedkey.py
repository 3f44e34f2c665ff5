"""The key of feed status tokens, `keys/feed/`: one Ed25519 key of its own, held by the signing process alone.

    feed/                 0700
      ed25519.key         0600  PKCS#8 PEM, encrypted like every key here
      feed.secret         0600  its passphrase (`COLOPHON_KEY_SECRET` stands in for it)
      public              0644  the public key, 64 hexadecimal digits; written last

Never a claim key: it signs JWTs of one type and nothing else (RFC 7515 §5.1, RFC 8037 §3.1), so that whoever can ask
for a status token cannot ask for a claim, and a claim's signature can never pass for a token.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keys.errors import KeyFileError, SignerUnavailableError
from keys.files import locked, private_folder, read_private, write_private
from keys.frames import Frame
from keys.protected import decrypted, encrypted, ensured_secret, secret_of
from keys.signers.socket import TIMEOUT_S, exchange

FOLDER, TYPE = "feed", "colophon-status+jwt"
SIGNATURE_BYTES = 64
_KEY, _SECRET, _PUBLIC = "ed25519.key", "feed.secret", "public"


@dataclass(frozen=True, slots=True)
class FeedPublicKey:
    """What clients check tokens with; 32 bytes."""

    raw: bytes

    @property
    def kid(self) -> str:
        """The key's thumbprint (RFC 7638 over RFC 8037 §2), so that a client can tell keys apart after a rotation."""
        members = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": _b64(self.raw)}, separators=(",", ":"))
        return _b64(hashlib.sha256(members.encode()).digest())

    @property
    def header(self) -> bytes:
        """The protected header of every token, encoded, with its dot: all that a token of this key can begin with."""
        members = {"alg": "EdDSA", "kid": self.kid, "typ": TYPE}
        return _b64(json.dumps(members, separators=(",", ":")).encode()).encode("ascii") + b"."

    def as_jwk(self) -> dict[str, str]:
        return {"kty": "OKP", "crv": "Ed25519", "x": _b64(self.raw), "kid": self.kid, "alg": "EdDSA", "use": "sig"}


@dataclass(frozen=True, slots=True)
class FeedKey:
    """The private key in this process's memory: in the signing process, never in one that answers requests."""

    public: FeedPublicKey
    _key: Ed25519PrivateKey = field(repr=False)

    def sign(self, inputs: Sequence[bytes]) -> bytes:
        """Sign JWS inputs (`header.payload`); returns 64 bytes for each, one after the other.

        Raises:
            ValueError: one of them is no input of a status token.
        """
        header = self.public.header
        if not all(message.startswith(header) and message.count(b".") == 1 for message in inputs):
            raise ValueError("not a status token")
        return b"".join(self._key.sign(message) for message in inputs)


@dataclass(frozen=True, slots=True)
class SocketFeedKey:
    """The same by proxy: asks the signing process. Safe to share between threads."""

    path: Path
    public: FeedPublicKey

    def sign(self, inputs: Sequence[bytes]) -> list[bytes]:
        """Signatures of JWS inputs, in their order.

        Raises:
            SignerUnavailableError: the process went away, or answered nonsense.
            SigningRefusedError: it will not sign these.
        """
        answer = exchange(self.path, Frame({"op": "status"}, b"\n".join(inputs)), TIMEOUT_S).body
        if len(answer) != SIGNATURE_BYTES * len(inputs):
            raise SignerUnavailableError(str(self.path), "answered with another number of signatures")
        return [answer[at : at + SIGNATURE_BYTES] for at in range(0, len(answer), SIGNATURE_BYTES)]


def init_feed_key(folder: Path) -> FeedKey:
    """Make sure that a keys folder has a feed key, and open it. Two processes at once make one.

    Raises:
        KeyFileError: the folder cannot be written, or what is in it is damaged.
    """
    place = private_folder(private_folder(folder) / FOLDER)
    try:
        with locked(place):
            if not (place / _PUBLIC).exists():
                _make(place)
    except OSError as error:
        raise KeyFileError(place, error.strerror or "cannot be written") from error
    public = feed_public_key(folder)
    key = decrypted(place / _KEY, read_private(place / _KEY), secret_of(place / _SECRET))
    if not isinstance(key, Ed25519PrivateKey) or key.public_key().public_bytes_raw() != public.raw:
        raise KeyFileError(place / _KEY, "is not the private key of the public one beside it")
    return FeedKey(public, key)


def feed_public_key(folder: Path) -> FeedPublicKey:
    """Read the public key alone.

    Raises:
        KeyFileError: there is none, or the file is damaged.
    """
    path = folder / FOLDER / _PUBLIC
    try:
        raw = bytes.fromhex(path.read_text("ascii").strip())
    except OSError as error:
        raise KeyFileError(path, error.strerror or "cannot be read") from error
    except ValueError as error:
        raise KeyFileError(path, "is not hexadecimal") from error
    if len(raw) != 32:
        raise KeyFileError(path, "does not hold 32 bytes")
    return FeedPublicKey(raw)


def _make(place: Path) -> None:
    key = Ed25519PrivateKey.generate()
    write_private(place / _KEY, encrypted(key, ensured_secret(place / _SECRET)))
    write_private(place / _PUBLIC, key.public_key().public_bytes_raw().hex().encode("ascii") + b"\n")
    (place / _PUBLIC).chmod(0o644)


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
