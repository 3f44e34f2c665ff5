"""Keys in files: `NAME.pem` holds an encrypted PKCS#8 key, then the leaf and the intermediates; `NAME.secret` its
passphrase (keys/protected.py).

Key and secret must be readable by their owner alone. `openssl pkey -in NAME.pem -passin file:NAME.secret` works.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keys.algorithms import SigningKey, default_for, fits, narrow, sign
from keys.certificate import load_pem, to_pem
from keys.errors import AlgorithmError, KeyFileError, UnknownSignerError
from keys.files import read_private, write_private
from keys.protected import decrypted, encrypted, ensured_secret, secret_of

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_KEY_BLOCK = re.compile(rb"-----BEGIN (ENCRYPTED |RSA |EC )?PRIVATE KEY-----.*?-----END \1?PRIVATE KEY-----", re.DOTALL)
_ALG_LINE = re.compile(rb"^alg: ([a-z0-9]+)\r?$", re.MULTILINE)


@dataclass(frozen=True)
class FileSigner:
    """A key held in this process's memory."""

    alg: str
    chain: tuple[x509.Certificate, ...]
    key: SigningKey = field(repr=False)

    @cached_property
    def certificate_pem(self) -> str:
        return to_pem(self.chain)

    def sign(self, data: bytes) -> bytes:
        return sign(self.key, self.alg, data)


def load_named(folder: Path, name: str) -> FileSigner:
    """Load `NAME.pem` of a keys folder.

    Raises:
        UnknownSignerError: not a key name, or no such file.
        KeyFileError: unreadable, damaged, unprotected, wrong secret, or key and certificate do not belong together.
    """
    path = key_path(folder, name)
    if not path.exists():
        raise UnknownSignerError(name, f"no such key in {folder}")
    return load_file(path)


def load_file(path: Path) -> FileSigner:
    """Load a key file; the secret comes from the environment or from the file beside it. Raises `KeyFileError`."""
    text = read_private(path)
    block = _KEY_BLOCK.search(text)
    if block is None:
        raise KeyFileError(path, "holds no whole private key")
    if block.group(1) != b"ENCRYPTED ":
        raise KeyFileError(path, "the private key is not encrypted")
    try:
        chain = load_pem(text)
    except ValueError as error:
        raise KeyFileError(path, str(error)) from error
    if not chain or not text.rstrip().endswith(b"-----END CERTIFICATE-----"):
        raise KeyFileError(path, "holds no certificate for its key, or is cut off")
    key = _decrypt(path, block.group(0))
    named = _ALG_LINE.search(text)
    return _signer(path, key, chain, named.group(1).decode("ascii") if named else None)


def write_key(path: Path, key: SigningKey, chain: tuple[x509.Certificate, ...], *, alg: str | None = None) -> None:
    """Write a key file and, unless there is one already, its secret; each atomically, both for the owner alone.

    A crash leaves the old key file or the new. An existing secret is kept, so that the old key stays readable until
    the new one is in place. Args:
        chain: leaf, then intermediates; a lone certificate for a root.
        alg: written down where the key leaves a choice (RSA); otherwise it follows from the key.
    """
    pem = encrypted(key, ensured_secret(path.with_suffix(".secret")))
    name = alg or default_for(key.public_key())
    write_private(path, b"alg: " + name.encode("ascii") + b"\n" + pem + to_pem(chain).encode("ascii"))


def key_path(folder: Path, name: str) -> Path:
    """Where a key of this name lives. Raises UnknownSignerError for names that could lead elsewhere."""
    if not NAME.fullmatch(name) or ".." in name:
        raise UnknownSignerError(name, "a key name has lower-case letters, digits, '.', '_' and '-'")
    return folder / f"{name}.pem"


def _signer(path: Path, key: SigningKey, chain: tuple[x509.Certificate, ...], alg: str | None) -> FileSigner:
    public = key.public_key()
    if _spki(chain[0]) != public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo):
        raise KeyFileError(path, "the first certificate does not belong to the private key")
    try:
        name = alg or default_for(public)
    except AlgorithmError as error:
        raise KeyFileError(path, str(error)) from error
    if not fits(name, public):
        raise KeyFileError(path, f"the key cannot sign with {name}")
    return FileSigner(name, chain, key)


def _spki(certificate: x509.Certificate) -> bytes:
    try:
        return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except ValueError:
        return b""


def _decrypt(path: Path, block: bytes) -> SigningKey:
    key = decrypted(path, block, secret_of(path.with_suffix(".secret")))
    try:
        return narrow(key)
    except AlgorithmError as error:
        raise KeyFileError(path, str(error)) from error
