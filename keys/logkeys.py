"""The log's signing keys, `keys/log/`: one Ed25519 and one ML-DSA-44 key, made once, never renewed by themselves.

    log/                  0700
      ed25519.key         0600  PKCS#8 PEM, encrypted like every key here
      ml-dsa-44.key       0600  the same
      log.secret          0600  the passphrase of both (`COLOPHON_KEY_SECRET` stands in for it)
      public.json         0644  both public keys: what may be read without the secret

They sign what the log's format says (checkpoints), nothing else; whoever holds a `LogKeys` holds private keys, and so
belongs into the process that numbers entries, never into one that answers requests.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from keys.errors import KeyFileError
from keys.files import locked, private_folder, read_private, write_private
from keys.protected import decrypted, encrypted, ensured_secret, secret_of

FOLDER = "log"
_ED25519, _ML_DSA_44, _SECRET, _PUBLIC = "ed25519.key", "ml-dsa-44.key", "log.secret", "public.json"


@dataclass(frozen=True, slots=True)
class LogPublicKeys:
    """What others check the log with: 32 bytes of Ed25519, 1,312 of ML-DSA-44."""

    ed25519: bytes
    ml_dsa_44: bytes


@dataclass(frozen=True, slots=True)
class LogKeys:
    """Both private keys, in this process's memory."""

    public: LogPublicKeys
    _ed25519: Ed25519PrivateKey = field(repr=False)
    _ml_dsa_44: MLDSA44PrivateKey = field(repr=False)

    def sign_ed25519(self, message: bytes) -> bytes:
        """64 bytes."""
        return self._ed25519.sign(message)

    def sign_ml_dsa_44(self, message: bytes) -> bytes:
        """2,420 bytes, with an empty context (FIPS 204 §5.2)."""
        return self._ml_dsa_44.sign(message)


def init_log_keys(folder: Path) -> LogPublicKeys:
    """Make sure that a keys folder has log keys. Done twice it changes nothing; two processes at once make one pair.

    Raises:
        KeyFileError: the folder cannot be written, or what is in it is damaged.
    """
    place = private_folder(private_folder(folder) / FOLDER)
    try:
        with locked(place):
            if not (place / _PUBLIC).exists():  # written last: until then nothing was signed
                _make(place)
    except OSError as error:
        raise KeyFileError(place, error.strerror or "cannot be written") from error
    return public_keys(folder)


def public_keys(folder: Path) -> LogPublicKeys:
    """Read the public keys alone.

    Raises:
        KeyFileError: there are none, or the file is damaged.
    """
    path = folder / FOLDER / _PUBLIC
    try:
        said = json.loads(path.read_bytes())
        return LogPublicKeys(bytes.fromhex(said["ed25519"]), bytes.fromhex(said["ml_dsa_44"]))
    except OSError as error:
        raise KeyFileError(path, error.strerror or "cannot be read") from error
    except (ValueError, TypeError, KeyError) as error:
        raise KeyFileError(path, "does not hold two public keys") from error


def open_log_keys(folder: Path) -> LogKeys:
    """Decrypt the private keys.

    Raises:
        KeyFileError: a file is missing, damaged, readable by others, or no partner of the public keys.
    """
    place = folder / FOLDER
    public = public_keys(folder)
    secret = secret_of(place / _SECRET)
    ed25519, ml_dsa_44 = (decrypted(path, read_private(path), secret) for path in (place / _ED25519, place / _ML_DSA_44))
    if not isinstance(ed25519, Ed25519PrivateKey) or ed25519.public_key().public_bytes_raw() != public.ed25519:
        raise KeyFileError(place / _ED25519, "is not the private key of the public one beside it")
    if not isinstance(ml_dsa_44, MLDSA44PrivateKey) or ml_dsa_44.public_key().public_bytes_raw() != public.ml_dsa_44:
        raise KeyFileError(place / _ML_DSA_44, "is not the private key of the public one beside it")
    return LogKeys(public, ed25519, ml_dsa_44)


def _make(place: Path) -> None:
    secret = ensured_secret(place / _SECRET)
    ed25519, ml_dsa_44 = Ed25519PrivateKey.generate(), MLDSA44PrivateKey.generate()
    for name, key in ((_ED25519, ed25519), (_ML_DSA_44, ml_dsa_44)):
        write_private(place / name, encrypted(key, secret))
    public = {
        "ed25519": ed25519.public_key().public_bytes_raw().hex(),
        "ml_dsa_44": ml_dsa_44.public_key().public_bytes_raw().hex(),
    }
    write_private(place / _PUBLIC, json.dumps(public, indent=1).encode() + b"\n")
    (place / _PUBLIC).chmod(0o644)
