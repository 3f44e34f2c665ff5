"""Entries: what exactly stands in the log, and what lies beside it. Pure.

    body = {"asset":…,"at":"2026-11-21T09:30:00.000000Z","kind":"captured","payload_digest":"…"}   canonical JSON, UTF-8
    leaf hash = SHA-256(0x00 ‖ body)           RFC 6962 §2.1, RFC 9162 §2.1.1
    payload_digest = SHA-256(salt ‖ payload)   salt: 16 random bytes

The body holds nothing personal, so it can be published, and never changes. The payload may be personal: it lies beside.
Its salt goes when it goes, so that nobody can prove by guessing what an erased payload said.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from json.encoder import encode_basestring
from typing import Any

from provenance.errors import MalformedError
from provenance.trail.tree import leaf_hash

SALT_BYTES = 16
_DIGEST = re.compile(r"[0-9a-f]{64}")
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode  # made once
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)


class Kind(StrEnum):
    """What an entry can record (DESIGN: Trail)."""

    CAPTURED = "captured"
    EDITED = "edited"
    RENDITION = "rendition"
    REGISTERED = "registered"
    BOUND = "bound"
    REVOKED = "revoked"
    WITHDRAWN = "withdrawn"
    JUDGED = "judged"
    REVIEWED = "reviewed"
    CONSENT = "consent"
    SIGNED = "signed"  # a signing process gave a signature, whatever became of it
    ERASED = "erased"  # the payload of another entry was erased, and why
    ACCESS = "access"  # who may do what was changed: an API key made, replaced or ended


@dataclass(frozen=True, slots=True)
class Entry:
    """What a body says."""

    kind: str
    asset: str | None
    at: datetime
    payload_digest: str


def utc(at: datetime) -> datetime:
    """Return an instant in UTC; a naive one is a bug of the caller (ValueError)."""
    if at.tzinfo is None:
        raise ValueError("an instant needs its time zone")
    return at.astimezone(UTC)


def canonical(value: Mapping[str, Any]) -> bytes:
    """Write JSON in one fixed way: keys sorted, no spaces, UTF-8; for strings, integers and None this is RFC 8785.

    What is stored and hashed are these bytes; nobody has to be able to write the same ones again.

    Raises:
        ValueError: NaN, an infinity, a lone surrogate.
        TypeError: not JSON.
    """
    return _encode(value).encode()


def payload_digest(salt: bytes, payload: bytes) -> str:
    """Return what a body says of its payload: SHA-256(salt ‖ payload), hex."""
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes, not {len(salt)}")
    return hashlib.sha256(salt + payload).hexdigest()


def body(kind: Kind, asset_id: str | None, payload_sha256: str, at: datetime) -> bytes:
    """Return the bytes that an entry is in the log."""
    instant = utc(at).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    asset = "null" if asset_id is None else encode_basestring(asset_id)
    # what `canonical` would write, put together by hand: this is the road of every entry
    return f'{{"asset":{asset},"at":"{instant}","kind":"{kind.value}","payload_digest":"{payload_sha256}"}}'.encode()


def leaf_digest(leaf: bytes) -> str:
    """Return the Merkle leaf hash of a body, hex."""
    return leaf_hash(leaf).hex()


def parse_body(data: bytes) -> Entry:
    """Read a body; kinds that we do not know pass, members that we do not know too.

    Raises:
        MalformedError: it is no entry of such a log.
    """
    try:
        said = json.loads(data)
        asset, kind, digest = said["asset"], said["kind"], said["payload_digest"]
        at = datetime.fromisoformat(said["at"] if _INSTANT.fullmatch(said["at"]) else "")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise MalformedError("entry", "is no body of this log") from error
    if not isinstance(kind, str) or not (asset is None or isinstance(asset, str)):
        raise MalformedError("entry", "has no kind, or an asset that is no id")
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise MalformedError("entry", "has no digest of a payload")
    return Entry(kind, asset, at, digest)
