"""A signer: something that signs bytes and has a certificate chain. Chosen by reference, so that a key can move
without its users.

    NAME, file:NAME          an encrypted key file in the keys folder (`signers.file`)
    unix:PATH[?key=NAME]     the signing process listening at PATH (`signers.socket`)
    pkcs11:token=…;object=…  a key in a hardware module (`signers.pkcs11`, RFC 7512)
    https://HOST/…[?key=…]   a signing service elsewhere (`signers.remote`); plain http to this machine only
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs

from cryptography import x509

from keys.errors import UnknownSignerError
from keys.signers.file import load_named
from keys.signers.pkcs11 import Pkcs11Signer
from keys.signers.remote import RemoteSigner
from keys.signers.socket import SocketSigner


class Signer(Protocol):
    """What a claim generator needs of a key.

    `alg` is one of `algorithms.ALGORITHMS` ("es256", …); `chain` the leaf and every intermediate, without the root.
    """

    @property
    def alg(self) -> str: ...

    @property
    def chain(self) -> tuple[x509.Certificate, ...]: ...

    @property
    def certificate_pem(self) -> str:
        """The chain as PEM, leaf first: what a COSE writer puts into x5chain."""
        ...

    def sign(self, data: bytes) -> bytes:
        """A raw COSE signature: r‖s for ECDSA, PSS with a digest-long salt, Ed25519.

        Raises:
            SignerUnavailableError, SigningRefusedError: from a signing process.
        """
        ...


def key_name(ref: str) -> str:
    """The name under which a policy knows the key of a reference; for hardware and remote keys the reference itself."""
    scheme, colon, rest = ref.partition(":")
    if not colon:
        return ref
    if scheme == "unix":
        return parse_qs(rest.partition("?")[2]).get("key", ["development"])[0]
    return rest if scheme == "file" else ref


def load(ref: str, *, folder: Path) -> Signer:
    """Find the signer that a reference names.

    Args:
        folder: the keys folder, for references without a path.
    Raises:
        UnknownSignerError: an unknown scheme, a malformed reference, or no such key.
        KeyFileError: the key file is there and cannot be used.
        SignerUnavailableError: the signing process does not answer.
    """
    scheme, colon, rest = ref.partition(":")
    if not colon:
        return load_named(folder, ref)
    match scheme:
        case "file":
            return load_named(folder, rest)
        case "unix":
            path, _, query = rest.partition("?")
            asked = parse_qs(query, keep_blank_values=True)
            if not path or set(asked) - {"key"} or len(asked.get("key", [])) > 1:
                raise UnknownSignerError(ref, "write unix:PATH or unix:PATH?key=NAME")
            return SocketSigner.connect(Path(path), key=asked.get("key", [None])[0])
        case "pkcs11":
            return Pkcs11Signer.load(ref)
        case "https" | "http":
            return RemoteSigner.connect(ref, folder=folder)
        case _:
            raise UnknownSignerError(ref, f"unknown scheme {scheme!r}; use file:, unix:, pkcs11: or https:")
