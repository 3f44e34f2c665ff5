"""A private key on disk: PKCS#8 PEM, encrypted with a secret that stands in a file of its own or in the environment.

The secret is 32 random bytes as one line of text, because `cryptography` stretches PKCS#8 passphrases by 2,048
rounds only: too few for anything a person could remember, and no matter at 256 bits. `COLOPHON_KEY_SECRET` in the
environment stands in for the file, for secrets kept by a service manager.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from keys.algorithms import SigningKey
from keys.errors import KeyFileError
from keys.files import read_private, write_private

SECRET_VARIABLE = "COLOPHON_KEY_SECRET"  # noqa: S105 - the variable's name
_LEAST = 32  # characters


def secret_of(path: Path) -> bytes:
    """The secret in a file, or in the environment where it is set.

    Raises:
        KeyFileError: missing, readable by others, too short.
    """
    given = os.environ.get(SECRET_VARIABLE)
    secret = (given.encode() if given is not None else read_private(path)).strip()
    if len(secret) < _LEAST:
        raise KeyFileError(path, f"the secret is too short (or set {SECRET_VARIABLE})")
    return secret


def ensured_secret(path: Path) -> bytes:
    """`secret_of`, after a new one was written where there is none: old keys stay readable until new ones are in place."""
    if SECRET_VARIABLE not in os.environ and not path.exists():
        write_private(path, secrets.token_urlsafe(32).encode("ascii") + b"\n")
    return secret_of(path)


def encrypted(key: SigningKey | MLDSA44PrivateKey, secret: bytes) -> bytes:
    """PKCS#8 PEM."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(secret))


def decrypted(path: Path, pem: bytes, secret: bytes) -> PrivateKeyTypes:
    """The key in a PEM block that was read from `path`; of what kind is for the caller to see.

    Raises:
        KeyFileError: another secret, or damaged.
    """
    try:
        return load_pem_private_key(pem, secret)
    except (ValueError, TypeError) as error:
        raise KeyFileError(path, "cannot be decrypted: wrong secret or damaged key") from error
