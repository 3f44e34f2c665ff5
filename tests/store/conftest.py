"""A migrated registry on each database, and registrations that differ in what a test says."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from provenance.store import Binding, Objects, Registration, Registry
from provenance.store.database import reading
from provenance.store.tables import metadata

AT = datetime(2026, 11, 21, 9, 30, 0, 123456, tzinfo=UTC)
Make = Callable[..., Registration]


def iscc(bits: bytes) -> str:
    """An ISCC image code (ISO 24138) with a given body of 32 bytes."""
    header = bytes([0x21, len(bits) // 4 - 1])
    return "ISCC:" + base64.b32encode(header + bits).decode().rstrip("=")


@pytest.fixture
def at() -> datetime:
    return AT


@pytest.fixture(name="iscc")
def iscc_() -> Callable[[bytes], str]:
    return iscc


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    return Objects(tmp_path / "objects")


@pytest.fixture
def registry(engine: Engine, objects: Objects) -> Registry:
    return Registry(engine, objects)


@pytest.fixture
def make() -> Make:
    """A complete registration by number: equal numbers make equal ones, and any field can be changed."""

    def made(n: int, **changes: Any) -> Registration:
        seed = hashlib.sha256(str(n).encode())
        fields: dict[str, Any] = {
            "asset_id": f"asset-{n}",
            "sha256": seed.hexdigest(),
            "media_type": "image/jpeg",
            "width": 4000,
            "height": 3000,
            "manifest_id": f"urn:c2pa:{n}",
            "manifest_store": b"store %d" % n,
            "signer_name": "Ada",
            "signer_fingerprint": "sha256:aa",
            "signed_at": AT,
            "time_state": "trusted",
            "action": "captured",
            "bindings": (Binding("org.colophon.mark.image.1", f"{n:016x}"), Binding("io.iscc.v0", f"code {n}")),
            "reference": b"reference %d" % n,
            "reference_media_type": "image/webp",
            "reference_width": 512,
            "reference_height": 384,
            "fingerprint": iscc(seed.digest()),
            "summary": {"file": f"{n}.jpg"},
        }
        return Registration(**(fields | changes))

    return made


@pytest.fixture
def rows(engine: Engine) -> Callable[[], dict[str, int]]:
    """How many rows every table has."""

    def count() -> dict[str, int]:
        with reading(engine) as connection:
            tables = metadata.sorted_tables
            return {t.name: connection.scalar(select(func.count()).select_from(t)) or 0 for t in tables}

    return count
