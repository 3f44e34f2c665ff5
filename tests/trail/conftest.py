"""A log with keys that never change, on each database; and a tree whose hashes are all at hand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from sqlalchemy import Engine

from provenance.store import Objects, Registration, Registry
from provenance.store.log import Log
from provenance.trail.note import NoteKey
from provenance.trail.sequencer import Sequencer, log_keys

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
ORIGIN = "log.example/trail"


@dataclass(frozen=True)
class SeededSigner:
    """Private keys from a seed: the same in every run, of use to nobody."""

    ed25519: Ed25519PrivateKey
    ml_dsa_44: MLDSA44PrivateKey

    @classmethod
    def of(cls, seed: str) -> SeededSigner:
        secret = hashlib.sha256(seed.encode()).digest()
        return cls(Ed25519PrivateKey.from_private_bytes(secret), MLDSA44PrivateKey.from_seed_bytes(secret))

    def sign_ed25519(self, message: bytes) -> bytes:
        return self.ed25519.sign(message)

    def sign_ml_dsa_44(self, message: bytes) -> bytes:
        return self.ml_dsa_44.sign(message)

    def keys(self, name: str) -> tuple[NoteKey, NoteKey]:
        return log_keys(name, self.ed25519.public_key().public_bytes_raw(), self.ml_dsa_44.public_key().public_bytes_raw())


@pytest.fixture
def at() -> datetime:
    return AT


@pytest.fixture
def signer() -> SeededSigner:
    return SeededSigner.of("the log of the tests")


@pytest.fixture
def keys(signer: SeededSigner) -> tuple[NoteKey, NoteKey]:
    return signer.keys(ORIGIN)


@pytest.fixture
def seeded() -> Callable[[str], SeededSigner]:
    return SeededSigner.of


@pytest.fixture
def registry(engine: Engine, tmp_path: Path) -> Registry:
    return Registry(engine, Objects(tmp_path / "objects"))


@pytest.fixture
def log(engine: Engine) -> Log:
    return Log(engine)


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "trail.checkpoint"


@pytest.fixture
def sequencer(engine: Engine, signer: SeededSigner, keys: tuple[NoteKey, NoteKey], memory: Path) -> Sequencer:
    return Sequencer(engine, signer, keys, now=lambda: AT, memory=memory)


@pytest.fixture
def make_registration() -> Callable[..., Registration]:
    """A small registration by number; any field can be changed."""

    def made(n: int, **changes: object) -> Registration:
        fields: dict[str, object] = {
            "asset_id": f"asset-{n}",
            "sha256": hashlib.sha256(str(n).encode()).hexdigest(),
            "media_type": "image/jpeg",
            "manifest_id": f"urn:c2pa:{n}",
            "manifest_store": b"store %d" % n,
            "signer_name": "Ada",
            "signer_fingerprint": "aa",
            "signed_at": AT,
            "time_state": "trusted",
            "action": "registered",
        }
        return Registration(**(fields | changes))  # type: ignore[arg-type]

    return made
