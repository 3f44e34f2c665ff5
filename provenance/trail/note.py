"""Signed notes (C2SP signed-note) and the three kinds of keys that sign checkpoints. Pure.

    text ending in a newline
    (empty line)
    — NAME base64(key id ‖ signature)          one line a signature

    key id = SHA-256(NAME ‖ 0x0A ‖ type ‖ public key)[:4]
    vkey   = NAME+hex(key id)+base64(type ‖ public key)     how a key is written down and handed on

Signatures of unknown keys are kept and ignored, so that logs and witnesses can add kinds that we do not know.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from provenance.errors import MalformedError

MAX_NOTE = 1 << 20
_DASH = "— "  # U+2014, space
_NAME = re.compile(r"[^\s+]+")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_VKEY = re.compile(r"([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)")


class KeyType(IntEnum):
    """Signature types that we make or check; the byte in key ids and vkeys."""

    ED25519 = 0x01  # over the note's text
    COSIGNATURE_ED25519 = 0x04  # over a time and the text
    COSIGNATURE_ML_DSA_44 = 0x06  # over names, a time, size and root


_PUBLIC_BYTES = {KeyType.ED25519: 32, KeyType.COSIGNATURE_ED25519: 32, KeyType.COSIGNATURE_ML_DSA_44: 1312}


@dataclass(frozen=True)
class NoteKey:
    """A public key and its name; it can be made of what anybody says, so only keys from one's own settings count.

    Attributes:
        name: Without spaces and `+`; like a URL without its scheme.
        public: 32 bytes (Ed25519) or 1,312 bytes (ML-DSA-44).
    """

    name: str
    type: KeyType
    public: bytes

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise MalformedError("key name", "is empty, or holds a space or a plus sign")
        if len(self.public) != _PUBLIC_BYTES[self.type]:
            raise MalformedError("public key", f"has {len(self.public)} bytes, not {_PUBLIC_BYTES[self.type]}")

    @cached_property
    def id(self) -> bytes:
        """Four bytes that say which key signed; not a fingerprint that anybody could rely on."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.type]) + self.public).digest()[:4]

    @property
    def vkey(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(bytes([self.type]) + self.public).decode()}"

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether the bare signature over the bare message is this key's."""
        try:
            if self.type is KeyType.COSIGNATURE_ML_DSA_44:
                MLDSA44PublicKey.from_public_bytes(self.public).verify(signature, message)
            else:
                Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line, verified or not."""

    name: str
    key_id: bytes
    blob: bytes

    @property
    def line(self) -> str:
        return f"{_DASH}{self.name} {base64.b64encode(self.key_id + self.blob).decode()}\n"

    def by(self, key: NoteKey) -> bool:
        """Whether the line says that this key made it."""
        return self.name == key.name and self.key_id == key.id


@dataclass(frozen=True, slots=True)
class Note:
    """A text, final newline included, and the signature lines under it."""

    text: str
    signatures: tuple[Signature, ...]

    def __bytes__(self) -> bytes:
        return (self.text + "\n" + "".join(s.line for s in self.signatures)).encode()

    def with_signatures(self, more: Iterable[Signature]) -> Note:
        """The note with further lines; one that is there already is not repeated."""
        return Note(self.text, tuple(dict.fromkeys((*self.signatures, *more))))


def parse_note(data: bytes) -> Note:
    """Read a signed note; nothing is verified yet.

    Raises:
        MalformedError: not a note, or over 1 MiB.
    """
    if len(data) > MAX_NOTE:
        raise MalformedError("note", "is too large")
    try:
        note = data.decode()
    except UnicodeDecodeError as error:
        raise MalformedError("note", "is not UTF-8") from error
    if _CONTROL.search(note):
        raise MalformedError("note", "holds a control character")
    text, blank, lines = note.rpartition("\n\n")
    if not blank or not text or not lines.endswith("\n"):
        raise MalformedError("note", "has no signatures after an empty line")
    return Note(text + "\n", parse_signatures(lines))


def parse_signatures(lines: str) -> tuple[Signature, ...]:
    """Read signature lines, each with its newline.

    Raises:
        MalformedError: a line that is none.
    """
    if not lines.endswith("\n"):
        raise MalformedError("signature line", "has no end")
    return tuple(_signature(line) for line in lines[:-1].split("\n"))


def parse_vkey(vkey: str) -> NoteKey:
    """Read a public key as it is handed on.

    Raises:
        MalformedError: not a vkey, of a type that we cannot check, or its id is not that of its key.
    """
    match = _VKEY.fullmatch(vkey.strip())
    if match is None:
        raise MalformedError("vkey", "is not NAME+KEYID+KEY")
    name, key_id, encoded = match.groups()
    data = decode64(encoded, "vkey")
    if not data or data[0] not in set(KeyType):
        raise MalformedError("vkey", "is of a type that is not known here")
    key = NoteKey(name, KeyType(data[0]), data[1:])
    if key.id.hex() != key_id:
        raise MalformedError("vkey", "has a key id that is not its key's")
    return key


def timestamped(blob: bytes) -> tuple[int, bytes]:
    """Take a cosignature apart: POSIX seconds, bare signature (C2SP tlog-cosignature: `timestamped_signature`).

    Raises:
        MalformedError: too short, or a time that cannot be.
    """
    if len(blob) <= 8:
        raise MalformedError("cosignature", "is too short")
    (seconds,) = struct.unpack(">Q", blob[:8])
    if seconds >= 1 << 63:
        raise MalformedError("cosignature", "has a time that cannot be")
    return seconds, blob[8:]


def decode64(text: str, what: str) -> bytes:
    """Standard base64 with its padding, written the one way that it can be.

    Raises:
        MalformedError: anything else.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError(what, "is not base64") from error
    if base64.b64encode(data).decode() != text:
        raise MalformedError(what, "is not base64 as it should be written")
    return data


def _signature(line: str) -> Signature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space or not _NAME.fullmatch(name):
        raise MalformedError("signature line", "is not “— NAME SIGNATURE”")
    data = decode64(encoded, "signature line")
    if len(data) < 5:
        raise MalformedError("signature line", "holds no signature")
    return Signature(name, data[:4], data[4:])
